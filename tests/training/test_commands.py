"""``hdpo train`` and ``hdpo compare`` as a user runs them: a checkpoint and a problem file."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from transformers import AutoModelForCausalLM

from hdpo_env import demo
from hdpo_env.commands.progress import WATCHED, show_progress
from hdpo_env.commands.train import _told
from hdpo_env.problems import ChainFamily

SMALL = [
    "--rollout.template=chain",
    "--rollout.teacher-template=chain",
    "--rollout.max-tokens=8",
    "--rollout.prompts-per-step=4",
    "--rollout.group-size=4",
    "--eval.problems=6",
    "--eval.samples=8",
    "--optim.lr=3e-4",
    "--threads=1",
]


def hdpo(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hdpo_env.cli", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty table chains as JSON lines, two of them broken."""
    path = tmp_path_factory.mktemp("data") / "chains.jsonl"
    problems = ChainFamily("#", 6).source("train", seed=0, size=60)
    lines = [
        json.dumps({"question": p.question, "answer": p.gold, "solution": p.solution})
        for p in problems
    ]
    lines[3] = json.dumps({"question": "3#7", "solution": "0"})
    lines[9] = '{"question": '
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_train_from_a_folder_and_a_file(data: Path, tmp_path: Path) -> None:
    """A run leaves config, metrics, summary and a loadable model; going on needs --resume."""
    base, out = demo.base_model(), tmp_path / "run"
    words = ["train", "--algo", "hdpo", "--model", base, "--data", data, "--out", out, *SMALL]
    words += ["--lambda", "1.0", "--view", "solution", "--checkpoint-every", "2"]
    first = hdpo(*words, "--steps", "4")
    assert first.returncode == 0, first.stderr
    assert "2 bad rows" in first.stderr + first.stdout
    config = json.loads((out / "config.json").read_text())
    assert config["algo"]["distill"]["weight"] == 1.0
    lines = [json.loads(x) for x in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2, 3, 4]
    assert "eval/eval/pass@8" in lines[0]
    AutoModelForCausalLM.from_pretrained(out / "model")
    told = first.stdout.splitlines()
    assert told[-1] == f"the model is {out / 'model'}; the curves: hdpo report {out}"
    evaluated = json.loads((out / "summary.json").read_text())
    start, end = evaluated["start"]["eval"]["pass@8"], evaluated["eval"]["pass@8"]
    assert ["eval", "pass@8", f"{start:.3f}", f"{end:.3f}"] in [line.split() for line in told]
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["algo"], summary["steps"]) == ("hdpo", 4)
    again = hdpo(*words, "--steps", "4")
    assert again.returncode == 0
    assert "is finished" in again.stdout
    longer = hdpo(*words, "--steps", "6")
    assert longer.returncode == 2
    assert "--resume" in longer.stderr
    resumed = hdpo(*words, "--steps", "6", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads((out / "summary.json").read_text())["steps"] == 6
    other = hdpo(*words, "--steps", "6", "--seed", "5")
    assert other.returncode == 2
    assert "seed: 0 there, 5 now" in other.stderr


def test_what_a_run_came_to_is_a_short_table() -> None:
    """First and last evaluation of every slice; intervals and token counts stay in the file."""
    first = {"greedy": 0.25, "pass@1": 0.125, "pass@1/low": 0.0, "tokens": 7.0, "cliff_rate": 0.5}
    summary = {"steps": 3, "eval": {**first, "pass@1": 0.75}, "start": {"eval": first}}
    assert _told(summary).splitlines() == [
        "                  start     end",
        "eval greedy       0.250   0.250",
        "eval pass@1       0.125   0.750",
        "eval cliff rate   0.500   0.500",
    ]


@pytest.mark.parametrize("name", ["hdpo", "hdpo-strong-frozen-seed0"])
def test_the_progress_of_a_long_run_fits_into_80_columns(name: str) -> None:
    """Steps and every watched number are whole: those of a short name on one line."""
    metrics = dict(zip(WATCHED, (0.953, 0.123, 0.568, 0.00123), strict=True))
    with show_progress({name: 2000}) as bars:
        bars.advance(name, 1234, metrics)
        console = Console(width=80, file=StringIO())
        console.print(bars._progress.get_renderable())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in shown
    assert "1234/2000" in shown
    words = " ".join(shown.replace("━", "").split())
    assert words.endswith("cliffs 0.95 reward 0.12 priv 0.57 distill 0.0012")
    assert len(shown.strip().splitlines()) == (1 if name == "hdpo" else 2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "--algo", "hpdo"], "unknown preset 'hpdo'"),
        (["train", "--model", "./no", "--data", "chain-add"], "there is no folder"),
        (["train", "--model", "no model", "--data", "chain-add"], "there is no folder 'no model'"),
        (["train", "--model", "BASE", "--data", "no.jsonl", *SMALL], "no.jsonl"),
        # names are looked at before anything is loaded, problems before the model
        (
            ["train", "--model", "./no", "--data", "chain-add", "--view", "solutoin"],
            "--view: unknown view 'solutoin'; choose one of: answer",
        ),
        (["train", "--model", "./no", "--data", "d", "--rollout.template", "b"], "template 'b'"),
        (["train", "--model", "./no", "--data", "d", "--field-map", "maht"], "field map 'maht'"),
        (["train", "--model", "tests", "--data", "chian"], "did you mean 'chain-add'?"),
        (["train", "--model", "x", "--data", "chain-add", "--view", "none"], "view is 'none'"),
        (["train", "--model", "x", "--data", "chain-add", "--eval.samples", "4"], "pass@8"),
        (["train", "--model", "x", "--data", "d", "--rollout.group-size", "1"], "group of one"),
        (
            ["train", "--model", "BASE", "--data", "chain-add", "--sampler", "vllm"],
            "hdpo_env[vllm]",
        ),
        (["compare"], "--algos"),
        (["compare", "--preset", "demo", "--algos", "gpro"], "no variant 'gpro'"),
        (["compare", "--preset", "demo", "--seeds", "0"], "--seeds is 0"),
        (["compare", "--algos", "grpo", "--model", "m", "--data", "d", "--pretrain"], "--pretrain"),
    ],
)
def test_wrong_words_are_refused_with_a_remedy(words: list[str], says: str, tmp_path: Path) -> None:
    """Exit code 2, one readable message, no traceback, nothing written."""
    words = [str(demo.base_model()) if w == "BASE" else w for w in words]
    done = hdpo(*words, "--out", tmp_path / "run")
    assert done.returncode == 2
    text = " ".join((done.stderr + done.stdout).replace("│", " ").split())
    assert says in text
    assert "Traceback" not in text
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_view_that_no_problem_has_is_refused(tmp_path: Path) -> None:
    """HDPO without a single solution cannot teach: said before anything is written."""
    path = tmp_path / "bare.jsonl"
    path.write_text(
        "".join(json.dumps({"question": f"{i}#1", "answer": "1"}) + "\n" for i in range(40))
    )
    done = hdpo(
        "train", "--model", demo.base_model(), "--data", path, "--out", tmp_path / "run", *SMALL
    )
    assert done.returncode == 2
    assert "no training problem can be shown in view 'solution'" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_demos_claim(tmp_path: Path) -> None:
    """GRPO leaves the cliffs where they were; strong HDPO with the paper's JSD learns them."""
    done = hdpo(
        "compare", "--preset", "demo", "--algos", "grpo", "hdpo-strong", "--steps", "60",
        "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {r["variant"]: r for r in json.loads((tmp_path / "summary.json").read_text())}
    assert rows["grpo"]["cliff"]["pass@8"] <= 0.05
    assert rows["hdpo-strong"]["cliff"]["pass@8"] >= 0.5
    assert rows["hdpo-strong"]["control"]["pass@8"] <= 0.05
    assert rows["hdpo-strong"]["easy"]["greedy"] >= 0.95
    page = (tmp_path / "report.html").read_text()
    assert "hdpo-strong" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    kept = hdpo("compare", "--preset", "demo", "--algos", "grpo", "hdpo-strong", "--steps", "60",
                "--out", tmp_path)  # fmt: skip
    assert kept.returncode == 0, "finished runs are kept and only the report is written again"
