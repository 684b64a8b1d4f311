"""The line of the reward server: its room, and who goes first."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from hdpo_plugins.openrlhf.reward.line import Line

# each request: its size, after how many turns of the loop it comes, holds on, and is cancelled
REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(0, 4), st.integers(0, 4), st.none() | st.integers(0, 9)
    ),
    max_size=12,
)


async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def served(requests, room):
    """The most that was held, and each request's end; a last one finds the whole room."""
    line, held, most = Line(room), 0, 0

    async def one(size, hold):
        nonlocal held, most
        async with line.place(size):
            held, most = held + size, max(most, held + size)
            try:
                await turns(hold)
            finally:
                held -= size

    async def cancelled(task, after):
        await turns(after)
        task.cancel()

    tasks, killers = [], []
    for size, gap, hold, after in requests:
        await turns(gap)
        tasks.append(asyncio.ensure_future(one(size, hold)))
        if after is not None:
            killers.append(asyncio.ensure_future(cancelled(tasks[-1], after)))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*killers)
    await asyncio.wait_for(one(room, 0), 5)  # all room has come back
    return most, results


@given(REQUESTS)
def test_the_room_is_never_exceeded_and_always_comes_back(requests):
    """Whatever is cancelled when: at most 5 units are held, and everybody else gets in."""
    most, results = asyncio.run(served(requests, 5))
    assert most <= 5
    for request, result in zip(requests, results, strict=True):
        assert result is None or request[3] is not None


def test_a_large_request_is_not_overtaken_by_small_ones():
    """Room 5, 3 held: a request for 4 waits, and so does one for 1 behind it, until 3 are back."""

    async def story():
        line, order = Line(5), []

        async def one(name, size, release=None):
            async with line.place(size):
                order.append(name)
                if release:
                    await release.wait()

        release = asyncio.Event()
        first = asyncio.ensure_future(one("3", 3, release))
        await turns(2)
        others = [asyncio.ensure_future(one("4", 4)), asyncio.ensure_future(one("1", 1))]
        await turns(9)
        assert order == ["3"]
        release.set()
        await asyncio.gather(first, *others)
        return order

    assert asyncio.run(story()) == ["3", "4", "1"]
