"""The bundled problems: read without a network, sound in every number, kept apart by split."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import sympy

from hdpo_env.errors import ConfigError
from hdpo_env.overlap import find_overlaps
from hdpo_env.problems import PROBLEMS, load_problems, sample_problems
from hdpo_env.problems.known import ASSETS
from hdpo_env.problems.levels import states
from hdpo_env.types import content_hash
from hdpo_env.verifiers import MathVerifier

FILES = ("gsm8k_train.jsonl", "gsm8k_test_socratic.jsonl")
SPLITS = ("train", "eval", "test")


@pytest.mark.parametrize(
    ("file", "rows", "digest"),
    [
        ("gsm8k_train.jsonl", 138, "d023d1cc9bad5ff0"),
        ("gsm8k_test_socratic.jsonl", 66, "294c9d5310350cd0"),
    ],
)
def test_the_files_are_as_they_were_published(file: str, rows: int, digest: str) -> None:
    """Rows have the published columns, and not one character has changed since they were added."""
    text = (ASSETS / file).read_text(encoding="utf-8")
    listed = [json.loads(line) for line in text.splitlines()]
    assert len(listed) == rows
    assert {tuple(row) for row in listed} == {("question", "answer")}
    assert content_hash(text) == digest


@pytest.mark.parametrize("file", FILES)
def test_every_calculator_mark_is_right(file: str) -> None:
    """`<<a=b>>` holds for each mark, and the text goes on with b: a slip of a digit would show."""
    text = (ASSETS / file).read_text(encoding="utf-8")
    marks = re.findall(r"<<([^=>]+)=([^>]+)>>(\S*)", text)
    assert len(marks) > 200
    for expression, value, after in marks:
        exact = sympy.nsimplify(expression.replace(" ", ""), rational=True)
        assert exact == sympy.nsimplify(value, rational=True)
        assert after.replace(",", "").startswith(value)


@pytest.mark.parametrize("split", SPLITS)
def test_every_gold_accepts_itself(split: str) -> None:
    """Gold, boxed, is CORRECT; a solution is there; no hint states the gold."""
    verifier = MathVerifier()
    for problem in sample_problems(split=split):
        assert verifier.verify(rf"\boxed{{{problem.gold}}}", problem.answers).correct is True
        assert verifier.verify(r"\boxed{-12345}", problem.answers).correct is False
        assert problem.solution
        assert "<<" not in problem.solution
        assert problem.split == split
        assert not any(states(hint, problem.gold) for hint in problem.hints)
        assert split != "train" or not problem.hints


def test_held_out_problems_have_a_ladder() -> None:
    """Nearly all socratic problems keep hints once those that state the gold are left out."""
    held_out = [*sample_problems(split="eval"), *sample_problems(split="test")]
    assert sum(len(p.hints) >= 1 for p in held_out) >= 60


def test_splits_do_not_overlap() -> None:
    """No question of one split is, or shares thirteen words with, one of another."""
    train, held_out, test = (sample_problems(split=split) for split in SPLITS)
    for first, second in ((train, held_out), (train, test), (held_out, test)):
        assert not find_overlaps(first, second).pairs


def test_the_seed_decides_the_order_and_nothing_else() -> None:
    """Same seed, same order; another seed, another order of the same problems; size cuts."""
    first = PROBLEMS["sample"](split="train", seed=1)
    assert list(first) == list(PROBLEMS["sample"](split="train", seed=1))
    other = PROBLEMS["sample"](split="train", seed=2)
    assert [p.id for p in first] != [p.id for p in other]
    assert {p.id for p in first} == {p.id for p in other}
    assert list(PROBLEMS["sample"](split="train", seed=1, size=7)) == list(first)[:7]
    assert len(sample_problems(split="test", size=10_000)) == 33


def test_wrong_arguments_are_refused() -> None:
    """Unknown splits and negative sizes are named."""
    with pytest.raises(ConfigError, match="split 'dev' is unknown"):
        sample_problems(split="dev")
    with pytest.raises(ConfigError, match="size -1 is negative"):
        sample_problems(size=-1)


def test_they_load_by_name_wherever_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load_problems("sample")` finds the bundled file from any working directory."""
    monkeypatch.chdir(tmp_path)
    report = load_problems("sample", split="test")  # it has one split, whatever is asked for
    assert len(report.problems) == 138
    assert {p.split for p in report.problems} == {"train"}
    assert len(load_problems("sample-socratic").problems) == 66


def test_licence_and_attribution_lie_beside_the_data() -> None:
    """The MIT text, the copyright line, the source and the authors travel with the files."""
    text = (ASSETS / "LICENSE-GSM8K.txt").read_text(encoding="utf-8")
    for words in ("MIT License", "Copyright (c) 2021 OpenAI", "grade-school-math", "Cobbe", *FILES):
        assert words in text
