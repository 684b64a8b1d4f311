"""Gold answers that cannot be used: each is BAD_GOLD, and no verdict repeats a gold."""

from __future__ import annotations

import pytest

from hdpo_env.types import Outcome
from hdpo_env.verifiers import VERIFIERS, MathVerifier, check_gold
from hdpo_env.verifiers.combine import all_of, any_of, cascade, weighted
from hdpo_env.verifiers.protocol import Verifier

SHIPPED = [VERIFIERS[name]() for name in ("math", "exact", "numeric", "gsm8k", "choice")]
MEMBERS = (SHIPPED[0], SHIPPED[2])
EVERY = [
    *SHIPPED,
    any_of(*MEMBERS),
    all_of(*MEMBERS),
    cascade(*MEMBERS),
    weighted([(member, 1.0) for member in MEMBERS]),
]
SECRET = "31337"


@pytest.mark.parametrize("verifier", EVERY, ids=lambda v: v.name)
@pytest.mark.parametrize(
    "golds",
    [
        [SECRET, "\\boxed{8}"],
        ["\\boxed{31337}", "\\boxed{4}", "4"],
        [f"\\frac{{{SECRET}}}{{"],
        [f"{SECRET} \\widget {SECRET}"],
        [f"({SECRET}]["],
        [f"{SECRET}" + "+x" * 30_000],
        [SECRET * 500],
        ["(" * 5_000 + SECRET],
        [f"{SECRET}/0"],
        [f"[asy]draw({SECRET});[/asy]"],
        [f"words about {SECRET} and more " + "words " * 50],
        [f"x_{SECRET}_{SECRET}", "(C)"],
        ["(A)", f"(B) {SECRET}"],
        [f"a solution\n#### {SECRET}{{"],
        [SECRET],
    ],
    ids=lambda golds: golds[0][:24],
)
def test_no_verdict_repeats_a_gold(verifier: Verifier, golds: list[str]) -> None:
    """Contradictory, boxed, long and broken golds are named by position, whatever is judged."""
    for completion in ("", "\\boxed{5}", "\\boxed{}", "I cannot.", "\\boxed{\\frac{1}{", "(C)"):
        verdict = verifier.verify(completion, golds)
        assert SECRET not in repr(verdict)
    assert SECRET not in (check_gold(verifier, golds) or "")


def test_a_bad_gold_is_named_by_its_position() -> None:
    """A lone gold is *the* gold answer; of several the reason counts from one, blanks included."""
    math, numeric = SHIPPED[0], SHIPPED[2]
    assert check_gold(math, ["3", "", "4"]) == "gold 1 and gold 3 contradict each other"
    assert check_gold(math, ["3", "\\frac{3}{"]) == "gold 2 cannot be used: it is not understood"
    assert check_gold(math, "N/A") == "the gold answer cannot be used: it is a placeholder"
    assert check_gold(numeric, ["3", "many"]) == "gold 2 is no number"
    assert check_gold(SHIPPED[4], "many") == "the gold answer is no letter of a choice"


PLACEHOLDERS = [
    *("None", "nan", "NaN", "null", "N/A", "n/a", "N.A.", '"None"', "\\boxed{None}", "#### None"),
    *("TBD", "see solution", "See the solution.", "see above", "(see explanation)", "See proof"),
    *("\\text{See solution}", "please refer to the figure below", "answers may vary", "proof"),
    *("Answer not found", "not provided", "to be determined", "Proof omitted.", "no answer given"),
]
SIGNS = ["???", "?", "-", "--", "\u2014", "...", "[]", "()", "___", "\u25a1", "$$", "\\boxed{?}"]
PICTURES = [
    "[asy]draw((0,0)--(1,1));[/asy]",
    "\\boxed{[asy]\ndraw((0,0));\n[/asy]}",
    "$\\begin{tabular}{c|c} a & b \\\\ 1 & 2\\end{tabular}$",
    "\\begin{tikzpicture}\\draw (0,0) -- (1,1);\\end{tikzpicture}.",
    "\\includegraphics[width=3cm]{a.png}",
    "![](https://a.example/b.png)",
    "<image>",
    "https://a.example/b.png",
]
QUOTIENTS = ["1/0", "\\frac{1}{0}", "\\frac{x}{0}", "0/0", "\\frac{3}{2-2}", "x = 5/0"]


@pytest.mark.parametrize("gold", [*PLACEHOLDERS, *SIGNS, *PICTURES, *QUOTIENTS])
def test_what_is_no_answer_is_a_bad_gold(gold: str) -> None:
    """A right completion would be called wrong by it: a false cliff. An abstention is none."""
    verdict = MathVerifier().verify("\\boxed{3}", gold)
    assert verdict.outcome is Outcome.BAD_GOLD, verdict


@pytest.mark.parametrize("name", ["numeric", "gsm8k", "choice"])
@pytest.mark.parametrize("gold", ["None", "N/A", "see solution", "???", "1/0", PICTURES[0]])
def test_value_verifiers_refuse_them_too(name: str, gold: str) -> None:
    """They state no number and no letter."""
    assert VERIFIERS[name]().verify("\\boxed{3}", gold).outcome is Outcome.BAD_GOLD


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("none", "none"),
        ("\\text{None}", "None"),
        ("None of the above", "\\text{none of the above}"),
        ("undefined", "\\text{undefined}"),
        ("no solution", "\\text{No solution}"),
        ("does not exist", "\\text{does not exist}"),
        ("Impossible", "\\text{impossible}"),
        ("$n/a$", "\\frac{n}{a}"),
        ("\\{\\}", "\\emptyset"),
        ("\u221e", "\\infty"),
        ("0/5", "0"),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}"),
    ],
)
def test_words_and_signs_that_answer_are_golds(gold: str, answer: str) -> None:
    """The other side of the line: these are answers, accepted by themselves."""
    assert check_gold(MathVerifier(), gold) is None
    assert MathVerifier().verify(f"\\boxed{{{answer}}}", gold).correct is True
    assert MathVerifier().verify("\\boxed{17}", gold).correct is False


def test_golds_of_the_labelled_pairs_stay_usable(pairs: list[dict[str, str]]) -> None:
    """No gold of a pair that people labelled is taken for a placeholder."""
    from hdpo_env.verifiers.placeholders import placeholder

    golds = {gold for p in pairs for gold in ([p["gold"]] if isinstance(p["gold"], str) else ())}
    assert len(golds) > 500
    assert [gold for gold in sorted(golds) if placeholder(gold)] == []
