"""What counts of rollouts say about cliffs, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hdpo_env.cliffs import GroupRates, Retry, classify_counts, escape_limit, fit_prior
from hdpo_env.commands.tally import Tally
from hdpo_env.errors import DataError
from hdpo_env.types import GroupKind

MAX_FITTED = 1_000_000  # rollouts of a group up to which a prior is fitted


def summarize(tally: Tally, threshold: int = 0) -> dict[str, Any]:
    """The numbers of a tally: rollouts, problems, groups by kind, the problems never solved.

    A problem is never solved if no rollout of it succeeded, whatever the threshold, and in some
    group each was judged. ``posterior`` says what a cliff of the commonest group size means (the
    larger of two that are as common); its numbers are None where the counts leave them open, and
    ``p_not_cliff_at_most`` is a limit with 95 % confidence. ``no_posterior`` says why
    there is none.

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
    posterior = _posterior(tally, sizes, threshold)
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
        "posterior": None if isinstance(posterior, str) else posterior,
        "no_posterior": posterior if isinstance(posterior, str) else None,
        "never_solved": [problem for problem, is_solved in solved.items() if not is_solved],
    }


def _why_none(tally: Tally) -> str:
    if not tally.other_filters:
        return "its groups are empty"
    seen = ", ".join(sorted(tally.other_filters))
    return f"they are of other filters than --filter names; choose one of: {seen}"


def _posterior(tally: Tally, sizes: Counter[int], threshold: int) -> dict[str, Any] | str:
    # Each problem has one group: one draw from the pass rates.
    size = max(sizes, key=lambda n: (sizes[n], n))
    if why := _why_no_posterior(tally, size):
        return why
    counts = [found for _, found in tally.counts()]
    fit = fit_prior((c, w) for c, w, _ in counts)
    cliff = None if fit.is_bounded else Retry(fit.prior, size, threshold)
    whole = [classify_counts(*n, threshold=threshold) for n in counts if n[2] == 0 == sum(n) - size]
    num_open = sum(kind is not GroupKind.CLIFF for kind in whole)
    return {
        "a": fit.prior.a if cliff else None,
        "b": fit.prior.b if cliff else None,
        "is_bounded": fit.is_bounded,
        "group_size": size,
        "p_not_cliff": cliff.escape_rate if cliff else None,
        "p_not_cliff_at_most": escape_limit(num_open, len(whole)) if whole else 1.0,
        "cliff_pass_rate": cliff.pass_rate if cliff else None,
    }


def _why_no_posterior(tally: Tally, size: int) -> str:
    if len({step for _, step in tally.groups}) > 1:
        return "the rollouts are of several steps, so of several policies"
    if len(tally.groups) < 2:
        return "one problem does not say how pass rates differ"
    if size < 2:
        return "with one rollout a group pass rates cannot be told from luck"
    largest = 0
    for _, (correct, wrong, _) in tally.counts():
        largest = max(largest, correct + wrong)
    if not largest:
        return "no rollout was judged"
    too_large = f"a group has {largest:,} rollouts, and the fit takes {MAX_FITTED:,} at most"
    return too_large if largest > MAX_FITTED else ""


def told_posterior(facts: Mapping[str, Any]) -> str:
    """What is known of the pass rates behind the groups, or why nothing is, in a sentence.

    >>> told_posterior({"posterior": None, "no_posterior": "no rollout was judged"})
    'How sure a cliff is one cannot be told: no rollout was judged.'
    """
    posterior = facts["posterior"]
    if posterior is None:
        return f"How sure a cliff is one cannot be told: {facts['no_posterior']}."
    k, limit = posterior["group_size"], posterior["p_not_cliff_at_most"]
    if not posterior["is_bounded"]:
        return (
            f"Pass rates look like Beta({posterior['a']:.3g}, {posterior['b']:.3g}): a cliff of "
            f"{k} rollouts is none in the next {k} with probability "
            f"{_told(posterior['p_not_cliff'])}, and a rollout of it succeeds with probability "
            f"{_told(posterior['cliff_pass_rate'])}."
        )
    bound = (
        f" At most {_told(limit)} of the cliffs of {k} rollouts are none in the next {k} "
        f"(with 95 % confidence)."
    )
    return (
        "The counts do not pin down how pass rates differ: too few groups, or too much alike."
        f"{bound if limit < 1 else ''}"
    )


def _told(chance: float) -> str:
    # Four decimals of a chance that is far below them would claim that it is impossible.
    return f"{chance:.4f}" if chance >= 0.001 else f"{chance:.1g}"
