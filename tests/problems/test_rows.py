"""Files of problems: ready maps on real row shapes, and every bad row reported by line."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError, DataError, RegistryError
from hdpo_env.problems import FIELD_MAPS, FieldMap, load_problems
from hdpo_env.problems.fieldmap import Column
from hdpo_env.problems.report import KEPT
from hdpo_env.problems.rows import RowStream
from hdpo_env.problems.transforms import after_hashes, last_boxed, level_number, whole
from hdpo_env.types import Problem
from hdpo_env.verifiers import VERIFIERS

GSM8K = {
    "question": "A coat takes 2 rolls of red cloth and half that much blue cloth. How many rolls?",
    "answer": "It takes 2/2=<<2/2=1>>1 blue roll\nSo it takes 2+1=<<2+1=3>>3 rolls\n#### 3",
}
MATH = {
    "problem": "What is $1/4 + 1/4$?",
    "level": "Level 2",
    "type": "Prealgebra",
    "solution": r"First $\boxed{1}$? No: $\frac14+\frac14 = \boxed{\frac{1}{2}}$.",
}
OPENMATH = {
    "problem": "2+2?",
    "generated_solution": r"It is \boxed{4}.",
    "expected_answer": "4",
    "problem_source": "augmented_math",
}
DAPO = {
    "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "2+2?"}],
    "reward_model": {"ground_truth": "4", "style": "rule"},
    "extra_info": {"index": "dapo-7"},
}
DAPO_PROCESSED = {"prompt": "2+2?", "solution": "4"}


def write(path: Path, *rows: object) -> Path:
    """One row a line; strings are written as they are."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_gsm8k_rows(tmp_path: Path) -> None:
    """Gold after ####, solution without calculator marks and without the #### line."""
    [problem] = load_problems(write(tmp_path / "train.jsonl", GSM8K), field_map="gsm8k").problems
    assert problem.answers == ("3",)
    assert problem.solution == ("It takes 2/2=1 blue roll\nSo it takes 2+1=3 rolls")
    assert (problem.source, problem.verifier) == ("train", "math")


def test_math_rows(tmp_path: Path) -> None:
    """Gold is the last box with balanced braces; the level's number is the difficulty."""
    [problem] = load_problems(write(tmp_path / "m.jsonl", MATH), field_map="math").problems
    assert problem.gold == r"\frac{1}{2}"
    assert (problem.difficulty, problem.subject) == (2.0, "Prealgebra")
    assert problem.solution == MATH["solution"]


@pytest.mark.parametrize(
    ("name", "row"),
    [("openmathinstruct2", OPENMATH), ("dapo", DAPO), ("dapo", DAPO_PROCESSED)],
)
def test_other_ready_maps(tmp_path: Path, name: str, row: dict) -> None:
    """Question, gold and id come from the columns these data sets use."""
    [problem] = load_problems(write(tmp_path / "d.jsonl", row), field_map=name).problems
    assert (problem.question, problem.gold) == ("2+2?", "4")
    if row is DAPO:
        assert problem.id == "dapo-7"
    if row is OPENMATH:
        assert problem.solution == r"It is \boxed{4}."


def test_plain_rows_and_pairs(tmp_path: Path) -> None:
    """Our own columns need no map; others are named in one string; numbers become text."""
    own = {"question": "q1", "answers": ["1", "one"], "hints": ["h"], "id": 5, "difficulty": 2}
    [problem] = load_problems(write(tmp_path / "own.jsonl", own)).problems
    assert (problem.answers, problem.hints, problem.id) == (("1", "one"), ("h",), "5")
    other = write(tmp_path / "other.json", json.dumps([{"q": "q2", "a": 27.0, "s": "so 27"}]))
    [problem] = load_problems(other, field_map="question=q,answer=a,solution=s").problems
    assert (problem.question, problem.gold, problem.solution) == ("q2", "27", "so 27")


texts = st.text(min_size=1, max_size=20).filter(str.strip)


