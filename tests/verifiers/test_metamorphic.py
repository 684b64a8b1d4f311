"""Laws: a verdict does not depend on how an answer is spelled, and does depend on what it says."""

from __future__ import annotations

from random import Random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.types import Outcome
from hdpo_env.verifiers import MathVerifier
from hdpo_env.verifiers.compare.decide import decide
from hdpo_env.verifiers.parse.answer import parse_answer

VERIFIER = MathVerifier(policy="boxed_only")


def judge(answer: str, gold: str) -> Outcome:
    return VERIFIER.verify(f"We get $\\boxed{{{answer}}}$.", gold).outcome


@pytest.mark.parametrize("seed", range(3))
def test_equivalent_rewrites_agree(golds: list[str], rewrites: ModuleType, seed: int) -> None:
    """Every mechanical rewrite of every gold is CORRECT."""
    lost = [
        (gold, name, text)
        for gold in golds
        for name, text in rewrites.variants(gold, rewrites.REWRITES, Random(seed))
        if judge(text, gold) is not Outcome.CORRECT
    ]
    assert lost == []


@pytest.mark.parametrize("seed", range(3))
def test_perturbed_answers_disagree(golds: list[str], rewrites: ModuleType, seed: int) -> None:
    """No perturbed gold is CORRECT, and nearly none is left undecided."""
    outcomes = [
        (judge(text, gold), gold, name, text)
        for gold in golds
        for name, text in rewrites.variants(gold, rewrites.PERTURBATIONS, Random(seed))
    ]
    assert [o for o in outcomes if o[0] is Outcome.CORRECT] == []
    assert sum(o[0] is not Outcome.WRONG for o in outcomes) <= 2


def test_equality_is_symmetric_where_nothing_is_rounded(
    golds: list[str], rewrites: ModuleType
) -> None:
    """Gold and answer may change places unless one of them is a written decimal."""
    rng = Random(5)
    for gold in golds:
        for table in (rewrites.REWRITES, rewrites.PERTURBATIONS):
            for _, text in rewrites.variants(gold, table, rng):
                if "." in gold + text or "\\text" in gold or "_" in gold:
                    continue
                there = decide(parse_answer(gold), parse_answer(text)).same
                back = decide(parse_answer(text), parse_answer(gold)).same
                assert there is back, (gold, text)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6), st.integers(1, 99))
def test_fractions_in_any_terms_are_equal(n: int, d: int, k: int) -> None:
    """n/d = kn/kd in every spelling, and (n+1)/d is never n/d."""
    spellings = [f"\\frac{{{k * n}}}{{{k * d}}}", f"{n}/{d}", f"\\dfrac{{{n}}}{{{d}}}"]
    gold = f"\\frac{{{n}}}{{{d}}}"
    assert all(judge(s, gold) is Outcome.CORRECT for s in spellings)
    assert judge(f"\\frac{{{n + 1}}}{{{d}}}", gold) is Outcome.WRONG


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=6, unique=True), st.randoms())
def test_lists_have_no_order_and_tuples_do(values: list[int], rng: Random) -> None:
    """A shuffled set is the same set; a shuffled tuple is another tuple."""
    shuffled = values[:]
    rng.shuffle(shuffled)
    a, b = (", ".join(map(str, v)) for v in (values, shuffled))
    assert judge(b, a) is Outcome.CORRECT
    assert judge(f"\\{{{b}\\}}", a) is Outcome.CORRECT
    wanted = Outcome.CORRECT if shuffled == values else Outcome.WRONG
    assert judge(f"({b})", f"({a})") is wanted
    assert judge(", ".join(map(str, values[:-1])), a) is Outcome.WRONG


@given(st.integers(0, 10**15), st.sampled_from([",", "{,}", "\\,", ",\\!", " "]))
def test_thousands_separators_do_not_count(n: int, separator: str) -> None:
    """1,234,567 in every grouping is 1234567, and not 1234568."""
    text = f"{n:,}".replace(",", separator)
    assert judge(text, str(n)) is Outcome.CORRECT
    assert judge(text, str(n + 1)) is Outcome.WRONG


@given(st.integers(-50, 50), st.integers(1, 50), st.booleans(), st.booleans())
def test_an_interval_is_its_inequality(low: int, width: int, left: bool, right: bool) -> None:
    """[a, b) is a <= x < b, with the right ends and no others."""
    high = low + width
    interval = f"{'[' if left else '('}{low}, {high}{']' if right else ')'}"
    first, second = "\\le" if left else "<", "\\le" if right else "<"
    assert judge(f"{low} {first} x {second} {high}", interval) is Outcome.CORRECT
    above, below = "\\ge" if right else ">", "\\ge" if left else ">"
    assert judge(f"{high} {above} x {below} {low}", interval) is Outcome.CORRECT
    other = "<" if left else "\\le"
    assert judge(f"{low} {other} x {second} {high}", interval) is Outcome.WRONG


@given(st.text(max_size=80), st.text(min_size=1, max_size=40))
def test_any_text_gets_a_verdict(completion: str, gold: str) -> None:
    """No exception escapes, whatever the text; a fault would be ERROR with stage "fault"."""
    assert MathVerifier().verify(completion, gold).stage != "fault"


@given(st.text(alphabet="0123456789+-*/^_{}()[]\\,.=<>|!%$&xyabfrac sqrt", max_size=60))
def test_latex_like_soup_gets_a_verdict(text: str) -> None:
    """The same for soup made of the characters of mathematics, as answer and as gold."""
    for completion, gold in ((f"\\boxed{{{text}}}", "5"), ("\\boxed{5}", text or "5")):
        assert MathVerifier().verify(completion, gold).stage != "fault"


def test_blanks_and_case_of_words_do_not_count() -> None:
    """Spaces, tabs and newlines around and inside mathematics change nothing."""
    for gold in ("\\frac{1}{2}", "(1, 2)", "x^2 + 1", "\\text{East}"):
        for text in (f"  {gold}\n", f"\t{gold}", gold.replace(" ", "   "), gold.lower()):
            assert judge(text, gold) is Outcome.CORRECT


def test_fuzzed_pairs_have_no_defect(fuzz: ModuleType) -> None:
    """A bounded part of the fuzzer in process; the command runs a million."""
    for pair in (fuzz.item(i, 12) for i in range(1_500)):
        verdict = MathVerifier().verify(*pair)
        assert verdict.stage != "fault", pair
