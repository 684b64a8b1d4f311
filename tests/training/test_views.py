"""Training with views that quote the step's own rollouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hdpo_env.config import TrainConfig
from hdpo_env.errors import ConfigError, ViewError
from hdpo_env.problems import ChainFamily
from hdpo_env.rollouts import judge
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.training.collect import Collector
from hdpo_env.training.runs import check_teachable
from hdpo_env.training.stream import EpochStream
from hdpo_env.types import Problem

RATES = (0.0, 0.5, 0.5, 1.0)


def collector_of(config: TrainConfig, view: str) -> tuple[Collector, list[Problem]]:
    """Sampling from a policy whose truth is known: a cliff, two mixed groups, a saturated one."""
    problems = list(ChainFamily("#", 6).source("train", 0, 4))
    rates = {p.id: rate for p, rate in zip(problems, RATES, strict=True)}
    policy = SimulatedPolicy(problems, rates, view_lift={view: 1.0})
    algo = replace(config.algo, distill=replace(config.algo.distill, view=view))
    rollout = replace(
        config.rollout, template="chain", teacher_template="chain", max_tokens=40, group_size=12
    )
    config = replace(config, algo=algo, rollout=rollout)
    stream = EpochStream(problems, seed=0)
    return Collector(config, policy, stream, judge), problems  # type: ignore[arg-type]


def test_a_sibling_is_one_of_the_steps_own_rollouts(
    config_of: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    """Mixed and saturated groups are shown their own correct rollout; a cliff has none to show."""
    collector, problems = collector_of(config_of("sdpg"), "sibling")
    with pytest.raises(ViewError, match="none are given"):
        collector.teacher_prompt(problems[1])
    seen, _ = collector.student_groups(1)
    assert {group.problem.id for group in seen} == set(collector.groups)
    for group in seen:
        prompt = collector.teacher_prompt_or_none(group.problem)
        if True in group.correct:
            assert prompt is not None
            shown = f"P{group.problem.question}|{group.problem.gold}"
            assert prompt.messages[-1].content == shown
            assert prompt.view == "sibling"
        else:
            assert prompt is None
    cliffs = [g for g in seen if True not in g.correct]
    assert cliffs
    selection, sampled = collector.survivors(cliffs, 1)
    assert (selection.kept, sampled) == ((), [])


def test_a_view_fades_as_its_problem_is_taught(config_of: Callable[..., TrainConfig]) -> None:
    """By hand: solution and answer teach, the question alone never does; each cliff goes its way.

    Up a rung after a group that succeeds, down after one that fails, and without hints the rung
    that would show them shows the answer instead. The loss reads the prompt that was sampled from.
    """
    family = ChainFamily("#", 6)
    problems = [replace(p, hints=()) for p in family.source("train", 0, 2)]
    problems[1] = replace(problems[1], hints=("begin at the left",))
    policy = SimulatedPolicy(problems, 0.0, view_lift={"solution": 1.0, "answer": 1.0})
    config = config_of("hdpo", view="solution", fade=("answer", "hints:1"), weight=1.0)
    rollout = replace(config.rollout, template="chain", teacher_template="hdpo", max_tokens=99)
    config = replace(config, rollout=rollout)
    collector = Collector(config, policy, EpochStream(problems), judge)  # type: ignore[arg-type]
    shown: list[tuple[str, ...]] = []
    for step in range(5):
        cliffs, _ = collector.student_groups(step)
        selection, groups = collector.survivors(
            sorted(cliffs, key=lambda g: problems.index(g.problem)), step
        )
        views = [g.rollouts[0].prompt.view for g in groups]
        assert views[::2] == views[1::2], "each problem comes twice a step and moves once"
        shown.append(tuple(views[::2]))
        assert {r.prompt.view for r in selection.kept} == set(shown[-1]) - {"hints:1"}
    assert shown == [
        ("solution", "solution"),
        ("answer", "answer"),
        ("answer", "hints:1"),
        ("answer", "answer"),
        ("answer", "hints:1"),
    ]
    told = {"fading/solution": 0.0, "fading/answer": 1.0, "fading/hints:1": 1.0}
    assert collector.fading_metrics() == told


def test_impossible_fading_is_refused(config_of: Callable[..., TrainConfig]) -> None:
    """No cliffs to go by, a teacher without privilege, the same view twice."""
    with pytest.raises(ConfigError, match="own_rollouts has none"):
        config_of("sdpg", fade=("answer",))
    for fade in (("none",), ("solution",), ("answer", "answer")):
        with pytest.raises(ConfigError, match="give different views, and not 'none'"):
            config_of("hdpo", fade=fade)


def test_views_of_rollouts_are_not_refused_before_there_are_any(
    config_of: Callable[..., TrainConfig],
) -> None:
    """The check before a run asks problems only for what problems can lack."""
    bare = [Problem("x?", ("1",))]
    check_teachable(config_of("sdpg", view="sibling"), bare)
    check_teachable(config_of("hdpo", view="feedback+answer"), bare)
