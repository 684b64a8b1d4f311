"""Environments of groups: verified rollouts of several problems at once, awaited and forked."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Sequence
from typing import ClassVar

from hdpo_env.env import GroupEnv
from hdpo_env.problems import ChainFamily
from hdpo_env.types import Completion, Outcome, Verdict
from hdpo_env.verifiers import ExactVerifier, VerifierPool

CHAIN = ChainFamily("#", 3).source("train", 0, 20)


class Faulty(ExactVerifier):
    """A verifier that always abstains."""

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        return Verdict(Outcome.TIMEOUT)


def test_groups_are_verified_rollouts() -> None:
    """Prompts out, completions in, groups back, in order; abstentions stay None."""
    env = GroupEnv(CHAIN, group_size=3)
    prompts = env.reset(ids=[CHAIN[2].id, CHAIN[0].id])
    assert [p.problem_id for p in prompts] == [CHAIN[2].id, CHAIN[0].id]
    rows = [[CHAIN[2].gold, "no", ""], ["no", Completion((), "1", finish_reason="length"), "no"]]
    first, second = env.step(rows)
    assert first.correct == (True, False, False)
    assert [r.reward for r in first.rollouts] == [1.0, 0.0, 0.0]
    assert second.rollouts[1].verdict.outcome is Outcome.TRUNCATED
    unsure = GroupEnv(CHAIN, group_size=1, verifier=Faulty())
    unsure.reset(num=1)
    [group] = unsure.step([["x"]])
    assert (group.correct, group.rollouts[0].reward) == ((None,), None)


def test_groups_follow_their_seed() -> None:
    """Same seed, same problems, draw after draw; the seed is 0 unless given."""

    def ids(**settings: int) -> list[str]:
        env = GroupEnv(CHAIN, group_size=1, **settings)
        return [p.problem_id for _ in range(3) for p in env.reset(num=8)]

    assert ids() == ids(seed=0) != ids(seed=1)
    assert len(set(ids())) > 8


def test_async_stepping_gives_the_same_groups() -> None:
    """`astep` is `step` off the event loop."""
    env = GroupEnv(CHAIN, group_size=2)
    env.reset(num=3)
    rows = [["no", p.gold] for p in env.problems]

    def kinds(groups: list) -> list:
        return [group.correct for group in groups]

    assert kinds(asyncio.run(env.astep(rows))) == kinds(env.step(rows)) == [(False, True)] * 3


def test_steps_that_wait_together_keep_their_problems() -> None:
    """Three resets, three awaited steps: each judges the problems of its own reset."""
    env = GroupEnv(CHAIN, group_size=2, seed=4)

    async def run() -> tuple[list[list[str]], list[list]]:
        ids, waiting = [], []
        for _ in range(3):
            ids.append([prompt.problem_id for prompt in env.reset(num=2)])
            rows = [[problem.gold, "no"] for problem in env.problems]
            waiting.append(asyncio.create_task(env.astep(rows)))
        return ids, await asyncio.gather(*waiting)

    ids, groups = asyncio.run(run())
    assert [[g.problem.id for g in batch] for batch in groups] == ids
    assert {g.correct for batch in groups for g in batch} == {(True, False)}


def test_a_loop_goes_on_while_groups_are_judged() -> None:
    """Judging happens off the event loop: a verifier that waits for the loop is answered."""
    judging, answered = threading.Event(), threading.Event()

    class Waiting(Faulty):
        def verify(
            self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
        ) -> Verdict:
            judging.set()
            return Verdict(Outcome.CORRECT if answered.wait(30) else Outcome.TIMEOUT)

    async def run() -> list:
        env = GroupEnv(CHAIN, group_size=1, verifier=Waiting())
        env.reset(num=1)
        step = asyncio.create_task(env.astep([["x"]]))
        while not judging.is_set():
            await asyncio.sleep(0.001)
        answered.set()
        return await step

    [group] = asyncio.run(run())
    assert group.correct == (True,)


def test_a_pool_judges_all_groups_in_one_call() -> None:
    """A verifier with ``map`` gets every completion at once, in order, with its finish reason."""

    class Many(Faulty):
        calls: ClassVar[list] = []

        def map(self, items: list) -> list[Verdict]:
            self.calls.append(items)
            return [Verdict(Outcome.CORRECT if c == g[0] else Outcome.WRONG) for c, g, _ in items]

    env = GroupEnv(CHAIN, group_size=2, verifier=Many())
    env.reset(ids=[CHAIN[3].id, CHAIN[1].id])
    cut = Completion((), CHAIN[1].gold, finish_reason="length")
    groups = env.step([["no", CHAIN[3].gold], [cut, "no"]])
    assert [g.correct for g in groups] == [(False, True), (True, False)]
    [items] = Many.calls
    assert [item[2] for item in items] == ["stop", "stop", "length", "stop"]
    with VerifierPool(ExactVerifier(), workers=1) as pool:
        env = GroupEnv(CHAIN, group_size=2, verifier=pool)
        env.reset(ids=[CHAIN[3].id])
        assert env.step([["no", CHAIN[3].gold]])[0].correct == (False, True)


def test_group_environments_fork() -> None:
    """The twin draws and judges the same; what one does leaves the other alone."""
    env = GroupEnv(CHAIN, group_size=1, seed=9)
    env.reset(num=4)
    saved, twin = env.get_state(), env.fork()
    assert twin.get_state() == saved
    judged = [g.problem.id for g in twin.step([["x"]] * 4)]
    assert judged == [p.id for p in env.problems]
    drawn = [p.problem_id for p in twin.reset(num=6)]
    assert env.get_state() == saved
    assert [p.problem_id for p in env.reset(num=6)] == drawn
    env.set_state(pickle.loads(pickle.dumps(saved)))
    assert [p.problem_id for p in env.reset(num=6)] == drawn


def test_problems_are_drawn_without_repeats_while_there_are_enough() -> None:
    """All places in one draw, in an order of the seed; more than all takes some twice."""
    env = GroupEnv(CHAIN, group_size=1, seed=3)
    ids = sorted(problem.id for problem in CHAIN)
    drawn = [prompt.problem_id for prompt in env.reset(num=len(CHAIN))]
    assert drawn != sorted(drawn)
    assert sorted(drawn) == ids
    again = [prompt.problem_id for prompt in GroupEnv(CHAIN, group_size=1, seed=3).reset(num=20)]
    assert again == drawn
    assert len(env.reset(num=3 * len(CHAIN))) == 60


def test_a_fork_of_a_subclass_is_one() -> None:
    """Its class and what it adds are kept, and its draws are its own."""

    class Named(GroupEnv):
        label = ""

    env = Named(CHAIN, group_size=1, seed=5)
    env.label = "mine"
    env.reset(num=2)
    twin = env.fork()
    assert (type(twin), twin.label, twin.problems) == (Named, "mine", env.problems)
    ahead = [prompt.problem_id for prompt in twin.reset(num=5)]
    assert [prompt.problem_id for prompt in env.reset(num=5)] == ahead
