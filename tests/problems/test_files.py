"""Files of every kind and folders of them: a fault costs its row, and has its file's name."""

from __future__ import annotations

import csv
import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import DataError
from hdpo_env.problems import load_problems

ROWS = [{"question": f"q{i}", "answer": str(i)} for i in range(3)]
LINES = [json.dumps(row) for row in ROWS]


def parquet(path: Path, **columns: list[Any]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    path.parent.mkdir(parents=True, exist_ok=True)
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(columns), path)
    return path


def places(path: Path, **options: Any) -> tuple[list[str], list[tuple[str, int, str]]]:
    """The questions that were read, and where the bad rows are."""
    report = load_problems(path, **options)
    return (
        [p.question for p in report.problems],
        [(b.file, b.line, b.field) for b in report.bad_rows],
    )


def test_a_broken_line_in_a_folder_costs_that_line(tmp_path: Path) -> None:
    """The lines around it and the files beside it load; the report names the file."""
    pytest.importorskip("datasets")
    for name, fault in (("train-a.jsonl", '{"question": broken'), ("train-b.jsonl", '{"answer"')):
        lines = [LINES[0].replace("q0", name), fault, LINES[1].replace("q1", f"{name} 1")]
        (tmp_path / name).write_text("\n".join(lines))
    questions, bad = places(tmp_path)
    assert sorted(questions) == [
        "train-a.jsonl",
        "train-a.jsonl 1",
        "train-b.jsonl",
        "train-b.jsonl 1",
    ]
    assert sorted(bad) == [("train-a.jsonl", 2, "(row)"), ("train-b.jsonl", 2, "(row)")]
    with pytest.raises(DataError, match=r"train-.\.jsonl:2: field '\(row\)': it is not JSON"):
        load_problems(tmp_path, strict=True)


def test_one_type_differing_in_a_folder_costs_that_row(tmp_path: Path) -> None:
    """Columns need no common type; nothing of the row that is at fault is told."""
    pytest.importorskip("datasets")
    odd = '{"question": "odd", "answer": {"SECRET": 1}}'
    (tmp_path / "train.json").write_text("\n".join([LINES[0], odd, LINES[2]]))
    report = load_problems(tmp_path)
    assert [p.question for p in report.problems] == ["q0", "q2"]
    assert "SECRET" not in report.listing()
    assert str(report.bad_rows[0]).startswith("train.json:2: field 'answer': it is a dict;")


def test_a_broken_file_in_a_folder_does_not_cost_the_others(tmp_path: Path) -> None:
    """It is one bad row with its name, and fatal where it is all there is to read."""
    pytest.importorskip("datasets")
    parquet(tmp_path / "data" / "train-0.parquet", question=["a"], answer=["1"])
    (tmp_path / "data" / "train-1.parquet").write_bytes(b"PAR1junkPAR1")
    assert places(tmp_path) == (["a"], [("data/train-1.parquet", 1, "(row)")])
    with pytest.raises(DataError, match=r"'train-1.parquet' cannot be read after row 0"):
        load_problems(tmp_path / "data" / "train-1.parquet")


def test_a_damaged_page_keeps_what_was_before_it(tmp_path: Path) -> None:
    """A file is damaged in its middle: its rows up to there are problems, and one row is bad."""
    pytest.importorskip("datasets")
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "train.parquet"
    table = pyarrow.table({"question": [f"q{i}" for i in range(5000)], "answer": ["1"] * 5000})
    pyarrow.parquet.write_table(table, path, row_group_size=500, use_dictionary=False)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 200] = b"\xff" * 200
    path.write_bytes(bytes(whole))
    questions, bad = places(tmp_path)
    assert 0 < len(questions) < 5000
    assert questions == [f"q{i}" for i in range(len(questions))]
    assert bad == [("train.parquet", 1, "(row)")]


def test_tables_are_read_as_text(tmp_path: Path) -> None:
    """007 stays 007; an empty value is missing; each fault is at the line where its row begins."""
    text = (
        "question,answer,id,difficulty\n"
        "q1,007,1,2.5\n"
        "q2,,2,\n"
        '"two\nlines",1e5,,hard\n'
        "q4,4,4,1,surplus\n"
        "\n"
        '"two\nlines",5,5,\n'
        "q6,6\n"
    )
    path = tmp_path / "t.csv"
    path.write_text(text)
    report = load_problems(path)
    found = [(p.question, p.gold, p.id, p.difficulty) for p in report.problems[:2]]
    assert found == [("q1", "007", "1", 2.5), ("two\nlines", "5", "5", None)]
    assert [p.gold for p in report.problems] == ["007", "5", "6"]
    assert [(b.line, b.field) for b in report.bad_rows] == [
        (3, "answer"),
        (4, "difficulty"),
        (6, "(row)"),
    ]
    assert report.bad_rows[2].fault == "it has 5 values for 4 columns"
    (tmp_path / "t.tsv").write_text(text.replace(",", "\t"))
    assert load_problems(tmp_path / "t.tsv").problems == tuple(
        type(p)(**{**{f: getattr(p, f) for f in p.__slots__}, "source": "t"})
        for p in report.problems
    )


