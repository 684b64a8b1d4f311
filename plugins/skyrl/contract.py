"""What we promise to SkyRL-gym, driven through ``make``, ``step`` and its metric aggregation."""

from __future__ import annotations

from typing import Any

from hdpo_env.conformance import Host
from hdpo_env.types import Problem


def _make(problem: Problem, **more: Any) -> Any:
    import skyrl_gym

    from hdpo_plugins.skyrl.environment import register, row_of

    row = {**row_of(problem), **more}
    return skyrl_gym.make(register(), env_config={}, extras=row), row


def episodes() -> None:
    """Right, wrong then right with two turns, and an abstention; metrics through SkyRL's own."""
    from skyrl_gym.metrics import aggregate_for_environment

    problem = Problem("1+1=?", ("2",))
    env, row = _make(problem)
    shown, _ = env.init(row["prompt"])
    assert shown == row["prompt"]
    assert "1+1=?" in shown[-1]["content"]
    right = env.step(r"\boxed{2}")
    assert (right["reward"], right["done"], right["observations"]) == (1.0, True, [])
    again, _ = _make(problem, max_turns=2)
    wrong = again.step(r"\boxed{3}")
    assert (wrong["reward"], wrong["done"]) == (0.0, False)
    assert wrong["observations"][0]["role"] == "user"
    assert again.step(r"\boxed{2}")["reward"] == 1.0
    faulty, _ = _make(problem, extra_info={}, reward_spec={"ground_truth": " "})
    fault = faulty.step(r"\boxed{2}")
    assert (fault["reward"], fault["done"], fault["metadata"]["abstained"]) == (0.0, True, 1.0)
    metrics = aggregate_for_environment("hdpo", [e.get_metrics() for e in (env, again, faulty)])
    assert metrics == {"abstained": 1 / 3, "turns": 4 / 3, "acc": 1.0}, metrics


def bad_rows() -> None:
    """A row without a gold is an abstention; what is no row of ours is refused without its gold."""
    from hdpo_env.errors import DataError

    problem = Problem("1+1=?", ("2",))
    for spec in ({}, {"ground_truth": None}):
        env, _ = _make(problem, extra_info={}, reward_spec=spec)
        assert env.step(r"\boxed{2}")["metadata"]["abstained"] == 1.0
    for wrong in (
        {"reward_spec": None},
        {"reward_spec": "31337"},
        {"extra_info": ["31337"]},
        {"max_turns": ["31337"]},
    ):
        row = {"reward_spec": {"ground_truth": "31337"}, **wrong}
        said = "nothing was raised"
        try:
            _make(problem, **row)
        except DataError as error:
            said = str(error)
        assert next(iter(wrong)) in said, said
        assert "31337" not in said, said


def registration() -> None:
    """Registering twice is harmless, and the registered spec is JSON-able."""
    import skyrl_gym

    from hdpo_plugins.skyrl.environment import register

    assert register() == register() == "hdpo"
    assert skyrl_gym.spec("hdpo").to_json()


HOSTS = (
    Host(
        "skyrl-gym",
        distribution="skyrl-gym",
        tested=("0.4.0",),
        abstention="0.0, logged and counted; left out of the metric `acc`, `abstained` = 1",
        exercises={
            "make, init, step, metrics": episodes,
            "rows without a gold": bad_rows,
            "registration": registration,
        },
    ),
)