@given(
    st.lists(
        st.builds(
            Problem,
            texts,
            st.lists(texts, min_size=1, max_size=3).map(tuple),
            solution=st.none() | texts,
            hints=st.lists(st.text(max_size=9), max_size=2).map(tuple),
            source=st.text(max_size=9),
            split=st.text(max_size=9),
            subject=st.text(max_size=9),
            difficulty=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            verifier=st.sampled_from(sorted(VERIFIERS)),
            id=st.text(max_size=9),
        ),
        max_size=4,
        unique_by=lambda p: p.id,
    )
)
def test_problems_come_back_equal_from_their_own_lines(problems: list[Problem]) -> None:
    """`to_json` -> file -> `load_problems` loses no field: no verifier, source, split or hint."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.jsonl"
        path.write_bytes("".join(p.to_json() + "\n" for p in problems).encode())
        assert list(load_problems(path, strict=True).problems) == problems


def test_a_row_decides_its_verifier(tmp_path: Path) -> None:
    """A problem of exact answers is judged exactly after reading; other maps name one for all."""
    row = {"question": "3+7+2", "answer": "02", "verifier": "exact"}
    path = write(tmp_path / "v.jsonl", row, {**row, "question": "4", "verifier": None})
    assert [p.verifier for p in load_problems(path).problems] == ["exact", "math"]
    for text, name in (("", "math"), (",verifier=choice", "choice")):
        report = load_problems(path, field_map=f"question=question,answer=answer{text}")
        assert [p.verifier for p in report.problems] == [name] * 2


def test_source_and_split_are_the_rows_own_where_it_names_them(tmp_path: Path) -> None:
    """Otherwise those of the load, as for rows of other people's data."""
    row = {"question": "q", "answer": "1", "source": "bench", "split": "test"}
    path = write(tmp_path / "s.jsonl", row, {"question": "r", "answer": "1", "split": None})
    found = [(p.source, p.split) for p in load_problems(path, split="eval").problems]
    assert found == [("bench", "test"), ("s", "eval")]
    own = "question=question,answer=answer,source=split"
    assert [p.source for p in load_problems(path, field_map=own).problems] == ["test", "s"]


BAD = [
    ('{"question": "q"', "(row)", "not JSON"),
    ("[1, 2]", "(row)", "it is a list"),
    ({"answer": "1"}, "question", "'question' is missing"),
    ({"question": "  ", "answer": "1"}, "question", "blank"),
    ({"question": 7, "answer": "1"}, "question", "it is a int"),
    ({"question": "q"}, "answer", "no gold answer"),
    ({"question": "q", "answer": None}, "answer", "no gold answer"),
    ({"question": "q", "answer": " "}, "answer", "empty"),
    ({"question": "q", "answer": []}, "answer", "empty"),
    ({"question": "q", "answer": {"x": 1}}, "answer", "it is a dict"),
    ({"question": "q", "answer": True}, "answer", "it is a bool"),
    ({"question": "q", "answer": float("nan")}, "answer", "no gold answer"),
    ({"question": "q", "answer": [1, float("nan")]}, "answer", "NaN or infinite"),
    ({"question": "q", "answer": float("inf")}, "answer", "NaN or infinite"),
    ({"question": "q", "answer": -float("inf")}, "answer", "NaN or infinite"),
    ({"question": "q", "answer": "1", "hints": "h"}, "hints", "not a list of strings"),
    ({"question": "q", "answer": "1", "hints": 5}, "hints", "not a list of strings"),
    ({"question": "q", "answer": "1", "hints": {"h": "x"}}, "hints", "not a list of strings"),
    ({"question": "q", "answer": "1", "hints": ["h", 5]}, "hints", "not a list of strings"),
    ({"question": "\ud800", "answer": "1"}, "question", "half a character"),
    ({"question": "q", "answer": ["1", "\udc00"]}, "answer", "half a character"),
    ({"question": "q", "answer": "1", "hints": ["\ud800"]}, "hints", "half a character"),
    ({"question": "q", "answer": "1", "solution": "a\ud800"}, "solution", "half a character"),
    ({"question": "q", "answer": "1", "id": "\ud800"}, "id", "half a character"),
    ("[" * 100_000, "(row)", "not JSON (RecursionError)"),
    ({"question": "q", "answer": "1", "difficulty": "hard"}, "difficulty", "it is a str"),
    ({"question": "q", "answer": "1", "solution": 3}, "solution", "it is a int"),
    ({"question": "q", "answer": "1", "id": [1]}, "id", "it is a list"),
    ({"question": "q", "answer": "1", "verifier": "maths"}, "verifier", "no verifier 'maths'"),
    ({"question": "q", "answer": "1", "verifier": "exact:x"}, "verifier", "no verifier 'exact:x'"),
    ({"question": "q", "answer": "1", "verifier": ["math"]}, "verifier", "it is a list"),
    ({"question": "q", "answer": "1", "source": 3}, "source", "it is a int"),
    ({"question": "q", "answer": "1", "split": ["a"]}, "split", "it is a list"),
    ({"question": "good", "answer": "1"}, "id", "it is a duplicate"),
]


