"""The console script as a user meets it: run for real, with right and with wrong words."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hdpo_env.cli import COMMANDS, main
from hdpo_env.commands import compare
from hdpo_env.privileged import PRIVILEGED_TEMPLATES, VIEWS
from hdpo_env.problems import ChainFamily
from hdpo_env.prompts import TEMPLATES

HDPO = Path(sys.executable).with_name("hdpo")
MODEL = ["--model", "m", "--data", "linear"]
BASE = Path(__file__).parents[1] / "hdpo_env" / "assets" / "chain_base"


def hdpo(*words: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run the installed console script."""
    return subprocess.run(
        [HDPO, *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **env},
    )


def refusal(*words: str, **env: str) -> str:
    """The one sentence with which the script refuses; fails if it does anything else."""
    done = hdpo(*words, **env)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.replace("│", " ").split())


def in_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run a few lines in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_help_lists_every_command_and_each_has_a_module() -> None:
    """`hdpo --help` names all commands; none of them is an empty promise."""
    done = hdpo("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout
        assert (Path(__file__).parents[1] / f"hdpo_env/commands/{name}.py").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_is_plain_text(command: str) -> None:
    """A reader of the terminal sees no marks of the documentation's markup."""
    shown = hdpo(command, "--help").stdout
    assert command in shown
    assert "`" not in shown


def test_help_of_a_command_is_its_own() -> None:
    """`hdpo help COMMAND` prints what `hdpo COMMAND --help` prints, and refuses a misspelt one."""
    assert hdpo("help", "show").stdout == hdpo("show", "--help").stdout
    assert "did you mean 'train'?" in refusal("help", "trian")


@pytest.mark.parametrize("command", ["show", "train"])
def test_the_help_names_every_view_and_template(command: str) -> None:
    """What is registered can be found in the help of the commands that take it."""
    words = set(re.findall(r"\w+", hdpo(command, "--help").stdout))
    assert words >= {*VIEWS, *TEMPLATES, *PRIVILEGED_TEMPLATES}


def test_help_needs_no_package_and_show_needs_no_torch() -> None:
    """`--help` loads no third party; torch-free commands load no torch."""
    heavy = "{'torch', 'transformers', 'tyro', 'rich', 'numpy', 'sympy'} & set(sys.modules)"
    done = in_python(f"import sys; from hdpo_env.cli import main; main(['--help']); print({heavy})")
    assert done.stdout.endswith("set()\n"), done.stdout + done.stderr
    for words in (["show", "linear:2"], ["cliffs", "--json", "-"]):
        done = in_python(
            "import sys, io; from hdpo_env.cli import main\n"
            'class In: buffer = io.BytesIO(b\'{"problem_id": 1, "reward": 1}\')\n'
            f"sys.stdin = In(); assert main({words}) == 0\n"
            "print('torch' in sys.modules)"
        )
        assert done.stdout.endswith("False\n"), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("missing", "words", "extra"),
    [("tyro", ["show", "linear:2"], "cli"), ("torch", ["eval", *MODEL], "train")],
)
def test_a_missing_extra_is_one_sentence(missing: str, words: list[str], extra: str) -> None:
    """Without a package, the sentence names the pip command that brings it."""
    done = in_python(
        f"import sys; sys.modules['{missing}'] = None\n"
        f"from hdpo_env.cli import main; sys.exit(main({words}))"
    )
    assert done.returncode == 2
    assert f"pip install 'hdpo_env[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_bare_call() -> None:
    """--version prints it; a bare call explains itself and fails."""
    assert hdpo("--version").stdout.startswith("hdpo_env ")
    bare = hdpo()
    assert bare.returncode == 2
    assert "usage: hdpo" in bare.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trian"], "unknown command 'trian'; did you mean 'train'?"),
        (["frobnicate"], "choose one of: train, compare, eval"),
        (["show"], "FILE:ROW"),
        (["show", "linear:2", "--vew", "none"], "Perhaps you meant: --view"),
        (["show", "missing.jsonl:1"], "nothing is at 'missing.jsonl'"),
        (["show", "chian:3"], "nothing is at 'chian': did you mean 'chain-add'? Else give a file"),
        (["show", "linaer"], "did you mean 'linear'? Else give a file, a folder, a hub id"),
        (["export", "xyzzy", "--to", "trl"], "owner/name, or one of: chain-add, chain-table, "),
        (["show", "linear:-1"], "linear:-1: the index is negative; a family's begin with 0"),
        (["show", "sample:999"], "sample:999: sample has 138 problems of split 'train'"),
        (["show", "linear:2", "--view", "magic"], "unknown view 'magic'; choose one of: answer"),
        (["show", "linear:2", "--view=hints:1+magic"], "hdpo: --view: unknown view 'magic'"),
        (["show", "linear:2", "--teacher-template", "x"], "--teacher-template: unknown pr"),
        (["export", "linear", "--to", "tlr"], "hdpo: --to: unknown carrier 'tlr'; choose one of"),
        (["show", "linear:2", "--split", "dev"], "split 'dev' is unknown"),
        (["eval", *MODEL, "--n", "4"], "pass@8 cannot be estimated from 4"),
        (["eval", *MODEL, "--temperature", "0"], "choose one > 0"),
        (["eval", *MODEL, "--limit", "0"], "each must be at least 1"),
        (["eval", "--model", "m", "--data", "missing.jsonl"], "nothing is at 'missing.jsonl'"),
        (["eval", *MODEL, "--template", "x"], "unknown template 'x'"),
        (["report"], "name at least one run folder: hdpo report runs/demo"),
        (["report", "missing"], "no folder is at missing"),
        (["cliffs"], "name at least one file of rollouts"),
        (["cliffs", "missing.jsonl"], "cannot use missing.jsonl: No such file or directory"),
        (["cliffs", "missing.jsonl", "--verifier", "x"], "unknown verifier 'x'; choose one of"),
        (["cliffs", "missing.jsonl", "--threshold", "-1"], "choose a number of successes >= 0"),
        (["train", *MODEL, "--rollout.group-size", "1"], "a group of one has no baseline"),
        (["train", *MODEL, "--lambda", "0.1", "--view", "none"], "view is 'none'"),
        (["train", *MODEL, "--eval.ks", "1", "99"], "pass@99 cannot be estimated"),
        (["train", *MODEL, "--algo", "nope"], "unknown preset 'nope'; choose one of: grpo"),
        (["train", *MODEL, "--steps", "three"], "--steps"),
        (["train", "--data", "linear"], "--model"),
        (["compare"], "compare needs --model, --data and --algos"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)  # fmt: skip
