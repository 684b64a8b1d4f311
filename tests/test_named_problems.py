"""Problems by a name: files, folders and data sets enter wherever a source's name does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import gymnasium
import pytest

from hdpo_env.env import GroupEnv, MathEnv
from hdpo_env.errors import ConfigError, DataError, HdpoError, RegistryError
from hdpo_env.problems import open_source
from hdpo_env.types import Problem

OWN = [Problem(f"What is {i} + {i}?", (str(2 * i),), id=f"own-{i}") for i in range(1, 4)]
ROWS = [{"question": p.question, "answer": p.gold, "id": p.id} for p in OWN]


def write(path: Path) -> Path:
    """The same three problems in the format that the suffix names."""
    if path.suffix == ".jsonl":
        path.write_text("".join(p.to_json() + "\n" for p in OWN))
    elif path.suffix == ".json":
        path.write_text(json.dumps(ROWS))
    elif path.suffix == ".csv":
        lines = [",".join(ROWS[0]), *(",".join(row.values()) for row in ROWS)]
        path.write_text("\n".join(lines))
    elif path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    else:
        datasets = pytest.importorskip("datasets")
        datasets.Dataset.from_list(ROWS).save_to_disk(str(path))
    return path


@pytest.mark.parametrize("name", ["p.jsonl", "p.json", "p.csv", "p.parquet", "folder"])
def test_each_kind_of_place_becomes_an_environment(name: str, tmp_path: Path) -> None:
    """One problem of a file or folder is asked, answered by its gold and rewarded."""
    env = MathEnv(str(write(tmp_path / name)))
    assert [(p.id, p.question, p.gold) for p in env.source] == [
        (p.id, p.question, p.gold) for p in OWN
    ]
    question, info = env.reset(options={"id": "own-2"})
    assert ("2 + 2" in question, info["problem_id"]) == (True, "own-2")
    assert env.step(r"\boxed{4}")[1] == 1.0


def test_groups_and_gymnasium_ids_take_files(tmp_path: Path) -> None:
    """`GroupEnv`, ``gymnasium.make`` and the processes of ``make_vec`` open the file by name."""
    path = str(write(tmp_path / "p.jsonl"))
    groups = GroupEnv(path, group_size=2)
    groups.reset(ids=["own-3"])
    assert groups.step([[r"\boxed{6}", r"\boxed{7}"]])[0].correct == (True, False)
    alone = gymnasium.make("hdpo/problems-v0", problems=path)
    many = gymnasium.make_vec(
        "hdpo/problems-v0",
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"shared_memory": False},
        problems=path,
    )
    try:
        shown, _ = many.reset(seed=[5, 6])
        assert list(shown) == [alone.reset(seed=seed)[0] for seed in (5, 6)]
    finally:
        many.close()


def test_settings_reach_the_reader(tmp_path: Path) -> None:
    """Field map, split and size; a data set's name brings its own map."""
    path = tmp_path / "theirs.jsonl"
    path.write_text("".join(json.dumps({"q": f"{i}?", "a": i}) + "\n" for i in range(5)))
    found = open_source(str(path), field_map="question=q,answer=a", split="test", size=2)
    assert [(p.question, p.gold, p.split) for p in found] == [
        ("0?", "0", "test"),
        ("1?", "1", "test"),
    ]
    assert len(MathEnv("sample-socratic").source) == 66
    assert "####" not in MathEnv("sample-socratic", size=1).source[0].gold


def test_a_source_of_ours_comes_before_a_file_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that happens to be called linear does not replace the family."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "linear").mkdir()
    assert len(open_source("linear", size=3)) == 3


def test_bad_rows_cost_themselves_and_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Line, field and remedy in the log, for an unusable gold too; strict raises instead."""
    path = write(tmp_path / "p.jsonl")
    with path.open("a") as file:
        file.write('not json\n{"question": "q", "answer": "\\\\frac{31337}{"}\n')
    with caplog.at_level(logging.WARNING):
        assert len(MathEnv(str(path)).source) == 3
    told = caplog.text
    assert "p.jsonl:4: field '(row)'" in told
    assert "p.jsonl:5: field 'answer'" in told
    assert "31337" not in told
    with pytest.raises(DataError, match=r"p\.jsonl:4"):
        MathEnv(str(path), strict=True)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (
            lambda: MathEnv("linera"),
            RegistryError,
            "unknown problems 'linera'; choose one of: arith",
        ),
        (lambda: MathEnv("linera"), RegistryError, "a data set: aime24.*existing file .*jsonl"),
        (lambda: MathEnv("none.jsonl"), DataError, "nothing is at 'none.jsonl'"),
        (lambda: MathEnv("a/b/none"), DataError, "nothing is at 'a/b/none'"),
        (lambda: MathEnv("sample:size=2"), RegistryError, "'sample' takes no argument"),
        (
            lambda: MathEnv("sample-socratic", level=3),
            ConfigError,
            "level=3.*split, size, field_map",
        ),
        (lambda: MathEnv("sample-socratic", size=0), ConfigError, "size 0: ask for at least one"),
        (lambda: MathEnv("sample-socratic", size="3"), ConfigError, "size '3' is no whole number"),
        (lambda: MathEnv("linear", size=0), DataError, "source is empty"),
        (lambda: GroupEnv("linear", group_size=2, size=0), DataError, "source is empty"),
    ],
)
def test_what_is_not_there_is_named(
    act: Callable[[], object], error: type[HdpoError], message: str
) -> None:
    """The error says what was looked for: names, data sets and files."""
    with pytest.raises(error, match=message):
        act()


def test_a_file_without_a_problem_says_why(tmp_path: Path) -> None:
    """The first bad rows are in the error."""
    path = tmp_path / "p.jsonl"
    path.write_text('{"question": "q"}\n')
    with pytest.raises(DataError, match=r"no usable problem: p\.jsonl:1: field 'answer'"):
        MathEnv(str(path))


def test_serve_refuses_a_missing_file_before_it_imports_a_server() -> None:
    """The options are held to what is there, whatever is installed."""
    from hdpo_env.commands import serve

    with pytest.raises(DataError, match=r"nothing is at 'none\.jsonl'"):
        serve.run(serve.Options("none.jsonl"))
