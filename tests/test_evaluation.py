"""Evaluation against a policy whose truth is known, and reports by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.evaluation import EvalReport, ProblemResult, evaluate, report_of
from hdpo_env.problems import ChainFamily
from hdpo_env.prompts import student_prompt
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.types import Completion, Group, Outcome, Problem, Rollout, Verdict

CHAIN = list(ChainFamily("#").source("eval", 0, 300))
OUTCOME = {True: Outcome.CORRECT, False: Outcome.WRONG, None: Outcome.ERROR}


def group(name: str, *correct: bool | None, cut: int = 0) -> Group:
    """A group with these verdicts; the first ``cut`` completions are truncated."""
    problem = Problem(name, ("1",), id=name)
    return Group(
        problem,
        tuple(
            Rollout(
                student_prompt(problem),
                Completion((1, 2), "x", finish_reason="length" if i < cut else "stop"),
                Verdict(OUTCOME[c]),
                None,
            )
            for i, c in enumerate(correct)
        ),
    )


def test_a_report_by_hand() -> None:
    """Four problems of 4 rollouts: every number worked out on paper.

    pass@1 = (1/4 + 0 + 1 + 1/2)/4 = 0.4375 where the last has 2 judged of 4. pass@2 = (1/2 + 0 +
    1 + 1)/4. pass@4 leaves out the last: (1 + 0 + 1)/3.
    """
    groups = [
        group("a", True, False, False, False),
        group("b", False, False, False, False, cut=2),
        group("c", True, True, True, True),
        group("d", None, None, True, False),
    ]
    greedy = [group("a", True), group("b", False), group("c", True), group("d", None)]
    report = report_of(groups, greedy, ks=(1, 2, 4))
    assert report.pass_at[1].value == 0.4375  # type: ignore[union-attr]
    assert report.pass_at[2].value == 0.625  # type: ignore[union-attr]
    assert report.pass_at[4].value == pytest.approx(2 / 3, abs=1e-15)  # type: ignore[union-attr]
    assert report.num_used == {1: 4, 2: 4, 4: 3}
    assert report.greedy.value == pytest.approx(2 / 3, abs=1e-15)  # type: ignore[union-attr]
    assert report.cliff_rate == 0.25
    assert (report.abstention_rate, report.truncation_rate) == (2 / 16, 2 / 16)
    assert report.mean_tokens == 2.0
    assert report.results[3] == ProblemResult("d", 2, 1, 2, 0, greedy=None)
    assert json.loads(json.dumps(report.rows()))[1]["truncated"] == 2


def test_metrics_are_named_as_runs_log_them() -> None:
    """Keys of metrics.jsonl, and no key for an estimate that nothing supports."""
    report = report_of([group("a", True, False)], ks=(1, 2))
    metrics = report.metrics("eval/easy")
    assert metrics["eval/easy/pass@1"] == 0.5
    assert metrics["eval/easy/pass@2/low"] == metrics["eval/easy/pass@2/high"] == 1.0
    assert metrics["eval/easy/cliff_rate"] == 0.0
    assert "eval/easy/greedy" not in metrics


def test_an_all_abstained_batch_is_reported_as_such() -> None:
    """No verdict, no estimate, no cliff: nothing is turned into a failure."""
    report = report_of([group("a", None, None), group("b", None, None)], ks=(1, 2))
    assert report.pass_at == {1: None, 2: None}
    assert report.num_used == {1: 0, 2: 0}
    assert report.abstention_rate == 1.0
    assert report.cliff_rate == 0.0
    assert report.kinds.num_undecided == 2


def test_known_truth_is_recovered() -> None:
    """Uniform pass rates on 300 problems: pass@k is 1 - 1/(k+1) within 5 standard errors."""
    rates = {p.id: (i + 0.5) / 300 for i, p in enumerate(CHAIN)}
    report = evaluate(SimulatedPolicy(CHAIN, rates), CHAIN, n=16, max_tokens=99, seed=0)
    for k in (1, 4, 8):
        truth = np.mean([1 - (1 - p) ** k for p in rates.values()])
        estimate = report.pass_at[k]
        assert estimate is not None
        assert abs(estimate.value - truth) < 5 * 0.5 / (16 * 300) ** 0.5
        assert estimate.low < truth < estimate.high
    assert report.greedy is not None
    assert report.greedy.value == 0.5
    expected_cliffs = np.mean([(1 - p) ** 16 for p in rates.values()])
    assert abs(report.cliff_rate - expected_cliffs) < 5 * (expected_cliffs / 300) ** 0.5


def test_evaluation_is_deterministic_and_greedy_optional() -> None:
    """Same seed, same report; without greedy there is no greedy number."""
    policy = SimulatedPolicy(CHAIN, 0.4)

    def run(seed: int) -> EvalReport:
        return evaluate(policy, CHAIN[:20], n=8, ks=(1,), max_tokens=99, seed=seed, greedy=False)

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert run(1).greedy is None


def test_samples_and_greedy_draw_from_different_seeds() -> None:
    """The sampled completions do not depend on whether greedy decoding is asked for."""
    policy = SimulatedPolicy(CHAIN, 0.4)
    both = evaluate(policy, CHAIN[:20], n=8, max_tokens=99, seed=1)
    alone = evaluate(policy, CHAIN[:20], n=8, max_tokens=99, seed=1, greedy=False)
    assert both.pass_at == alone.pass_at


def test_sampling_settings_reach_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """First n sampled completions at the temperature given, 1 by default, then one greedy one."""
    policy = SimulatedPolicy(CHAIN, 0.4)
    asked = []
    sample = policy.sample

    def recorded(prompts: list, **settings: object) -> list:
        asked.append(tuple(settings[k] for k in ("num", "temperature", "max_tokens", "greedy")))
        return sample(prompts, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(policy, "sample", recorded)
    evaluate(policy, CHAIN[:2], n=8, max_tokens=99, seed=1)
    evaluate(policy, CHAIN[:2], n=8, temperature=0.6, max_tokens=99, seed=1, greedy=False)
    assert asked == [(8, 1.0, 99, False), (1, 1.0, 99, True), (8, 0.6, 99, False)]


def test_refusals_name_the_remedy() -> None:
    """Refused: k above n, no problems, greedy groups of other problems."""
    policy = SimulatedPolicy(CHAIN, 0.4)
    with pytest.raises(
        ConfigError, match=r"pass@8 cannot be estimated from n=4.*choose k in 1 to 4"
    ):
        evaluate(policy, CHAIN[:2], n=4, max_tokens=9, seed=0)
    with pytest.raises(DataError, match="no problems to evaluate"):
        evaluate(policy, [], n=4, ks=(1,), max_tokens=9, seed=0)
    with pytest.raises(DataError, match="no groups to report on"):
        report_of([])
    with pytest.raises(DataError, match="greedy group of problem b stands where a is"):
        report_of([group("a", True)], [group("b", True)])
    with pytest.raises(DataError, match="2 greedy groups for 1 groups"):
        report_of([group("a", True)], [group("a", True)] * 2)
