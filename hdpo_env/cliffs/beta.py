"""The Beta distribution of a pass rate, in plain numbers: enough for posteriors, without scipy."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, fsum, inf, isfinite, lgamma, log, log1p

from hdpo_env.errors import ConfigError
from hdpo_env.stats import Estimate


@dataclass(frozen=True)
class Beta:
    """Belief about a pass rate p, with density proportional to ``p^(a-1) (1-p)^(b-1)``.

    Raises:
        ConfigError: a or b is not a positive finite number.

    >>> Beta(1, 1).updated(num_correct=0, num_wrong=8)
    Beta(a=1, b=9)
    >>> round(Beta(1, 9).p_not_cliff(8), 3)
    0.471
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (0 < self.a < inf and 0 < self.b < inf):
            raise ConfigError(f"Beta({self.a}, {self.b}): both parameters must be positive")

    @property
    def mean(self) -> float:
        """The expected pass rate ``a / (a + b)``."""
        return self.a / (self.a + self.b)

    @property
    def variance(self) -> float:
        """``a b / ((a + b)^2 (a + b + 1))``."""
        total = self.a + self.b
        return self.a * self.b / (total * total * (total + 1))

    def updated(self, num_correct: int, num_wrong: int) -> Beta:
        """The belief after these many judged rollouts; abstentions say nothing and do not enter."""
        if min(num_correct, num_wrong) < 0:
            raise ConfigError(f"counts {num_correct} and {num_wrong}: neither may be negative")
        return Beta(self.a + num_correct, self.b + num_wrong)

    def p_all_fail(self, k: int) -> float:
        """``E[(1-p)^k]``, the chance that a group of k is a cliff; 1 for k = 0."""
        return exp(self._log_all_fail(k))

    def _log_all_fail(self, k: int) -> float:
        # A chance of failure near 1 keeps its digits in one form, a tiny one in the other.
        return sum(
            log1p(-self.a / (self.a + self.b + j))
            if self.a < self.b + j
            else log(self.b + j) - log(self.a + self.b + j)
            for j in range(k)
        )

    def p_all_pass(self, k: int) -> float:
        """``E[p^k]``, the chance that a group of k is saturated; 1 for k = 0."""
        return Beta(self.b, self.a).p_all_fail(k)

    def log_masses(self, upto: int, k: int) -> list[float]:
        """The logarithms of the chances that 0, 1, ... ``upto`` of k new rollouts succeed.

        ``C(k, c) B(a + c, b + k - c) / B(a, b)``, the beta-binomial; ``upto`` is at most k.
        """
        logs = [self._log_all_fail(k)]
        for c in range(upto):
            odds = log((k - c) / (c + 1)) + log(self.a + c) - log(self.b + k - c - 1)
            logs.append(logs[-1] + odds)
        return logs

    def p_at_most(self, num_correct: int, k: int) -> float:
        """The chance that no more than this many of k new rollouts succeed; 1 from k on.

        >>> round(Beta(1, 1).p_at_most(1, k=4), 9)  # of 0 to 4 successes each is as likely
        0.4
        """
        if num_correct >= k:
            return 1.0
        return min(1.0, fsum(map(exp, self.log_masses(num_correct, k))))

    def p_above(self, num_correct: int, k: int) -> float:
        """The chance that more than this many of k new rollouts succeed; 0 from k on.

        Summed itself and not taken from 1, so that rare events keep their digits.

        >>> Beta(1e-9, 1.0).p_above(3, k=8) > 0
        True
        """
        if num_correct >= k:
            return 0.0
        return Beta(self.b, self.a).p_at_most(k - num_correct - 1, k)

    def p_not_cliff(self, k: int) -> float:
        """The chance that at least one of k new rollouts succeeds."""
        return -expm1(self._log_all_fail(k))

    def expected_rollouts(self, limit: int) -> float:
        """Rollouts drawn until the first success when giving up after ``limit``.

        ``sum over t < limit of E[(1-p)^t]``: 0 for limit 0. Without a limit it would be infinite
        whenever a <= 1, which is what hard data look like.
        """
        total, chance = 0.0, 1.0
        for t in range(limit):
            total += chance
            chance *= (self.b + t) / (self.a + self.b + t)
        return total

    def cdf(self, x: float) -> float:
        """``P(p <= x)``, the regularised incomplete beta function, to about 1e-13."""
        if x <= 0:
            return 0.0
        if x >= 1:
            return 1.0
        # The continued fraction converges fast below the mean; above it, use the mirror image.
        if x < (self.a + 1) / (self.a + self.b + 2):
            return self._front(x) * _fraction(self.a, self.b, x) / self.a
        return 1.0 - self._front(x) * _fraction(self.b, self.a, 1 - x) / self.b

    def _front(self, x: float) -> float:
        scale = lgamma(self.a + self.b) - lgamma(self.a) - lgamma(self.b)
        return exp(scale + self.a * log(x) + self.b * log1p(-x))

    def quantile(self, q: float) -> float:
        """The x with ``cdf(x) = q``, by bisection of logits, which tells tiny rates apart."""
        if not 0 < q < 1:
            raise ConfigError(f"quantile {q} is outside (0, 1): 0.05 means 5 %")
        low, high = -700.0, 40.0
        for _ in range(80):
            middle = (low + high) / 2
            if self.cdf(_logistic(middle)) < q:
                low = middle
            else:
                high = middle
        return _logistic((low + high) / 2)

    def interval(self, confidence: float = 0.9) -> Estimate:
        """The mean with the equal-tailed credible interval."""
        if not 0 < confidence < 1:
            raise ConfigError(f"confidence {confidence} is outside (0, 1): 0.9 means 90 %")
        tail = (1 - confidence) / 2
        return Estimate(self.mean, self.quantile(tail), self.quantile(1 - tail))


def _logistic(z: float) -> float:
    return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def _fraction(a: float, b: float, x: float) -> float:
    # Continued fraction 8.17.22 of the Digital Library of Mathematical Functions, evaluated by
    # Lentz's method; ``tiny`` keeps a vanishing denominator from dividing by zero.
    tiny = 1e-300
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = value
        for term in (even, odd):
            d = 1 / _away(1 + term * d, tiny)
            c = _away(1 + term / c, tiny)
            value *= c * d
        if abs(value - before) <= 1e-15 * abs(value):
            break
    return value if isfinite(value) else 0.0


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
