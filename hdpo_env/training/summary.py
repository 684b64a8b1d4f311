"""What a step's groups and a finished run say, as numbers and as JSON rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from hdpo_env.cliffs import (
    cause_of,
    classify,
    evidence_of,
    group_rates,
    phantom_gradient_rate,
    states_an_answer,
)
from hdpo_env.types import Group, GroupKind, Outcome, Rollout


def group_metrics(groups: Sequence[Group], *, threshold: float) -> dict[str, float]:
    """Rates over the groups and the rollouts of one step."""
    rollouts = [r for g in groups for r in g.rollouts]
    outcomes = [r.verdict.outcome for r in rollouts]
    rewards = [r.reward for r in rollouts if r.reward is not None]
    metrics = {
        **group_rates(groups, threshold=threshold).metrics(),
        "rollouts/tokens": _mean([r.completion.num_tokens for r in rollouts]),
        "rollouts/truncated_rate": _mean([r.completion.is_truncated for r in rollouts]),
        "rollouts/no_answer_rate": _mean([o is Outcome.NO_ANSWER for o in outcomes]),
        "verifier/abstention_rate": _mean([r.verdict.is_abstention for r in rollouts]),
    }
    return metrics | ({"rollouts/reward": _mean(rewards)} if rewards else {})


def revisit_metrics(groups: Sequence[Group], distilled: Mapping[str, int]) -> dict[str, float]:
    """How former cliffs do when they come again: the student's observed success after distillation.

    Before it, their group had at most the threshold's successes. Absent where none comes again.
    """
    again = [c for g in groups if g.problem.id in distilled for c in g.correct if c is not None]
    if not again:
        return {}
    return {
        "cliffs/revisited": float(sum(g.problem.id in distilled for g in groups)),
        "cliffs/pass_rate_after": sum(again) / len(again),
    }


def group_rows(
    step: int, groups: Sequence[Group], privileged: Sequence[Group] = (), *, threshold: float
) -> Iterator[dict[str, Any]]:
    """One row a group: counts rather than means, and why it failed if nothing in it succeeded."""
    tried = {group.problem.id: group for group in privileged}
    for group in groups:
        evidence = evidence_of(group, tried.get(group.problem.id))
        yield {
            "step": step,
            "problem_id": group.problem.id,
            "slice": group.problem.subject,
            "kind": classify(group, threshold=threshold).value,
            "num_correct": sum(c is True for c in group.correct),
            "num_wrong": sum(c is False for c in group.correct),
            "num_abstained": sum(c is None for c in group.correct),
            "cause": None if True in group.correct else cause_of(evidence)[0].value,
            "evidence": evidence.row(),
        }


def lab_metrics(groups: Sequence[Group], rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Shares of the causes among groups without a success, and the phantom-gradient gauge.

    ``cliffs/phantom_rate`` is the share of cliffs among whose failures a bonus for stating an
    answer would still make a policy gradient. ``rows`` are the groups' own, of `group_rows`.
    """
    causes = Counter(row["cause"] for row in rows if row["cause"])
    metrics = {f"cliffs/cause/{cause}": n / causes.total() for cause, n in causes.items()}
    # The rows know what was a cliff: the threshold was theirs.
    cliffs = [
        g for g, row in zip(groups, rows, strict=True) if row["kind"] == GroupKind.CLIFF.value
    ]
    phantom = phantom_gradient_rate(cliffs, states_an_answer, threshold=inf)
    return metrics if phantom is None else metrics | {"cliffs/phantom_rate": phantom}


def completion_rows(
    step: int, role: str, rollouts: Sequence[Rollout], limit: int = 4
) -> Iterator[dict[str, Any]]:
    """A few completions to read; never a prompt, so never privileged text."""
    for rollout in rollouts[:limit]:
        yield {
            "step": step,
            "role": role,
            "problem_id": rollout.prompt.problem_id,
            "text": rollout.completion.text,
            "outcome": rollout.verdict.outcome.value,
            "extracted": rollout.verdict.extracted,
            "reward": rollout.reward,
        }


def run_summary(run_dir: Path, *, algo: str, variant: str, seed: int) -> dict[str, Any]:
    """The run's row of ``summary.json``: first and last evaluation of every slice, and the time.

    ``cliff_rate_start`` and ``cliff_rate_end`` are the share of held-out problems that no sample
    solved: of the slice "cliff" if there is one, else averaged over the slices.
    """
    lines = [
        json.loads(line)
        for line in (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    evaluated = [line for line in lines if any(k.startswith("eval/") for k in line)]
    first, last = (_slices(evaluated[i]) if evaluated else {} for i in (0, -1))
    return {
        "algo": algo,
        "variant": variant,
        "seed": seed,
        "steps": lines[-1]["step"] if lines else 0,
        "seconds": round(lines[-1]["time_s"], 1) if lines else 0.0,
        **last,
        "start": first,
        "cliff_rate_start": _cliff_rate(first),
        "cliff_rate_end": _cliff_rate(last),
    }


def _slices(line: Mapping[str, float]) -> dict[str, dict[str, float]]:
    slices: dict[str, dict[str, float]] = {}
    for key, value in line.items():
        if key.startswith("eval/"):
            _, name, metric = key.split("/", 2)
            slices.setdefault(name, {})[metric] = value
    return slices


def _cliff_rate(slices: Mapping[str, Mapping[str, float]]) -> float | None:
    chosen = [slices["cliff"]] if "cliff" in slices else list(slices.values())
    rates = [s["cliff_rate"] for s in chosen if "cliff_rate" in s]
    return sum(rates) / len(rates) if rates else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
