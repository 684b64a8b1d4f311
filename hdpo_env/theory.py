"""The proved statements behind the methods, as functions of a few numbers.

Each docstring names its theorem in ``proofs/``; each is tested against exact or ball arithmetic in
``tests/theory``. mu is the policy before, p its success probability, R a verifier's 0/1 reward,
all logarithms natural.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, inf, isfinite, log, log1p, sqrt
from typing import NamedTuple

from hdpo_env.errors import ConfigError

LN2 = log(2.0)


class Gibbs(NamedTuple):
    """The optimal policy's log-probabilities and the value ``beta ln Z`` it attains."""

    log_probs: tuple[float, ...]
    value: float


def gibbs_policy(log_mu: Sequence[float], reward: Sequence[float], beta: float) -> Gibbs:
    """The maximiser ``mu exp(reward/beta) / Z`` of ``E_pi[reward] - beta KL(pi || mu)``.

    It is unique among the policies that are absolutely continuous to mu; outcomes with
    ``log_mu = -inf`` stay there. ``log_mu`` may be unnormalised by a constant: it is normalised.
    Theorems S1_unique, S1_attained, S1_Z_binary.

    Raises:
        ConfigError: beta is not positive, lengths differ, or mu has no mass.

    >>> from math import exp, log
    >>> policy = gibbs_policy([log(0.75), log(0.25)], [0, 1], beta=1 / log(3))
    >>> [round(exp(x), 6) for x in policy.log_probs]
    [0.5, 0.5]
    """
    _positive("beta", beta)
    if len(log_mu) != len(reward):
        raise ConfigError(f"{len(log_mu)} log-probabilities and {len(reward)} rewards: give pairs")
    mass = _logsumexp(log_mu)
    tilted = [
        m - mass + r / beta if m > -inf else -inf for m, r in zip(log_mu, reward, strict=True)
    ]
    log_z = _logsumexp(tilted)
    return Gibbs(tuple(x - log_z for x in tilted), beta * log_z)


def _logsumexp(values: Sequence[float]) -> float:
    top = max(values, default=-inf)
    if not isfinite(top):
        raise ConfigError("the policy has no mass: give at least one finite log-probability")
    return top + log(fsum(exp(x - top) for x in values))


class Gap(NamedTuple):
    """Distances between the Gibbs policy at beta and the filtered policy mu(. | R = 1)."""

    total_variation: float
    kl: float


def hard_threshold_gap(p: float, beta: float) -> Gap:
    """How far the optimum at ``beta`` still is from the filtered policy ``mu(. | R = 1)``.

    ``TV = (1-p) / (1-p + p e^(1/beta))``,
    ``KL(filtered || optimum) = ln(1 + (1-p)/p e^(-1/beta))``;
    both fall to 0 as beta -> 0 for every p > 0. Theorems S2_TV, S2_KL, S2_limit.

    Raises:
        ConfigError: p is outside (0, 1] or beta is not positive. At p = 0 there is no filtered
            policy: the optimum is mu itself at every beta (S2_cliff_fixed_point).

    >>> [round(x, 6) for x in hard_threshold_gap(0.25, 0.5)]
    [0.288765, 0.340753]
    """
    _positive("beta", beta)
    if not 0 < p <= 1:
        raise ConfigError(
            f"p is {p}: the filtered policy needs a success probability in (0, 1]; "
            "a true cliff (p = 0) has none"
        )
    if p == 1:
        return Gap(0.0, 0.0)
    failure = -_logit(p) - 1 / beta  # log-odds of failure under the optimum
    return Gap(_sigmoid(failure), max(failure, 0.0) + log1p(exp(-abs(failure))))


def success_after(p: float, beta: float, num_steps: int = 1) -> float:
    """Success probability after repeated KL-regularised steps from p.

    Each step multiplies the odds by ``e^(1/beta)``, so k steps at beta are one at beta / k; p = 0
    stays 0. Theorems S1_odds, S17_odds, S17_success, S17_cliff_never_moves.

    Raises:
        ConfigError: p is not a probability, beta is not positive or the number of steps negative.

    >>> round(success_after(0.25, beta=1.0, num_steps=3), 6)
    0.870049
    """
    _probability("p", p)
    _positive("beta", beta)
    if num_steps < 0:
        raise ConfigError(f"num_steps is {num_steps}: give 0 or more")
    return p if p in (0, 1) else _sigmoid(_logit(p) + num_steps / beta)


