"""Difficulty on demand: the guarantee for any verdicts, and convergence against a known policy."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.difficulty import Ladder, LevelController
from hdpo_env.errors import ConfigError
from hdpo_env.rollouts import judge, sample_groups
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.types import Completion, Group, GroupKind, Outcome, Prompt, Rollout, Verdict

GROUP = 4


def group(ladder: Ladder, outcomes: list[Outcome]) -> Group:
    """A group of the ladder's next problem with these outcomes."""
    [problem] = ladder.take(1)
    rollouts = tuple(
        Rollout(Prompt(problem.id, ()), Completion((), ""), Verdict(outcome), None)
        for outcome in outcomes
    )
    return Group(problem, rollouts)


@given(
    st.lists(st.booleans(), min_size=1, max_size=300),
    st.floats(0.05, 0.95),
    st.floats(0.01, 1.0),
    st.floats(1.0, 5.0),
)
def test_the_guarantee_holds_for_any_verdicts(
    verdicts: list[bool], target: float, gain: float, start: float
) -> None:
    """Between visits of a bound, rate - target is (start - end) / (gain N), whatever happens."""
    controller = LevelController(target, gain=gain, start=start)
    before, since = start, []
    for is_cliff in verdicts:
        level = controller.update(is_cliff)
        if level in (1.0, 5.0):
            before, since = level, []
            continue
        since.append(is_cliff)
        rate = sum(since) / len(since)
        assert rate - target == pytest.approx((before - level) / (gain * len(since)), abs=1e-9)
        assert abs(rate - target) <= 4 / (gain * len(since)) + 1e-9


@given(st.lists(st.booleans(), max_size=60), st.floats(0.05, 0.95))
def test_cliffs_never_make_it_harder(verdicts: list[bool], target: float) -> None:
    """A cliff lowers the level or leaves it at its bound, a solved problem raises it."""
    controller = LevelController(target, start=3.0)
    for is_cliff in verdicts:
        before = controller.level
        after = controller.update(is_cliff)
        assert 1 <= after <= 5
        assert after <= before if is_cliff else after >= before


def true_rate(level: float, pass_rates: list[float]) -> float:
    """The cliff rate at a level between two: (1 - p)^G of each neighbour, in proportion."""
    rates = [(1 - p) ** GROUP for p in pass_rates]
    below = min(int(level), len(rates) - 1)
    share = level - below
    return (1 - share) * rates[below - 1] + share * rates[below]


def run(
    ladder: Ladder, pass_rates: list[float], steps: int, seed: int = 0
) -> tuple[list[float], list[bool]]:
    """Groups of a simulated policy whose pass rate depends on the level alone."""
    levels, cliffs = [], []
    for step in range(steps):
        levels.append(ladder.controller.level)
        problems = ladder.take(1)
        rung = ladder.values.index(int(problems[0].difficulty or 0))
        policy = SimulatedPolicy(problems, pass_rates[rung], seed=seed)
        groups = sample_groups(policy, problems, num=GROUP, max_tokens=99, seed=step)
        ladder.observe(groups)
        cliffs.append(not any(c for c in groups[0].correct))
    return levels, cliffs


PASS_RATES = [
    [0.9, 0.7, 0.45, 0.2, 0.02],  # even steps
    [0.8, 0.8, 0.8, 0.05, 0.0],  # a wall between two levels
    [0.6, 0.5, 0.4, 0.3, 0.2],  # a gentle slope: 0.03 to 0.41
]


@pytest.mark.parametrize("pass_rates", PASS_RATES)
@pytest.mark.parametrize("target", [0.1, 0.3])
def test_it_converges_to_the_requested_cliff_rate(pass_rates: list[float], target: float) -> None:
    """After 300 groups, the next 600 have the requested cliff rate within 0.05.

    Both the groups observed and the true rate of the simulated policy at the levels chosen; chain
    lengths are the levels, so that an exact verifier judges.
    """
    values = (1, 2, 3, 4, 5)
    controller = LevelController(target, start=1.0)
    ladder = Ladder("chain-table", controller, setting="length", values=values)
    levels, cliffs = run(ladder, pass_rates, 900)
    assert sum(cliffs[300:]) / 600 == pytest.approx(target, abs=0.05)
    expected = [true_rate(level, pass_rates) for level in levels[300:]]
    assert sum(expected) / 600 == pytest.approx(target, abs=0.05)


