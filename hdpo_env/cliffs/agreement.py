"""Whether rollouts agree with each other better than with the gold answer: suspected wrong golds.

Two stories explain a group in which every rollout failed. Either the gold answer is right: then all
n rollouts missed it, which happens with probability E[(1-p)^n], and their wrong answers agree as
wrong answers do. Or it is wrong: then the model's usual success makes the rollouts agree. Both are
beta-binomial, and both are fitted to the data themselves.

Measured on simulated groups of 16 with 2 % wrong golds (tests/cliffs/test_triage.py): a model that
solves four problems in five finds 80 to 88 % of them at a precision of 0.99 or more; where half of
the problems are beyond it, only those it can solve itself are found, at a precision above 0.9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp, lgamma, log

from hdpo_env.cliffs.beta import Beta
from hdpo_env.cliffs.posterior import fit_prior
from hdpo_env.errors import ConfigError

MIN_CALIBRATION = 30  # groups that a Beta is fitted to; with fewer, the default stands
MIN_RIVALS = 3  # wrong answers a solved group must hold to say how wrong answers agree
MIN_VOTES = 3  # two equal answers are no quorum, whatever the odds say
_PASS_RATES = Beta(1.0, 1.0)
_RIVALS = Beta(1.0, 2.0)


@dataclass(frozen=True)
class Tally:
    """What one group stated: judged rollouts, successes, wrong answers, the largest set of equals.

    ``answers`` counts rollouts with a final answer that was judged wrong, ``votes`` those of them
    in the largest set that agrees.
    """

    num_judged: int
    num_correct: int
    answers: int
    votes: int

    @property
    def beyond_a_pair(self) -> tuple[int, int]:
        """Votes beyond the second, and answers elsewhere: scattered answers reach a pair anyway."""
        return max(self.votes - 2, 0), self.answers - max(self.votes, 2)


@dataclass(frozen=True)
class AgreementModel:
    """How often a gold is wrong, and how answers agree when it is right and when it is not.

    Args:
        pass_rates: prior of the pass rates, which is also how correct answers agree.
        rivals: prior of the chance that one more wrong answer joins the commonest one.
        wrong_golds: share of gold answers that are wrong before anything is seen.
        quorum: posterior probability from which a gold is suspected; among the suspects at most
            ``1 - quorum`` are expected to be innocent.

    Raises:
        ConfigError: ``wrong_golds`` or ``quorum`` is outside (0, 1).

    >>> model = AgreementModel(Beta(1, 1), Beta(1, 6))
    >>> model.is_suspect(Tally(16, 0, 16, votes=15)), model.is_suspect(Tally(16, 0, 16, votes=9))
    (True, False)
    >>> round(model.false_alarm_rate(16), 4)
    0.0022
    """

    pass_rates: Beta = _PASS_RATES
    rivals: Beta = _RIVALS
    wrong_golds: float = 0.02
    quorum: float = 0.9

    def __post_init__(self) -> None:
        if not (0 < self.wrong_golds < 1 and 0 < self.quorum < 1):
            raise ConfigError(
                f"wrong_golds {self.wrong_golds} and quorum {self.quorum}: both are probabilities "
                "inside (0, 1), such as 0.02 and 0.9"
            )

    def suspicion(self, tally: Tally) -> float:
        """The posterior probability that the gold answer is wrong; 0 unless half of them agree.

        ``w P1 / (w P1 + (1-w) P0)`` with ``P1 = BB(votes; judged; a, b)`` and
        ``P0 = E[(1-p)^judged] BB(votes-2; answers-2; c, d)``.
        """
        if tally.num_correct or tally.votes < MIN_VOTES or 2 * tally.votes < tally.num_judged:
            return 0.0
        wrong = self.wrong_golds * beta_binomial(tally.votes, tally.num_judged, self.pass_rates)
        beyond, elsewhere = tally.beyond_a_pair
        agree = beta_binomial(beyond, beyond + elsewhere, self.rivals)
        right = (1 - self.wrong_golds) * self.pass_rates.p_all_fail(tally.num_judged) * agree
        return wrong / (wrong + right) if wrong + right > 0 else 0.0

    def is_suspect(self, tally: Tally) -> bool:
        """Whether the posterior probability reaches the quorum."""
        return self.suspicion(tally) >= self.quorum

    def false_alarm_rate(self, num: int) -> float:
        """The chance that a cliff of ``num`` stated answers with a right gold is suspected.

        A statement about the fitted ``rivals``: the sum of their chances over all suspect counts.
        """
        return sum(
            beta_binomial(votes - 2, num - 2, self.rivals)
            for votes in range(MIN_VOTES, num + 1)
            if self.is_suspect(Tally(num, 0, num, votes))
        )


def fit_agreement(
    tallies: Iterable[Tally], *, wrong_golds: float = 0.02, quorum: float = 0.9
) -> AgreementModel:
    """Fit both Betas to groups: successes to all of them, rival answers to those with a success.

    A success proves that the gold can be right, so the wrong answers beside it are truly wrong.
    That they agree no less on problems that are never solved is assumed, and cannot be measured.
    With fewer than `MIN_CALIBRATION` usable groups a Beta keeps its default.
    """
    groups = list(tallies)
    default = AgreementModel(wrong_golds=wrong_golds, quorum=quorum)
    rates = [(t.num_correct, t.num_judged - t.num_correct) for t in groups if t.num_judged]
    rivals = [t.beyond_a_pair for t in groups if t.num_correct and t.answers >= MIN_RIVALS]
    return AgreementModel(
        fit_prior(rates).prior if len(rates) >= MIN_CALIBRATION else default.pass_rates,
        fit_prior(rivals).prior if len(rivals) >= MIN_CALIBRATION else default.rivals,
        wrong_golds,
        quorum,
    )


@lru_cache(maxsize=1 << 14)
def beta_binomial(k: int, n: int, belief: Beta) -> float:
    """``C(n, k) B(a + k, b + n - k) / B(a, b)``: k successes of n when p ~ Beta(a, b).

    >>> beta_binomial(0, 2, Beta(1, 1)) == beta_binomial(2, 2, Beta(1, 1))
    True
    """
    a, b = belief.a, belief.b
    above = lgamma(a + k) + lgamma(b + n - k) - lgamma(a + b + n)
    return exp(log(comb(n, k)) + above + lgamma(a + b) - lgamma(a) - lgamma(b))


def largest_agreement(
    answers: Sequence[str], same: Callable[[str, str], bool], *, max_forms: int = 4
) -> tuple[str, int]:
    """The commonest answer and its votes, where ``same`` says which spellings are equal.

    >>> largest_agreement(["1/2", "0.5", "3", "1/2"], lambda a, b: {a, b} == {"1/2", "0.5"})
    ('1/2', 3)
    >>> largest_agreement([], lambda a, b: False)
    ('', 0)
    """
    forms = agreement_classes(answers, same, max_forms=max_forms)
    votes = Counter(forms[a.strip()] for a in answers)
    return votes.most_common(1)[0] if votes else ("", 0)


def agreement_classes(
    answers: Sequence[str], same: Callable[[str, str], bool], *, max_forms: int
) -> dict[str, str]:
    """The representative of each spelling, outer blanks apart: the commonest of its equals.

    Spellings are compared with the representatives found so far, the commonest first; beyond
    ``max_forms`` of those a new spelling stands alone, which bounds the comparisons.
    """
    form_of: dict[str, str] = {}
    forms: list[str] = []
    for text, _ in Counter(a.strip() for a in answers).most_common():
        found = next((form for form in forms[:max_forms] if same(form, text)), None)
        if found is None:
            forms.append(text)
        form_of[text] = found or text
    return form_of
