"""Diagnoses of runs and files whose ailments are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hdpo_env.cliffs import GroupRates
from hdpo_env.cliffs.diagnosis import Vitals, diagnose, headline
from hdpo_env.cliffs.evidence import Evidence
from hdpo_env.cliffs.triage import ABOUT, REMEDY, TEACHES, Cause, Finding
from hdpo_env.commands import doctor
from hdpo_env.errors import ConfigError, DataError

CLIFFS = GroupRates(num_cliff=61, num_mixed=19, num_saturated=20)


def hard(number: int, cause: Cause = Cause.HARD) -> list[Finding]:
    """Findings of one cause."""
    return [Finding(f"p{i}", cause, Evidence({"wrong": 8})) for i in range(number)]


def test_the_headline_by_hand() -> None:
    """The share of each kind that occurs, and of each cause, the commonest first."""
    found = hard(1, Cause.TRUNCATED) + hard(3)
    vitals = Vitals(CLIFFS, found, {"optim/grad_norm": 0.0})
    assert headline(vitals) == (
        "loss is 0: 61 % of groups are cliffs, 19 % are mixed, 20 % are saturated; of those "
        "without a success: 75 % hard, 25 % truncated"
    )


@pytest.mark.parametrize(
    ("kinds", "metrics", "word"),
    [
        ({"num_mixed": 99, "num_undecided": 1}, {}, "the verifier abstained"),
        ({"num_mixed": 9}, {"verifier/abstention_rate": 0.02}, "the verifier abstained"),
        ({"num_mixed": 9}, {"rollouts/truncated_rate": 0.3}, "30 % of completions are cut"),
        ({"num_mixed": 1, "num_saturated": 9}, {}, "90 % of groups are solved by every rollout"),
        ({"num_cliff": 1, "num_mixed": 1}, {"losses/total": 0.1}, "nothing is distilled on them"),
        (
            {"num_mixed": 9},
            {"privileged/cliffs_tried": 4.0, "privileged/kept": 0.0, "privileged/pass_rate": 0.0},
            "no privileged rollout may teach",
        ),
        (
            {"num_mixed": 9},
            {"privileged/kept": 3.0, "privileged/dropped_leaked": 1.0},
            "25 % of privileged rollouts give away",
        ),
        ({"num_mixed": 9}, {"distill/saturated_mass": 0.7}, "JSD is saturated on 70 %"),
    ],
)
def test_each_ailment_is_named(kinds: dict[str, int], metrics: dict[str, float], word: str) -> None:
    """One fault at a time: exactly its symptom, with a remedy."""
    [symptom] = diagnose(Vitals(GroupRates(**kinds), (), metrics))
    assert word in symptom.sentence
    assert symptom.remedy


def test_phantom_gradients_are_a_symptom() -> None:
    """Rewards that vary among failures are named; verdicts as rewards are not accused."""
    kinds = GroupRates(num_mixed=9)
    [symptom] = diagnose(Vitals(kinds, phantom_rate=0.98))
    assert symptom.sentence.startswith("98 % of cliffs get a phantom gradient")
    assert diagnose(Vitals(kinds, phantom_rate=0.0)) == []


def test_a_wrong_gold_calls_for_action_however_few_cliffs_there_are() -> None:
    """Defects of the data or the verifier are named at once; hard problems only when many."""
    kinds = GroupRates(num_cliff=2, num_mixed=98)
    found = hard(1) + hard(1, Cause.SUSPECTED_WRONG_GOLD)
    [symptom] = diagnose(Vitals(kinds, found))
    assert ABOUT[Cause.SUSPECTED_WRONG_GOLD] in symptom.sentence


def test_a_healthy_run_has_no_symptom() -> None:
    """Mostly mixed groups, few cliffs that are being taught, no faults."""
    metrics = {"privileged/cliffs_tried": 2.0, "privileged/kept": 3.0, "optim/grad_norm": 0.4}
    kinds = GroupRates(num_cliff=1, num_mixed=8, num_saturated=1)
    assert diagnose(Vitals(kinds, hard(1), metrics)) == []


@pytest.mark.parametrize("cause", [Cause.HARD, Cause.SOLVABLE_WITH_PRIVILEGE])
def test_a_run_is_not_told_to_begin_what_it_does(cause: Cause) -> None:
    """A run that distils on its cliffs is not sent to --algo hdpo; one that does not still is."""
    kinds, taught = GroupRates(num_cliff=1, num_mixed=1), {TEACHES: 4.0, "privileged/kept": 3.0}
    [symptom] = diagnose(Vitals(kinds, hard(1, cause), taught))
    assert ABOUT[cause] in symptom.sentence
    assert "--algo hdpo" not in symptom.remedy
    assert "--algo.distill." in symptom.remedy
    assert REMEDY[cause] in {s.remedy for s in diagnose(Vitals(kinds, hard(1, cause)))}


def run_dir(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """A run's logs: step 0 of health, then steps without a gradient."""
    folder.mkdir()
    told = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "groups.jsonl").write_text(told + '{"step": 99, "kin')  # being written
    lines = [{"step": s, "time_s": 1.0, "optim/grad_norm": 0.0 if s else 5.0} for s in range(3)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_stalled_run_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the last steps count; what is torn is passed over; the exit code says "act"."""
    cut = Evidence({"truncated": 7, "wrong": 1}, 1, 1).row()
    rows = [{"step": 0, "problem_id": "a", "kind": "mixed", "evidence": None}]
    rows += [
        {"step": s, "problem_id": f"{s}{i}", "kind": "cliff", "cause": "hard", "evidence": cut}
        for s in (1, 2)
        for i in range(4)
    ]
    folder = run_dir(tmp_path / "run", rows)
    assert doctor.run(doctor.Options(folder, last=2)) == 1
    told = capsys.readouterr().out
    assert told.startswith("loss is 0: 100 % of groups are cliffs; of those without a success: 100")
    assert ABOUT[Cause.TRUNCATED] in told
    assert REMEDY[Cause.TRUNCATED] in told
    assert "mixed" not in told
    assert doctor.run(doctor.Options(folder, last=2, json=True)) == 1
    found = json.loads(capsys.readouterr().out)
    assert {f["cause"] for f in found["findings"]} == {"truncated"}
    assert len(found["findings"]) == 8


def test_a_file_of_rollouts_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Causes come from the completions: right answers outside of the form, and a wrong gold."""
    rows: list[dict[str, Any]] = []
    for i in range(60):  # a model that solves most problems, and errs in many ways
        for k in range(8):
            answer = i if k < 6 else 1000 + 97 * i + 13 * k
            row = {"problem_id": f"s{i}", "completion": rf"\boxed{{{answer}}}", "gold": str(i)}
            rows.append({**row, "reward": float(k < 6)})
    for k in range(8):
        form = {"problem_id": "form", "completion": "The answer is 5.", "gold": "5", "reward": 0}
        gold = {"problem_id": "gold", "completion": r"\boxed{8}", "gold": "9", "reward": 0}
        mute = {"problem_id": "mute", "completion": "I cannot tell.", "gold": "9", "reward": 0}
        bare = {"problem_id": "bare", "completion": "", "finish_reason": "length", "verdict": False}
        rows += [form, gold if k else {**gold, "completion": r"\boxed{3}"}, mute, bare]
    path = tmp_path / "rollouts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    doctor.run(doctor.Options(path, json=True))
    found = json.loads(capsys.readouterr().out)
    assert {f["problem_id"]: f["cause"] for f in found["findings"]} == {
        "form": "format",
        "gold": "suspected_wrong_gold",
        "mute": "no_answer",
        "bare": "truncated",
    }


def test_the_fields_of_a_file_can_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in hdpo cliffs: a cliff of eight under the names of its writer, which the error lists."""
    path = tmp_path / "other.jsonl"
    rows = [{"uid": "p", "score": 0.0, "text": "I cannot tell.", "want": "9"} for _ in range(8)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"--problem-id-field.*a line has: uid, score, text, want"):
        doctor.run(doctor.Options(path))
    names = {"problem_id": "uid", "reward": "score", "completion": "text", "gold": "want"}
    named = doctor.Options(path, json=True, **{f"{k}_field": v for k, v in names.items()})
    assert doctor.run(named) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(f["problem_id"], f["cause"]) for f in found] == [("p", "no_answer")]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    """Empty folders, files of something else, and windows of no steps."""
    with pytest.raises(DataError, match=r"holds no groups\.jsonl"):
        doctor.run(doctor.Options(tmp_path))
    run_dir(tmp_path / "hdpo-seed0", [])
    with pytest.raises(DataError, match=r"such as .*hdpo-seed0"):
        doctor.run(doctor.Options(tmp_path))
    with pytest.raises(DataError, match="has finished no step yet"):
        doctor.run(doctor.Options(tmp_path / "hdpo-seed0"))
    path = tmp_path / "notes.jsonl"
    path.write_text("hello\n")
    with pytest.raises(DataError, match="none of 1 lines"):
        doctor.run(doctor.Options(path))
    with pytest.raises(ConfigError, match="one step or more"):
        doctor.run(doctor.Options(tmp_path, last=0))


GROUP = {"step": 1, "problem_id": "a", "kind": "cliff", "evidence": {"outcomes": {"wrong": 8}}}


@pytest.mark.parametrize(
    ("line", "file"),
    [
        (json.dumps({**GROUP, "step": "x"}), "groups"),
        ('{"step": 1, "kind": "\udcff"}', "groups"),
        (json.dumps({**GROUP, "evidence": {"outcomes": {"wrong": 8}, "privileged": 3}}), "groups"),
        (
            json.dumps({**GROUP, "evidence": {"outcomes": {"wrong": 8}, "privileged": [3]}}),
            "groups",
        ),
        (json.dumps({**GROUP, "evidence": {"outcomes": {"wrong": "8"}}}), "groups"),
        (json.dumps({**GROUP, "evidence": {"outcomes": {"wrong": -8}}}), "groups"),
        (json.dumps({"step": 1, "problem_id": "a"}), "groups"),
        (json.dumps({**GROUP, "kind": "rock"}), "groups"),
        ("garbage", "groups"),
        ('{"step": 1, "optim/grad_norm": NaN}', "metrics"),
        ('{"step": "x", "optim/grad_norm": 1.0}', "metrics"),
    ],
)
def test_what_cannot_be_read_in_a_run_is_named(
    line: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every odd line is told with its file and number, and the others are still diagnosed."""
    folder = run_dir(tmp_path / "run", [GROUP])
    (folder / "groups.jsonl").write_text(json.dumps(GROUP) + "\n")
    path = folder / f"{file}.jsonl"
    content = path.read_bytes() + line.encode(errors="surrogateescape") + b"\n"
    path.write_bytes(content)
    assert doctor.run(doctor.Options(folder, json=True)) == 1
    out, err = capsys.readouterr()
    number = content.count(b"\n")
    assert [s.split(": ")[0] for s in err.splitlines()] == [f"{file}.jsonl:{number}"]
    found = json.loads(out)
    assert found["skipped"] == err.splitlines()
    assert [f["cause"] for f in found["findings"]] == ["hard"]
