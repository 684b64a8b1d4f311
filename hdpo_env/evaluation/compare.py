"""Coverage curves, and two runs compared problem by problem on a fixed set of cliffs.

Averages over all problems hide what happens on the cliffs, where methods differ. The set must come
from a third sampling: chosen from one of the two runs' own rollouts, that run starts at exactly 0
and the other gains by chance alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from hdpo_env.errors import DataError
from hdpo_env.evaluation.report import EvalReport, ProblemResult
from hdpo_env.stats import Estimate, mean_over_problems, paired_difference, pass_at_k


def coverage(
    report: EvalReport, ks: Iterable[int] | None = None, *, confidence: float = 0.95, seed: int = 0
) -> dict[int, Estimate]:
    """Pass@k for every k up to the fewest judged rollouts of a problem, or for the given ks.

    Intervals are over problems. Each k is averaged over the problems with at least k judged
    rollouts; a k that none of them has is left out.
    """
    judged = [r for r in report.results if r.n]
    wanted = ks if ks is not None else range(1, min((r.n for r in judged), default=0) + 1)
    curve = {}
    for k in wanted:
        values = [pass_at_k(r.n, r.correct, k) for r in judged if r.n >= k]
        if values:
            curve[k] = mean_over_problems(values, confidence=confidence, seed=seed)
    return curve


def cliff_ids(report: EvalReport, *, threshold: int = 0) -> frozenset[str]:
    """The problems of a report on which at most ``threshold`` rollouts succeeded, all judged."""
    return frozenset(
        r.problem_id for r in report.results if r.n and not r.abstained and r.correct <= threshold
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


def compare_reports(
    first: EvalReport,
    second: EvalReport,
    *,
    only: Collection[str] | None = None,
    ks: Iterable[int] = (1, 4, 8),
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Comparison]:
    """Pass@k of two runs on the problems that both judged often enough, and greedy accuracy.

    ``only`` restricts them to these problem ids, such as the `cliff_ids` of the base model (of
    another sampling than either report). Problems are resampled as pairs.

    Raises:
        DataError: no problem is left to compare.
    """
    pairs = _paired(first, second, only)
    found = []
    for k in ks:
        both = [(a, b) for a, b in pairs if min(a.n, b.n) >= k]
        values = [[pass_at_k(r.n, r.correct, k) for r in side] for side in zip(*both, strict=True)]
        found += _comparison(f"pass@{k}", values, confidence, seed)
    greedy = [(a, b) for a, b in pairs if a.greedy is not None and b.greedy is not None]
    values = [[float(bool(r.greedy)) for r in side] for side in zip(*greedy, strict=True)]
    return found + _comparison("greedy", values, confidence, seed)


def _comparison(
    measure: str, values: Sequence[Sequence[float]], confidence: float, seed: int
) -> list[Comparison]:
    if not values:
        return []
    settings = {"confidence": confidence, "seed": seed}
    first, second = (mean_over_problems(side, **settings) for side in values)
    difference = paired_difference(*values, **settings)
    return [Comparison(measure, first, second, difference, len(values[0]))]


def _paired(
    first: EvalReport, second: EvalReport, only: Collection[str] | None
) -> list[tuple[ProblemResult, ProblemResult]]:
    theirs = {r.problem_id: r for r in second.results}
    shared = [(r, theirs[r.problem_id]) for r in first.results if r.problem_id in theirs]
    chosen = [pair for pair in shared if only is None or pair[0].problem_id in only]
    if not chosen:
        raise DataError(
            f"nothing to compare: the reports share {len(shared)} problems"
            + ("" if only is None else f", and none of them is among the {len(only)} asked for")
        )
    return chosen
