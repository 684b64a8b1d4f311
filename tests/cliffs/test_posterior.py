"""The fitted prior and its posteriors on simulated truth."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import comb, copysign, inf, lgamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cliffs.beta import Beta
from hdpo_env.cliffs.posterior import Retry, _Likelihood, escape_limit, fit_prior, plan_budget
from hdpo_env.errors import ConfigError, DataError

TRUTH = Beta(0.4, 1.2)  # a U-shaped set of pass rates, as hard mathematics shows


def simulate(num: int, group: int, seed: int, prior: Beta = TRUTH) -> tuple[np.ndarray, list]:
    """True pass rates and the (correct, wrong) counts of one group each."""
    rng = np.random.default_rng(seed)
    rates = rng.beta(prior.a, prior.b, size=num)
    correct = rng.binomial(group, rates)
    return rates, [(int(c), group - int(c)) for c in correct]


def slow_log_likelihood(a: float, b: float, counts: list[tuple[int, int]]) -> float:
    """The beta-binomial likelihood as textbooks write it, without binomial coefficients."""

    def log_beta(x: float, y: float) -> float:
        return lgamma(x) + lgamma(y) - lgamma(x + y)

    return sum(log_beta(a + c, b + w) - log_beta(a, b) for c, w in counts)


pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12).filter(
    lambda counts: any(c + w for c, w in counts)
)


@given(pairs, st.floats(-3, 3), st.floats(-3, 3))
def test_the_likelihood_and_its_slopes(counts: list[tuple[int, int]], u: float, v: float) -> None:
    """The fast likelihood equals the textbook's; its derivatives equal central differences."""
    fast = _Likelihood(np.array(counts))
    point = np.array([u, v])
    slow = slow_log_likelihood(float(np.exp(u)), float(np.exp(v)), counts)
    assert fast.value(point) == pytest.approx(slow, abs=1e-8)
    gradient, hessian = fast.slopes(point)
    step = 1e-5
    for i in range(2):
        nudge = step * np.eye(2)[i]
        ahead, behind = point + nudge, point - nudge
        numeric = (fast.value(ahead) - fast.value(behind)) / (2 * step)
        assert gradient[i] == pytest.approx(numeric, abs=1e-5)
        rows = (fast.slopes(ahead)[0] - fast.slopes(behind)[0]) / (2 * step)
        assert hessian[i] == pytest.approx(rows, abs=1e-5)


@given(pairs)
def test_no_point_of_a_grid_beats_the_fit(counts: list[tuple[int, int]]) -> None:
    """Maximum likelihood: 900 points over six decades are no better (to 1e-6 nats)."""
    fit = fit_prior(counts)
    axis = np.exp(np.linspace(np.log(1e-3), np.log(1e3), 30))
    best = max(slow_log_likelihood(a, b, counts) for a in axis for b in axis)
    assert fit.log_likelihood >= best - 1e-6
    assert fit.log_likelihood == pytest.approx(
        slow_log_likelihood(fit.prior.a, fit.prior.b, counts), abs=1e-6
    )


def test_the_prior_is_recovered_from_one_batch_on_average() -> None:
    """128 x 8 rollouts, 200 batches: the median a and b lie within 10 % of the truth.

    A single batch scatters more (a by 20 %, b by 22 %), which the test also bounds.
    """
    fits = [fit_prior(simulate(128, 8, seed)[1]).prior for seed in range(200)]
    a, b = np.array([(fit.a, fit.b) for fit in fits]).T
    assert abs(np.median(a) / 0.4 - 1) < 0.1
    assert abs(np.median(b) / 1.2 - 1) < 0.1
    assert 0.1 < a.std() / 0.4 < 0.3
    assert 0.1 < b.std() / 1.2 < 0.35


