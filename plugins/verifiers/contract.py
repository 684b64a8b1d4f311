"""What we promise to both lines of verifiers, driven through their own loaders and scoring."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hdpo_env.conformance import Host
from hdpo_env.problems.source import PROBLEMS
from hdpo_plugins.verifiers.endpoint import answering

_SETTINGS = {"problems": "linear", "size": 4, "level": 1}


def evaluate_v0(environment: Any, reply: Callable[[str], str], **settings: Any) -> list[Any]:
    """Rollouts of a v0 environment through ``evaluate``, the endpoint answering by ``reply``."""
    from verifiers.types import ClientConfig

    os.environ.setdefault("HDPO_NO_KEY", "none")
    with answering(reply) as url:
        client = ClientConfig(api_base_url=url, api_key_var="HDPO_NO_KEY")
        ask = environment.evaluate(client=client, model="m", num_examples=4, **settings)
        return asyncio.run(ask)["outputs"]


def rollouts_v0() -> None:
    """``vf.load_environment`` and ``evaluate``: half the answers right, one problem unjudgeable."""
    from hdpo_plugins.verifiers.v0 import library

    environment = library().load_environment(
        "hdpo_plugins.verifiers.v0", view="answer", eval_size=4, **_SETTINGS
    )
    problems = list(PROBLEMS["linear"](split="eval", size=4, level=1))
    golds = {p.question: p.gold for p in problems}
    solved = {p.question for p in problems[:2]}

    def reply(prompt: str) -> str:
        question = next(q for q in golds if q in prompt)
        return rf"\boxed{{{golds[question]}}}" if question in solved else r"\boxed{-10^9}"

    outputs = evaluate_v0(environment, reply)
    assert sorted(o["reward"] for o in outputs) == [0.0, 0.0, 1.0, 1.0], outputs
    assert all(o["error"] is None for o in outputs)
    demonstration = environment.dataset[0]["info"]["demonstration"]
    assert environment.dataset[0]["answer"] in demonstration


def abstention_v0() -> None:
    """A fault of the verifier is an error of the rollout, so that nobody trains on its 0."""
    from hdpo_env.types import Problem
    from hdpo_plugins.verifiers.v0 import load_environment

    environment = load_environment([Problem("q", (" \\frac{1}{",))])
    (output,) = evaluate_v0(environment, lambda _: r"\boxed{1}")
    assert (output["reward"], output["error"] is None) == (0.0, False), output
    assert "abstained" in str(output["error"]), output["error"]


def taskset(**settings: Any) -> Any:
    """Our taskset through v1's loader, from a module of the user's as its documentation asks."""
    from hdpo_plugins.verifiers.v1 import HdpoConfig, vf

    with TemporaryDirectory() as folder:
        Path(folder, "my_hdpo_math.py").write_text(
            "from hdpo_plugins.verifiers.v1 import HdpoTaskset\n__all__ = ['HdpoTaskset']\n"
        )
        sys.path.insert(0, folder)
        try:
            return vf.load_taskset(HdpoConfig(id="my-hdpo-math", **settings))
        finally:
            sys.path.remove(folder)


def trace_of(task: Any, reply: str) -> Any:
    """A trace whose last reply is ``reply``."""
    from hdpo_plugins.verifiers.v1 import vf

    traced = vf.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash)
    agent = vf.AgentInfo(id="agent", config=vf.AgentConfig())
    trace = vf.Trace(task=traced, agent=agent)
    trace.root_reply = reply
    return trace


def scoring_v1() -> None:
    """Loading, identity, validation and offline scoring through the host's own ``score``."""
    loaded = list(taskset(size=3, view="answer", settings={"level": 1}))
    problems = list(PROBLEMS["linear"](size=3, level=1))
    assert [t.key for t in loaded] == [p.id for p in problems]
    assert asyncio.run(loaded[0].validate(None)) is True
    assert problems[0].gold in loaded[0].data.demonstration
    for reply, expected in ((rf"\boxed{{{problems[0].gold}}}", 1.0), ("no", 0.0)):
        trace = trace_of(loaded[0], reply)
        asyncio.run(loaded[0].score(trace))
        assert (trace.reward, trace.rewards["correct"].value) == (expected, expected)


def abstention_v1() -> None:
    """A fault of the verifier leaves the reward unset and raises the host's own task error."""
    from hdpo_env.types import Problem
    from hdpo_plugins.verifiers.v1 import HdpoTask, data_of, vf

    task = HdpoTask(data_of(Problem("q", (" \\frac{1}{",))))
    trace, said = trace_of(task, r"\boxed{1}"), "nothing was raised"
    try:
        asyncio.run(task.score(trace))
    except vf.TaskError as error:
        said = f"{error} {error.__cause__}"
    assert "abstained" in said, said
    assert trace.rewards == {"correct": None}, trace.rewards
    assert asyncio.run(task.validate(None)) is False


HOSTS = (
    Host(
        "verifiers-v0",
        distribution="verifiers",
        tested=("0.3.1",),
        abstention='the rollout\'s `state["error"]` is set (trainers leave it out); counted',
        exercises={
            "load_environment and evaluate": rollouts_v0,
            "abstention": abstention_v0,
        },
    ),
    Host(
        "verifiers-v1",
        distribution="verifiers",
        tested=("0.4.0",),
        abstention="the reward stays None and the trace records the error",
        exercises={"load_taskset, validate, score": scoring_v1, "abstention": abstention_v1},
    ),
)
