"""`hdpo cliffs` on files of rollouts: what it counts, what it refuses and what it says of both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hdpo_env.cli import main
from hdpo_env.cliffs import fit_prior


@pytest.fixture
def rollouts(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: object) -> Path:
        path = tmp_path / "rollouts.jsonl"
        texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text("\n".join(texts))
        return path

    return write


@pytest.fixture
def facts(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict]:
    """What the command prints as JSON, and what it says beside that."""

    def run(path: Path, *words: str) -> dict:
        assert main(["cliffs", str(path), "--json", *words]) == 0
        out, err = capsys.readouterr()
        return json.loads(out) | {"stderr": err}

    return run


def test_cliffs_by_hand(rollouts: Callable[..., Path], facts: Callable[..., dict]) -> None:
    """One cliff, one mixed, one saturated, one undecided; an abstention is never a failure."""
    verdicts = {
        "a": [False, "wrong", "truncated"],
        "b": [True, False],
        "c": ["correct", 1],
        "d": [False, "timeout"],
    }
    path = rollouts(*({"problem_id": p, "verdict": v} for p, vs in verdicts.items() for v in vs))
    found = facts(path)
    assert {k: v["groups"] for k, v in found["kinds"].items()} == {
        "cliff": 1, "mixed": 1, "saturated": 1, "undecided": 1,
    }  # fmt: skip
    assert found["never_solved"] == ["a"]
    assert found["pass_rate"] == pytest.approx(3 / 8)
    assert (found["rollouts"], found["abstentions"], found["group_size"]) == (9, 1, [2, 3])


def test_cliffs_judges_completions(
    rollouts: Callable[..., Path], facts: Callable[..., dict]
) -> None:
    """Without verdict and reward the completion is compared with its gold answers."""
    rows = [
        {"problem_id": 1, "completion": "so \\boxed{\\frac{1}{2}}", "gold": "0.5"},
        {"problem_id": 1, "completion": "so \\boxed{3}", "gold": "0.5"},
        {"problem_id": 2, "completion": "so \\boxed{3}", "gold": ["7", "7.0"]},
        {"problem_id": 2, "completion": "I give up", "gold": 7},
    ]
    found = facts(rollouts(*rows))
    assert found["never_solved"] == ["2"]
    assert found["kinds"]["mixed"]["groups"] == 1


def test_cliffs_of_other_systems_by_field_names(
    rollouts: Callable[..., Path], facts: Callable[..., dict]
) -> None:
    """Field names are options, dots reach inside, and steps tell groups of one problem apart."""
    rows = [
        {"uid": "p", "info": {"score": s}, "global_step": t}
        for t, s in ((1, 0), (1, 0), (2, 0), (2, 1))
    ]
    found = facts(
        rollouts(*rows), "--problem-id-field", "uid", "--reward-field", "info.score",
        "--step-field", "global_step",
    )  # fmt: skip
    assert (found["problems"], found["groups"]) == (1, 2)
    assert (found["kinds"]["cliff"]["groups"], found["kinds"]["mixed"]["groups"]) == (1, 1)
    assert found["never_solved"] == []


def test_malformed_lines_are_named_and_counted(
    rollouts: Callable[..., Path], facts: Callable[..., dict]
) -> None:
    """Each unusable line is reported with file, number and reason; the rest is still counted."""
    found = facts(
        rollouts(
            {"problem_id": "a", "reward": 0},
            "not json",
            {"reward": 1},
            {"problem_id": "a"},
            {"problem_id": "a", "verdict": "perhaps"},
            [1, 2],
            {"problem_id": "a", "completion": 7, "gold": "7"},
            "",
            '{"problem_id": "a", "rew',
        )
    )
    assert (found["rollouts"], found["malformed_lines"]) == (1, 7)
    for number, reason in (
        (2, "is not JSON"),
        (3, "has no usable 'problem_id'"),
        (4, "has neither 'verdict' nor 'reward' nor both 'completion' and 'gold'"),
        (5, "'verdict' is 'perhaps'"),
        (6, "is a list, not an object"),
        (7, "'completion' is a int"),
        (9, "the file ends in the middle of it"),
    ):
        assert any(
            line.startswith(f"rollouts.jsonl:{number}: ") and reason in line
            for line in found["stderr"].splitlines()
        ), (number, found["stderr"])


def test_a_file_with_other_fields_says_which_it_has(
    rollouts: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """If no line can be used, the sentence names the options and the fields that were found."""
    path = rollouts(*({"uid": i, "score": 1} for i in range(30)))
    assert main(["cliffs", str(path)]) == 2
    sentence = " ".join(capsys.readouterr().err.split())
    assert "--problem-id-field" in sentence
    assert "a line has: uid, score" in sentence
    assert "and 20 more malformed lines" in sentence
    assert sentence.count("has no usable 'problem_id'") == 1
    assert "(10 lines: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)" in sentence


def test_shaped_rewards_are_not_verdicts_in_silence(
    rollouts: Callable[..., Path], facts: Callable[..., dict]
) -> None:
    """A format bonus does not make a success, and the reader is told what was counted as one."""
    path = rollouts(*({"problem_id": "a", "reward": r} for r in (0.1, 0.1, 0.0)))
    found = facts(path)
    assert found["never_solved"] == ["a"]
    assert "neither 0 nor 1 (0.1)" in found["stderr"]
    assert facts(path, "--success-reward", "0.1")["kinds"]["mixed"]["groups"] == 1


def test_the_posterior_is_the_fit_of_the_counts(
    rollouts: Callable[..., Path], facts: Callable[..., dict]
) -> None:
    """`hdpo cliffs` prints what `cliffs.fit_prior` finds for the same groups."""
    groups = {f"p{i}": n for i, n in enumerate([0] * 12 + [1, 3, 4, 6, 8, 8])}
    rows = [{"problem_id": p, "reward": int(j < n)} for p, n in groups.items() for j in range(8)]
    found = facts(rollouts(*rows))["posterior"]
    fit = fit_prior([(n, 8 - n) for n in groups.values()])
    assert (found["a"], found["b"]) == pytest.approx((fit.prior.a, fit.prior.b))
    assert found["p_not_cliff"] == pytest.approx(fit.prior.updated(0, 8).p_not_cliff(8))
    assert facts(rollouts({"problem_id": 1, "reward": 0}))["posterior"] is None


def test_ids_go_to_a_file(
    rollouts: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All ids of problems never solved, one a line; the table prints the first twenty."""
    path = rollouts(*({"problem_id": f"p{i}", "reward": 0} for i in range(50) for _ in range(2)))
    assert main(["cliffs", str(path), "--ids", str(tmp_path / "ids.txt")]) == 0
    table = capsys.readouterr().out
    assert (tmp_path / "ids.txt").read_text().split() == [f"p{i}" for i in range(50)]
    assert "(30 more: --ids FILE)" in table
    assert "50 groups of 2 rollouts" in table


@pytest.mark.parametrize(
    ("row", "dialect"),
    [
        ({"problem_id": 1, "reward": 0}, "own"),
        ({"input": "a", "output": "b", "gts": "4", "score": 0, "step": 1}, "verl"),
    ],
)
def test_a_filter_is_for_files_that_have_filters(
    rollouts: Callable[..., Path], row: dict, dialect: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Elsewhere --filter is refused, instead of ignored or of leaving out every line."""
    assert main(["cliffs", str(rollouts(row)), "--filter", "strict-match"]) == 2
    assert f"is read as {dialect}: leave it out" in capsys.readouterr().err