def steps_needed(p: float, target: float, beta: float) -> float:
    """How many KL-regularised steps lift the success probability from p to ``target``.

    ``beta (logit target - logit p)``, not rounded and below 0 if p is above the target already;
    infinite from p = 0. Theorem S17_steps_needed.

    Raises:
        ConfigError: p is outside [0, 1), the target outside (0, 1), or beta is not positive.

    >>> round(steps_needed(0.01, 0.5, beta=0.5), 3)
    2.298
    """
    _positive("beta", beta)
    if not (0 <= p < 1 and 0 < target < 1):
        raise ConfigError(f"p = {p}, target = {target}: give 0 <= p < 1 and 0 < target < 1")
    if p == 0:
        return inf
    return beta * (_logit(target) - _logit(p))


def cliff_probability(p: float, k: int) -> float:
    """``(1 - p)^k``: how often k independent rollouts of a solvable prompt all fail.

    Theorem S7_cliff_probability.

    Raises:
        ConfigError: p is not a probability or k is negative.

    >>> round(cliff_probability(0.042, 16), 2)
    0.5
    """
    _probability("p", p)
    if k < 0:
        raise ConfigError(f"k is {k}: give a number of rollouts, 0 or more")
    return (1 - p) ** k


def kl2(p: float, q: float) -> float:
    """KL between two coins, ``p ln(p/q) + (1-p) ln((1-p)/(1-q))`` nats; infinite if q excludes p.

    No two policies with success probabilities p and q are closer than this
    (S9_data_processing), and it is at least ``2 (p - q)^2`` (S20_success_gap).

    Raises:
        ConfigError: an argument is not a probability.

    >>> round(kl2(0.5, 0.25), 6), kl2(0.5, 0.0)
    (0.143841, inf)
    """
    _probability("p", p)
    _probability("q", q)
    return _kl_term(p, q) + _kl_term(1 - p, 1 - q)


def _kl_term(a: float, b: float) -> float:
    if a == 0:
        return 0.0
    return a * log(a / b) if b > 0 else inf


def realizability_bound(logit_shift: float, num_tokens: int = 1) -> float:
    """Upper bound ``num_tokens * logit_shift^2 / 2`` on KL(teacher || student).

    ``logit_shift`` is the largest change of any logit between the two contexts, at any position
    (``L D`` in the same-model bound, ``L D + m`` for another model). Theorems S4_sup,
    S4_same_model, S4_cross_model, S10_prop1_sequence. Bounds are ordered, gaps need not be
    (S9_bound_order_is_not_gap_order).

    Raises:
        ConfigError: the shift or the number of tokens is negative.

    >>> realizability_bound(0.5), realizability_bound(0.5, num_tokens=10)
    (0.125, 1.25)
    """
    if logit_shift < 0 or num_tokens < 0:
        raise ConfigError(
            f"logit_shift = {logit_shift}, num_tokens = {num_tokens}: neither can be negative"
        )
    return num_tokens * logit_shift**2 / 2


def logit_shift_needed(p_teacher: float, p_student: float, num_tokens: int) -> float:
    """Smallest per-position logit shift that can lift success from the student's to the teacher's.

    ``sqrt(2 kl2(p_teacher, p_student) / num_tokens)``: a small teacher gap and a solved cliff
    exclude each other. Theorems S10_cliff_tension, S9_realizability_lower_bound.

    Raises:
        ConfigError: an argument is not a probability, or there is no token.

    >>> round(logit_shift_needed(0.5, 1e-4, num_tokens=200), 3)
    0.198
    """
    if num_tokens < 1:
        raise ConfigError(f"num_tokens is {num_tokens}: a completion has at least one token")
    return sqrt(2 * kl2(p_teacher, p_student) / num_tokens)


def pinsker_bound(kl: float) -> float:
    """Upper bound ``min(1, sqrt(kl / 2))`` on the total variation of two laws ``kl`` nats apart.

    It also bounds any difference of success probabilities. Theorems S20_pinsker_TV,
    S20_success_gap.

    Raises:
        ConfigError: the divergence is negative.

    >>> pinsker_bound(0.5), pinsker_bound(8.0)
    (0.5, 1.0)
    """
    if not kl >= 0:
        raise ConfigError(f"kl is {kl}: a divergence is 0 or more")
    return min(1.0, sqrt(kl / 2))


