"""Causes of failure against planted ones, and wrong golds against planted ones."""

from __future__ import annotations

from collections import Counter
from math import comb
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cliffs.agreement import (
    AgreementModel,
    Tally,
    beta_binomial,
    fit_agreement,
    largest_agreement,
)
from hdpo_env.cliffs.beta import Beta
from hdpo_env.cliffs.evidence import Evidence, evidence_of
from hdpo_env.cliffs.triage import (
    ABOUT,
    REMEDY,
    Cause,
    cause_of,
    triage_groups,
    triage_rows,
)
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.prompts import student_prompt
from hdpo_env.rollouts import judge
from hdpo_env.types import Completion, Group, Outcome, Problem, Rollout, Verdict
from hdpo_env.verifiers import MathVerifier
from hdpo_env.verifiers.rewards import reward_of

SIZE = 16
BOXED, LENIENT = MathVerifier("boxed_only"), MathVerifier()


def group_of(problem: Problem, texts: list[tuple[str, str]]) -> Group:
    """A group of completions as the real verifier judges them; FAULT stands for one that died."""
    pairs = [(problem, Completion((1,), text, finish_reason=end)) for text, end in texts]
    verdicts = judge(pairs, verifier_of=lambda _: BOXED)
    prompt = student_prompt(problem)
    return Group(
        problem,
        tuple(
            Rollout(prompt, c, *((w := Verdict(Outcome.TIMEOUT)), None))
            if c.text == "FAULT"
            else Rollout(prompt, c, (w := v), reward_of(w))
            for (_, c), v in zip(pairs, verdicts, strict=True)
        ),
    )


def scattered(rng: Random) -> tuple[str, str]:
    """An honest failure: one wrong answer of very many."""
    return rf"Hence \boxed{{{rng.randrange(10_000, 99_999)}}}.", "stop"


def failing(cause: Cause, rng: Random, number: int) -> tuple[Group, Group | None]:
    """A group that fails for this cause, a fifth of its rollouts for an honest reason instead."""
    gold, truth = str(number % 97), str(number % 97 + 100)
    problem = Problem(f"question {number}", (gold,), id=f"p{number}")
    text = {
        Cause.VERIFIER_FAULT: lambda: ("FAULT", "stop"),
        Cause.TRUNCATED: lambda: ("Let us first consider the case", "length"),
        Cause.NO_ANSWER: lambda: ("I cannot tell.", "stop"),
        Cause.FORMAT: lambda: rng.choice(
            [(f"The answer is {gold}.", "stop"), (rf"\boxed{{{gold}}} or \boxed{{-3}}", "stop")]
        ),
        Cause.SUSPECTED_WRONG_GOLD: lambda: (rf"It is \boxed{{{truth}}}.", "stop"),
    }.get(cause, lambda: scattered(rng))
    texts = [text() if rng.random() < 0.8 else scattered(rng) for _ in range(SIZE)]
    if cause is Cause.UNPARSABLE_GOLD:
        problem = Problem(f"question {number}", (r"\frac{",), id=f"p{number}")
    again = None
    if cause in (Cause.SOLVABLE_WITH_PRIVILEGE, Cause.UNSOLVABLE_WITH_PRIVILEGE):
        helps = cause is Cause.SOLVABLE_WITH_PRIVILEGE
        said = [rf"\boxed{{{gold}}}" if helps and i == 0 else "no" for i in range(4)]
        again = group_of(problem, [(t, "stop") for t in said])
    return group_of(problem, texts), again


def solved(rng: Random, number: int) -> Group:
    """A mixed group, as most of a data set is: it says how right and wrong answers agree."""
    gold = str(number % 97)
    problem = Problem(f"question {number}", (gold,), id=f"p{number}")
    p = rng.betavariate(4, 1.5)
    right = (rf"\boxed{{{gold}}}", "stop")
    return group_of(problem, [right if rng.random() < p else scattered(rng) for _ in range(SIZE)])


def test_planted_causes_are_found() -> None:
    """Thirty groups of each cause among 200 solved ones: at least 95 % are named rightly.

    The verdicts are those of the real verifier on real texts; a fifth of the rollouts of every
    group fail for another reason than the planted one.
    """
    rng = Random(5)
    planted = [(cause, *failing(cause, rng, n)) for n, cause in enumerate(list(Cause) * 30)]
    groups = [g for _, g, _ in planted] + [solved(rng, 1000 + n) for n in range(200)]
    privileged = {g.problem.id: again for _, g, again in planted if again}
    found = {
        f.problem_id: f
        for f in triage_groups(groups, privileged, verifier_of=lambda _: BOXED, lenient=LENIENT)
    }
    truth = {g.problem.id: cause for cause, g, _ in planted}
    assert set(truth) <= set(found)
    right = Counter(truth[i] for i, f in found.items() if truth.get(i) is f.cause)
    assert right.total() >= 0.95 * len(truth), right
    assert all(right[cause] >= 0.8 * 30 for cause in Cause), right


