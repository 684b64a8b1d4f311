"""The examples and the README's quickstart run as they are written, cut to a few steps."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import hdpo_plugins.trl

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
ROOT = Path(__file__).parents[3]


def laptop_command(path: Path) -> list[str]:
    """The command that the file's docstring gives for a laptop."""
    text = (ast.get_docstring(ast.parse(path.read_text())) or "").split("On a laptop")[1]
    [command] = re.findall(r"^    python (.+?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return shlex.split(command.replace("\\\n", " "))


@pytest.mark.parametrize("name", ["hdpo_grpo.py", "sdpg.py", "sdpo_privileged_column.py"])
def test_an_example_runs_by_its_own_command(name: str, tmp_path: Path) -> None:
    """The documented laptop command trains; only steps, batch and output folder are changed."""
    command = laptop_command(ROOT / "examples" / "trl" / name)
    assert command[0] == f"examples/trl/{name}"
    small = "--max_steps 2 --per_device_train_batch_size 32 --num_problems 64 --logging_steps 1"
    quiet = f"--report_to none --save_strategy no --output_dir {tmp_path}"
    done = subprocess.run(
        [sys.executable, *command, *small.split(), *quiet.split()],
        cwd=ROOT, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "at first" in done.stdout.splitlines()[-1]


def test_the_quickstart_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's Python block trains and finds cliffs, cut to two steps."""
    readme = Path(hdpo_plugins.trl.__file__).with_name("README.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert code.count("\n") <= 20
    assert "max_steps=60" in code
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    scope: dict[str, object] = {}
    exec(code.replace("max_steps=60", "max_steps=2, report_to=[]"), scope)
    state = scope["trainer"].state  # type: ignore[attr-defined]
    assert state.global_step == 2
