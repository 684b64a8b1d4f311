"""How sure one can be that a prompt is a cliff, and what a budget of rollouts buys.

A cliff seen in G rollouts may hide a fair pass rate. The pass rates of a problem set are modelled
as Beta(a, b), fitted to all counts at once (empirical Bayes); each problem's posterior is then
Beta(a + correct, b + wrong).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, log

import numpy as np

from hdpo_env.cliffs.beta import Beta
from hdpo_env.errors import ConfigError, DataError

# The fit is kept inside this box: outside it a prior says more than any count can contradict.
_LOG_BOUNDS = (log(1e-3), log(1e4))


@dataclass(frozen=True)
class PriorFit:
    """A prior fitted by maximum likelihood.

    ``is_bounded`` tells that no prior in the search box is likeliest, as when all pass rates look
    alike or nothing was ever solved: the numbers are then those of the box and not of the data.
    """

    prior: Beta
    log_likelihood: float
    num_problems: int
    is_bounded: bool


def fit_prior(counts: Iterable[tuple[int, int]]) -> PriorFit:
    """Maximise the beta-binomial likelihood of ``(num_correct, num_wrong)`` pairs, one per problem.

    ``sum over problems of ln B(a + c, b + w) - ln B(a, b)``, by Newton steps in (ln a, ln b) from
    the best point of a coarse grid. The order of the pairs does not matter.

    From one batch of 128 problems x 8 rollouts, read probabilities rather than a and b: the mean,
    the share of cliffs at 8 and of mixed groups are within 0.1 of the truth in 98 % of 1,000
    simulated batches of Beta(0.4, 1.2), a and b within 10 % in 42 and 39 %. That is the
    Cramer-Rao limit: only more problems help, about 1,900 of them for b (docs/prior.md).

    Raises:
        DataError: no problem was judged at all, or a count is negative.

    >>> fit = fit_prior([(0, 8)] * 40 + [(4, 4)] * 20 + [(8, 0)] * 10)
    >>> round(fit.prior.a, 2), round(fit.prior.b, 2)
    (0.12, 0.32)
    """
    data = np.asarray(list(counts), dtype=np.int64).reshape(-1, 2)
    if data.size and data.min() < 0:
        raise DataError("a count is negative: give (num_correct, num_wrong) pairs")
    data = data[data.sum(axis=1) > 0]
    if not len(data):
        raise DataError("no problem has a judged rollout: a prior needs at least one")
    likelihood = _Likelihood(data)
    point = _climb(likelihood, _grid_start(likelihood))
    a, b = np.exp(point)
    edge = np.isclose(point, _LOG_BOUNDS[0]) | np.isclose(point, _LOG_BOUNDS[1])
    reached = likelihood.value(point)
    # A ridge that is flat all the way to one common pass rate has no top, wherever a climb ends.
    is_bounded = bool(edge.any()) or _common_rate(data) >= reached - _FLAT
    return PriorFit(Beta(float(a), float(b)), reached, len(data), is_bounded)


def escape_limit(num_open: int, num_groups: int, confidence: float = 0.95) -> float:
    """The share of cliffs that would be none at the next look of the same size is at most this.

    ``num_open`` of ``num_groups`` problems' groups were no cliffs. Two groups of one problem could
    change places, so ``P(cliff, then none) = P(none, then cliff) <= q`` and ``P(none | cliff) <=
    q / (1 - q)``, whatever the pass rates are; q is Clopper and Pearson's upper limit (Biometrika
    26, 1934) of the share of groups that are no cliffs. 1 says nothing.

    Raises:
        ConfigError: the confidence is outside (0, 1).
        DataError: the counts are impossible, or there is no group.

    >>> round(escape_limit(0, 200), 4), escape_limit(0, 3), escape_limit(5, 5)
    (0.0151, 1.0, 1.0)
    """
    if not 0 <= num_open <= num_groups or not num_groups:
        raise DataError(f"{num_open} of {num_groups} groups is impossible: give counts of groups")
    if num_open == num_groups:
        return 1.0
    q = Beta(num_open + 1, num_groups - num_open).quantile(confidence)
    return min(1.0, q / (1 - q))


_FLAT = 1e-6  # nats: less than that is no difference between two likelihoods


def _common_rate(data: np.ndarray) -> float:
    # The likelihood if all problems had one pass rate, to which priors tend as a and b grow.
    correct, wrong = data.sum(axis=0).tolist()
    return sum(n * log(n / (correct + wrong)) for n in (correct, wrong) if n)


class _Likelihood:
    """Log-likelihood, gradient and Hessian in (ln a, ln b).

    ln B(a+c, b+w) - ln B(a, b) = sum_{i<c} ln(a+i) + sum_{j<w} ln(b+j) - sum_{k<c+w} ln(a+b+k), so
    only the number of problems with more than i successes (failures, rollouts) is needed.
    """

    def __init__(self, data: np.ndarray) -> None:
        self.above_c = _survivors(data[:, 0])
        self.above_w = _survivors(data[:, 1])
        self.above_n = _survivors(data.sum(axis=1))

    def value(self, point: np.ndarray) -> float:
        a, b = np.exp(point)
        return float(_logs(self.above_c, a) + _logs(self.above_w, b) - _logs(self.above_n, a + b))

    def slopes(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient [2] and Hessian [2 2]."""
        a, b = np.exp(point)
        c1, w1, n1 = (
            _powers(self.above_c, a, 1),
            _powers(self.above_w, b, 1),
            _powers(self.above_n, a + b, 1),
        )
        c2, w2, n2 = (
            _powers(self.above_c, a, 2),
            _powers(self.above_w, b, 2),
            _powers(self.above_n, a + b, 2),
        )
        gradient = np.array([a * (c1 - n1), b * (w1 - n1)])
        cross = a * b * n2
        hessian = np.array(
            [
                [gradient[0] + a * a * (n2 - c2), cross],
                [cross, gradient[1] + b * b * (n2 - w2)],
            ]
        )
        return gradient, hessian


