"""``hdpo serve`` as a process: it says where, serves both doors, and ends when told to."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from hdpo_env.problems import PROBLEMS
from hdpo_env.types import Problem

# Warnings of the hosts and of what they import are not ours to mend.
pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]


@contextmanager
def serving(*what: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """A running server and its address without the scheme."""
    command = [sys.executable, "-m", "hdpo_env.cli", "serve", *what]
    more = ["--port", "0", "--max-turns", "2", "--verifier", "math", "--workers", "1"]
    process = subprocess.Popen([*command, *more], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = ""
        for said in process.stderr:
            if said.startswith("serving"):
                break
        found = re.search(r"ws://([\d.]+:\d+)/ws", said)
        assert found, said
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_file_is_served(tmp_path: Path) -> None:
    """A problem of a file over the WebSocket, whose bad row is told and costs itself."""
    from hdpo_plugins.openenv.client import MathClient

    path = tmp_path / "mine.jsonl"
    path.write_text(Problem("1+1=?", ("2",), id="own").to_json() + "\nno row\n")
    with serving(str(path)) as (_, at), MathClient(f"http://{at}").sync() as client:
        shown = client.reset(problem_id="own").observation
        assert "1+1=?" in shown.text
        assert client.step(r"\boxed{2}").reward == 1.0


def test_both_doors_and_a_graceful_end() -> None:
    """An episode over the WebSocket, a verdict over HTTP, SIGTERM while a session is open."""
    from hdpo_plugins.openenv.client import MathClient

    problem = PROBLEMS["linear"](level=2)[3]
    with (
        serving("linear", "--set", "level=2") as (process, at),
        MathClient(f"http://{at}").sync() as client,
    ):
        shown = client.reset(index=3).observation
        assert shown.problem_id == problem.id
        assert problem.question in shown.text
        assert client.step("no idea").done is False
        assert client.step(rf"\boxed{{{problem.gold}}}").reward == 1.0
        body = json.dumps({"completion": r"\boxed{0.5}", "gold": "1/2"}).encode()
        request = Request(f"http://{at}/verify", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as answer:
            assert json.load(answer)["correct"] is True
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) in (0, -signal.SIGTERM)


def test_a_wrong_source_is_refused_before_anything_listens() -> None:
    """Exit code 2 and the choices."""
    command = [sys.executable, "-m", "hdpo_env.cli", "serve", "lineal", "--port", "0"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.returncode == 2
    assert "choose one of" in found.stderr