def test_many_problems_recover_it_every_time() -> None:
    """5,000 x 8 rollouts: within 10 % in each of five batches."""
    for seed in range(5):
        prior = fit_prior(simulate(5000, 8, seed)[1]).prior
        assert prior.a == pytest.approx(0.4, rel=0.1)
        assert prior.b == pytest.approx(1.2, rel=0.1)


@pytest.mark.parametrize("truth", [Beta(0.4, 1.2), Beta(0.15, 2.0), Beta(2.0, 2.0)])
def test_intervals_hold_what_they_say(truth: Beta) -> None:
    """90 % credible intervals of 2,000 problems x 8, prior fitted: 87 to 93 % hold the truth."""
    rates, counts = simulate(2000, 8, seed=11, prior=truth)
    prior = fit_prior(counts).prior
    ends = {pair: prior.updated(*pair).interval(0.9) for pair in set(counts)}
    inside = [ends[pair].low <= p <= ends[pair].high for p, pair in zip(rates, counts, strict=True)]
    assert 0.87 <= np.mean(inside) <= 0.93


def test_predictions_about_cliffs_come_true() -> None:
    """Of 20,000 problems, the cliffs at 8 that open at 8 more: as many as predicted (4 sigma)."""
    rates, counts = simulate(20_000, 8, seed=3)
    belief = fit_prior(counts).prior.updated(0, 8)
    cliffs = rates[[c == 0 for c, _ in counts]]
    opened = np.random.default_rng(4).binomial(8, cliffs) > 0
    expected = belief.p_not_cliff(8)
    sigma = (expected * (1 - expected) / len(cliffs)) ** 0.5
    assert abs(opened.mean() - expected) < 4 * sigma + 0.01  # 0.01: the prior is itself estimated
    # A quarter of the cliffs of this problem set are no cliffs at the next look.
    assert 0.15 < expected < 0.35


def test_every_prediction_is_calibrated() -> None:
    """P(not a cliff at 4) by success count: predicted and observed agree within 4 sigma each."""
    rates, counts = simulate(40_000, 6, seed=8)
    prior = fit_prior(counts).prior
    again = np.random.default_rng(9).binomial(4, rates) > 0
    for successes in range(7):
        chosen = np.array([c == successes for c, _ in counts])
        expected = prior.updated(successes, 6 - successes).p_not_cliff(4)
        sigma = (max(expected * (1 - expected), 1e-3) / chosen.sum()) ** 0.5
        assert abs(again[chosen].mean() - expected) < 4 * sigma + 0.01


def test_unequal_groups_and_abstentions() -> None:
    """Problems with more judged rollouts weigh more, and those with none not at all."""
    rng = np.random.default_rng(5)
    rates = rng.beta(0.4, 1.2, size=6000)
    sizes = rng.integers(0, 17, size=6000)
    correct = rng.binomial(sizes, rates)
    counts = [(int(c), int(n - c)) for c, n in zip(correct, sizes, strict=True)]
    fit = fit_prior(counts)
    assert fit.prior.a == pytest.approx(0.4, rel=0.1)
    assert fit.prior.b == pytest.approx(1.2, rel=0.1)
    assert fit.num_problems == sum(n > 0 for n in sizes)


def test_data_that_leave_the_prior_open_are_flagged() -> None:
    """Nothing ever solved, or all pass rates alike: the likelihood rises to the edge of the box."""
    nothing = fit_prior([(0, 8)] * 50)
    assert nothing.is_bounded
    assert nothing.prior.mean < 1e-3
    alike = fit_prior([(4, 4)] * 50)
    assert alike.is_bounded
    assert alike.prior.mean == pytest.approx(0.5, abs=1e-3)
    assert not fit_prior(simulate(128, 8, 0)[1]).is_bounded


def test_nothing_to_fit_is_refused() -> None:
    """No judged rollout, no prior."""
    with pytest.raises(DataError, match="no problem has a judged rollout"):
        fit_prior([(0, 0), (0, 0)])
    with pytest.raises(DataError, match="no problem has"):
        fit_prior([])
    with pytest.raises(DataError, match="negative"):
        fit_prior([(1, -1)])


