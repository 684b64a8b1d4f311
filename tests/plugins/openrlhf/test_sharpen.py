"""Former cliffs in the prompt stream: when they come back, and that no batch is broken."""

from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st

from hdpo_plugins.openrlhf.sharpen import Reentry


@given(
    delay=st.integers(1, 3),
    distilled=st.lists(st.sets(st.integers(0, 4), max_size=3), min_size=1, max_size=8),
    size=st.sampled_from([2, 4, 6]),
    resumed=st.integers(0, 8),
)
def test_every_former_cliff_comes_back_once_and_never_too_early(delay, distilled, size, resumed):
    """Each comes `delay` steps later or after, at most half a batch; a resume loses none."""
    queue, due, loader = Reentry(delay), {}, count(100)
    for step in range(len(distilled) + delay + 20):
        if step == resumed:
            state, queue = queue.state(), Reentry(delay)
            queue.load_state(state)
        batch = list(islice(queue.stream(loader, step, size, lambda row: row), size))
        back = [row for row in batch if row < 100]
        assert len(back) <= size // 2
        assert [row for row in range(5) if queue.came_back(row)] == sorted(back)
        for row in back:
            assert due.pop(row) <= step
        for row in sorted(distilled[step]) if step < len(distilled) else ():
            queue.add(row, step)
            due.setdefault(row, step + delay)
    assert not due


@given(rows=st.integers(1, 20), size=st.sampled_from([2, 4]), cliffs=st.integers(1, 3))
def test_no_row_of_the_loader_is_lost_and_every_batch_is_whole(rows, size, cliffs):
    """Former cliffs fill the last batch; after it the stream is over, however many still wait."""
    queue, loader, seen = Reentry(1), iter(range(100, 100 + rows)), []
    for row in range(cliffs):
        queue.add(row, 0)
    for step in range(100):
        batch = list(islice(queue.stream(loader, step, size, lambda row: row), size))
        if not batch:
            break
        assert len(batch) == size
        seen += [row for row in batch if row >= 100]
    assert seen == list(range(100, 100 + rows))
    assert list(queue.stream(loader, 200, size, lambda row: row)) == []


@given(due=st.integers(1, 4), later=st.integers(4, 6))
def test_the_last_batch_repeats_no_row_while_others_are_left(due, later):
    """One fresh prompt, some former cliffs that are due: the fill takes those that are not."""
    queue = Reentry(1)
    for row in range(due):
        queue.add(row, 0)
    for row in range(due, due + later):
        queue.add(row, 50)
    batch = list(queue.stream(iter([100]), 1, 8, lambda row: row))
    assert len(batch) == 8
    assert len(set(batch)) == min(8, 1 + due + later)


def test_without_a_delay_the_stream_is_the_loaders():
    """0 switches re-entry off, partial batches included."""
    queue = Reentry(0)
    queue.add(5, 0)
    assert list(queue.stream(iter([1, 2, 3]), 99, 2, lambda row: row)) == [1, 2, 3]
