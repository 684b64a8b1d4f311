"""What we promise to GEM, driven through ``make`` and ``make_vec``."""

from __future__ import annotations

import random
from typing import Any

from hdpo_env.conformance import Host


def _made(**settings: Any) -> Any:
    from hdpo_plugins.gem.environment import gem, register_all

    assert "hdpo:linear" in register_all() == register_all()
    return gem.make("hdpo:linear", **settings)


def _solve(env: Any) -> str:
    return rf"\boxed{{{env.get_state().problem.gold}}}"


def episodes() -> None:
    """Right and wrong answers, seeds, and global random numbers left alone."""
    env = _made()  # imports GEM, whose parts may draw
    random.seed(7)
    before = random.getstate()
    text, info = env.reset(seed=3)
    assert random.getstate() == before, "reset touched the global random numbers"
    assert env.reset(seed=3)[0] == text != env.reset(seed=4)[0], "a seed is not its problem"
    env.reset(seed=3)
    assert env.step(_solve(env))[1:4] == (1.0, True, False)
    env.reset(seed=3)
    _, reward, terminated, _, info = env.step("no answer at all")
    assert (reward, terminated, info["abstained"]) == (0.0, True, False)


def abstention() -> None:
    """A fault of the verifier is counted and marked."""
    from hdpo_env.hosting import abstentions
    from hdpo_env.types import Problem
    from hdpo_plugins.gem.environment import MathGemEnv

    env = MathGemEnv([Problem("q", (" \\frac{1}{",))])
    env.reset(seed=0)
    before = abstentions["gem"]
    _, reward, terminated, _, info = env.step(r"\boxed{1}")
    assert (reward, terminated, info["abstained"]) == (0.0, True, True), info
    assert abstentions["gem"] == before + 1


def independent_spawns() -> None:
    """An environment, its children and a grandchild draw four orders; the same ones every time."""

    def orders() -> list[list[str]]:
        env = _made()
        children = [env.spawn(), env.spawn()]
        family = [env, *children, children[0].spawn()]
        return [[one.reset()[1]["problem_id"] for _ in range(8)] for one in family]

    found = orders()
    assert len({tuple(ids) for ids in found}) == 4, "a spawned environment replays another"
    assert found == orders(), "spawning is not reproducible"
    env, again = _made().spawn(seed=6), _made(seed=6)
    assert env.reset()[0] == again.reset()[0], "a given seed is not taken"


def state_and_vectors() -> None:
    """A spawned twin goes on from the same state; vector environments step together."""
    from hdpo_plugins.gem.environment import gem

    env = _made(max_turns=2)
    text, _ = env.reset(seed=5)
    env.step("wrong")
    twin = env.spawn(same_state=True)
    ended = [one.step("wrong")[2] for one in (twin, env)]
    assert ended == [True, True], "the twin is not in its second turn"
    other = env.spawn(seed=6)
    assert other.reset(seed=5)[0] == text
    vector = gem.make_vec(["hdpo:linear"] * 2, seed=1)
    shown, _ = vector.reset(seed=[5, 6])
    assert shown[0] == text != shown[1]
    solutions = [_solve(vector.envs[0]), "no"]
    _, rewards, ends, _, _ = vector.step(solutions)
    assert (rewards.tolist(), ends.tolist()) == ([1.0, 0.0], [True, True])


HOSTS = (
    Host(
        "gem",
        distribution="gem-llm",
        tested=("0.1.0",),
        abstention='0.0, logged and counted; `info["abstained"]` (GEM drops that info in vectors)',
        exercises={
            "make, reset, step": episodes,
            "abstention": abstention,
            "independent spawns": independent_spawns,
            "spawn, state, make_vec": state_and_vectors,
        },
    ),
)
