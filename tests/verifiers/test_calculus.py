"""Integrals, limits, infinite sums: closed forms by hand, wrong neighbours, and what is refused."""

from __future__ import annotations

import pytest

from hdpo_env.types import Outcome
from hdpo_env.verifiers import MathVerifier, VerifierPool
from hdpo_env.verifiers.compare.calculus import evaluated
from hdpo_env.verifiers.parse.answer import parse_answer

# sign, its value by hand, a neighbour that is not its value
_KNOWN = [
    (r"\int_0^1 x\,dx", r"\frac12", r"\frac13"),
    (r"\int_0^1 \frac{dx}{1+x^2}", r"\frac{\pi}{4}", r"\frac{\pi}{3}"),
    (r"\int_0^1\frac{x\,\mathrm{d}x}{1+x^2}", r"\frac{\ln 2}{2}", r"\ln 2"),
    (r"\int_0^\pi \sin x dx", "2", "0"),
    (r"2\int_0^1 x^2+1\,dx + 3", r"\frac{17}{3}", r"\frac{14}{3}"),
    (r"\int_0^1\int_0^2 xy\,dx\,dy", "1", "2"),
    (r"\int_0^1\int_0^x dy\,dx", r"\frac12", "1"),
    (r"\int_{-\infty}^{\infty} e^{-x^2}\,dx", r"\sqrt{\pi}", r"\frac{\sqrt\pi}{2}"),
    (r"\int_0^\infty \frac{\sin x}{x}\,dx", r"\frac{\pi}{2}", r"\pi"),
    (r"\int_0^3 |x-1|\,dx", r"\frac52", r"\frac32"),
    (r"\int_0^8 \sqrt[3]{x}\,dx", "12", "16"),
    (r"\int_0^t x\,dx", r"\frac{t^2}{2}", "t^2"),
    (r"\lim_{x\to0}\frac{\sin x}{x}", "1", "0"),
    (r"\lim_{x\to 2} x^2+3x", "10", "7"),
    (r"\lim_{x\to 0^+}\frac1x", r"\infty", r"-\infty"),
    (r"\lim_{x\to 0^{-}}\frac1x", r"-\infty", r"\infty"),
    (r"\lim_{n\to\infty}\left(1+\frac1n\right)^n", "e", "1"),
    (r"\lim_{h\to 0}\frac{(x+h)^2-x^2}{h}", "2x", "x^2"),
    (r"\lim_{n\to\infty}\frac1{n^2}\sum_{k=1}^n k", r"\frac12", "1"),
    (r"\sum_{n=1}^\infty \frac{1}{n^2}", r"\frac{\pi^2}{6}", r"\frac{\pi^2}{8}"),
    (r"\sum_{n=2}^\infty \frac{1}{n^2}", r"\frac{\pi^2}{6}-1", r"\frac{\pi^2}{6}"),
    (r"\sum_{n=1}^\infty \frac{(-1)^{n+1}}{n}", r"\ln 2", "1"),
    (r"\sum_{n=0}^\infty \frac{1}{2^n}", "2", "1"),
    (r"\sum_{n=1}^\infty \frac{1}{n}", r"\infty", "1"),
    (r"\prod_{n=2}^\infty \left(1-\frac{1}{n^2}\right)", r"\frac12", r"\frac13"),
]


@pytest.mark.slow
def test_closed_forms_by_hand() -> None:
    """A sign is its value, as gold and as answer, and is not the neighbour of it."""
    with VerifierPool(MathVerifier(), workers=2, timeout_s=20.0) as pool:
        for flip in (False, True):
            for wanted, at in ((Outcome.CORRECT, 1), (Outcome.WRONG, 2)):
                pairs = [(row[0], row[at]) for row in _KNOWN]
                items = [
                    (rf"\boxed{{{b}}}", a) if flip else (rf"\boxed{{{a}}}", b) for a, b in pairs
                ]
                verdicts = pool.map(items)
                bad = [i for i, v in zip(items, verdicts, strict=True) if v.outcome is not wanted]
                assert bad == []


