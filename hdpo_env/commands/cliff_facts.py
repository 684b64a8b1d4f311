"""What counts of rollouts say about cliffs, in numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hdpo_env.cliffs import GroupRates, Retry, classify_counts, fit_prior
from hdpo_env.commands.tally import Tally
from hdpo_env.errors import DataError
from hdpo_env.types import GroupKind


def summarize(tally: Tally, threshold: int = 0) -> dict[str, Any]:
    """The numbers of a tally: rollouts, problems, groups by kind, the problems never solved.

    A problem is never solved if no rollout of it succeeded, whatever the threshold, and in some
    group each was judged. ``posterior`` says what a cliff of the commonest group size means; None
    if groups are too small or too few.

    Raises:
        DataError: there is no rollout.
    """
    if not tally.groups:
        raise DataError(f"no rollout was found in {tally.num_lines} lines: {_why_none(tally)}")
    kinds: Counter[str] = Counter()
    solved: dict[str, bool] = {}
    sizes: Counter[int] = Counter()
    totals = [0, 0, 0]
    for (problem, _), counts in tally.counts():
        kind = classify_counts(*counts, threshold=threshold)
        kinds[f"num_{kind.value}"] += 1
        sizes[sum(counts)] += 1
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
        correct, _, abstained = counts
        if correct or not abstained:
            solved[problem] = solved.get(problem, False) or correct > 0
    rates, (correct, wrong, abstained) = GroupRates(**kinds), totals
    return {
        "rollouts": sum(totals),
        "malformed_lines": tally.num_malformed,
        "abstentions": abstained,
        "pass_rate": correct / (correct + wrong) if correct + wrong else None,
        "problems": len({problem for problem, _ in tally.groups}),
        "groups": rates.num_groups,
        "threshold": threshold,
        "group_size": [min(sizes), max(sizes)],
        "kinds": {
            k.value: {"groups": getattr(rates, f"num_{k.value}"), "rate": rates.rate(k)}
            for k in GroupKind
        },
        "posterior": _posterior(tally, sizes, threshold),
        "never_solved": [problem for problem, is_solved in solved.items() if not is_solved],
    }


def _why_none(tally: Tally) -> str:
    if not tally.other_filters:
        return "its groups are empty"
    seen = ", ".join(sorted(tally.other_filters))
    return f"they are of other filters than --filter names; choose one of: {seen}"


def _posterior(tally: Tally, sizes: Counter[int], threshold: int) -> dict[str, Any] | None:
    # Each group is one draw from the pass rates, also where a problem has several groups.
    size, _ = sizes.most_common(1)[0]
    if size < 2 or len(tally.groups) < 2:
        return None
    counts = [(correct, wrong) for _, (correct, wrong, _) in tally.counts() if correct + wrong]
    if not counts:
        return None
    fit = fit_prior(counts)
    cliff = Retry(fit.prior, size, threshold)
    return {
        "a": fit.prior.a,
        "b": fit.prior.b,
        "is_bounded": fit.is_bounded,
        "group_size": size,
        "p_not_cliff": cliff.escape_rate,
        "cliff_pass_rate": cliff.pass_rate,
    }
