"""What one batch of rollouts tells about a problem set's prior, against the limit of any estimator.

``python -m benchmarks.prior_recovery`` prints the tables of docs/prior.md. The limit is Cramer and
Rao's: with I the Fisher information of one group about (ln a, ln b), an unbiased estimate of
g(a, b) from n groups has a variance of at least grad g' inv(n I) grad g, and maximum likelihood
reaches it as n grows. A share "at the limit" is that of a normal error with exactly this variance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, comb, exp, lgamma
from statistics import NormalDist

import numpy as np

from hdpo_env.cliffs import Beta, fit_prior

NUM_PROBLEMS, GROUP_SIZE, NUM_BATCHES = 128, 8, 1000
NEAR = 0.1
#: Hard and U-shaped, harder still, nearly all or nothing, U-shaped and even, bell-shaped.
TRUTHS = (Beta(0.4, 1.2), Beta(0.15, 2.0), Beta(0.1, 0.4), Beta(0.3, 0.3), Beta(2.0, 2.0))
QUANTITIES: Mapping[str, Callable[[Beta], float]] = {
    "a": lambda p: p.a,
    "b": lambda p: p.b,
    "mean": lambda p: p.mean,
    "cliff at 8": lambda p: p.p_all_fail(8),
    "cliff at 64": lambda p: p.p_all_fail(64),
    "mixed at 8": lambda p: 1 - p.p_all_fail(8) - p.p_all_pass(8),
    "reopens": lambda p: p.updated(0, 8).p_not_cliff(8),
}
PROBABILITIES = tuple(QUANTITIES)[2:]
CDF = "CDF"
_PLACES = np.linspace(0.005, 0.995, 100)
_STEP = 1e-5


def batches(truth: Beta, number: int, seed: int, num_problems: int = NUM_PROBLEMS) -> np.ndarray:
    """Success counts of simulated batches, ``[number num_problems]``."""
    rng = np.random.default_rng(seed)
    return rng.binomial(GROUP_SIZE, rng.beta(truth.a, truth.b, (number, num_problems)))


def fits(truth: Beta, number: int = NUM_BATCHES, seed: int = 0) -> list[Beta]:
    """The prior fitted to each of ``number`` simulated batches."""
    rows = batches(truth, number, seed).tolist()
    return [fit_prior([(c, GROUP_SIZE - c) for c in row]).prior for row in rows]


def measured(truth: Beta, found: list[Beta], *, relative: bool) -> dict[str, float]:
    """The share of fits within `NEAR` of the truth, or of its value where ``relative``."""
    shares = {}
    for name, quantity in QUANTITIES.items():
        true = quantity(truth)
        errors = np.abs([quantity(fit) - true for fit in found])
        shares[name] = float((errors < NEAR * (true if relative else 1)).mean())
    if relative:
        return shares
    distances = [np.abs(_cdf(fit) - _cdf(truth)).max() for fit in found]
    return shares | {CDF: float((np.array(distances) < NEAR).mean())}


def limit(truth: Beta, *, relative: bool) -> dict[str, float]:
    """The same shares for an estimator whose errors are normal and as small as they can be."""
    covariance, shares = _covariance(truth), {}
    for name, quantity in QUANTITIES.items():
        slope = _gradient(quantity, truth)
        sigma = float(slope @ covariance @ slope) ** 0.5
        room = NEAR * (quantity(truth) if relative else 1)
        shares[name] = 2 * NormalDist().cdf(room / sigma) - 1
    draws = np.random.default_rng(0).multivariate_normal([0, 0], covariance, 20_000)
    distances = np.abs(draws @ _gradient(_cdf, truth)).max(axis=1)
    return shares | {CDF: float((distances < NEAR).mean())}


def problems_needed(truth: Beta, name: str, confidence: float = 0.95) -> int:
    """Groups of 8 until 95 % of batches are within 10 % of the truth, by the limit."""
    slope = _gradient(QUANTITIES[name], truth)
    sigma = float(slope @ _covariance(truth, 1) @ slope) ** 0.5
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return ceil((z * sigma / (NEAR * QUANTITIES[name](truth))) ** 2)


def known_rates_share(truth: Beta) -> float:
    """The share of batches whose mean is within 10 % although every pass rate is known exactly."""
    sigma = (truth.variance / NUM_PROBLEMS) ** 0.5
    return 2 * NormalDist().cdf(NEAR * truth.mean / sigma) - 1


def _covariance(truth: Beta, num_problems: int = NUM_PROBLEMS) -> np.ndarray:
    mass = _mass(truth)
    score = _gradient(lambda p: np.log(_mass(p)), truth)
    return np.linalg.inv((score * mass) @ score.T) / num_problems


def _mass(prior: Beta) -> np.ndarray:
    # P(c successes of 8), the beta-binomial distribution.
    def log_beta(x: float, y: float) -> float:
        return lgamma(x) + lgamma(y) - lgamma(x + y)

    n, base = GROUP_SIZE, log_beta(prior.a, prior.b)
    return np.array(
        [comb(n, c) * exp(log_beta(prior.a + c, prior.b + n - c) - base) for c in range(n + 1)]
    )


def _gradient(quantity: Callable[[Beta], float | np.ndarray], at: Beta) -> np.ndarray:
    # Central differences in (ln a, ln b).
    up, down = exp(_STEP), exp(-_STEP)
    in_a = np.subtract(quantity(Beta(at.a * up, at.b)), quantity(Beta(at.a * down, at.b)))
    in_b = np.subtract(quantity(Beta(at.a, at.b * up)), quantity(Beta(at.a, at.b * down)))
    return np.array([in_a, in_b]) / (2 * _STEP)


def _cdf(prior: Beta) -> np.ndarray:
    return np.array([prior.cdf(float(x)) for x in _PLACES])


def table(relative: bool, found: Mapping[Beta, list[Beta]]) -> str:
    """A Markdown table of measured shares in percent, the limit's in brackets."""
    names = tuple(QUANTITIES) if relative else (*PROBABILITIES, CDF)
    rows = []
    for truth, fitted in found.items():
        shares = measured(truth, fitted, relative=relative), limit(truth, relative=relative)
        rows.append([f"{shares[0][n]:.0%} ({shares[1][n]:.0%})".replace("%", "") for n in names])
    return _markdown(names, found, rows)


def _markdown(names: tuple[str, ...], truths: Mapping[Beta, object], rows: list) -> str:
    lines = [["truth", *names], ["---"] * (len(names) + 1)]
    lines += [[f"Beta({t.a}, {t.b})", *row] for t, row in zip(truths, rows, strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Print the three tables."""
    found = {truth: fits(truth) for truth in TRUTHS}
    print(table(True, found), "\n\n", table(False, found), "\n", sep="")
    rows = [[f"{problems_needed(t, name):,}" for name in QUANTITIES] for t in TRUTHS]
    print(_markdown(tuple(QUANTITIES), found, rows), "\n")
    for truth in TRUTHS:
        print(f"Beta({truth.a}, {truth.b}): mean with known rates {known_rates_share(truth):.0%}")


if __name__ == "__main__":
    main()