def test_a_table_that_ends_inside_a_quote_is_told(tmp_path: Path) -> None:
    """What the quote swallowed is no answer."""
    (tmp_path / "t.csv").write_text('question,answer\nq1,1\nq2,"2\nq3,3\n')
    assert places(tmp_path / "t.csv") == (["q1"], [("t.csv", 3, "(row)")])


def test_broken_bytes_in_a_table_cost_their_row(tmp_path: Path) -> None:
    """A column that is not UTF-8 is half a character; a byte-order mark is no part of a name."""
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfquestion,answer\nq1,1\n\xff,2\nq3,3\n")
    assert places(tmp_path / "t.csv") == (["q1", "q3"], [("t.csv", 3, "question")])


texts = st.text(min_size=1, max_size=12).filter(lambda s: s.strip() and "\0" not in s)


@given(st.lists(st.tuples(texts, texts), max_size=5, unique_by=lambda row: row[0]))
def test_any_table_comes_back(rows: list[tuple[str, str]]) -> None:
    """What the csv module writes is read: quotes, separators and line ends in values included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("question", "answer"), *rows])
        report = load_problems(path, strict=True)
    assert [(p.question, p.gold) for p in report.problems] == rows


def test_json_holds_a_list_or_lines(tmp_path: Path) -> None:
    """Both are common; a broken line among lines costs itself, a broken list is refused."""
    path = tmp_path / "p.json"
    for content in (json.dumps(ROWS, indent=2), "\n".join(LINES), "\n\n" + "\r\n".join(LINES)):
        path.write_text(content)
        assert places(path) == (["q0", "q1", "q2"], [])
    path.write_text("\n".join([LINES[0], "{", LINES[1]]))
    assert places(path) == (["q0", "q1"], [("p.json", 2, "(row)")])
    path.write_text(f"[{LINES[0]},")
    with pytest.raises(DataError, match=r"p.json: it is not JSON .*; mend the file"):
        load_problems(path)


def test_numbers_of_parquet_columns(tmp_path: Path) -> None:
    """Ids that gaps made floats, and decimals, are what people mean; a fraction is no id."""
    path = parquet(
        tmp_path / "n.parquet",
        question=["a", "b", "c", "d"],
        answer=[Decimal("1.50"), Decimal("-30.00"), Decimal("0.00"), Decimal("12345678901.25")],
        id=[1.0, None, 2.5, 3.0],
    )
    report = load_problems(path)
    assert [p.gold for p in report.problems] == ["1.5", "-30", "12345678901.25"]
    assert [p.id for p in report.problems][::2] == ["1", "3"]
    assert [(b.line, b.field) for b in report.bad_rows] == [(3, "id")]
    nan = parquet(tmp_path / "m.parquet", question=["a", "b"], answer=[float("nan"), 2.0])
    assert places(nan) == (["b"], [("m.parquet", 1, "answer")])


def test_files_without_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No rows are no error of the library's and one of a command's; no bytes are no parquet."""
    from hdpo_env.cli import main

    (tmp_path / "e.jsonl").write_bytes(b"")
    nothing: list[str] = []
    for path in (
        parquet(tmp_path / "e.parquet", question=nothing, answer=nothing),
        tmp_path / "e.jsonl",
    ):
        assert places(path) == ([], [])
        assert main(["export", str(path), "--to", "trl", "--out", str(tmp_path / "o.jsonl")]) == 2
        assert f"{path} holds no rows: give a file" in capsys.readouterr().err
    (tmp_path / "z.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"'z.parquet' is empty, not even a parquet file"):
        load_problems(tmp_path / "z.parquet")


def test_a_missing_split_or_configuration_is_named(tmp_path: Path) -> None:
    """With those that the folder has, whether it is a copy or was saved."""
    datasets = pytest.importorskip("datasets")
    copy, saved = tmp_path / "copy", tmp_path / "saved"
    parquet(copy / "data" / "train-00000-of-00001.parquet", question=["a"], answer=["1"])
    parquet(copy / "data" / "test-00000-of-00001.parquet", question=["b"], answer=["1"])
    assert places(copy, split="test") == (["b"], [])
    datasets.DatasetDict(train=datasets.Dataset.from_list(ROWS)).save_to_disk(saved)
    for folder, there in ((copy, "train, test"), (saved, "train")):
        with pytest.raises(DataError, match=f"has no split 'dev': choose one of {there}$"):
            load_problems(folder, split="dev")
    with pytest.raises(DataError, match=r"has no configuration 'main': choose one of default$"):
        load_problems(copy, config="main")