def test_every_kind_of_bad_row_is_reported_where_it_is(tmp_path: Path) -> None:
    """Good rows load; each bad one is named by file, line and field; nothing is lost."""
    rows = [{"question": "good", "answer": "1"}, *(row for row, *_ in BAD)]
    report = load_problems(write(tmp_path / "mixed.jsonl", *rows))
    assert [p.question for p in report.problems] == ["good"]
    assert [(bad.line, bad.field) for bad in report.bad_rows] == [
        (line, field) for line, (_, field, _) in enumerate(BAD, start=2)
    ]
    for bad, (_, _, fault) in zip(report.bad_rows, BAD, strict=True):
        assert fault in bad.fault
        assert bad.file == "mixed.jsonl"
        assert bad.remedy
    assert f"1 problems, {len(BAD)} bad rows" in str(report)


@pytest.mark.parametrize(("row", "field", "fault"), BAD[:-1])
def test_strict_stops_at_the_first_bad_row(
    tmp_path: Path, row: object, field: str, fault: str
) -> None:
    """With strict, the same report is an error."""
    with pytest.raises(DataError, match=r"f\.jsonl:2: field") as caught:
        load_problems(write(tmp_path / "f.jsonl", "", row), strict=True)
    assert fault in str(caught.value)


def test_a_difficulty_that_is_no_finite_number_is_none(tmp_path: Path) -> None:
    """NaN, infinity and what no float holds say nothing of a problem; the row is good."""
    words = ("NaN", "Infinity", "-Infinity", '"inf"', "1e999", "1" + "0" * 400, "null")
    rows = [f'{{"question": "q{n}", "answer": 1, "difficulty": {w}}}' for n, w in enumerate(words)]
    report = load_problems(write(tmp_path / "d.jsonl", *rows))
    assert [problem.difficulty for problem in report.problems] == [None] * len(words)


def test_half_a_character_counts_where_it_is_read(tmp_path: Path) -> None:
    """Columns that are not read cost no row, whatever is in them; a subject is one that is."""
    row = {"question": "q", "answer": 1, "note": "\ud800", "subject": "\ud800"}
    report = load_problems(write(tmp_path / "n.jsonl", row, {**row, "subject": "s"}))
    assert [bad.field for bad in report.bad_rows] == ["subject"]
    assert [problem.subject for problem in report.problems] == ["s"]


def test_invalid_utf8_is_one_bad_line(tmp_path: Path) -> None:
    """A line of broken bytes does not cost the lines around it."""
    good = b'{"question": "%s", "answer": "1"}\n'
    (tmp_path / "b.jsonl").write_bytes(good % b"a" + b'{"question": "\xff"}\n' + good % b"b")
    report = load_problems(tmp_path / "b.jsonl")
    assert [p.question for p in report.problems] == ["a", "b"]
    assert [bad.line for bad in report.bad_rows] == [2]


def test_a_missing_column_names_the_map_that_fits(tmp_path: Path) -> None:
    """The remedy says which columns there are and which ready map reads them."""
    report = load_problems(write(tmp_path / "m.jsonl", MATH))
    bad = str(report.bad_rows[0])
    assert "the row has problem, level, type, solution: read it with field map 'math' " in bad
    assert bad.endswith("(--field-map math)")