def test_the_planner_agrees_with_simulation() -> None:
    """512 rollouts as 64 x 8: group kinds, escapes and their cost, as simulated (4 sigma)."""
    [row] = plan_budget(TRUTH, num_rollouts=512, group_sizes=[8])
    assert (row.group_size, row.num_prompts) == (8, 64)
    rng = np.random.default_rng(7)
    rates = rng.beta(TRUTH.a, TRUTH.b, size=400_000)
    correct = rng.binomial(8, rates)
    for found, seen in (
        (row.cliff_rate, correct == 0),
        (row.saturated_rate, correct == 8),
        (row.mixed_rate, (correct > 0) & (correct < 8)),
    ):
        assert abs(found - seen.mean()) < 4 * 0.5 / 400_000**0.5
    assert row.num_mixed == pytest.approx(64 * row.mixed_rate, rel=1e-12)
    cliffs = rates[correct == 0]
    waits = rng.geometric(np.maximum(cliffs, 1e-12))
    opened = waits <= 8
    assert abs(row.escape_rate - opened.mean()) < 4 * 0.5 / len(cliffs) ** 0.5
    spent = np.minimum(waits, 8).sum() / opened.sum()
    assert row.cost_per_escape == pytest.approx(spent, rel=0.02)


@pytest.mark.parametrize("threshold", [1, 3, 7, 20])
def test_a_retry_under_a_threshold_agrees_with_simulation(threshold: int) -> None:
    """With up to so many successes a cliff, of 8 x 400,000 rollouts and as many again (4 sigma)."""
    [row] = plan_budget(TRUTH, num_rollouts=512, group_sizes=[8], threshold=threshold)
    most = min(threshold, 7)  # eight of eight is saturated, whatever the threshold
    rng = np.random.default_rng(threshold)
    rates = rng.beta(TRUTH.a, TRUTH.b, size=400_000)
    is_cliff = rng.binomial(8, rates) <= most
    assert abs(row.cliff_rate - is_cliff.mean()) < 4 * 0.5 / 400_000**0.5
    assert row.cliff_rate + row.saturated_rate + row.mixed_rate == pytest.approx(1, abs=1e-12)
    cliffs, error = rates[is_cliff], 4 * 0.5 / is_cliff.sum() ** 0.5
    again = (rng.random((len(cliffs), 8)) < cliffs[:, None]).cumsum(axis=1)
    opened = again[:, -1] > most
    assert abs(row.escape_rate - opened.mean()) < error
    assert abs(Retry(TRUTH, 8, threshold).pass_rate - cliffs.mean()) < error
    drawn = 1 + (again[:, :-1] <= most).sum(axis=1)  # a rollout more while it has not opened
    assert row.cost_per_escape == pytest.approx(drawn.sum() / opened.sum(), rel=0.03)


def test_what_a_retry_is_worth_by_hand() -> None:
    """Beta(1, 1), groups of two, one success still a cliff: 0 or 1 of 2 are as likely."""
    [row] = plan_budget(Beta(1, 1), num_rollouts=8, group_sizes=[2], threshold=1)
    assert (row.cliff_rate, row.saturated_rate) == pytest.approx((2 / 3, 1 / 3))
    # E[p^2] is 1/10 of Beta(1, 3) and 3/10 of Beta(2, 2); both rollouts are always drawn.
    assert (row.escape_rate, row.cost_per_escape) == pytest.approx((0.2, 10.0))
    assert Retry(Beta(1, 1), 2, threshold=1).pass_rate == pytest.approx((1 / 4 + 1 / 2) / 2)
    rare = Retry(Beta(1e4, 1e-3), 800, threshold=1)  # no float holds the chance of such a cliff
    assert rare.pass_rate == pytest.approx(1e4 / (1e4 + 800), rel=1e-3)
    with pytest.raises(ConfigError, match="threshold -1 is negative"):
        plan_budget(TRUTH, num_rollouts=8, group_sizes=[2], threshold=-1)