@pytest.mark.parametrize(
    "sign",
    [
        r"\lim_{x\to 0}\frac1x",  # its sides differ
        r"\lim_{x\to 0}\frac{|x|}{x}",
        r"\lim_{x\to\infty}\sin x",
        r"\sum_{n=0}^\infty (-2)^n",  # 1/3 to those who continue it
        r"\sum_{n=0}^\infty (-1)^n",
        r"\int_{-1}^1 \frac1x\,dx",
        r"\int_0^\pi \tan x\,dx",
        r"\int_{-1}^2 \frac{dx}{x^3}",  # a pole inside, though F(2) - F(-1) is a number
        r"\int_{-2}^2 \frac{x}{x^2-1}\,dx",
        r"\int_{-\infty}^\infty \frac{x}{1+x^2}\,dx",  # zero as a principal value only
    ],
)
def test_what_does_not_converge_has_no_value(sign: str) -> None:
    """None, whatever a formal manipulation would give."""
    assert evaluated(parse_answer(sign).readings[0]) is None


@pytest.mark.parametrize(
    "text",
    [
        r"\int_0^1 d x\,dx",  # which d x ends it?
        r"\int x\,dx",
        r"\int_0^1 x",
        r"\int_0^1 \frac{dx\,dx}{x}",
        r"\int_0^1 \frac{1}{x}+\frac{dx}{2}",
        r"\lim x",
        r"\lim_{x=0} x",
        r"\lim_{x\to}",
        r"0^+",
        r"\sum_{k} k",
    ],
)
def test_signs_that_are_not_complete_are_no_answers(text: str) -> None:
    """Nothing is guessed: no reading, an error, and a bad gold."""
    answer = parse_answer(text)
    assert answer.readings == ()
    assert answer.error
    assert MathVerifier().verify(r"\boxed{1}", text).outcome is Outcome.BAD_GOLD


def test_the_name_of_a_bound_letter_is_nothing() -> None:
    """One tree for two names of it, and none for a letter that is not bound."""
    same = [r"\int_0^1 f(x)\,dx", r"\int_0^1 f(t)\,dt"]
    trees = {parse_answer(text).readings for text in same}
    assert len(trees) == 1
    verifier = MathVerifier()
    assert verifier.verify(rf"\boxed{{{same[1]}}}", same[0]).correct is True
    sums = r"\boxed{\sum_{i=1}^n a_i}", r"\sum_{j=1}^n a_j"
    assert verifier.verify(r"\boxed{\sum_{i=1}^n i^2}", r"\sum_{j=1}^n j^2").correct is True
    assert verifier.verify(r"\boxed{\sum_{i=1}^n i^2}", r"\sum_{j=1}^n j^3").correct is False
    assert verifier.verify(*sums).correct is not True  # a subscript is part of a name


def test_an_integral_buys_no_abstention() -> None:
    """What no stage can evaluate is WRONG where the gold holds no such sign."""
    hard = r"\boxed{\int_0^1 x^{x^{x}}\,dx}"
    verifier = MathVerifier()
    for gold in ("5", r"\frac{\pi}{4}", "x+1", r"\{1,2\}", r"\infty"):
        assert verifier.verify(hard, gold).outcome is Outcome.WRONG


@pytest.mark.parametrize(
    "tower",
    [
        r"\prod_{k=1}^{10^{9}} k",
        r"\sum_{k=1}^{10^{12}} 2^k",
        r"\prod_{k=1}^{9^{9^{9}}} k",
        r"\sum_{k=1}^{10^{6}} \frac{1}{k!}",
        r"\lim_{x\to\infty} 10^{10^{x}}",
        r"\int_0^{10^{9^9}} x\,dx",
        r"\int_0^1 x^{10^{9}}\,dx",
    ],
)
def test_signs_over_large_ranges_end_at_once(tower: str) -> None:
    """They are wrong answers to a plain number, and nothing is timed out."""
    with VerifierPool(MathVerifier(), workers=1, timeout_s=20.0) as pool:
        assert pool.verify(rf"\boxed{{{tower}}}", "5").outcome is Outcome.WRONG
