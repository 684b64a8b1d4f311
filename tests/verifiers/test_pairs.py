"""The verdicts themselves: pairs labelled by hand, by category."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hdpo_env.types import Outcome
from hdpo_env.verifiers import MathVerifier

_DATA = Path(__file__).parent / "data" / "pairs.jsonl"
_ROWS = [json.loads(line) for line in _DATA.read_text(encoding="utf-8").splitlines()]
_CATEGORIES = sorted({row["category"] for row in _ROWS})


@pytest.mark.parametrize("category", _CATEGORIES)
def test_every_labelled_pair_gets_its_label(category: str) -> None:
    """No right answer is lost, no wrong one is paid, nothing is left undecided."""
    verifier = MathVerifier()
    failures = []
    for row in _ROWS:
        if row["category"] != category:
            continue
        completion = f"So we obtain $\\boxed{{{row['answer']}}}$."
        verdict = verifier.verify(completion, row["gold"])
        if verdict.correct is not row["same"]:
            failures.append((row["gold"], row["answer"], row["same"], verdict.outcome.name))
    assert failures == []


def test_pairs_are_many_and_both_ways() -> None:
    """The set cannot be satisfied by a constant answer or by a handful of cases."""
    assert len(_ROWS) > 700
    assert 250 < sum(row["same"] for row in _ROWS) < len(_ROWS) - 250
    assert len(_CATEGORIES) >= 25


def test_a_gold_accepts_itself(golds: list[str]) -> None:
    """Every gold, boxed, is CORRECT against itself, and against itself in dollars."""
    verifier = MathVerifier(policy="boxed_only")
    for gold in golds:
        assert verifier.verify(f"\\boxed{{{gold}}}", gold).correct is True, gold
        if "\\$" not in gold:
            assert verifier.verify(f"\\boxed{{{gold}}}", f"${gold}$").correct is True, gold


def test_different_golds_reject_each_other(golds: list[str]) -> None:
    """Of 15,000 pairs of different golds only those that mean the same are CORRECT."""
    verifier = MathVerifier(policy="boxed_only")
    same = [
        (a, b)
        for i, a in enumerate(golds)
        for b in golds[i + 1 :]
        if verifier.verify(f"\\boxed{{{b}}}", a).outcome is not Outcome.WRONG
    ]
    assert set(same) <= _MEAN_THE_SAME


_MEAN_THE_SAME = {
    ("5", "x = 5"),
    ("5", "5 \\text{ m/s}"),
    ("x = 5", "5 \\text{ m/s}"),
    ("\\frac{3}{4}", "75\\%"),
    ("\\frac{\\sqrt{6}}{3}", "\\sqrt{\\frac{2}{3}}"),
    ("\\log_2 3", "\\frac{\\ln 3}{\\ln 2}"),
    ("e^{\\pi i / 3}", "\\frac{1 + i \\sqrt{3}}{2}"),
    ("(3, \\frac{\\pi}{2})", "\\left( 3, \\frac{\\pi}{2} \\right)"),
    ("1, -2", "x = 1, y = -2"),
    ("x \\in (-\\infty, 0) \\cup (0, \\infty)", "\\mathbb{R} \\setminus \\{0\\}"),
    ("\\text{no solution}", "\\emptyset"),
    ("\\text{(A), (B)}", "AB"),
    ("a = 2, b = -3", "(a, b) = (2, -3)"),
}


def test_no_model_text_is_ever_executed(tmp_path: Path) -> None:
    """Payloads that ran in other graders leave no trace here."""
    target = tmp_path / "pwned"
    payloads = [
        f"__import__('os').system('touch {target}')",
        f"open('{target}','w').write('x')",
        f"\\pi __import__('os').system('touch {target}')",
        f"\\begin{{pmatrix}} open('{target}','w') \\end{{pmatrix}}",
        f"[x for x in ().__class__.__base__.__subclasses__() if open('{target}','w')]",
        f"eval(\"open('{target}','w')\")",
    ]
    for payload in payloads:
        for gold in ("5", "\\pi", "\\begin{pmatrix}1\\end{pmatrix}", payload):
            MathVerifier().verify(f"\\boxed{{{payload}}}", gold)
    assert not target.exists()
