"""Files whose fields are called otherwise: the complaint names a way that works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hdpo_env.cli import main
from hdpo_env.commands.dialects import likely_options

TRL = {
    "step": 1,
    "prompt": "2+2?",
    "completion": "x",
    "format_reward": 1.0,
    "length_reward": 0.5,
    "advantage": 0.0,
}
RELATIVES = {
    "trl with several rewards": TRL,
    "openrlhf by other names": {"prompt": "2+2?", "response": "x", "reward": 1.0, "label": "4"},
    "verl without a step": {"input": "2+2?", "output": "4", "score": 1.0},
    "judged elsewhere": {"uid": 3, "generation": "x", "is_correct": True},
    "judged here": {"id": 3, "output": r"\boxed{4}", "ground_truth": "4"},
}


def _write(path: Path, row: dict[str, object]) -> Path:
    path.write_text((json.dumps(row) + "\n") * 4)
    return path


@pytest.mark.parametrize("name", RELATIVES)
def test_the_options_that_are_advised_work(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The complaint lists the file's own fields, and what it says to try reads all of the lines."""
    path = _write(tmp_path / "r.jsonl", RELATIVES[name])
    assert main(["cliffs", str(path)]) == 2
    told = capsys.readouterr().err
    assert f"a line has: {', '.join(RELATIVES[name])}; try " in told
    advice = told.rsplit("; try ", 1)[1].split()
    assert main(["cliffs", str(path), *advice, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rollouts"], found["malformed_lines"], found["pass_rate"]) == (4, 0, 1.0)


def test_the_advice_leaves_a_dialect_that_does_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verl without a step, read as verl: the way out is to describe the file."""
    path = _write(tmp_path / "r.jsonl", RELATIVES["verl without a step"])
    assert main(["cliffs", str(path), "--dialect", "verl"]) == 2
    told = capsys.readouterr().err
    assert told.rstrip().endswith("try --dialect own --problem-id-field input --reward-field score")


def test_what_is_like_nothing_known_gets_no_advice() -> None:
    """Nothing is guessed where no name is familiar."""
    assert likely_options(["foo", "bar"]) == []


def test_verl_needs_no_gold_beside_a_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Input, output, score and step are recognised; score is the verdict."""
    row = {"input": "2+2?", "output": "4", "score": 1.0, "step": 3}
    path = _write(tmp_path / "r.jsonl", row)
    for words in ([], ["--dialect", "verl"]):
        assert main(["cliffs", str(path), "--json", *words]) == 0
        told = capsys.readouterr()
        assert "is read as verl" in told.err
        assert json.loads(told.out)["kinds"]["saturated"]["groups"] == 1


@pytest.mark.parametrize("command", ["cliffs", "doctor"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_success_reward_that_is_no_bound_is_refused(
    command: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No reward is at least NaN, so every group would be a cliff."""
    path = _write(tmp_path / "r.jsonl", {"problem_id": 1, "reward": 1.0})
    assert main([command, str(path), f"--success-reward={value}"]) == 2
    assert f"--success-reward is {value}" in capsys.readouterr().err
