"""The verdicts do not depend on what happens to be installed, nor on who asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.host

ROOT = Path(__file__).parents[2]
PAIRS = Path(__file__).parent / "data" / "pairs.jsonl"
VARIANTS = Path(os.environ.get("HDPO_VARIANTS", ROOT / ".venv-antlr"))
JUDGE = """
import json, sys
from hdpo_env.verifiers import MathVerifier, VerifierPool
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
items = [(f"so $\\\\boxed{{{row['answer']}}}$.", row["gold"]) for row in rows]
with VerifierPool(MathVerifier(), 1) as pool:
    print(json.dumps([[v.outcome.value, v.stage, v.reason] for v in pool.map(items)]))
"""
VERSION = """
import sympy.external.gmpy as gmpy, importlib.metadata as m
print(gmpy.GROUND_TYPES, m.version("antlr4-python3-runtime"))
"""


def run(code: str, variant: Path | None, *args: str, integers: str = "python") -> str:
    """What a fresh interpreter prints that sees one variant's packages before the others."""
    path = os.pathsep.join([*([str(variant)] if variant else []), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": path, "SYMPY_GROUND_TYPES": integers}
    command = [sys.executable, "-c", code, *args]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def plain() -> list[list[str]]:
    """The verdicts in this environment as it is."""
    return json.loads(run(JUDGE, None, str(PAIRS)))


@pytest.mark.parametrize(
    ("name", "integers", "shown"),
    [
        ("antlr-4.9.3", "python", "python 4.9.3"),
        ("antlr-4.11.1", "python", "python 4.11.1"),
        ("antlr-4.13.2", "python", "python 4.13.2"),
        ("gmpy2", "gmpy", "gmpy 4.13.2"),
        ("gmpy2", "flint", "flint 4.13.2"),
    ],
)
def test_verdicts_are_the_same_beside_any_antlr_and_gmpy2(
    plain: list[list[str]], name: str, integers: str, shown: str
) -> None:
    """Outcome, stage and reason of every labelled pair, with the variant truly in use."""
    variant = VARIANTS / name
    if not variant.is_dir():
        pytest.fail(f"{variant} is missing: `make test-antlr` installs it")
    assert run(VERSION, variant, integers=integers).strip() == shown
    assert json.loads(run(JUDGE, variant, str(PAIRS), integers=integers)) == plain
    assert sum(outcome == "correct" for outcome, _, _ in plain) > 300


# Ray's own advice about its future versions, and what its start leaves open.
@pytest.mark.filterwarnings(
    "ignore::FutureWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
)
def test_a_ray_actor_gives_the_verdicts_of_the_caller() -> None:
    """A pool pickled into a Ray actor, and a verifier used there directly, judge as here."""
    ray = pytest.importorskip("ray")
    from hdpo_env.verifiers import MathVerifier, VerifierPool

    rows = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    items = [(f"so $\\boxed{{{row['answer']}}}$.", row["gold"]) for row in rows]

    class Judge:
        """A user's actor."""

        def __init__(self, pool: VerifierPool) -> None:
            self.pool = pool

        def map(self, pairs: list[tuple[str, str]]) -> list[str]:
            return [verdict.outcome.value for verdict in self.pool.map(pairs)]

        def one_by_one(self, pairs: list[tuple[str, str]]) -> list[str]:
            verifier = MathVerifier()
            return [verifier.verify(*pair).outcome.value for pair in pairs]

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        with VerifierPool(MathVerifier(), 1) as pool:
            here = [verdict.outcome.value for verdict in pool.map(items)]
            actor = ray.remote(Judge).remote(pool)
            assert ray.get(actor.map.remote(items), timeout=300) == here
            assert ray.get(actor.one_by_one.remote(items), timeout=300) == here
    finally:
        ray.shutdown()
