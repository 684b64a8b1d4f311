"""Spelled-out idioms: cycles of decimals by hand, and answers made to slow patterns down."""

from __future__ import annotations

import pytest

from hdpo_env.types import Outcome
from hdpo_env.verifiers import MathVerifier, VerifierPool
from hdpo_env.verifiers.parse.idioms import plain


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        ("0.333...", r"0.\overline{3}"),
        ("0.1666...", r"0.1\overline{6}"),
        (r"12.3434343\ldots", r"12.\overline{34}"),
        ("0.142857142857...", r"0.\overline{142857}"),
        ("0.00123123...", r"0.00\overline{123}"),
        ("0.12...", "0.12"),  # shows no cycle: cut off
        ("2.718281828...", "2.718281828"),  # e is not 2.7 and 1828 for ever
        ("1.2.333...", "1.2.333"),  # no decimal
    ],
)
def test_dots_after_a_cycle_repeat_it(shown: str, meant: str) -> None:
    """A cycle of up to six digits that comes twice and fills three places goes on; by hand."""
    assert plain(shown) == meant


@pytest.mark.parametrize("name", ["aligned", "cases", "pmatrix", "foo"])
def test_an_environment_with_nothing_in_it_is_no_answer(name: str) -> None:
    """It is not read as a list of no statements, which every condition would satisfy."""
    empty = rf"\boxed{{\begin{{{name}}}\end{{{name}}}}}"
    for gold in (r"A \cup B", "x > 3", r"\emptyset", "5"):
        assert MathVerifier().verify(empty, gold).correct is False
    assert (
        MathVerifier().verify(r"\boxed{5}", rf"\begin{{{name}}}\end{{{name}}}").correct is not True
    )


def test_no_answer_slows_a_pattern_down() -> None:
    """Answers of 1,900 characters on which a backtracking pattern would take minutes are judged."""
    answers = [
        "0.12... + 0." + "1" * 1900 + "x",
        "0.12... + ." + "1" * 1900,
        "1" * 1900 + ".1...",
        "x " + " " * 1900 + "for all",
        r"\text{for all" + " " * 1900 + "}",
        "Bx_1" * 475 + "C(5,2)",  # a product too deep to be rewritten
    ]
    with VerifierPool(MathVerifier(), workers=1, timeout_s=5.0) as pool:
        verdicts = pool.map([(rf"\boxed{{{answer}}}", "5") for answer in answers])
    assert [verdict.outcome for verdict in verdicts] == [Outcome.WRONG] * len(answers)