def test_larger_groups_have_fewer_cliffs_and_fewer_prompts() -> None:
    """The trade-off is monotone, and the rows come with most mixed groups first."""
    rows = plan_budget(TRUTH, num_rollouts=1024, group_sizes=[4, 8, 16, 32])
    by_size = sorted(rows, key=lambda row: row.group_size)
    for small, large in pairwise(by_size):
        assert small.cliff_rate > large.cliff_rate
        assert small.num_prompts > large.num_prompts
    assert [r.num_mixed for r in rows] == sorted((r.num_mixed for r in rows), reverse=True)
    with pytest.raises(ConfigError, match="group size 2048 does not fit"):
        plan_budget(TRUTH, num_rollouts=1024, group_sizes=[2048])


def exact_above(a: Fraction, b: Fraction, most: int, k: int) -> Fraction:
    """P(more than ``most`` of k succeed) in fractions."""
    total = Fraction(0)
    for c in range(most + 1, k + 1):
        term = Fraction(comb(k, c))
        for i in range(c):
            term *= a + i
        for i in range(k - c):
            term *= b + i
        for i in range(k):
            term /= a + b + i
        total += term
    return total


@pytest.mark.parametrize("most", [0, 3, 6])
@pytest.mark.parametrize("a", [Fraction(1, 10), Fraction(1, 10**12)])
def test_rare_escapes_keep_their_digits(a: Fraction, most: int) -> None:
    """The upper tail in exact fractions, to 1e-9 of itself: 1 minus the lower one loses it all."""
    b = Fraction(10**4)
    expected = float(exact_above(a, b, most, 8))
    assert 0 < expected < 1e-4
    assert Beta(float(a), float(b)).p_above(most, 8) == pytest.approx(expected, rel=1e-9)


def test_a_retry_that_never_opens_costs_without_end() -> None:
    """A cliff of at most three of four that cannot have four: inf rollouts, no division by 0."""
    [row] = plan_budget(Beta(1e-300, 1e300), num_rollouts=8, group_sizes=[4], threshold=3)
    assert (row.escape_rate, row.cost_per_escape) == (0.0, inf)
    assert row.num_mixed == 0.0
    assert copysign(1, row.num_mixed) == 1


@pytest.mark.parametrize("counts", [[(3, 1), (0, 1), (0, 1)], [(1, 1)] * 2, [(0, 1), (1, 0)]])
def test_a_flat_ridge_is_no_top(counts: list[tuple[int, int]]) -> None:
    """Likelihoods that tend to a common pass rate, or do not depend on the spread, are open."""
    assert fit_prior(counts).is_bounded


@pytest.mark.parametrize("truth", [Beta(0.02, 1.0), Beta(0.4, 1.2), Beta(30.0, 1000.0)])
@pytest.mark.parametrize("num", [30, 200])
def test_the_limit_of_escapes_holds(truth: Beta, num: int) -> None:
    """Whatever the pass rates, at most 5 % of problem sets have more escapes than the limit says.

    Summed exactly over how many of the groups are open: they are a binomial number.
    """
    q, both = truth.p_not_cliff(8), truth.p_all_fail(16)
    escapes = 1 - both / truth.p_all_fail(8)
    missed = sum(
        comb(num, m) * q**m * (1 - q) ** (num - m)
        for m in range(num + 1)
        if escape_limit(m, num) < escapes
    )
    assert missed <= 0.05


def test_the_limit_by_hand() -> None:
    """None of 200 open: q = 1 - .05^(1/200); half of them say nothing; no group is refused."""
    q = 1 - 0.05 ** (1 / 200)
    assert escape_limit(0, 200) == pytest.approx(q / (1 - q), rel=1e-9)
    assert escape_limit(100, 200) == 1.0
    with pytest.raises(DataError, match="0 of 0 groups"):
        escape_limit(0, 0)