def test_it_follows_a_policy_that_learns() -> None:
    """A better policy gets harder problems, until its cliff rate is the requested one again."""
    controller = LevelController(0.3, start=2.0)
    ladder = Ladder("chain-add", controller, setting="length", values=(1, 2, 3, 4, 5))
    weak, strong = [0.7, 0.3, 0.1, 0.0, 0.0], [0.95, 0.9, 0.8, 0.3, 0.1]
    early, _ = run(ladder, weak, 400)
    late, cliffs = run(ladder, strong, 900, seed=1)
    assert sum(late[-300:]) / 300 > sum(early[-300:]) / 300 + 1
    assert sum(cliffs[-600:]) / 600 == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(("pass_rates", "bound"), [([0.0] * 5, 1.0), ([1.0] * 5, 5.0)])
def test_a_target_out_of_reach_is_said(pass_rates: list[float], bound: float) -> None:
    """A policy that solves nothing stays at the easiest level, one that solves all at the top."""
    ladder = Ladder(
        "chain-add",
        LevelController(0.3, start=3.0),
        setting="length",
        values=(1, 2, 3, 4, 5),
    )
    run(ladder, pass_rates, 120)
    assert ladder.controller.level == bound
    assert ladder.controller.is_at_bound


def test_levels_are_mixed_in_proportion() -> None:
    """At level 2.3, three in ten problems come from level 3 and none from elsewhere (5 sigma)."""
    controller = LevelController(0.5, start=2.3)
    drawn = [controller.draw() for _ in range(4000)]
    assert set(drawn) == {2, 3}
    assert abs(drawn.count(3) - 1200) < 5 * (4000 * 0.3 * 0.7) ** 0.5
    assert {LevelController(0.5, start=5.0).draw() for _ in range(20)} == {5}


def test_undecided_groups_teach_nothing() -> None:
    """A group that abstentions leave open moves no level and enters no rate."""
    ladder = Ladder("linear", LevelController(0.4, start=3.0))
    ladder.observe([group(ladder, [Outcome.WRONG, Outcome.TIMEOUT])])
    assert (ladder.controller.level, ladder.controller.cliff_rate) == (3.0, None)
    ladder.observe([group(ladder, [Outcome.WRONG, Outcome.WRONG])])
    assert ladder.controller.level == pytest.approx(3.0 - 0.06)
    ladder.observe([group(ladder, [Outcome.CORRECT, Outcome.TIMEOUT])] * 2)
    assert ladder.controller.cliff_rate == 1.0
    assert ladder.controller.counts[GroupKind.UNDECIDED.value] == 3
    assert ladder.controller.metrics()["difficulty/cliff_rate"] == 1.0


def test_a_threshold_counts_lucky_groups_as_cliffs() -> None:
    """With threshold 1 a single success is still a cliff."""
    one = LevelController(0.5, start=3.0, threshold=1)
    ladder = Ladder("linear", one)
    ladder.observe([group(ladder, [Outcome.CORRECT, Outcome.WRONG, Outcome.WRONG])])
    assert one.cliff_rate == 1.0


def test_a_ladder_goes_on_from_its_state() -> None:
    """Saved as JSON and loaded, it gives the same problems as the one that never stopped."""
    make = partial(Ladder, "linear", seed=5)
    first = make(LevelController(0.3, start=2.5, seed=1))
    first.take(7)
    first.controller.update(True)
    second = make(LevelController(0.3, start=2.5, seed=1))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.take(20) == first.take(20)
    assert len({p.id for p in make(LevelController(0.3, start=3.0)).take(30)}) == 30


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": 0.0}, "target 0.0 is not a rate"),
        ({"target": 1.0}, "strictly between"),
        ({"target": 0.3, "start": 0.5}, "start 0.5 is not a level between 1 and 5"),
        ({"target": 0.3, "start": 6.0}, "start 6.0"),
        ({"target": 0.3, "gain": 0.0}, "gain 0.0 is outside"),
        ({"target": 0.3, "gain": 1.5}, "gain 1.5 is outside"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    """The error names the value and its range."""
    with pytest.raises(ConfigError, match=message):
        LevelController(**settings)


def test_values_must_fit_the_levels() -> None:
    """Four values cannot serve five levels."""
    with pytest.raises(ConfigError, match="4 values of 'level' for 5 levels"):
        Ladder("linear", LevelController(0.3), values=(1, 2, 3, 4))


def test_the_judge_is_the_real_one() -> None:
    """The simulated policy's answers to generated problems are judged by their own verifier."""
    ladder = Ladder("linear", LevelController(0.3, start=3.0))
    problems = ladder.take(2)
    policy = SimulatedPolicy(problems, {problems[0].id: 1.0, problems[1].id: 0.0})
    groups = sample_groups(policy, problems, num=2, max_tokens=99, seed=0, judge=judge)
    ladder.observe(groups)
    assert ladder.controller.counts == {"saturated": 1, "cliff": 1}
