"""The small verifiers, the combinators, rewards, the registry and what importing costs."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from hdpo_env.errors import ConfigError, RegistryError
from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers import (
    VERIFIERS,
    ExactVerifier,
    MathVerifier,
    Verifier,
    check_gold,
    reward_fn,
    reward_of,
)
from hdpo_env.verifiers.combine import all_of, any_of, cascade, weighted
from hdpo_env.verifiers.simple import ChoiceVerifier, Gsm8kVerifier, NumericVerifier


@dataclass(frozen=True)
class Says:
    """A verifier with one opinion."""

    outcome: Outcome
    version: str = "1"

    @property
    def name(self) -> str:
        return self.outcome.value

    def verify(self, completion: str, gold: object, *, finish_reason: str | None = None) -> Verdict:
        return Verdict(self.outcome, completion)


YES, NO, UNSURE = Says(Outcome.CORRECT), Says(Outcome.WRONG), Says(Outcome.TIMEOUT)
SILENT = Says(Outcome.NO_ANSWER)


def test_rewards_are_a_function_of_the_outcome_alone() -> None:
    """1 for CORRECT, 0 for what the model did wrong, None for what the checker did wrong."""
    rewards = {o: reward_of(Verdict(o)) for o in Outcome}
    assert rewards[Outcome.CORRECT] == 1.0
    assert [o for o, r in rewards.items() if r is None] == [
        Outcome.TIMEOUT,
        Outcome.ERROR,
        Outcome.BAD_GOLD,
    ]
    assert sum(r == 0.0 for r in rewards.values()) == 4
    assert reward_of(Verdict(Outcome.WRONG), correct=2.0, incorrect=-1.0) == -1.0


def test_reward_fn_keeps_order_and_abstains() -> None:
    """One reward for each completion; a blank gold earns None; lengths must agree."""
    assert reward_fn(["\\boxed{4}", "\\boxed{5}", "\\boxed{4}"], ["4", "4", ""]) == [1.0, 0.0, None]
    assert reward_fn(["4"], ["4"], verifier=ExactVerifier()) == [1.0]
    with pytest.raises(ConfigError, match="one gold per completion"):
        reward_fn(["4"], [])


def test_the_registry_holds_working_verifiers() -> None:
    """Every name makes a Verifier that survives pickling and accepts a gold of its kind."""
    golds = {"choice": "B"}
    shipped = ("math", "exact", "numeric", "gsm8k", "choice")  # adapters may have added theirs
    assert set(shipped) <= set(VERIFIERS)
    for name in shipped:
        verifier = VERIFIERS[name]()
        assert isinstance(verifier, Verifier)
        gold = golds.get(name, "5")
        text = gold if name == "exact" else f"\\boxed{{{gold}}}"
        copy = pickle.loads(pickle.dumps(verifier))
        assert copy.verify(text, gold).correct is True
        assert copy.verify(text, "C" if name == "choice" else "6").correct is False
        assert check_gold(verifier, gold) is None
        assert check_gold(verifier, " ") is not None
    with pytest.raises(RegistryError, match="choose one of"):
        VERIFIERS["maths"]


@pytest.mark.parametrize("name", ["math", "exact", "numeric", "gsm8k", "choice"])
@pytest.mark.parametrize("gold", [None, True, 4, (), ["4", None]], ids=repr)
def test_a_gold_that_is_no_text_is_a_bad_gold(name: str, gold: Any) -> None:
    """Not a fault of the verifier: the verdict says what is wrong, and names no exception."""
    verdict = VERIFIERS[name]().verify("4", gold)
    assert verdict.outcome is Outcome.BAD_GOLD
    assert "gold" in verdict.reason
    assert "Error" not in verdict.reason


def test_exact_extracts_nothing() -> None:
    """The whole stripped completion must be a gold, to the letter."""
    exact = ExactVerifier()
    assert exact.verify("\\boxed{4}", "4").outcome is Outcome.WRONG
    assert exact.verify("4.0", "4").outcome is Outcome.WRONG
    assert exact.verify(" b\n", ["a", "b"]).outcome is Outcome.CORRECT
    assert exact.verify("", "4").outcome is Outcome.NO_ANSWER
    assert exact.verify("4", "44", finish_reason="length").outcome is Outcome.TRUNCATED
    assert exact.verify("44", "44", finish_reason="length").outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("answer", "tolerance", "correct"),
    [("3.15", 0.01, True), ("3.18", 0.01, False), ("-3.14", 0.5, False), ("3.14", 0.0, True)],
)
def test_numeric_tolerance_is_relative_to_the_gold(
    answer: str, tolerance: float, correct: bool
) -> None:
    """|a - g| <= tol |g|: for g = 3.14 and 1 % the bound is 0.0314."""
    verdict = NumericVerifier(rel_tol=tolerance).verify(f"\\boxed{{{answer}}}", "3.14")
    assert verdict.correct is correct


def test_numeric_reads_numbers_only() -> None:
    """Words are wrong as answers and bad as golds; a tolerance of 100 % means nothing."""
    numeric = NumericVerifier()
    assert numeric.verify("\\boxed{\\frac{1}{3}}", "0.333333333").correct is True
    assert numeric.verify("\\boxed{many}", "3").outcome is Outcome.WRONG
    assert numeric.verify("\\boxed{3}", "many").outcome is Outcome.BAD_GOLD
    assert numeric.verify("\\boxed{0.5e-6}", "0").correct is True
    with pytest.raises(ConfigError, match="rel_tol"):
        NumericVerifier(rel_tol=1.0)


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        ("3 + 4 = 7\n#### 7", Outcome.CORRECT),
        ("She needs 3 and then 4, that makes seven: 7 apples", Outcome.CORRECT),
        ("The answer is $7.00.", Outcome.CORRECT),
        ("#### 7,000", Outcome.WRONG),
        ("I have no idea", Outcome.NO_ANSWER),
        ("7 of them, or 8", Outcome.WRONG),
        ("so \\boxed{8} and 7", Outcome.WRONG),
    ],
)
def test_gsm8k_takes_the_stated_or_the_last_number(completion: str, outcome: Outcome) -> None:
    """After ####, in a box, in words, else the last number of the text; equality is exact."""
    assert Gsm8kVerifier().verify(completion, "a b c\n#### 7").outcome is outcome


