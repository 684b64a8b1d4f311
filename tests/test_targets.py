"""``hdpo check`` and the pytest plugin: right things pass, broken ones fail with a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hdpo_env import cli
from hdpo_env.errors import ConfigError
from hdpo_env.targets import check_target, shipped_targets

OWN = """
from hdpo_env.env import MathEnv
from hdpo_env.types import Problem
from hdpo_env.verifiers import ExactVerifier

class Generous(ExactVerifier):
    def verify(self, completion, gold, *, finish_reason=None):
        return super().verify(str(gold if isinstance(gold, str) else gold[0]), gold)

class Raising(ExactVerifier):
    def verify(self, completion, gold, *, finish_reason=None):
        raise OSError("no such grammar")

def factory():
    raise RuntimeError("no key")

problems = [Problem("1+1", ("2",), verifier="exact")]
same_id = [Problem("a", ("1",), id="x"), Problem("b", ("2",), id="x")]

def env():
    return MathEnv(problems)

class Loud(MathEnv):
    def step(self, action):
        return 3, *super().step(action)[1:]

def loud():
    return Loud(problems)

number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a user's."""
    (tmp_path / "own_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("own_parts", None)
    return "own_parts"


def test_a_kind_is_recognised(own: str) -> None:
    """Objects and factories, ours and theirs, each by the contract of its kind."""
    assert check_target(f"{own}:env") == "environment"
    assert check_target(f"{own}:problems") == "problem source"
    assert check_target("hdpo_env.verifiers:ExactVerifier") == "verifier"
    assert check_target("hdpo/linear-v0") == "environment"
    assert len(shipped_targets()) > 20


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("Generous", "was judged CORRECT"),
        ("same_id", "share the id"),
        ("loud", "not within the observation space"),
    ],
)
def test_a_broken_part_is_found(own: str, target: str, complaint: str) -> None:
    """A verifier that pays everything, a source with one id for two, a leaking environment."""
    with pytest.raises((AssertionError, Warning)) as found:
        check_target(f"{own}:{target}")
    assert complaint in str(found.value)


@pytest.mark.parametrize("target", ["hdpo/nothing-v0", "own_parts:nothing", "own_parts:number"])
def test_what_has_no_contract_is_refused(own: str, target: str) -> None:
    """The sentence says what to give instead."""
    with pytest.raises(ConfigError, match=r"give|cannot find"):
        check_target(target)


def test_the_command_on_own_parts(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 when all is kept, 1 when something is broken, and JSON for machines."""
    assert cli.main(["check", f"{own}:env", "exact"]) == 0
    assert "2 promises kept, 0 broken, 0 not exercised" in capsys.readouterr().out
    assert cli.main(["check", f"{own}:env", f"{own}:same_id", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [f["status"] for f in found] == ["ok", "failed"]


@pytest.mark.parametrize("target", [":", ":x", "mine:", "./mine.py:Src", "mine.py/x:Src"])
def test_what_is_no_module_and_name_is_refused(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip of the command line is no broken part: exit code 2, and how to write it."""
    assert cli.main(["check", target]) == 2
    told = capsys.readouterr().err
    assert "for Source in mine.py of this folder give mine:Source" in told


def test_own_parts_are_found_in_the_folder_where_one_stands(tmp_path: Path) -> None:
    """The console script reads mine.py beside it, even where the library has an imp of its own."""
    (tmp_path / "imp.py").write_text(OWN)
    hdpo = Path(sys.executable).with_name("hdpo")
    found = subprocess.run(
        [hdpo, "check", "imp:problems", "--json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert [f["detail"] for f in json.loads(found.stdout)] == ["problem source"]
    missing = subprocess.run(
        [hdpo, "check", "mine:Bad"], cwd=tmp_path, capture_output=True, text=True
    )
    assert missing.returncode == 2
    assert "looked in this folder, in PYTHONPATH" in missing.stderr


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("def __len__(self): return 0\n    def __getitem__(self, i): ...", "__iter__"),
        ("def verify(self, completion, gold): ...", "a verifier it would be with name, version"),
        ("name = version = 'x'", "a verifier it would be with verify"),
        ("pass", "one that makes one"),
    ],
)
def test_what_a_class_lacks_is_named(
    body: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The members of the contract that it is nearest to; nothing of one it has no member of."""
    (tmp_path / "lacking.py").write_text(f"class Part:\n    {body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("lacking", None)
    with pytest.raises(ConfigError) as refused:
        check_target("lacking:Part")
    assert str(refused.value).endswith(says.replace("one that", "without arguments that"))


def test_a_part_that_raises_is_broken_and_the_rest_is_checked(
    own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A verifier's or a factory's own error is a finding, which names it, and stops nothing."""
    targets = [f"{own}:{name}" for name in ("Raising", "factory", "env")]
    assert cli.main(["check", *targets, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [f["status"] for f in found] == ["failed", "failed", "ok"]
    assert "no such grammar" in found[0]["detail"]
    assert found[1]["detail"] == "RuntimeError: no key"


def test_the_command_on_hosts(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not installed is said, is no failure, and is one if it was required."""
    assert cli.main(["check", "--host", "slime", "--host", "gem"]) == 0
    said = capsys.readouterr().out
    assert "gem-llm is not installed" in said
    assert "0 broken, 4 not exercised" in said
    assert cli.main(["check", "--require", "gem"]) == 1
    assert "pip install 'gem-llm==0.1.0'" in capsys.readouterr().out
    assert cli.main(["check", "--list"]) == 0
    assert "verl: not installed; tested with 0.9.1" in capsys.readouterr().out
    assert cli.main(["check", "--host", "vrel"]) == 2


def test_a_host_may_be_a_target(capsys: pytest.CaptureFixture[str]) -> None:
    """``host:NAME`` is what the pytest plugin calls it, beside parts and alone."""
    assert cli.main(["check", "host:slime", "exact"]) == 0
    together = capsys.readouterr().out
    assert "ok  hdpo_env: exact" in together
    assert cli.main(["check", "host:slime"]) == cli.main(["check", "--host", "slime"]) == 0
    alone = capsys.readouterr().out
    half = len(alone) // 2
    assert alone[:half] == alone[half:]
    assert "slime: " in alone
    assert "hdpo_env" not in alone
    assert cli.main(["check", "host:vrel"]) == 2


def test_checking_needs_no_extra() -> None:
    """With tyro, rich and torch hidden the command still runs."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('tyro', 'rich', 'torch'))); "
        "from hdpo_env.cli import main; sys.exit(main(['check', 'exact', 'linear']))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def run_pytest(folder: Path, *options: str) -> str:
    """What pytest prints for these options in an empty folder."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout


def test_the_pytest_plugin(own: str, tmp_path: Path) -> None:
    """Targets become tests that pass, fail with the sentence, or are skipped with the reason."""
    (tmp_path / "conftest.py").write_text("import sys; sys.path.insert(0, '.')")
    checks = [f"{own}:env", f"{own}:same_id", "host:gem", "host:slime"]
    said = run_pytest(tmp_path, *(f"--hdpo-check={target}" for target in checks))
    assert "1 failed, 6 passed, 4 skipped" in said
    assert "share the id x" in said
    assert "gem-llm is not installed" in said


def test_without_the_option_the_plugin_does_nothing(tmp_path: Path) -> None:
    """No test appears."""
    assert "no tests ran" in run_pytest(tmp_path)
