"""Coverage curves, and two runs compared problem by problem on a fixed set of cliffs.

Averages over all problems hide what happens on the cliffs, where methods differ. The set must come
from a third sampling: chosen from one of the two runs' own rollouts, that run starts at exactly 0
and the other gains by chance alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from hdpo_env.errors import DataError
from hdpo_env.evaluation.report import ProblemResult
from hdpo_env.stats import Estimate, mean_over_problems, paired_difference, pass_at_k

Results = Sequence[ProblemResult]


def coverage(
    results: Results, ks: Iterable[int] | None = None, *, confidence: float = 0.95
) -> dict[int, Estimate]:
    """Pass@k for every k up to the fewest judged rollouts of a problem, or for the given ks.

    Intervals are over problems. Each k is averaged over the problems with at least k judged
    rollouts; a k that none of them has is left out.
    """
    judged = [r for r in results if r.n]
    wanted = ks if ks is not None else range(1, min((r.n for r in judged), default=0) + 1)
    curve = {}
    for k in wanted:
        values = [pass_at_k(r.n, r.correct, k) for r in judged if r.n >= k]
        if values:
            curve[k] = mean_over_problems(values, confidence=confidence)
    return curve


def cliff_ids(results: Results, *, threshold: int = 0) -> frozenset[str]:
    """The problems on which at most ``threshold`` rollouts succeeded, all judged."""
    return frozenset(
        r.problem_id for r in results if r.n and not r.abstained and r.correct <= threshold
    )


@dataclass(frozen=True)
class Comparison:
    """One measure of two runs over the same problems; ``difference`` is paired, second - first."""

    measure: str  # "greedy" or "pass@k"
    first: Estimate
    second: Estimate
    difference: Estimate
    num_problems: int

    @property
    def is_significant(self) -> bool:
        """Whether the interval of the difference leaves out 0."""
        return self.difference.low > 0 or self.difference.high < 0


def compare_results(
    first: Results,
    second: Results,
    *,
    only: Collection[str] | None = None,
    ks: Iterable[int] = (1, 4, 8),
    confidence: float = 0.95,
) -> list[Comparison]:
    """Pass@k of two runs on the problems that both judged often enough, and greedy accuracy.

    ``only`` restricts them to these problem ids, such as the `cliff_ids` of the base model (of
    another sampling than either). Problems are compared as pairs.

    Raises:
        DataError: no problem is left to compare.
    """
    pairs = _paired(first, second, only)
    found = []
    for k in ks:
        both = [(a, b) for a, b in pairs if min(a.n, b.n) >= k]
        values = [[pass_at_k(r.n, r.correct, k) for r in side] for side in zip(*both, strict=True)]
        found += _comparison(f"pass@{k}", values, confidence)
    greedy = [(a, b) for a, b in pairs if a.greedy is not None and b.greedy is not None]
    values = [[float(bool(r.greedy)) for r in side] for side in zip(*greedy, strict=True)]
    return found + _comparison("greedy", values, confidence)


def _comparison(
    measure: str, values: Sequence[Sequence[float]], confidence: float
) -> list[Comparison]:
    if not values:
        return []
    first, second = (mean_over_problems(side, confidence=confidence) for side in values)
    difference = paired_difference(*values, confidence=confidence)
    return [Comparison(measure, first, second, difference, len(values[0]))]


def _paired(
    first: Results, second: Results, only: Collection[str] | None
) -> list[tuple[ProblemResult, ProblemResult]]:
    theirs = {r.problem_id: r for r in second}
    shared = [(r, theirs[r.problem_id]) for r in first if r.problem_id in theirs]
    chosen = [pair for pair in shared if only is None or pair[0].problem_id in only]
    if not chosen:
        raise DataError(
            f"nothing to compare: the two share {len(shared)} problems"
            + ("" if only is None else f", and none of them is among the {len(only)} asked for")
        )
    return chosen


def results_of_run(
    run_dir: str | Path, *, step: int | None = None, slice_name: str | None = None
) -> list[ProblemResult]:
    """What one evaluation of a run found, from its ``eval.jsonl``.

    ``step`` is by default that of the last evaluation; ``slice_name`` keeps one slice.

    Raises:
        DataError: the run holds no such evaluation.
    """
    path = Path(run_dir) / "eval.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    if not rows:
        raise DataError(f"{run_dir} holds no evaluation: give the folder of a run with eval.jsonl")
    wanted = max(row["step"] for row in rows) if step is None else step
    names = [f.name for f in fields(ProblemResult)]
    found = [
        ProblemResult(**{name: row[name] for name in names if name in row})
        for row in rows
        if row["step"] == wanted and slice_name in (None, row["slice"])
    ]
    if not found:
        slices = sorted({row["slice"] for row in rows})
        raise DataError(
            f"{run_dir} holds no evaluation of step {wanted} and slice {slice_name}: it has steps "
            f"{sorted({row['step'] for row in rows})} and slices {slices}"
        )
    return found