def test_nonsense_is_refused_with_what_to_do(words: list[str], says: str) -> None:
    """Wrong words, missing files and impossible combinations: exit code 2 and a useful sentence."""
    assert says in refusal(*words)


def test_debug_shows_the_traceback() -> None:
    """--debug and HDPO_DEBUG=1 trade the sentence for the traceback."""
    for words, env in ((["--debug"], {}), ([], {"HDPO_DEBUG": "1"})):
        done = hdpo("report", "missing", *words, **env)
        assert done.returncode != 0
        assert "Traceback" in done.stderr
        assert "DataError" in done.stderr


def test_an_interrupt_is_130() -> None:
    """Ctrl-C ends a command with the shell's code for it and no traceback."""
    child = subprocess.Popen(
        [HDPO, "cliffs", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    child.stdin.write('{"problem_id": 1, "reward": 1}\n')
    child.stdin.flush()
    # The command is waiting for more lines as soon as it no longer burns processor time.
    deadline = time.monotonic() + 30
    used = -1.0
    while time.monotonic() < deadline:
        now = sum(map(float, Path(f"/proc/{child.pid}/stat").read_text().split()[13:15]))
        if now == used and now > 0:
            break
        used = now
        time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=30)
    assert child.returncode == 130
    assert stderr == "hdpo: interrupted\n"


def test_output_cut_short_by_its_reader_is_no_error() -> None:
    """`hdpo show ... | head -1` ends quietly."""
    command = f"'{HDPO}' show linear:2 | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("0", "1", "141")


def test_show_a_family_problem() -> None:
    """Both prompts, the gold answer and the verdict of the problem that the family itself gives."""
    problem = ChainFamily("#", 6).problem("train", 0, 3)
    done = hdpo("show", "chain#6:3", "--answer", problem.gold)
    assert done.returncode == 0
    assert f"Q{problem.question}\n" in done.stdout
    assert f"P{problem.question}|{problem.gold}\n" in done.stdout
    assert "correct" in done.stdout.splitlines()[-1]


def test_show_judges_answers() -> None:
    """A wrong answer is exit code 1, so that scripts can tell; JSON holds the same facts."""
    done = hdpo("show", "linear:5", "--answer", "so \\boxed{999999}", "--json")
    assert done.returncode == 1
    facts = json.loads(done.stdout)
    assert facts["verdict"]["correct"] is False
    assert facts["verdict"]["extracted"] == "999999"
    assert facts["gold"][0] not in facts["student"][0]["content"]
    assert facts["gold"][0] in facts["teacher"][0]["content"]


def test_show_a_row_of_a_file(tmp_path: Path) -> None:
    """FILE:ROW is that row; a bad row and a row too far are refused by name."""
    path = tmp_path / "p.jsonl"
    rows = [{"question": "1+1?", "answer": 2}, {"question": "?"}, {"question": "2+2?", "answer": 4}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert "2+2?" in hdpo("show", f"{path}:3").stdout
    assert "column 'answers|answer' holds no gold answer" in refusal("show", f"{path}:2")
    assert "has no row 9" in refusal("show", f"{path}:9")
    lacking = hdpo("show", f"{path}:1")
    assert lacking.returncode == 0
    assert "has no solution" in lacking.stdout
    assert "use view='answer'" in lacking.stdout


def test_eval_measures_the_shipped_model(tmp_path: Path) -> None:
    """The table, the JSON and the rows agree, and the base model is good at sums only."""
    words = ["--model", str(BASE), "--max-tokens", "8", "--limit", "10", "--ks", "1", "8"]
    out = tmp_path / "rows.jsonl"
    done = hdpo("eval", "--data", "chain+6", *words, "--json", "--out", str(out))
    assert done.returncode == 0, done.stderr
    numbers = json.loads(done.stdout)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert numbers["problems"] == len(rows) == 10
    assert numbers["pass@1"] == pytest.approx(sum(r["correct"] / r["n"] for r in rows) / 10)
    assert numbers["pass@1"] > 0.5
    assert numbers["pass@1/low"] < numbers["pass@1"] < numbers["pass@1/high"]


@pytest.mark.slow
def test_eval_prints_a_table() -> None:
    """Estimates, cliffs and tokens for a reader; no greedy row if none was asked for."""
    words = ["--model", str(BASE), "--data", "chain#6", "--max-tokens", "8", "--limit", "10"]
    table = hdpo("eval", *words, "--no-greedy")
    assert table.returncode == 0, table.stderr
    assert table.stderr.strip() == ""
    assert "pass@8" in table.stdout
    assert "greedy" not in table.stdout


def test_report_of_a_run_folder(tmp_path: Path) -> None:
    """The page lands in the run's folder unless told otherwise; its path is printed."""
    folder = tmp_path / "grpo-seed0"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 0, "groups/cliff_rate": 0.5}\n')
    done = hdpo("report", str(folder))
    assert done.returncode == 0
    assert done.stdout.strip() == str(folder / "report.html")
    picture = str(tmp_path / "picture.svg")
    assert "holds no evaluation to draw" in refusal("report", str(folder), "--figure", picture)


def test_the_compare_line_of_the_readme_is_understood_as_typed() -> None:
    """--flags takes options although they begin with dashes; `--flags=` and no --flags work too."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    [line] = [row for row in readme.splitlines() if row.startswith("    hdpo compare --algos")]
    options = compare.parse(shlex.split(line, comments=True)[2:])
    assert (options.flags, options.seeds) == ("--steps 500", 3)
    assert compare.parse(["--flags=--steps 5", "--seeds", "2"]).flags == "--steps 5"
    assert compare.parse(["--seeds", "2"]).flags == ""
    assert "Missing value for argument '--flags'" in refusal("compare", "--flags")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cliffs", "in.jsonl", "--ids", "./in.jsonl"], "--ids in.jsonl would overwrite"),
        (["verify", "in.jsonl", "--out", "link.jsonl"], "--out link.jsonl would overwrite"),
        (["eval", "--model", "m", "--data", "in.jsonl", "--out", "in.jsonl"], "would overwrite"),
        (["export", "in.jsonl", "--to", "trl", "--out", "in.jsonl"], "would overwrite"),
        (
            ["export", "linear", "--to", "trl", "--rollouts", "in.jsonl", "--out", "in.jsonl"],
            "would overwrite",
        ),
        (["export", "in.jsonl", "--to", "verl"], "pass --out verl.parquet to replace it"),
    ],
)
def test_no_command_overwrites_what_it_reads_or_was_not_told_to(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The same file under another name counts; nothing has been touched when it is refused."""
    monkeypatch.chdir(tmp_path)
    row = {"question": "1+1?", "answer": "2", "problem_id": 1, "completion": "2", "gold": "2"}
    for name in ("in.jsonl", "verl.parquet"):
        Path(name).write_text(json.dumps(row), encoding="utf-8")
    Path("link.jsonl").symlink_to("in.jsonl")
    assert main(words) == 2
    assert says in capsys.readouterr().err
    assert all(json.loads(path.read_text()) == row for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 3
