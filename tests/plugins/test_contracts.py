"""Promises to other libraries that hold without them, and checks that can tell when they do not."""

from __future__ import annotations

import abc
import doctest
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from hdpo_env.conformance import (
    Host,
    Signature,
    check_host,
    check_promise,
    host_named,
    hosts,
    resolve,
    serves,
)
from hdpo_env.errors import MissingDependencyError, RegistryError
from hdpo_env.types import Problem

HOSTS = hosts()
RECORDED = [(h.name, s.ours) for h in HOSTS.values() for s in h.recorded]
OFFLINE = [(h.name, what) for h in HOSTS.values() for what in h.offline]


@pytest.mark.parametrize(("name", "ours"), RECORDED)
def test_our_functions_fit_the_recorded_calls(name: str, ours: str) -> None:
    """A host's call, as its source was recorded, fits our function; the record names its commit."""
    signature = next(s for s in HOSTS[name].recorded if s.ours == ours)
    signature.check()
    assert len(signature.commit) == 40
    assert "/" in signature.source


@pytest.mark.parametrize(("name", "what"), OFFLINE)
def test_promises_without_the_library(name: str, what: str) -> None:
    """What needs no library holds here."""
    finding = check_promise(HOSTS[name], what)
    assert (finding.status, finding.detail) == ("ok", "without the library")


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_each_host_says_what_a_fault_becomes(host: Host) -> None:
    """An adapter names the fate of an abstention, and was either run or held to a recorded call."""
    assert len(host.abstention) > 10
    assert host.tested or host.recorded


def plain(args: Any, sample: Any) -> float:
    return 0.0


def needy(args: Any, sample: Any, *, key: str) -> float:
    return 0.0


async def patient(args: Any, sample: Any) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("ours", "parameters", "more", "complaint"),
    [
        (plain, ("args", "sample"), False, None),
        (plain, ("args",), False, "needs ['sample']"),
        (plain, ("args", "samples"), False, "passes ('args', 'samples')"),
        (plain, ("args", "sample"), True, "must accept further keywords"),
        (needy, ("args", "sample"), False, "needs ['key']"),
        (patient, ("args", "sample"), False, "must be a plain function"),
    ],
)
def test_a_call_that_does_not_fit_is_found(
    ours: Callable, parameters: tuple, more: bool, complaint: str | None, monkeypatch: Any
) -> None:
    """Each way not to fit has its sentence."""
    module = ModuleType("hosted")
    module.f = ours  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hosted", module)
    signature = Signature("hosted:f", parameters, "a/b c.py", "0" * 40, takes_more=more)
    if complaint is None:
        signature.check()
    else:
        with pytest.raises(AssertionError) as found:
            signature.check()
        assert complaint in str(found.value)


def fails() -> None:
    raise AssertionError("the promise is broken")


def test_a_check_says_what_was_not_exercised() -> None:
    """Kept, broken and not exercised promises are told apart, with versions."""
    here = Host("here", "pytest", (pytest.__version__,), "none", exercises={"a": lambda: None})
    assert [f.status for f in check_host(here)] == ["ok"]
    broken = replace(here, exercises={"a": fails}, offline={"b": fails})
    found = list(check_host(broken))
    assert [f.status for f in found] == ["failed", "failed"]
    assert "the promise is broken" in found[0].detail
    (absent,) = check_host(replace(here, distribution="no-such-host"))
    assert (absent.status, absent.detail) == ("not exercised", "no-such-host is not installed")
    (older,) = check_host(replace(here, tested=("0.1.0",)))
    assert older.status == "not exercised"
    assert "another line than 0.1.0" in older.detail


def test_versions_of_one_line_are_served_alike() -> None:
    """0.3.1 and 0.3.9 are one line, 0.30 and 0.4 others."""
    host = Host("h", "h", ("0.3.1",), "none")
    assert [serves(host, v) for v in ("0.3.9", "0.30.1", "0.4.0", None)] == [
        True,
        False,
        False,
        False,
    ]


def test_an_unknown_host_is_named_with_the_choices() -> None:
    """The error lists what there is."""
    with pytest.raises(RegistryError, match=r"unknown host 'vrel'; choose one of: .*verl"):
        host_named("vrel")


NEEDS_HOST = {
    "hdpo_plugins.verl.algorithms": "verl==0.9.1",
    "hdpo_plugins.verifiers.v1": "verifiers==0.4.0",
    "hdpo_plugins.openenv.serve": "openenv-core==0.3.0",
    "hdpo_plugins.openenv.client": "openenv-core==0.3.0",
    "hdpo_plugins.skyrl.environment": "skyrl-gym==0.4.0",
    "hdpo_plugins.gem.environment": "gem-llm==0.1.0",
}


