"""verifiers 0.3.1: its loader and its evaluation loop against a local endpoint."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from hdpo_env.problems import PROBLEMS
from hdpo_env.types import Problem
from hdpo_plugins.verifiers.contract import HOSTS, evaluate_v0

# Warnings of the host and of what it imports are not ours to mend.
pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
V0 = HOSTS[0]


@pytest.mark.parametrize("what", V0.exercises)
def test_the_contract(what: str) -> None:
    """Each promise is kept by the installed version, which is a tested one."""
    assert V0.installed in V0.tested
    V0.exercises[what]()


def test_groups_keep_their_problem() -> None:
    """With several rollouts a problem, rewards follow the problem and not the order of arrival."""
    import verifiers as vf

    environment = vf.load_environment(
        "hdpo_plugins.verifiers.v0", problems="arithmetic", size=4, eval_size=4, level=1
    )
    rows = list(environment.eval_dataset)
    golds = {row["prompt"][-1]["content"]: row["answer"] for row in rows}
    first = rows[0]["prompt"][-1]["content"]

    def reply(prompt: str) -> str:
        return rf"\boxed{{{golds[prompt]}}}" if prompt == first else "I give up"

    outputs = evaluate_v0(environment, reply, rollouts_per_example=3)
    assert len(outputs) == 12
    for output in outputs:
        expected = float(output["prompt"][-1]["content"] == first)
        assert output["reward"] == expected


def test_a_file_is_trained_on_and_its_first_problems_are_evaluated(tmp_path: Path) -> None:
    """By its path, through the host's own loader."""
    import verifiers as vf

    path = tmp_path / "mine.jsonl"
    path.write_text("".join(Problem(f"{i}+0=?", (str(i),)).to_json() + "\n" for i in range(6)))
    environment = vf.load_environment("hdpo_plugins.verifiers.v0", problems=str(path), eval_size=4)
    assert [row["answer"] for row in environment.dataset] == list("012345")
    assert [row["answer"] for row in environment.eval_dataset] == list("0123")
    outputs = evaluate_v0(environment, lambda prompt: rf"\boxed{{{prompt[0]}}}")
    assert [output["reward"] for output in outputs] == [1.0] * 4


def test_the_example_runs() -> None:
    """An endpoint that always answers 7 is right exactly where 7 is."""
    example = Path(__file__).parents[3] / "examples" / "verifiers" / "evaluate_v0.py"
    golds = [p.gold for p in PROBLEMS["linear"](split="eval", size=4, level=1)]
    rewards = runpy.run_path(str(example))["main"]()
    assert sorted(rewards) == sorted(float(gold == "7") for gold in golds)