def jsd_bound(logit_shift: float, tail_mass: float = 0.0) -> float:
    """Upper bound on JSD(top-k teacher, student) at one position, in nats.

    ``min(ln 2, D^2/4 + e/2 (1 + ln(2/e)))`` with D the logit shift and e the teacher's mass
    outside its top k. Theorems S6_upper, S12_prop1_jsd, S13_prop1_topk_jsd.

    Raises:
        ConfigError: the shift is negative or the tail mass outside [0, 1).

    >>> jsd_bound(0.2), round(jsd_bound(5.0), 6)
    (0.010000000000000002, 0.693147)
    """
    full = realizability_bound(logit_shift) / 2
    return min(LN2, full + topk_jsd_change(tail_mass)[1])


def topk_jsd_change(tail_mass: float) -> tuple[float, float]:
    """How much renormalising the teacher to its top k can change the JSD: (lowest, highest).

    With e the mass outside: ``-(e/2 ln 2 + e^2 / (4 (1-e)))`` and ``e/2 (1 + ln(2/e))``; (0, 0) at
    e = 0. The teacher itself moves by exactly e in total variation. Theorems S13_topk_jsd,
    S13_topk_TV, S13_topk_KL.

    Raises:
        ConfigError: the tail mass is outside [0, 1).

    >>> [round(x, 6) for x in topk_jsd_change(0.01)]
    [-0.003491, 0.031492]
    """
    e = tail_mass
    if not 0 <= e < 1:
        raise ConfigError(f"tail_mass is {e}: give the teacher's mass outside its top k, in [0, 1)")
    if e == 0:
        return (0.0, 0.0)
    return (-(e / 2 * LN2 + e**2 / (4 * (1 - e))), e / 2 * (1 + LN2 - log(e)))


def jsd_gradient_bound(student_prob: float) -> float:
    """Largest logit gradient ``q (ln 2 + ln(1/q)) / 2`` the JSD can give a token of probability q.

    It goes to 0 with q whatever the teacher wants: the JSD *saturates* where the student excludes
    the teacher's token. Theorem S8_JSD_saturates.

    Raises:
        ConfigError: the argument is not a probability.

    >>> jsd_gradient_bound(0.0), round(jsd_gradient_bound(1e-3), 6)
    (0.0, 0.0038)
    """
    q = _probability("student_prob", student_prob)
    return q * (LN2 - log(q)) / 2 if q else 0.0


def reward_gradient_bound(p: float, score_range: float = 1.0) -> float:
    """Largest expected GRPO gradient ``score_range p (1 - p)`` in one direction.

    ``score_range`` is the spread of the score function along it. Exactly 0 on a true cliff.
    Theorems S8_gradient_vanishes, S11_gradient_vanishes.

    Raises:
        ConfigError: p is not a probability or the range is negative.

    >>> reward_gradient_bound(0.5), reward_gradient_bound(0.0)
    (0.25, 0.0)
    """
    _probability("p", p)
    if score_range < 0:
        raise ConfigError(f"score_range is {score_range}: a spread is 0 or more")
    return score_range * p * (1 - p)


def filtered_estimate_bound(
    p: float, num_rollouts: int, deviation: float, value_range: float = 1.0
) -> float:
    """Chance that the R = 1 survivors of n rollouts are none, or average off by ``deviation``.

    At most ``2 (1 - p + p exp(-2 t^2 / w^2))^n`` (reported as at most 1), for the average of any
    function of spread w over the survivors against its mean under mu(. | R = 1). It needs
    independent rollouts that are kept whenever they are correct: duplicates included. Theorem
    S18_filtered_estimate.

    Raises:
        ConfigError: p is not a probability, n is negative, or t or w is not positive.

    >>> round(filtered_estimate_bound(0.25, 16, deviation=0.5), 6)
    0.381508
    """
    _probability("p", p)
    _positive("deviation", deviation)
    _positive("value_range", value_range)
    if num_rollouts < 0:
        raise ConfigError(f"num_rollouts is {num_rollouts}: give 0 or more")
    factor = exp(-2 * (deviation / value_range) ** 2)
    return min(1.0, 2 * (1 - p + p * factor) ** num_rollouts)


def _logit(p: float) -> float:
    return log(p) - log1p(-p)


def _sigmoid(x: float) -> float:
    small = exp(-abs(x))  # never overflows
    return (1.0 if x >= 0 else small) / (1 + small)


def _probability(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} is {value}: give a probability, 0 to 1")
    return value


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise ConfigError(f"{name} is {value}: give a positive number")
