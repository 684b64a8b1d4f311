"""Former cliffs in the prompt stream: who comes back when, and that no episode grows by it."""

from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from hdpo_plugins.openrlhf.sharpen import Reentry


class Loader:
    """An episode's rows in an order of its own, from a place that a checkpoint may hold."""

    def __init__(self, rows, episode, place=0):
        turned = [(row + episode) % rows for row in range(rows)]
        self.place, self._rows = place, turned

    def __iter__(self):
        return self

    def __next__(self):
        if self.place == len(self._rows):
            raise StopIteration
        self.place += 1
        return "fresh", self._rows[self.place - 1]


def a_batch(stream, size):
    """As OpenRLHF draws one: items, and whether the stream ended before there were enough."""
    batch = list(islice(stream, size))
    return batch, len(batch) < size


SETTINGS = {
    "rows": st.integers(1, 14),
    "size": st.integers(1, 6),
    "delay": st.integers(1, 3),
    "tries": st.integers(1, 3),
    "luck": st.randoms(use_true_random=False),
}


@given(**SETTINGS, resumed=st.sets(st.integers(0, 20)))
def test_an_episode_has_its_planned_batches_whatever_comes_back(
    rows, size, delay, tries, luck, resumed
):
    """Three episodes of as many batches, each as full, as without re-entry.

    In each the loader's rows come once at most and in its order, the former cliffs take the places
    of as many of its last ones, and a resume in between changes none of it.
    """
    queue, step = Reentry(delay, tries=tries, rows=rows), 0
    for episode in range(3):
        loader, sizes, served, is_over = Loader(rows, episode), [], [], False
        order = list(Loader(rows, episode))
        while not is_over:
            if step in resumed:
                state, queue = queue.state(), Reentry(delay, tries=tries, rows=rows)
                queue.load_state(state)
                loader = Loader(rows, episode, loader.place)
            stream = queue.stream(loader, step, size, lambda row: ("back", row))
            batch, is_over = a_batch(stream, size)
            sizes += [len(batch)] if batch else []
            served += batch
            for _, row in batch:
                if luck.random() < 0.8:
                    queue.add(row, step)
            step += 1
        assert sizes == [size] * (rows // size) + [rows % size] * (rows % size > 0)
        fresh = [item for item in served if item[0] == "fresh"]
        assert fresh == order[: len(fresh)]
        assert loader.place == rows  # what had no place is no start of the next episode


@given(**SETTINGS)
def test_who_comes_back_was_distilled_long_enough_ago_and_not_in_vain_too_often(
    rows, size, delay, tries, luck
):
    """A replay of the rules: d, 2d, 4d steps after each distillation, until someone solves it.

    At most half a batch comes back, the longest due first, and each row that is due and has a
    place comes.
    """
    queue = Reentry(delay, tries=tries, rows=rows)
    due, in_vain, loader = {}, Counter(), Loader(rows, 0)
    for step in range(60):
        left = rows - queue.state()["served"]
        batch, is_over = a_batch(queue.stream(loader, step, size, lambda row: ("back", row)), size)
        back = [row for kind, row in batch if kind == "back"]
        ripe = sorted((when, row) for row, when in due.items() if when <= step)
        assert back == [row for _, row in ripe[: min(size, left) // 2]]
        assert [row for row in range(rows) if queue.came_back(row)] == sorted(back)
        for row in back:
            del due[row]
            in_vain[row] += 1
        for _, row in batch:
            if luck.random() < 0.3:
                queue.solved(row)
                in_vain[row] = 0
            elif luck.random() < 0.8:  # distilled: it may come back
                queue.add(row, step)
                if in_vain[row] < tries:
                    due.setdefault(row, step + delay * 2 ** in_vain[row])
        if is_over:
            loader = Loader(rows, step)


def returns(queue, num_steps, solved_at=()):
    """Steps at which row 7 comes back, if it is distilled at once and whenever nobody solves it."""
    queue.add(7, 0)
    found, loader = [], iter(range(100, 1000))
    for step in range(1, num_steps):
        for item in islice(queue.stream(loader, step, 2, lambda row: row), 2):
            if item == 7:
                found.append(step)
                queue.solved(7) if step in solved_at else queue.add(7, step)
    return found


def test_a_cliff_that_stays_one_comes_back_ever_later_and_then_no_more():
    """By hand, delay 2: at steps 2, 2 + 4 and 6 + 8; with three tries there is no fourth."""
    assert returns(Reentry(2, tries=9, rows=900), 40) == [2, 6, 14, 30]
    assert returns(Reentry(2, tries=3, rows=900), 40) == [2, 6, 14]


def test_a_cliff_that_is_solved_has_come_back_for_good():
    """It is the loader's again; should it be a cliff once more it starts anew, two steps on."""
    queue = Reentry(2, tries=3, rows=900)
    assert returns(queue, 40, solved_at={6}) == [2, 6]
    queue.add(7, 50)
    queue.add(7, 51)  # it waits already
    assert [step for step in range(50, 60) if back_at(queue, step)] == [52]


def back_at(queue, step):
    """Whether row 7 is in the batch of a step."""
    return 7 in islice(queue.stream(iter(range(100, 1000)), step, 2, lambda row: row), 2)


def test_without_a_delay_the_stream_is_the_loaders():
    """0 switches re-entry off, partial batches and a loader of another length included."""
    queue = Reentry(0, tries=3, rows=2)
    queue.add(5, 0)
    assert list(queue.stream(iter([1, 2, 3]), 99, 2, lambda row: row)) == [1, 2, 3]
