"""The audits and the two commands, on files with known faults."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import ModuleType

import pytest

from hdpo_env.cli import main
from hdpo_env.commands import audit as audit_command
from hdpo_env.commands import verify as verify_command
from hdpo_env.commands.pairs import Pair, read_pairs
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.types import Outcome, Problem, Verdict
from hdpo_env.verifiers import MathVerifier
from hdpo_env.verifiers.audit import audit, differences


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_each_fault_is_found_once_and_by_name() -> None:
    """Six problems, five faults planted by hand; the sound one is not accused."""
    problems = [
        Problem("What is 2+2?", ("4",)),
        Problem("what is 2 + 2", ("4",)),
        Problem("What is 2+2 ?", ("5",)),
        Problem("Simplify this.", ("\\frac{1}{",)),
        Problem("Pick one.", ("3", "4")),
        Problem("Hint: the answer is 1234. Compute it.", ("1234",)),
    ]
    found = {(f.kind, f.problem_id) for f in audit(problems, MathVerifier())}
    ids = [p.id for p in problems]
    assert found == {
        ("duplicate", ids[1]),
        ("conflict", ids[2]),
        ("bad_gold", ids[3]),
        ("bad_gold", ids[4]),
        ("leak", ids[5]),
    }


@pytest.mark.parametrize(
    ("solution", "kinds"),
    [
        (r"So it is \boxed{5}.", ["other_solution"]),
        (r"So it is \boxed{\frac{8}{2}}.", []),
        (r"First \boxed{5}. No, wait: \boxed{4}.", []),
        ("So it is 5.", []),
        (r"So it is \boxed{", []),
        (None, []),
    ],
)
def test_a_solution_that_boxes_another_answer_is_found(
    solution: str | None, kinds: list[str]
) -> None:
    """Only where the solution says by a box what it ends in, and the verifier has no doubt."""
    found = audit([Problem("2+2?", ("4",), solution=solution)], MathVerifier())
    assert [f.kind for f in found] == kinds


def test_overlap_with_another_set_is_found() -> None:
    """A training question in the test set is named however it is spaced."""
    train = [Problem("How many?", ("1",)), Problem("How  Much?", ("2",))]
    test = [Problem("how much", ("2",))]
    (finding,) = audit(train, MathVerifier(), others=test)
    assert (finding.kind, finding.problem_id) == ("overlap", train[1].id)


def test_findings_hold_no_gold() -> None:
    """What an audit prints can be shown to anybody."""
    problems = [Problem("a", ("1234567", "7654321")), Problem("b", ("\\frac{8888888}{",))]
    text = repr(audit(problems, MathVerifier()))
    assert not any(gold in text for gold in ("1234567", "7654321", "8888888"))


def test_a_bad_gold_comes_with_its_reason() -> None:
    """The class of the fault is told, so that a thousand findings can be sorted."""
    problems = [Problem("a", ("see solution",)), Problem("b", ("3", "4")), Problem("c", ("???",))]
    assert [f.detail for f in audit(problems, MathVerifier())] == [
        "the gold answer cannot be used: it is a placeholder",
        "gold 1 and gold 2 contradict each other",
        "the gold answer cannot be used: it is punctuation only",
    ]


@pytest.mark.parametrize(
    ("question", "gold", "leaks"),
    [
        ("What is 3+3? (The answer: 6)", "6", True),
        ("3+3? The answer is $6$.", "6", True),
        ("3+3? the ANSWER is 6", "6", True),
        ("Hint: the answer is **12**; show why.", "12", True),
        ("The answer is 4000 more or less", "4000", True),
        ("It is \\boxed{6}. Show it.", "6", True),
        ("3*20? The answer is 60.", "6", False),
        ("The answer is 6.5. Round it.", "6", False),
        ("If the answer is 6 digits long, give them.", "6", False),
        ("The answer is a number. Which one?", "a", False),
        ("The answer is 40001.", "4000", False),
        ("Put the answer in \\boxed{}.", "6", False),
        ("Write \\boxed{n} for your answer n.", "6", False),
        ("A box holds 6 eggs. Half of them?", "6", False),
    ],
)
def test_a_leak_is_the_answer_after_its_announcement(question: str, gold: str, leaks: bool) -> None:
    """Short golds too, where nothing but an end follows; a box leaks only if it holds the gold."""
    found = [f.kind for f in audit([Problem(question, (gold,))], MathVerifier())]
    assert found == (["leak"] if leaks else [])


def test_an_audit_shows_golds_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--show-golds prints what was read beside each finding, in both formats."""
    path = write(tmp_path / "in.jsonl", [{"question": "q?", "answer": "[asy]draw(31337);[/asy]"}])
    assert main(["audit", str(path)]) == main(["audit", str(path), "--json"]) == 1
    assert "31337" not in "".join(capsys.readouterr())
    assert main(["audit", str(path), "--show-golds"]) == 1
    assert "a picture or a table (golds ['[asy]draw(31337);[/asy]'])" in capsys.readouterr().out
    assert main(["audit", str(path), "--show-golds", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["golds"]


def test_differences_skip_abstentions() -> None:
    """Only items on which both decided, and differently, are listed."""
    yes, no, unsure = (Verdict(o) for o in (Outcome.CORRECT, Outcome.WRONG, Outcome.TIMEOUT))
    items = [("", "g")] * 4
    found = differences(items, [yes, yes, unsure, no], [yes, no, no, yes])
    assert [d.index for d in found] == [1, 3]
    assert "'g'" not in repr(found)


def test_verify_judges_one_pair(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit codes: 0 correct, 1 wrong, 2 abstained."""
    for gold, code in (("1/2", 0), ("1/3", 1), ("", 2)):
        assert verify_command.run(verify_command.Options(what=("\\boxed{0.5}", gold))) == code
    assert "CORRECT" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="one file"):
        verify_command.run(verify_command.Options(what=("a", "b", "c")))


def test_verify_judges_a_file_and_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three labelled lines, one label wrong on purpose: accuracy 2/3, one paid wrongly."""
    rows = [
        {"text": "\\boxed{4}", "answer": "4", "correct": True},
        {"text": "\\boxed{5}", "answer": ["4", "4.0"], "correct": False},
        {"text": "\\boxed{4}", "answer": "4", "correct": False},
    ]
    path, out = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    options = verify_command.Options(
        what=(str(path),), completion_field="text", gold_field="answer", out=out, json=True
    )
    assert verify_command.run(options) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["outcomes"] == {"correct": 2, "wrong": 1}
    assert facts["accuracy"] == pytest.approx(2 / 3)
    assert (facts["missed"], facts["paid_wrongly"]) == (0, 1)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["line"] for line in lines] == [1, 2, 3]
    assert [line["outcome"] for line in lines] == ["correct", "wrong", "correct"]


def test_verify_reads_parquet_as_it_reads_lines(tmp_path: Path) -> None:
    """The same rows from both kinds of file."""
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    rows = [{"completion": "\\boxed{4}", "gold": ["4", "4.0"], "correct": True}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    lines = write(tmp_path / "a.jsonl", list(rows))
    assert read_pairs(tmp_path / "a.parquet") == read_pairs(lines)


def piped(text: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()))


def test_verify_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`hdpo verify -` judges what is piped in, and names a broken line by its number."""
    good = json.dumps({"completion": "\\boxed{4}", "gold": "4"})
    monkeypatch.setattr("sys.stdin", piped(f"{good}\n\n{good}\n"))
    assert verify_command.run(verify_command.Options(what=("-",), json=True)) == 0
    assert json.loads(capsys.readouterr().out)["outcomes"] == {"correct": 2}
    monkeypatch.setattr("sys.stdin", piped(f"{good}\n{{\n"))
    with pytest.raises(DataError, match="standard input:2 is not JSON"):
        verify_command.run(verify_command.Options(what=("-",)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n{}\n", "in.jsonl:2 lacks .*name the fields"),
        (b"{\n", "in.jsonl:1 is not JSON"),
        (b'\n{"gold": "\xff"}', "in.jsonl:2 is not JSON .*decode"),
        (b'{"gold": "4", "completion": [4]}', "in.jsonl:1: 'completion' is a list, not a string"),
        (b"", "no lines"),
        (None, "no file"),
    ],
)
def test_verify_names_what_is_wrong_with_a_file(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    """Missing fields, broken lines, an empty file and a missing one each say what to do."""
    path = tmp_path / "in.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        verify_command.run(verify_command.Options(what=(str(path),)))


def test_what_is_no_answer_is_not_judged_as_its_name(tmp_path: Path) -> None:
    """Null, NaN and boolean golds are bad golds, whatever is said; a null says nothing."""
    rows: list[dict[str, object]] = [
        {"completion": "\\boxed{None}", "gold": None},
        {"completion": "\\boxed{True}", "gold": True},
        {"completion": "\\boxed{nan}", "gold": float("nan")},
        {"completion": "\\boxed{4}", "gold": ["4", True]},
        {"completion": None, "gold": "none"},
        {"completion": 4, "gold": 4},
    ]
    outcomes = [
        MathVerifier().verify(p.completion, p.gold).outcome for p in pairs_of(tmp_path, rows)
    ]
    bad, none = Outcome.BAD_GOLD, Outcome.NO_ANSWER
    assert outcomes == [bad, bad, bad, bad, none, Outcome.CORRECT]


def pairs_of(folder: Path, rows: list[dict[str, object]]) -> list[Pair]:
    return read_pairs(write(folder / "in.jsonl", rows))


def test_labels_are_understood_or_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Yes, no, 1 and 0 are labels; any other word is said not to count, and a null is no label."""
    labels = ("yes", "NO", 1, 0.0, "maybe", 2, [], None)
    rows: list[dict[str, object]] = [
        {"completion": "\\boxed{4}", "gold": "4", "correct": label} for label in labels
    ]
    pairs = pairs_of(tmp_path, rows)
    assert [p.label for p in pairs] == [True, False, True, False, None, None, None, None]
    options = verify_command.Options(what=(str(tmp_path / "in.jsonl"),), workers=0)
    assert verify_command.run(options) == 0
    shown = capsys.readouterr().out
    assert "right on 50.00% of the labelled lines" in shown
    assert "3 labels are neither true nor false" in shown


def test_the_slowest_are_named_by_the_line_of_the_file(tmp_path: Path) -> None:
    """Blank lines are counted as an editor does: the 2 items of this file are lines 2 and 4."""
    path = tmp_path / "in.jsonl"
    row = json.dumps({"completion": "4", "gold": "4"})
    path.write_text(f"\n{row}\n\n{row}\n")
    pairs = read_pairs(path)
    verdicts = [Verdict(Outcome.CORRECT, ms=1.0), Verdict(Outcome.CORRECT, ms=9.0)]
    ranked = verify_command.slowest(pairs, verdicts)
    assert [(pair.line, verdict.ms) for pair, verdict in ranked] == [(4, 9.0), (2, 1.0)]


def test_verify_refuses_what_it_would_misread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file's name as a completion, a folder as a file, a folder as --out, a limit below one."""
    path = write(tmp_path / "in.jsonl", [{"completion": "4", "gold": "4"}])

    def refused(*words: str) -> str:
        assert main(["verify", *words]) == 2
        return capsys.readouterr().err

    assert "in.jsonl' is a file: give it alone" in refused(str(path), "0.5")
    assert "is a folder: give a .jsonl" in refused(str(tmp_path))
    assert "is a folder: name a file" in refused(str(path), "--out", str(tmp_path))
    assert "--limit is -1: choose at least 1" in refused(str(path), "--limit", "-1")


def test_verify_writes_where_it_is_told(tmp_path: Path) -> None:
    """--out holds the verdict of one completion too, in a folder that need not exist."""
    out = tmp_path / "new" / "out.jsonl"
    assert main(["verify", "\\boxed{4}" * 300, "5", "--out", str(out)]) == 1
    assert json.loads(out.read_text())["outcome"] == "wrong"


def test_audit_reports_a_files_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A clean file exits 0, a faulty one 1 with the counts."""
    good = write(tmp_path / "good.jsonl", [{"question": "1+1?", "answer": "2"}])
    bad = write(tmp_path / "bad.jsonl", [{"question": "1+1?", "answer": "\\frac{1}{"}])
    assert audit_command.run(audit_command.Options(data=str(good))) == 0
    assert audit_command.run(audit_command.Options(data=str(bad), json=True)) == 1
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{") :])["counts"] == {"bad_gold": 1}


def test_an_audit_of_nothing_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No problem, no pair and nothing to compare with: each is said, and none exits 0."""
    empty = write(tmp_path / "empty.jsonl", [])
    broken = write(tmp_path / "broken.jsonl", [{"q": 1}])
    good = write(tmp_path / "good.jsonl", [{"question": "1+1?", "answer": "1+1 #### 2"}])
    assert main(["audit", str(empty)]) == main(["audit", str(empty), "--json"]) == 1
    assert "nothing to audit: no problem could be read, 0 bad rows" in capsys.readouterr().out
    assert main(["audit", str(broken)]) == 1
    shown = capsys.readouterr()
    assert "1 bad rows" in shown.out
    assert "no other fault" not in shown.out
    for words, says in (
        ((str(empty), "--differential"), "holds no lines to judge"),
        ((str(good), "--against", str(empty)), "holds no usable problem to compare with"),
        ((str(good), "--limit", "-1"), "--limit is -1: choose at least 1"),
    ):
        assert main(["audit", *words]) == 2
        assert says in capsys.readouterr().err
    assert main(["audit", str(good)]) == 0
    assert "try --field-map gsm8k" in capsys.readouterr().err
    assert main(["audit", str(good), "--field-map", "gsm8k"]) == 0
    assert "try --field-map" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_differential_audit_lists_known_disagreements(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of three pairs math-verify is wrong on two, each a documented fault of its own."""
    rows: list[dict[str, object]] = [
        {"completion": "\\boxed{4}", "gold": "4"},
        {"completion": "\\boxed{12_4}", "gold": "12_3"},
        {"completion": "\\boxed{d=3, M=(1,3)}", "gold": "d=3, M=(1,2)"},
    ]
    path = write(tmp_path / "in.jsonl", rows)
    options = audit_command.Options(data=str(path), differential=True, json=True)
    assert audit_command.run(options) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["items"], facts["compared"]) == (3, 3)
    assert facts["abstained"] == {"ours": 0, "math_verify": 0}
    found = facts["disagreements"]
    assert [(d["item"], d["ours"], d["math_verify"]) for d in found] == [
        (2, "wrong", "correct"),
        (3, "wrong", "correct"),
    ]


def test_a_differential_audit_counts_abstentions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One gold is blank for both: two items are compared, and one abstention of each is told."""
    rows: list[dict[str, object]] = [
        {"completion": "\\boxed{4}", "gold": gold} for gold in ("4", "", "5")
    ]
    path = write(tmp_path / "in.jsonl", rows)
    assert main(["audit", str(path), "--differential"]) == 0
    said = "0 disagreements with math-verify in 2 of 3 items; abstained: we on 1, math-verify on 1"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("broken", ["math_verify", "sympy"])
def test_a_peer_that_cannot_judge_gives_no_all_clear(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broken: str,
) -> None:
    """Where math-verify cannot even be imported nothing was compared: exit 2 with the reason."""
    (tmp_path / f"{broken}.py").write_text("raise ImportError('broken', name='planted')\n")
    monkeypatch.syspath_prepend(str(tmp_path))  # workers import from here first
    path = write(tmp_path / "in.jsonl", [{"completion": "\\boxed{4}", "gold": "5"}])
    assert main(["audit", str(path), "--differential"]) == 2
    assert "math-verify could judge none of the 1 items" in (told := capsys.readouterr().err)
    assert "ImportError" in told


@pytest.mark.slow
def test_a_bounded_fuzz_run_finds_no_defect(fuzz: ModuleType) -> None:
    """Thirty thousand inputs through a pool: no exception, no dead worker, no broken limit."""
    assert fuzz.main(["--items", "30000", "--seed", "3"]) == 0
