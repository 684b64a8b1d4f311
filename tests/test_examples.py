"""Every example runs. Those that need a library run where it is installed, in its host tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
HOSTS = ("verl", "verifiers", "openenv", "skyrl", "gem", "slime", "nemo_rl", "prime_rl", "tinker")
TOO_LONG = {"pretrain_chain.py"}  # trains a model; the package ships what it makes


def run(name: str, *args: Any) -> Any:
    """What an example's ``main`` returns; the module has a name, so its classes can be pickled."""
    spec = importlib.util.spec_from_file_location(f"example_{Path(name).stem}", EXAMPLES / name)
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(*args)


def test_cliff_statistics() -> None:
    """The posterior, from counts alone, is within five points of the truth."""
    found = run("cliff_statistics.py")
    gap = found["p_not_cliff_next_time"] - found["true_p_not_cliff_next_time"]
    assert abs(gap) < 0.05
    assert 0.2 < found["cliff_rate"] < 0.6


def test_own_verifier() -> None:
    """The wrong numeral earns nothing, the right one is paid."""
    assert run("own_verifier.py") == [0.0, 1.0]


def test_own_problem_source() -> None:
    """One right of two is mixed, none of two a cliff."""
    assert run("own_problem_source.py") == ["mixed", "cliff"]


def test_own_view() -> None:
    """Each view teaches at about its simulated worth: 30 % and 90 % of 120 rollouts."""
    kept = run("own_view.py")
    assert kept["first_line"] == pytest.approx(36, abs=15)
    assert kept["solution"] == pytest.approx(108, abs=10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("slime/rewards.py", "mixed"),
        ("nemo_rl/verdicts.py", [True, False]),
        ("tinker/problem.py", [1.0, 0.0]),
    ],
)
def test_hosts_held_to_recorded_calls(name: str, expected: object) -> None:
    """What needs no library runs here."""
    assert run(name) == expected


def test_prime_rl_advantages() -> None:
    """Leave-one-out over the population std of the three that were judged; the fault gets 0."""
    first, second, third, fault = run("prime_rl/advantages.py")
    std = (2 / 9) ** 0.5
    assert [first, second, third] == pytest.approx([1 / std, -0.5 / std, -0.5 / std], rel=1e-4)
    assert fault == 0.0


def test_no_example_is_left_out() -> None:
    """Each top-level example is run above or named as too long; others in their host's tests."""
    here = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert path.name in TOO_LONG or f'run("{path.name}")' in here
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.rglob("test_*.py"))
    for host in HOSTS:
        for path in (EXAMPLES / host).glob("*.py"):
            assert path.name in tests, f"no test runs examples/{host}/{path.name}"