@pytest.mark.parametrize("text", ["\\boxed{C}", "The answer is (c).", "\\boxed{\\text{(C)}\\ 12}"])
def test_choice_compares_letters(text: str) -> None:
    """The letter in any spelling; a gold that is no letter is bad."""
    assert ChoiceVerifier().verify(text, "(C)").correct is True
    assert ChoiceVerifier().verify(text, "D").correct is False
    assert ChoiceVerifier().verify(text, "12").outcome is Outcome.BAD_GOLD


def test_any_all_and_weighted_carry_what_could_matter() -> None:
    """Against Kleene's truth tables, for every pair of opinions."""
    for a, b in itertools.product((YES, NO, UNSURE), repeat=2):
        pair = {a.outcome, b.outcome}
        some = any_of(a, b).verify("x", "y").outcome
        every = all_of(a, b).verify("x", "y").outcome
        majority = weighted([(a, 1), (b, 1)]).verify("x", "y").correct
        order = (Outcome.CORRECT, Outcome.TIMEOUT, Outcome.WRONG)
        assert some is next(o for o in order if o in pair)
        assert every is next(o for o in order[::-1] if o in pair)
        if pair == {Outcome.CORRECT}:
            assert majority is True  # 2 of 2 is more than half, 1 of 2 is not
        elif Outcome.WRONG in pair:
            assert majority is False
        else:
            assert majority is None


def test_weighted_counts_weights() -> None:
    """0.6 of the weight is more than half; with 0.3 in doubt, 0.4 is neither."""
    assert weighted([(YES, 0.6), (NO, 0.4)]).verify("x", "y").correct is True
    assert weighted([(YES, 0.4), (UNSURE, 0.3), (NO, 0.3)]).verify("x", "y").correct is None
    assert weighted([(YES, 0.4), (UNSURE, 0.1), (NO, 0.5)]).verify("x", "y").correct is False
    assert weighted([(YES, 0.4), (NO, 0.6)], threshold=0.3).verify("x", "y").correct is True
    with pytest.raises(ConfigError, match="positive"):
        weighted([(YES, 0.0)])


def test_cascade_asks_on_only_when_nobody_decided() -> None:
    """An abstention or a missing answer passes the question on; a wrong answer does not."""
    assert cascade(UNSURE, SILENT, YES).verify("x", "y").correct is True
    assert cascade(NO, YES).verify("x", "y").correct is False
    assert cascade(UNSURE, UNSURE).verify("x", "y").correct is None


def test_combined_verifiers_are_verifiers() -> None:
    """They have names and versions, nest, and can be sent to a worker."""
    nested = cascade(ExactVerifier(), any_of(MathVerifier(), NumericVerifier()))
    assert nested.name == "cascade(exact, any_of(math, numeric))"
    assert isinstance(nested, Verifier)
    copy = pickle.loads(pickle.dumps(weighted([(nested, 1.0)])))
    assert copy.verify("\\boxed{0.5}", "1/2").outcome is Outcome.WRONG  # exact decides first
    for empty in (any_of, all_of, cascade):
        with pytest.raises(ConfigError, match="at least one"):
            empty()