def _survivors(counts: np.ndarray) -> np.ndarray:
    # Entry i: how many problems have a count above i.
    histogram = np.bincount(counts)
    return (histogram[::-1].cumsum()[::-1] - histogram)[: max(int(counts.max()), 0)]


def _logs(above: np.ndarray, start: float) -> float:
    return float(above @ np.log(start + np.arange(above.size)))


def _powers(above: np.ndarray, start: float, power: int) -> float:
    return float(above @ (start + np.arange(above.size)) ** -float(power))


def _grid_start(likelihood: _Likelihood) -> np.ndarray:
    axis = np.linspace(log(0.02), log(50.0), 12)
    points = [np.array([u, v]) for u in axis for v in axis]
    return max(points, key=likelihood.value)


def _climb(likelihood: _Likelihood, point: np.ndarray) -> np.ndarray:
    value = likelihood.value(point)
    for _ in range(200):
        step = _uphill(*likelihood.slopes(point))
        for shrink in 0.5 ** np.arange(40):
            moved = np.clip(point + shrink * step, *_LOG_BOUNDS)
            if (reached := likelihood.value(moved)) > value:
                break
        else:
            return point  # no step in the uphill direction helps any more
        point, value = moved, reached
    return point


def _uphill(gradient: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    # Newton's step where the surface is concave, otherwise along the gradient; never a long leap.
    curvature, axes = np.linalg.eigh(hessian)
    along = axes.T @ gradient
    step = axes @ (along / np.maximum(-curvature, 1e-6 + 1e-3 * np.abs(gradient).max()))
    return step / max(1.0, float(np.abs(step).max()) / 2.0)


@dataclass(frozen=True)
class Retry:
    """What to expect of a cliff of k rollouts when the same prompt gets another k.

    A cliff has at most ``threshold`` successes, of which it is not known how many: the belief is
    a mixture of ``Beta(a + c, b + k - c)``, weighted by how likely c successes are.

    >>> Retry(Beta(1, 1), 8) == Retry(Beta(1, 1), 8, threshold=0)
    True
    >>> round(Retry(Beta(1, 1), 8).escape_rate, 3), round(Retry(Beta(1, 1), 8, 1).escape_rate, 3)
    (0.471, 0.329)
    """

    prior: Beta
    k: int
    threshold: int = 0

    @property
    def beliefs(self) -> list[tuple[float, Beta]]:
        """The weights, which sum to 1, and what is believed with each number of successes."""
        most = min(self.threshold, self.k - 1)  # with k of k a group is saturated
        logs = self.prior.log_masses(most, self.k)
        weights = [exp(x - max(logs)) for x in logs]  # no float may hold the chances themselves
        after = [self.prior.updated(c, self.k - c) for c in range(most + 1)]
        return [(w / sum(weights), belief) for w, belief in zip(weights, after, strict=True)]

    @property
    def pass_rate(self) -> float:
        """The expected pass rate of such a problem."""
        return sum(w * belief.mean for w, belief in self.beliefs)

    @property
    def escape_rate(self) -> float:
        """The chance that the next k have more than ``threshold`` successes."""
        most = min(self.threshold, self.k - 1)
        return sum(w * belief.p_above(most, self.k) for w, belief in self.beliefs)

    @property
    def expected_rollouts(self) -> float:
        """Rollouts drawn until the cliff has opened, giving up after k."""
        most = min(self.threshold, self.k - 1)
        return sum(
            w * sum(belief.p_at_most(most, drawn) for drawn in range(self.k))
            for w, belief in self.beliefs
        )


@dataclass(frozen=True)
class BudgetRow:
    """What one group size buys out of a fixed number of rollouts."""

    group_size: int
    num_prompts: int
    cliff_rate: float  # chance that a group is a cliff
    saturated_rate: float
    num_mixed: float  # expected groups with a policy gradient
    escape_rate: float  # chance that a cliff is none when the same prompt is sampled once more
    cost_per_escape: float  # rollouts spent on such retries for each cliff that opens; inf if none

    @property
    def mixed_rate(self) -> float:
        """The chance that a group has both outcomes."""
        return max(0.0, 1.0 - self.cliff_rate - self.saturated_rate)


def plan_budget(
    prior: Beta,
    *,
    num_rollouts: int,
    group_sizes: Sequence[int] = (4, 8, 16, 32, 64),
    threshold: int = 0,
) -> list[BudgetRow]:
    """Compare group sizes for one step of ``num_rollouts`` rollouts, most mixed groups first.

    A group with at most ``threshold`` successes is a cliff, as for `classify`.

    Raises:
        ConfigError: a group size is below 1 or larger than the budget, or a negative threshold.

    >>> best = plan_budget(Beta(0.4, 1.2), num_rollouts=512)[0]
    >>> best.group_size, best.num_prompts, round(best.cliff_rate, 2)
    (4, 128, 0.52)
    """
    if bad := [k for k in group_sizes if not 1 <= k <= num_rollouts]:
        raise ConfigError(
            f"group size {bad[0]} does not fit {num_rollouts} rollouts: choose 1 to {num_rollouts}"
        )
    if threshold < 0:
        raise ConfigError(f"threshold {threshold} is negative: 0 means that no rollout succeeded")
    rows = [_row(prior, num_rollouts // k, k, threshold) for k in group_sizes]
    return sorted(rows, key=lambda row: -row.num_mixed)


def _row(prior: Beta, num_prompts: int, k: int, threshold: int) -> BudgetRow:
    cliff, saturated = prior.p_at_most(min(threshold, k - 1), k), prior.p_all_pass(k)
    retry = Retry(prior, k, threshold)
    escape = retry.escape_rate
    return BudgetRow(
        group_size=k,
        num_prompts=num_prompts,
        cliff_rate=cliff,
        saturated_rate=saturated,
        num_mixed=num_prompts * max(0.0, 1 - cliff - saturated),
        escape_rate=escape,
        cost_per_escape=retry.expected_rollouts / escape if escape else inf,
    )