def world(
    num: int, rates: tuple[float, float], rivals: tuple[float, float], seed: int
) -> tuple[list[Tally], np.ndarray, np.ndarray]:
    """Groups of 16 with 2 % wrong golds: their tallies, which are wrong, and true pass rates.

    A problem has one popular wrong answer, given with a share of its own, and 40 others. A wrong
    gold is that popular answer in three cases of ten (a common slip), else one that nobody gives.
    """
    rng = np.random.default_rng(seed)
    tallies, bad, p = [], rng.random(num) < 0.02, rng.beta(*rates, size=num)
    popular = rng.beta(*rivals, size=num)
    for i in range(num):
        wrong = np.where(rng.random(SIZE) < popular[i], 0, 1 + rng.integers(0, 40, SIZE))
        answers = np.where(rng.random(SIZE) < p[i], -1, wrong)
        gold = -1 if not bad[i] else (0 if rng.random() < 0.3 else -2)
        missed = answers[answers != gold].tolist()
        votes = max(Counter(missed).values(), default=0)
        tallies.append(Tally(SIZE, SIZE - len(missed), len(missed), votes))
    return tallies, bad, p


def hits(rates: tuple[float, float], rivals: tuple[float, float]) -> tuple[float, float, float]:
    """Precision, recall, and recall among problems that the model can solve, over 20,000 groups."""
    tallies, bad, p = world(20_000, rates, rivals, seed=1)
    model = fit_agreement(tallies)
    suspects = np.array([model.is_suspect(t) for t in tallies])
    able = bad & (p > 0.5)
    return bad[suspects].mean(), suspects[bad].mean(), suspects[able].mean()


def test_planted_wrong_golds_are_found() -> None:
    """2 % wrong golds, G = 16, a model that solves four problems in five.

    Precision at least 0.9, recall at least 0.8; even where one wrong answer is popular.
    """
    for rivals in ((1, 12), (1, 4)):
        precision, recall, _ = hits((4, 1), rivals)
        assert precision >= 0.9
        assert recall >= 0.8


def test_a_weaker_model_finds_fewer_and_accuses_no_more() -> None:
    """Where half of the problems are beyond the model, precision stays and recall is lost.

    Recall is then bounded by the problems that the model can solve at all: 0.8 of those.
    """
    precision, recall, able = hits((0.8, 0.8), (1, 12))
    assert precision >= 0.9
    assert able >= 0.75
    assert recall < 0.6


def test_consistent_misconceptions_are_no_wrong_golds() -> None:
    """A model that errs alike on most problems: agreement proves nothing, and little is accused."""
    tallies, bad, _ = world(20_000, (0.8, 0.8), (4, 2), seed=2)
    model = fit_agreement(tallies)
    accused = [b for t, b in zip(tallies, bad, strict=True) if model.is_suspect(t)]
    assert sum(not b for b in accused) <= 0.001 * len(tallies)


def test_the_stated_false_alarm_rate_is_the_rate() -> None:
    """Of right golds that 16 answers missed, as many are accused as stated (4 sigma, factor 2)."""
    tallies, bad, _ = world(40_000, (2, 1.2), (1, 12), seed=3)
    model = fit_agreement(tallies)
    innocent = [
        t for t, b in zip(tallies, bad, strict=True) if not b and not t.num_correct and t.answers
    ]
    accused = sum(model.is_suspect(t) for t in innocent)
    expected = model.false_alarm_rate(SIZE) * len(innocent)
    assert abs(accused - expected) <= 4 * expected**0.5 + expected


@given(st.integers(0, 12), st.integers(0, 12), st.floats(0.1, 9), st.floats(0.1, 9))
def test_the_beta_binomial_is_a_law(k: int, n: int, a: float, b: float) -> None:
    """Its chances sum to 1, its mean is n a/(a+b), and at a = b = 1 it is uniform."""
    belief = Beta(a, b)
    chances = [beta_binomial(j, n, belief) for j in range(n + 1)]
    assert sum(chances) == pytest.approx(1, abs=1e-9)
    assert sum(j * c for j, c in enumerate(chances)) == pytest.approx(n * a / (a + b), abs=1e-8)
    if k <= n:
        assert beta_binomial(k, n, Beta(1, 1)) == pytest.approx(1 / (n + 1))
    assert comb(n, min(k, n)) >= 1


def test_suspicion_by_hand() -> None:
    """Four equal answers of four, uniform pass rates and rivals.

    P1 = w BB(4; 4; 1, 1) = w/5. P0 = (1-w) E[(1-p)^4] BB(2; 2; 1, 1) = (1-w)/5 * 1/3.
    """
    model = AgreementModel(Beta(1, 1), Beta(1, 1), wrong_golds=0.2)
    w = 0.2
    expected = (w / 5) / (w / 5 + (1 - w) / 15)
    assert model.suspicion(Tally(4, 0, 4, 4)) == pytest.approx(expected)
    assert model.suspicion(Tally(4, 1, 3, 3)) == 0  # somebody was right: the gold can be right
    assert model.suspicion(Tally(4, 0, 4, 2)) == 0  # no quorum