def test_versions_tell_apart_whatever_may_change_a_verdict() -> None:
    """Policy, tolerance, weights, threshold and members: one change each, no version twice."""
    pair = [(MathVerifier(), 2.0), (ExactVerifier(), 1.0)]
    families: list[list[Verifier]] = [
        [MathVerifier(), MathVerifier(policy="boxed_only")],
        [Gsm8kVerifier(), Gsm8kVerifier(policy="boxed_only")],
        [ChoiceVerifier(), ChoiceVerifier(policy="boxed_only")],
        [
            NumericVerifier(),
            NumericVerifier(policy="boxed_only"),
            NumericVerifier(rel_tol=1.0000001e-6),
        ],
        [
            weighted(pair),
            weighted(pair, 0.9),
            weighted([(MathVerifier(), 1.0), (ExactVerifier(), 2.0)]),
            weighted([(MathVerifier("boxed_only"), 2.0), (ExactVerifier(), 1.0)]),
        ],
        [any_of(MathVerifier()), any_of(MathVerifier(policy="boxed_only"))],
    ]
    for family in families:
        versions = {(v.name, v.version) for v in family}
        assert len(versions) == len(family), versions
        assert {(v.name, v.version) for v in pickle.loads(pickle.dumps(family))} == versions


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_are_positive_and_finite(weight: float) -> None:
    """Not a number would pass every comparison that refuses."""
    with pytest.raises(ConfigError, match="positive and finite"):
        weighted([(MathVerifier(), 1.0), (ExactVerifier(), weight)])


@pytest.mark.parametrize("kind", [MathVerifier, NumericVerifier, Gsm8kVerifier, ChoiceVerifier])
def test_a_policy_that_does_not_exist_is_refused(kind: Any) -> None:
    """A misspelt policy would be one of the two, silently."""
    with pytest.raises(ConfigError, match="choose 'lenient' or 'boxed_only'"):
        kind(policy="strict")


@pytest.mark.parametrize("name", ["math", "exact", "numeric", "gsm8k", "choice"])
@pytest.mark.parametrize("completion", [None, 5, b"x", ["a"]], ids=repr)
def test_a_completion_that_is_no_text_is_an_abstention(name: str, completion: Any) -> None:
    """A null is the caller's fault, never a wrong answer and never an exception."""
    verdict = VERIFIERS[name]().verify(completion, "B" if name == "choice" else "5")
    assert verdict.outcome is Outcome.ERROR
    assert verdict.reason == f"the completion is {type(completion).__name__}, not text"


@pytest.mark.parametrize(
    ("completion", "gold", "outcome"),
    [
        ("\\boxed{5}\\boxed{5.0}", "5", Outcome.CORRECT),
        ("$\\boxed{1/2}$ or $\\boxed{0.5}$", "\\frac12", Outcome.CORRECT),
        ("\\boxed{5} and \\boxed{6}", "5", Outcome.AMBIGUOUS),
        ("\\boxed{5}\\boxed{6}", "5, 6", Outcome.CORRECT),
        ("\\boxed{5}\\boxed{5.0}", "6", Outcome.AMBIGUOUS),
    ],
)
def test_boxes_side_by_side_may_repeat_one_answer(
    completion: str, gold: str, outcome: Outcome
) -> None:
    """Several forms of the gold are the gold; one of them right is not enough."""
    assert MathVerifier().verify(completion, gold).outcome is outcome


def _imported(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_the_package_is_light_until_it_works() -> None:
    """Importing, and judging what the cheap stages decide, loads neither sympy nor antlr."""
    light = _imported("import hdpo_env.verifiers")
    assert not {"sympy", "mpmath", "math_verify", "antlr4", "numpy"} & light
    judge = "from hdpo_env.verifiers import MathVerifier\n"
    judge += "assert MathVerifier().verify(r'\\boxed{\\sqrt{8}}', r'2\\sqrt2').correct"
    working = _imported(judge)
    assert "mpmath" in working
    assert not {"sympy", "math_verify", "antlr4"} & working


def test_the_symbolic_stage_never_runs_in_this_process() -> None:
    """A pair that only sympy settles is settled, and sympy is still not imported here."""
    code = "from hdpo_env.verifiers import MathVerifier\n"
    code += "v = MathVerifier().verify(r'\\boxed{f(x)+\\sin^2 x}', r'f(x)+1-\\cos^2 x')\n"
    code += "assert v.correct is True and v.stage == 'symbolic', v"
    assert "sympy" not in _imported(code)