def test_reports_hold_no_gold(tmp_path: Path) -> None:
    """Neither the report, nor its repr, nor an error shows an answer or a solution (law 7)."""
    rows = [
        {"question": "q", "answer": "CANARY", "solution": "CANARY"},
        {"question": "q", "answer": ["CANARY", {"CANARY": 1}]},
        {"question": "q", "answer": "CANARY", "solution": ["CANARY"]},
        '{"question": "q", "answer": "CANARY"',
    ]
    report = load_problems(write(tmp_path / "c.jsonl", *rows), check=lambda p: "it is unparsable")
    assert len(report.bad_rows) == 4
    report_2 = load_problems(write(tmp_path / "c.jsonl", *rows))
    for text in (repr(report), str(report), repr(report_2), *map(str, report.bad_rows)):
        assert "CANARY" not in text


def test_a_check_makes_unusable_golds_bad_rows(tmp_path: Path) -> None:
    """A complaint about a gold answer is reported like any other fault."""
    path = write(tmp_path / "g.jsonl", {"question": "q", "answer": "1"})
    report = load_problems(path, check=lambda problem: "it cannot be parsed")
    assert [(b.field, b.fault) for b in report.bad_rows] == [("answer", "it cannot be parsed")]


def test_a_check_that_quotes_a_gold_is_not_told(tmp_path: Path) -> None:
    """Whatever words a verifier of somebody else's has for it (law 7)."""
    path = write(tmp_path / "g.jsonl", {"question": "q", "answer": ["7", "CANARY"]})
    for said in ("'7' is bad", "bad: CANARY"):
        report = load_problems(path, check=lambda problem, said=said: said)
        assert [b.fault for b in report.bad_rows] == ["the check refuses the gold answer"]


def test_a_load_that_nobody_can_mean_is_refused(tmp_path: Path) -> None:
    """Before a row is read: a verifier that is not there, fewer rows than none."""
    path = write(tmp_path / "g.jsonl", {"question": "q", "answer": "1"})
    with pytest.raises(RegistryError, match="unknown verifier 'maths'"):
        load_problems(path, field_map=FieldMap(verifier="maths"))
    with pytest.raises(ConfigError, match="limit is -1: choose at least 0"):
        load_problems(path, limit=-1)
    with pytest.raises(ConfigError, match="max_rows is -1"):
        load_problems(path, max_rows=-1)


def test_rows_that_are_no_problems_are_left_out_and_counted(tmp_path: Path) -> None:
    """`keep` filters rows such as proofs, which have no checkable answer."""
    wanted = FieldMap(keep=lambda row: row["answer"] != "proof")
    rows = [{"question": "a", "answer": "proof"}, {"question": "b", "answer": "1"}]
    report = load_problems(write(tmp_path / "k.jsonl", *rows), field_map=wanted)
    assert (len(report.problems), report.num_skipped, report.bad_rows) == (1, 1, ())


def test_limit_reads_only_the_first_rows(tmp_path: Path) -> None:
    """Rows behind the limit are not read, bad ones neither."""
    path = write(tmp_path / "l.jsonl", {"question": "a", "answer": "1"}, "broken")
    assert load_problems(path, limit=1).bad_rows == ()


def test_parquet_and_saved_datasets(tmp_path: Path) -> None:
    """The same rows come out of parquet and of a folder that `datasets` saved."""
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list([MATH, {**MATH, "problem": "another"}])
    rows.to_parquet(tmp_path / "m.parquet")
    rows.save_to_disk(tmp_path / "saved")
    datasets.DatasetDict(test=rows).save_to_disk(tmp_path / "dict")
    for path, split in (("m.parquet", "train"), ("saved", "train"), ("dict", "test")):
        report = load_problems(tmp_path / path, field_map="math", split=split)
        assert [p.gold for p in report.problems] == [r"\frac{1}{2}"] * 2