@pytest.mark.parametrize(("module", "install"), NEEDS_HOST.items())
def test_without_the_host_an_adapter_says_what_to_install(module: str, install: str) -> None:
    """One sentence with the command, instead of a traceback about somebody else's module."""
    with pytest.raises(MissingDependencyError, match=f"pip install '{install}'"):
        import_module(module)


def test_reading_the_contracts_loads_neither_torch_nor_a_host() -> None:
    """`hosts()` is cheap enough for a command that only lists."""
    code = (
        "import sys; from hdpo_env.conformance import hosts; hosts(); "
        "print(sorted({'torch', 'sympy', 'verl', 'trl', 'openenv', 'gem'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def module_with(monkeypatch: Any, name: str, **content: Any) -> None:
    """A module of a host, holding what was recorded of it."""
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:i]), ModuleType(".".join(parts[:i])))
    for key, value in content.items():
        setattr(sys.modules[name], key, value)


def test_nemo_rl_gets_its_own_return_type(monkeypatch: Any) -> None:
    """The batch comes back in the recorded fields; the class has the recorded base."""

    class EnvironmentReturn(NamedTuple):
        observations: list
        metadata: list
        next_stop_strings: list
        rewards: Any
        terminateds: Any
        answers: list | None = None

    class EnvironmentInterface(abc.ABC):
        @abc.abstractmethod
        def step(self, message_log_batch: Any, metadata: Any) -> Any: ...
        @abc.abstractmethod
        def global_post_process_and_metrics(self, batch: Any) -> Any: ...

    module_with(
        monkeypatch,
        "nemo_rl.environments.interfaces",
        EnvironmentReturn=EnvironmentReturn,
        EnvironmentInterface=EnvironmentInterface,
    )
    environment = resolve("hdpo_plugins.nemo_rl.environment:environment_class")()()
    logs = [[{"role": "assistant", "content": rf"\boxed{{{n}}}"}] for n in (4, 5, 4)]
    found = environment.step(logs, [{"ground_truth": g} for g in ("4", "4", " ")])
    assert found.rewards.tolist() == [1.0, 0.0, 0.0]
    assert found.terminateds.tolist() == [1.0, 1.0, 1.0]
    assert [m["abstained"] for m in found.metadata] == [False, False, True]
    assert found.answers[:2] == ["4", "5"]
    batch = {"rewards": found.rewards, "is_end": found.rewards * 0 + 1}
    _, metrics = environment.global_post_process_and_metrics(batch)
    assert metrics["accuracy"] == pytest.approx(1 / 3)
    assert metrics["abstentions"] == 1
    _, metrics = environment.global_post_process_and_metrics(batch)
    assert metrics["abstentions"] == 0, "abstentions of an earlier batch are counted again"


def test_slime_gets_its_own_filter_output(monkeypatch: Any) -> None:
    """Only mixed groups are kept; the reason is the kind."""
    from hdpo_plugins.slime.contract import Sample
    from hdpo_plugins.slime.rewards import dynamic_filter

    @dataclass
    class DynamicFilterOutput:
        keep: bool
        reason: str | None = None

    module_with(
        monkeypatch, "slime.rollout.filter_hub.base_types", DynamicFilterOutput=DynamicFilterOutput
    )
    verdicts = {"cliff": (0.0, 0.0), "saturated": (1.0, 1.0), "undecided": (0.0, None)}
    for kind, accs in verdicts.items():
        samples = [Sample(metadata={"acc": acc}) for acc in accs]
        assert dynamic_filter(None, samples, rollout_id=1) == DynamicFilterOutput(False, kind)
    mixed = [Sample(metadata={"acc": acc}) for acc in (0.0, 1.0)]
    assert dynamic_filter(None, mixed) == DynamicFilterOutput(True)


def test_tinker_gets_a_subclass_of_its_own(monkeypatch: Any) -> None:
    """The host's constructor arguments reach the host."""

    class ProblemEnv:
        def __init__(self, renderer: Any, convo_prefix: Any = None, format_coef: float = 0.1):
            self.renderer, self.format_coef = renderer, format_coef

    module_with(monkeypatch, "tinker_cookbook.rl.problem_env", ProblemEnv=ProblemEnv)
    made = resolve("hdpo_plugins.tinker.environment:environment_class")()(
        Problem("q", ("1",)), "a renderer", format_coef=0.0
    )
    assert isinstance(made, ProblemEnv)
    assert (made.renderer, made.format_coef, made.check_answer(r"\boxed{1}")) == (
        "a renderer",
        0,
        1,
    )


@pytest.mark.parametrize("module", ["verl.reward"])
def test_docstring_examples_run(module: str) -> None:
    """What the docstrings of host-free modules show is what happens."""
    found = doctest.testmod(import_module(f"hdpo_plugins.{module}"))
    assert (found.attempted > 0, found.failed) == (True, 0)