def test_the_rules_by_hand() -> None:
    """Half of the rollouts make a reason; a gold that cannot be read needs one."""
    cases: list[tuple[Evidence, Cause]] = [
        (Evidence({"timeout": 4, "error": 4, "wrong": 8}, 8, 1), Cause.VERIFIER_FAULT),
        (Evidence({"timeout": 7, "wrong": 9}, 9, 1), Cause.HARD),
        (Evidence({"bad_gold": 1, "wrong": 15}, 15, 1), Cause.UNPARSABLE_GOLD),
        (Evidence({"ambiguous": 8, "wrong": 8}, 8, 1), Cause.FORMAT),
        (Evidence({"no_answer": 16}, rescued=8), Cause.FORMAT),
        (Evidence({"ambiguous": 4, "no_answer": 12}, rescued=4), Cause.FORMAT),
        (Evidence({"no_answer": 16}, rescued=7), Cause.NO_ANSWER),
        (Evidence({"wrong": 16}, 16, 16), Cause.SUSPECTED_WRONG_GOLD),
        (Evidence({"wrong": 16}, 16, 2, privileged=(0, 0)), Cause.HARD),
        (Evidence({"wrong": 16}, 16, 2, privileged=(0, 4)), Cause.UNSOLVABLE_WITH_PRIVILEGE),
        (Evidence({"wrong": 16}, 16, 2, privileged=(1, 4)), Cause.SOLVABLE_WITH_PRIVILEGE),
    ]
    model = AgreementModel(Beta(2, 1), Beta(1, 9))
    for evidence, cause in cases:
        assert cause_of(evidence, model)[0] is cause, evidence
    assert set(ABOUT) == set(REMEDY) == set(Cause)


def test_equal_answers_in_other_words_are_one_vote() -> None:
    r"""1/2, 0.5 and \frac12 agree by the verifier, not by their letters."""
    problem = Problem("q", ("3",))
    said = [r"\boxed{1/2}", r"\boxed{0.5}", r"\boxed{\frac12}", r"\boxed{7}"]
    group = group_of(problem, [(text, "stop") for text in said])
    evidence = evidence_of(group, verifier_of=lambda _: BOXED)
    assert (evidence.answers, evidence.votes) == (4, 3)


def test_slow_answers_are_compared_by_their_letters() -> None:
    """An answer that needed the symbolic stage once is not put through it again for every pair."""

    class Watched(MathVerifier):
        asked = 0

        def verify(self, *args: object, **kwargs: object) -> Verdict:
            type(self).asked += 1
            return super().verify(*args, **kwargs)  # type: ignore[arg-type]

    problem = Problem("q", ("3",))
    prompt = student_prompt(problem)
    verdicts = [Verdict(Outcome.WRONG, text, stage="symbolic") for text in ("x+x", "2x", "2x")]
    rollouts = tuple(Rollout(prompt, Completion((), ""), v, 0.0) for v in verdicts)
    watched = Watched()
    evidence = evidence_of(Group(problem, rollouts), verifier_of=lambda _: watched)
    assert (evidence.answers, evidence.votes, Watched.asked) == (3, 2, 0)


@given(st.lists(st.sampled_from("aAbBc "), max_size=12))
def test_the_largest_agreement_is_the_slow_one(answers: list[str]) -> None:
    """Votes equal a count over classes of equal letters, whatever the order."""
    same = lambda a, b: a.lower() == b.lower()
    _, votes = largest_agreement(answers, same, max_forms=9)
    assert votes == max(Counter(a.strip().lower() for a in answers).values(), default=0)


def test_rows_of_a_run_are_judged_again_together() -> None:
    """Evidence survives JSON; rows without evidence, and solved groups, bring no finding."""
    told = {"outcomes": {"wrong": 4}, "privileged": [1, 4]}
    rows = [
        {"problem_id": "a", "step": 3, "evidence": Evidence({"wrong": 4}, 4, 1).row()},
        {"problem_id": "b", "step": 4, "evidence": Evidence({"correct": 1, "wrong": 3}).row()},
        {"problem_id": "old", "step": 1},
        {"problem_id": "c", "step": 5, "evidence": told},
    ]
    found = triage_rows(rows)
    assert [(f.problem_id, f.step, f.cause) for f in found] == [
        ("a", 3, Cause.HARD),
        ("c", 5, Cause.SOLVABLE_WITH_PRIVILEGE),
    ]
    assert found[1].sentence.endswith("1 of 4 privileged rollouts succeed")


def test_misuse_is_refused() -> None:
    """Solved groups have no cause; odds are odds; unknown outcomes are named."""
    with pytest.raises(DataError, match="only groups without a success"):
        cause_of(Evidence({"correct": 1, "wrong": 3}))
    with pytest.raises(ConfigError, match="probabilities"):
        AgreementModel(wrong_golds=0.0)
    with pytest.raises(DataError, match="give counts of"):
        Evidence.from_row({"outcomes": {"silly": 3}})
