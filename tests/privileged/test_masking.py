"""Masking: no stretch of a masked solution is accepted as the answer, whoever looks for one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hdpo_env.errors import ViewError
from hdpo_env.privileged import MASK, mask_answer, privileged_prompt
from hdpo_env.privileged.masking import states_answer
from hdpo_env.problems import PROBLEMS
from hdpo_env.types import Problem
from hdpo_env.verifiers import VERIFIERS
from hdpo_env.verifiers.forms import stated

FAMILIES = [name for name in PROBLEMS if not name.startswith(("chain", "sample"))]

# Solutions in the manner of GSM8K and MATH: gold answer, then the text.
WRITTEN = [
    (
        "18",
        "She sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.\nThat makes 9 * 2 = $<<9*2=18>>18.\n#### 18",
    ),
    ("70000", "The house is worth 80,000 + 120,000 = 200,000.\nHe made 200,000-130,000 = $70,000"),
    ("2125", "That is 17 x 125 = 2,125 dollars, or two thousand one hundred twenty-five dollars."),
    (
        r"\frac{3}{56}",
        r"Then $\frac{9}{168}=\dfrac{3}{56}$, as wanted: $\boxed{\frac3{56}}$, or 3/56.",
    ),
    (r"\left[-2,7\right)", r"So $-2 \le x < 7$, and the domain is $\boxed{[-2,7)}$."),
    (r"\text{Evelyn}", r"Evelyn ran farther in less time, so $\boxed{\text{Evelyn}}$ was fastest."),
    (r"\text{(C)}", r"Only $n=4$ works, so the answer is $\boxed{\text{(C)}}$. Option C it is."),
    (
        r"1 \pm \sqrt{19}",
        r"As $(x-1)^2=19$, we get $x=1\pm\sqrt{19}$: $1+\sqrt{19}$, $1-\sqrt{19}$.",
    ),
    ("x^2+2x+1", r"Expanding $(x+1)^2$ gives $x^2 + 2x + 1$, that is, $1+2x+x^2$."),
    (r"50\%", r"Half of 8 is 4, and $\frac48 = 0.5 = 50\%$."),
    (r"\sqrt{2}", r"By Pythagoras $c^2=1+1$, so $c=\sqrt{2}\approx 1.414$, or $2^{1/2}$."),
    (r"\begin{pmatrix} 1 \\ 3 \end{pmatrix}", r"\[A\mathbf v=\begin{pmatrix}1\\3\end{pmatrix}.\]"),
    ("2, 3", r"So $(x-2)(x-3)=0$, and $x=2$ or $x=3$; the roots are $\boxed{2,3}$."),
    (r"120^\circ", r"The angle is $180^\circ-60^\circ=120^\circ$, or $\frac{2\pi}{3}$ radians."),
    ("1.5", r"It takes $\frac{3}{2}$ hours, which is 1.5 hours or $1\frac12$ hours."),
    ("twelve", "There are twelve of them. Yes, 12."),
]


# Gold answer, and the same answer beginning with a plain word.
SPELLED = [
    (r"\sqrt{2}", "sqrt(2)"),
    ("4", "sqrt(16)"),
    (r"\pi", "pi"),
    (r"\frac{\pi}{2}", "pi/2"),
    (r"\infty", "infinity"),
    (r"\ln 2", "ln 2"),
    (r"\log 2", "log(2)"),
    ("e^2", "exp(2)"),
    (r"\sin x", "sin x"),
    (r"\sin x", "sinx"),
    (r"\cos\theta", "cos theta"),
    (r"\lfloor x\rfloor", "floor(x)"),
    ("xy", "yx"),
    ("x^2", "xx"),
    (r"\emptyset", "the empty set"),
    (r"\text{no solution}", "none"),
    (r"\text{undefined}", "does not exist"),
    (r"\text{infinitely many}", "infinite solutions"),
    (r"\text{yes}", "true"),
    (r"\mathbb{R}", "all real numbers"),
    (r"(-\infty, \infty)", "all reals"),
]


def accepted_stretches(problem: Problem, text: str, longest: int = 60) -> list[str]:
    """Every stretch of a text that the verifier takes for the answer, by looking at them all.

    A stretch may begin and end anywhere but inside a number, a word or a command, and goes past the
    end of a line in displayed formulas only.
    """
    verifier = VERIFIERS[problem.verifier]()
    bounds = sorted({e for m in re.finditer(r"\\?[A-Za-z]+|[\d.,]*\d|\S", text) for e in m.span()})
    return [
        text[a:b]
        for i, a in enumerate(bounds)
        for b in bounds[i + 1 :]
        if b - a <= longest
        and ("\n" not in text[a:b].strip() or "\\begin" in text[a:b])
        and verifier.verify(stated(verifier.name, text[a:b]), problem.answers).correct
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("level", [1, 4])
def test_no_stretch_of_a_masked_family_solution_is_the_answer(family: str, level: int) -> None:
    """Worked solutions of the procedural families, searched by brute force."""
    for problem in PROBLEMS[family](split="train", seed=3, size=2, level=level):
        assert accepted_stretches(problem, problem.solution or "")
        assert accepted_stretches(problem, mask_answer(problem, problem.solution or "")) == []


def check_sample(problems: list[Problem]) -> None:
    """Real solutions: what was found before masking is not found after it."""
    unstated = []
    for problem in problems:
        solution = problem.solution or ""
        if not accepted_stretches(problem, solution):
            unstated.append(problem.id)  # such as 25 cents worked out as $0.25
        assert accepted_stretches(problem, mask_answer(problem, solution)) == []
    assert len(unstated) <= len(problems) / 20


def test_no_stretch_of_a_masked_gsm8k_solution_is_the_answer() -> None:
    """Twelve of the bundled GSM8K problems with their own solutions."""
    check_sample(list(PROBLEMS["sample"](size=12)))


@pytest.mark.slow
def test_no_stretch_of_any_masked_gsm8k_solution_is_the_answer() -> None:
    """All bundled GSM8K problems."""
    check_sample(list(PROBLEMS["sample"]()))


@pytest.mark.parametrize(("gold", "solution"), WRITTEN)
def test_no_stretch_of_a_masked_written_solution_is_the_answer(gold: str, solution: str) -> None:
    """Fractions, intervals, text, matrices, lists, angles, words: every spelling is withheld."""
    problem = Problem("q", (gold,), solution=solution)
    masked = mask_answer(problem, solution)
    assert MASK in masked
    assert accepted_stretches(problem, masked) == []


@pytest.mark.parametrize(("gold", "spelling"), SPELLED)
def test_spellings_that_begin_with_a_word_are_withheld(gold: str, spelling: str) -> None:
    """Functions, constants and standing phrases: read as mathematics, or as the same answer."""
    problem = Problem("q", (gold,))
    text = f"This leaves us with {spelling} and so we end."
    assert accepted_stretches(problem, text)
    assert states_answer(problem, text)
    masked = mask_answer(problem, text)
    assert accepted_stretches(problem, masked) == []
    assert masked.startswith("This leaves us with ")
    assert masked.endswith(" and so we end.")


@settings(max_examples=30)
@given(st.integers(2, 10**6), st.integers(2, 999))
def test_spellings_of_a_number(number: int, factor: int) -> None:
    """Grouped, decimal, fraction, product, sum, difference, powers of ten and negatives of it."""
    spellings = [
        f"{number:,}",
        f"{number}.0",
        rf"\frac{{{number * factor}}}{{{factor}}}",
        rf"\dfrac{{{number}}}{{1}}",
        f"{number * factor}/{factor}",
        f"{number - 1} + 1",
        rf"{number + factor} - {factor}",
        rf"\sqrt{{{number**2}}}",
        f"-(-{number})",
    ]
    problem = Problem("q", (str(number),))
    for spelling in spellings:
        masked = mask_answer(problem, f"Hence the total is ${spelling}$ as wanted.")
        assert MASK in masked, spelling
        assert accepted_stretches(problem, masked) == [], spelling
        assert masked.startswith("Hence the total is $")
        assert masked.endswith("$ as wanted.")


def test_what_is_not_the_answer_stays() -> None:
    """Other numbers, and numbers that merely contain its digits, are kept."""
    problem = Problem("q", ("5",))
    text = "Of 15 and 55 and 5.5 and 25 we keep 10, so x = 5."
    assert mask_answer(problem, text) == text.replace("x = 5", f"x = {MASK}")
    assert mask_answer(problem, "Nothing here says it, not even 6.") == (
        "Nothing here says it, not even 6."
    )


def test_masking_twice_changes_nothing() -> None:
    """The mask itself is no answer."""
    for gold, solution in WRITTEN:
        problem = Problem("q", (gold,))
        once = mask_answer(problem, solution)
        assert mask_answer(problem, once) == once


def test_every_accepted_form_is_withheld() -> None:
    """Several golds are forms of one answer; each is withheld."""
    problem = Problem("q", ("0.25", "a quarter"), verifier="exact")
    assert mask_answer(problem, "It is 0.25, that is, a quarter of it.") == (
        f"It is {MASK}, that is, {MASK} of it."
    )


def test_what_cannot_be_masked_is_refused() -> None:
    """A gold that the verifier cannot use, and a solution that is nothing but the answer."""
    with pytest.raises(ViewError, match=r"cannot be withheld.*mend the gold"):
        mask_answer(Problem("q", ("4", "5")), "It is 4.")
    for solution in ("02", r"\boxed{02}.", " 02\n"):
        problem = Problem("3#7#2", ("02",), solution=solution, verifier="exact")
        with pytest.raises(ViewError, match="nothing but its answer"):
            privileged_prompt(problem, "masked_solution")