@pytest.mark.parametrize("path", ["absent.jsonl", "folder/absent.parquet", "a/b/c", "zzqqzz"])
def test_missing_files_are_named(path: str) -> None:
    """A path with nothing at it is an error that says what can be given."""
    with pytest.raises(DataError, match=f"nothing is at '{path}': give a file"):
        load_problems(path)


def test_a_json_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    """One object in .json is not a list of problems."""
    with pytest.raises(DataError, match="is not a JSON list"):
        load_problems(write(tmp_path / "one.json", {"question": "q"}))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.parquet", b"junk"), ("b.parquet", b"PAR1junkjunkPAR1"), ("c.json", b'[{"q": "\xff"}]')],
)
def test_a_broken_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    """What is no parquet and what is no UTF-8 are errors in a line, with the file's name."""
    pytest.importorskip("datasets")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}.*: mend|{name}: it is not JSON") as caught:
        load_problems(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_folder_is_read_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem file among other files of ".", or one line that says that there is none."""
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tool.py").write_text("pass")
    with pytest.raises(DataError, match=r"'\.' is not a problem file"):
        load_problems(".")
    write(tmp_path / "train.jsonl", {"question": "1+1?", "answer": "2"})
    assert [p.gold for p in load_problems(".").problems] == ["2"]
    write(tmp_path / "train-of-another-kind.jsonl", {"reward": 1})
    report = load_problems(".")
    assert [p.gold for p in report.problems] == ["2"]
    [bad] = report.bad_rows
    assert (bad.file, bad.line, bad.field) == ("train-of-another-kind.jsonl", 1, "question")


def test_field_maps_are_checked() -> None:
    """Unknown fields and unknown names are refused with the choices."""
    with pytest.raises(ConfigError, match=r"unknown field 'quesion'; choose from: question, ans"):
        FieldMap.parse("quesion=q")
    for text, part in (("answer=a,solution", "solution"), ("answer=", "answer="), ("=a", "=a")):
        with pytest.raises(ConfigError, match=f"'{part}' is no field=column pair"):
            FieldMap.parse(text)
    with pytest.raises(ConfigError, match="names 'answer' twice"):
        FieldMap.parse("answer=a,answer=b")
    with pytest.raises(ConfigError, match="unknown field 'keep'"):
        FieldMap.parse("keep=a")
    assert FieldMap.parse(" question = q , answer = a|b ") == FieldMap("q", "a|b")
    with pytest.raises(RegistryError, match="unknown field map 'gsm9k'"):
        load_problems("x", field_map="gsm9k")
    assert {"plain", "gsm8k", "math", "openmathinstruct2", "dapo"} <= set(FIELD_MAPS)


pieces = st.sampled_from(["a", " ", r"\frac", r"\{", r"\}", r"\\\\", "∫"])
balanced = st.recursive(
    st.lists(pieces, max_size=3).map("".join),
    lambda s: st.tuples(s, s).map(lambda pair: f"{pair[0]}{{{pair[1]}}}"),
    max_leaves=6,
)


@given(balanced)
def test_last_boxed_returns_any_balanced_content(content: str) -> None:
    r"""Whatever balanced text stands in the last \boxed{} comes out, whatever precedes it."""
    assert last_boxed(rf"\boxed{{first}} and \boxed{{{content}}} end") == content


def test_transforms_by_hand() -> None:
    """Unbalanced boxes, missing marks and thousands separators."""
    assert last_boxed(r"\boxed{1") is None
    assert last_boxed(r"\boxed{\{1, 2\}}") == r"\{1, 2\}"
    assert last_boxed("no box") is None
    assert after_hashes("no mark") is None
    assert after_hashes("#### 12,345,678") == "12345678"
    assert after_hashes("#### 1, 2") == "1, 2"
    assert [whole(v) for v in ("27.0", 27.0, "-3.00", "2.50")] == ["27", "27", "-3", "2.50"]
    assert level_number("Level 5") == 5.0


def test_columns_read_the_first_alternative_that_is_there() -> None:
    """Null and absent values fall through to the next path."""
    column = Column("a.b|c", str.upper)
    assert column.read({"a": {"b": None}, "c": "x"}) == "X"
    assert column.read({"a": {"b": "y"}, "c": "x"}) == "Y"
    assert column.read({}) is None


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    """A picture is no problem file: said with what would be one."""
    pytest.importorskip("datasets")
    (tmp_path / "plot.svg").write_text("<svg/>")
    with pytest.raises(DataError, match=r"plot.svg' is not a problem file: give a .jsonl"):
        load_problems(tmp_path / "plot.svg")


def test_a_table_is_refused_before_a_package_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installing `datasets` would not make an .xlsx a problem file, so nobody is told to."""
    monkeypatch.setitem(sys.modules, "datasets", None)
    (tmp_path / "t.xlsx").write_text("question,answer\n1+1,2\n")
    with pytest.raises(DataError, match=r"t.xlsx' is not a problem file: give a .jsonl"):
        load_problems(tmp_path / "t.xlsx")


def test_a_hub_that_cannot_be_reached_is_an_error_that_says_what_to_do() -> None:
    """Without a network the hub's failure comes out as one of ours, with the remedies."""
    pytest.importorskip("datasets")
    with pytest.raises(DataError, match=r"'HuggingFaceH4/MATH-500' cannot be opened on the hub"):
        load_problems("math500")


def test_further_solutions_are_counted_apart(tmp_path: Path) -> None:
    """OpenMathInstruct-2 has many solutions a question: no bad rows, nothing to stop at."""
    rows = [{**OPENMATH, "generated_solution": f"way {i}"} for i in range(4)]
    other = {**OPENMATH, "problem": "3+3?", "expected_answer": "6"}
    path = write(tmp_path / "o.jsonl", *rows, other, rows[0])
    report = load_problems(path, field_map="openmathinstruct2")
    assert [p.solution for p in report.problems] == ["way 0", OPENMATH["generated_solution"]]
    assert (report.num_repeats, [bad.line for bad in report.bad_rows]) == (3, [6])
    assert str(report).startswith("2 problems, 1 bad rows, 0 left out by the field map, 3 further")
    path = write(tmp_path / "s.jsonl", *rows, other)
    assert load_problems(path, field_map="openmathinstruct2", strict=True).num_repeats == 3


def test_one_id_for_two_problems_is_a_bad_row(tmp_path: Path) -> None:
    """Else the gold of one would judge the other."""
    rows = [{"question": q, "answer": a, "id": "0"} for q, a in (("a", 1), ("b", 1), ("a", 2))]
    report = load_problems(write(tmp_path / "i.jsonl", *rows))
    assert [p.question for p in report.problems] == ["a"]
    assert [(b.line, b.fault) for b in report.bad_rows] == [
        (2, "another problem has it"),
        (3, "another problem has it"),
    ]


def test_a_stream_lists_a_thousand_bad_rows_and_counts_the_rest(tmp_path: Path) -> None:
    """What is larger than memory may be bad throughout."""
    path = write(tmp_path / "b.jsonl", *["broken"] * (KEPT + 5), {"question": "q", "answer": "1"})
    stream = RowStream(path)
    assert len(list(stream)) == 1
    assert (len(stream.bad_rows), stream.num_unlisted) == (KEPT, 5)
    report = load_problems(path)
    assert report.num_bad == KEPT + 5
    assert str(report).endswith("\n  and 5 more")
    assert report.listing(2).splitlines()[1:] == [
        "b.jsonl:2: field '(row)': it is not JSON (JSONDecodeError); mend or remove the line",
        f"... and {KEPT + 3} more bad rows",
        f"1 problems, {KEPT + 5} bad rows, 0 left out by the field map",
    ]


def test_repeats_are_one_line_of_the_summary(tmp_path: Path) -> None:
    """DAPO-Math-17k repeats each question a hundred times: said once, with the count."""
    report = load_problems(write(tmp_path / "d.jsonl", *[DAPO] * 100), field_map="dapo")
    assert str(report) == (
        "1 problems, 99 bad rows, 0 left out by the field map\n  99 x id: it is a duplicate"
    )
