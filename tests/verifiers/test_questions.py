"""One key for all spellings of a question: what merges, and what must not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.overlap import without_overlaps
from hdpo_env.types import Problem
from hdpo_env.verifiers.questions import question_key

SAME = [
    ("What is 1+1?", "what is  1 + 1"),
    ("Find $x$ if $2x=4$", "find x, if 2x = 4."),
    (r"Compute $\frac{1}{2}+\frac{1}{3}$.", "Compute 1/2 + 1/3"),
    (r"\dfrac12", r"\tfrac 1 2"),
    (r"\frac12", r"\frac{1}{2}"),
    (r"\frac{a+b}{2c}", "(a+b)/(2c)"),
    (r"\frac{\frac{1}{2}}{3}", "(1/2)/3"),
    (r"3\frac{1}{2}", "3 1/2"),
    (r"\frac{\pi}{2}", "π/2"),
    (r"2 \cdot 3 \times 4 \div 5", "2*3×4÷5"),
    (r"\left( x^{10} \right)", "(x^10)"),
    (r"x^{2n}", "x^(2n)"),
    (r"x^2 \leq 4", "x² <= 4"),
    (r"x \ge 0", "x ≥ 0"),
    (r"\sqrt{2}", "√2"),
    (r"5\text{ cm}", "5 cm"),
    (r"90^\circ", r"90^{\circ}"),
    (r"90^\circ", "90°"),
    (r"20\%", "20%"),
    (r"\{1, 2\}", "{1,2}"),
    (r"1{,}000", "1,000"),
    (r"1\,000", "1000"),
    ("1,234,567 apples", "1234567 apples"),
    ("5 − 3", "5 - 3"),
    ("Who said “no”?", 'Who said "no"'),
    ("John’s", "John's"),
    ("Solve: 2x = 4; then stop!", "solve 2x=4 then stop"),
    (r"\(x\) and \[y\]", "$x$ and $$y$$"),
    ("日本の人口は いくらですか?", "日本の人口はいくらですか"),
]
OTHER = [
    ("Compute 1.5*2", "Compute 15*2"),
    ("It is .5", "It is 5"),
    ("1 .5", "1.5"),
    ("5!", "5"),
    ("n!", "n"),
    ("(n+1)!", "(n+1)"),
    ("5!!", "5!"),
    ("What is (1,2)?", "What is 12?"),
    ("What is (1,2)?", "What is 1,2?"),
    ("Is 1, 23 in it?", "Is 1, 2, 3 in it?"),
    ("12", "1 2"),
    ("???", "!!!"),
    ("3:4", "34"),
    ("f(x,y)", "f(xy)"),
    ("f(x)", "fx"),
    ("f'(x)", "f(x)"),
    ("f''(x)", "f'(x)"),
    ("[1,2)", "(1,2]"),
    ("|x|", "x"),
    ("5%", "5"),
    ("3#7#2", "3@7@2"),
    ("3#7", "37"),
    ("5 − 3", "53"),
    ("x²", "x2"),
    ("x_1", "x1"),
    (r"3\frac{1}{2}", r"\frac{31}{2}"),
    (r"\frac{1}{2x}", "1/2x"),
    (r"\frac{1}{23}", r"\frac{12}{3}"),
    (r"x^{2n}", r"x^2n"),
    (r"\binom{52}{3}", r"\binom{5}{23}"),
    (r"\begin{pmatrix}1 & 2 \\ 3 & 4\end{pmatrix}", r"\begin{pmatrix}1 & 23 \\ 4\end{pmatrix}"),
    ("x < 2", "x ≤ 2"),
    (r"x \ne 2", "x = 2"),
    ("90°", "90"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_a_question_have_one_key(one: str, other: str) -> None:
    """A copy that was typeset again is found."""
    assert question_key(one) == question_key(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_different_questions_have_different_keys(one: str, other: str) -> None:
    """A sign that changes the answer changes the key, and nothing is dropped as a copy."""
    assert question_key(one) != question_key(other)
    kept, _ = without_overlaps([Problem(one, ("1",))], [Problem(other, ("2",))])
    assert len(kept) == 1


tokens = st.lists(
    st.sampled_from(["1", "2", "12", ".5", "1.5", "5!", "x", *"+-*/^()[]=<>#@%|"]), max_size=6
)


@given(tokens, tokens)
def test_formulas_of_other_tokens_have_other_keys(one: list[str], other: list[str]) -> None:
    """Numbers, factorials, brackets and operators in another order or number: another question."""
    keys = [question_key("Find " + " ".join(formula)) for formula in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@given(tokens, st.data())
def test_case_and_blanks_around_signs_do_not_count(formula: list[str], data: st.DataObject) -> None:
    """More blanks, line ends, capitals and dollars leave the key as it is."""
    blanks = st.sampled_from([" ", "  ", "\n", "\t"])
    wide = "".join(token + data.draw(blanks) for token in formula)
    assert question_key(f"FIND  ${wide}$.") == question_key("find " + " ".join(formula))
