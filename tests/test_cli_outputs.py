"""Where output cannot go: read-only places, full disks, terminals without the characters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from hdpo_env.cli import main

HDPO = Path(sys.executable).with_name("hdpo")
BASE = Path(__file__).parents[1] / "hdpo_env" / "assets" / "chain_base"
FULL = Path("/dev/full")


def hdpo(
    *words: str | Path, stdout: IO[bytes] | int = subprocess.PIPE, **env: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the installed console script."""
    return subprocess.run(
        [HDPO, *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **env},
    )


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    """Two problems with two rollouts each."""
    path = tmp_path / "ok.jsonl"
    row = {"completion": "2", "gold": "2", "question": "1+1?", "answer": "2"}
    rows = [{"problem_id": f"p{i % 2}", **row} for i in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.skipif(not FULL.exists(), reason="the system has no full device")
@pytest.mark.parametrize("command", ["verify", "cliffs"])
def test_a_full_disk_is_said_in_a_sentence(command: str, rollouts: Path) -> None:
    """Of standard output, which shows at its last flush, and of --out; the numbers come first."""
    with FULL.open("wb") as full:
        done = hdpo(command, rollouts, stdout=full)
    assert done.returncode == 2
    told = "hdpo: cannot write all of the output: No space left on device"
    assert done.stderr.decode().strip().splitlines()[-1] == told
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    option = {"verify": "--out", "cliffs": "--ids"}[command]
    rollouts.write_text(rollouts.read_text().replace('"gold": "2"', '"gold": "3"'))
    done = hdpo(command, rollouts, option, FULL)
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)
    assert "No space left on device" in done.stderr.decode()
    assert done.stdout, "the numbers were lost with the file"


@pytest.mark.parametrize(
    "words",
    [
        ("verify", "ok.jsonl", "--out", "no/dir/x"),
        ("cliffs", "ok.jsonl", "--ids", "no/dir/x"),
        ("cliffs", "ok.jsonl", "--card", "no/dir"),
        ("cliffs", "ok.jsonl", "--card", "ok.jsonl"),
        ("eval", "--model", "m", "--data", "ok.jsonl", "--out", "no/dir/x"),
        ("export", "ok.jsonl", "--to", "trl", "--out", "no/dir/x"),
        ("report", "run", "--out", "no/dir/x"),
        ("report", "run", "--figure", "no/dir/x"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    words: tuple[str, ...], rollouts: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A folder that cannot be made, here below a file, even for root: nothing is read first."""
    monkeypatch.chdir(rollouts.parent)
    Path("no").write_text("a file, not a folder")
    Path("run").mkdir()
    Path("run/metrics.jsonl").write_text('{"step": 0}\n')
    assert main(list(words)) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "nothing can be written in" in told.err


def test_a_run_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """`hdpo report` looks for the run before it makes room for the page."""
    assert main(["report", str(tmp_path / "missing")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_folders_of_outputs_are_made(rollouts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By every command, as some already did."""
    monkeypatch.chdir(rollouts.parent)
    assert main(["cliffs", "ok.jsonl", "--ids", "a/b/ids", "--card", "c/d"]) == 0
    words = ["--to", "trl", "--view", "answer", "--out", "e/f.jsonl"]
    assert main(["export", "ok.jsonl", *words]) == 1  # the problem stands there four times
    for name in ("a/b/ids", "c/d/card.md", "c/d/card.json", "e/f.jsonl"):
        assert Path(name).exists()


def test_a_card_overwrites_no_input(rollouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """card.json may hold rollouts."""
    path = rollouts.rename(rollouts.with_name("card.json"))
    before = path.read_bytes()
    assert main(["cliffs", str(path), "--card", str(path.parent)]) == 2
    assert "would overwrite what is read" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_eval_overwrites_no_file_of_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    """--out at the model's config.json, which it reads."""
    before = (BASE / "config.json").read_bytes()
    words = ["--data", "chain#6", "--out", str(BASE / "config.json"), "--limit", "1"]
    assert main(["eval", "--model", str(BASE), *words]) == 2
    assert "would overwrite what is read" in capsys.readouterr().err
    assert (BASE / "config.json").read_bytes() == before


def test_a_terminal_that_lacks_a_character_shows_its_number(tmp_path: Path) -> None:
    """An integral sign on a cp1252 terminal; on one that has it, the sign itself."""
    path = tmp_path / "uni.jsonl"
    path.write_text(json.dumps({"question": "What is ∫ x?", "answer": "2"}), encoding="utf-8")
    done = hdpo("show", f"{path}:1", PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert b"What is \\u222b x?" in done.stdout
    assert "∫" in hdpo("show", f"{path}:1", PYTHONIOENCODING="utf-8").stdout.decode("utf-8")


def test_logs_are_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    """A run's files are read as UTF-8 by every command, so they are written so."""
    code = (
        "from pathlib import Path; import sys\n"
        "from hdpo_env.training.metrics import MetricsWriter\n"
        "from hdpo_env.training.checkpoints import drop_lines_from\n"
        "folder = Path(sys.argv[1])\n"
        "w = MetricsWriter(folder)\n"
        "w.rows('completions.jsonl', [{'step': s, 'text': '\\u222b x'} for s in (0, 1)])\n"
        "drop_lines_from(folder / 'completions.jsonl', 1)\n"
        "w.close()\n"
    )
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "completions.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [{"step": 0, "text": "∫ x"}]


@pytest.mark.slow
def test_eval_leaves_out_what_does_not_fit_the_model(tmp_path: Path) -> None:
    """Counted aloud; where nothing fits, refused with the lengths."""
    path = tmp_path / "p.jsonl"
    questions = ["1+1", "+".join("1" * 90)]
    path.write_text("".join(json.dumps({"question": q, "answer": "2"}) + "\n" for q in questions))
    words = ["eval", "--model", BASE, "--n", "2", "--ks", "1", "--max-tokens", "200"]
    words += ["--template", "chain", "--json", "--data"]
    done = hdpo(*words, path)
    assert done.returncode == 0, done.stderr
    assert "left out 1 of 2 problems: they fill the model's context of 128" in done.stderr.decode()
    assert json.loads(done.stdout)["problems"] == 1
    path.write_text(path.read_text().splitlines()[1])
    done = hdpo(*words, path)
    assert done.returncode == 2
    assert "1 of 1 problems fill the model's context of 128" in done.stderr.decode()


@pytest.mark.parametrize("model", ["./nope", "BASE"])
def test_a_training_that_is_refused_shows_no_bar(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither for a model that is not there nor for data that hold nothing."""
    data = tmp_path / "empty.jsonl"
    data.write_text("")
    words = ["--model", str(BASE) if model == "BASE" else model, "--data", str(data)]
    assert main(["train", *words, "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr()
    assert "waiting" not in told.out + told.err
    assert "eta" not in told.out + told.err
