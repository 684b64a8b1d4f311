"""How the two papers measure: sample counts, temperatures and what is reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hdpo_env.errors import DataError
from hdpo_env.evaluation.report import EvalReport, evaluate
from hdpo_env.prompts import student_prompt
from hdpo_env.rollouts import Judge, Policy, judge
from hdpo_env.stats import Estimate
from hdpo_env.types import Problem, Prompt


@dataclass(frozen=True)
class Protocol:
    """A way to evaluate.

    ``problems`` is how many held-out problems it takes, None all of them; ``mean_at`` asks for the
    mean accuracy over so many samples a problem (mean@n, which is pass@1 from n samples).
    """

    about: str
    samples: int
    ks: tuple[int, ...]
    problems: int | None = None
    temperature: float = 1.0
    greedy: bool = False
    mean_at: int | None = None


PROTOCOLS = {
    "hdpo": Protocol(
        "HDPO, arXiv 2603.23871: pass@1, pass@4 and pass@8 on 2,048 held-out problems",
        samples=8,
        ks=(1, 4, 8),
        problems=2048,
    ),
    "sdpg": Protocol(
        "SDPG, arXiv 2606.04036: pass@1 as the mean of 32 samples a problem (mean@32)",
        samples=32,
        ks=(1,),
        mean_at=32,
    ),
}


class ProtocolReport(NamedTuple):
    """The numbers a protocol names, such as "pass@8" or "mean@32", and the report behind them."""

    numbers: dict[str, Estimate | None]
    report: EvalReport


def run_protocol(
    policy: Policy,
    problems: Sequence[Problem],
    protocol: str | Protocol,
    *,
    max_tokens: int,
    seed: int,
    prompt_of: Callable[[Problem], Prompt] = student_prompt,
    judge: Judge = judge,
) -> ProtocolReport:
    """Evaluate exactly as a protocol says, on its first ``problems`` problems.

    Raises:
        DataError: there are fewer problems than the protocol takes, or its name is unknown.
    """
    chosen = _named(protocol)
    if chosen.problems is not None and len(problems) < chosen.problems:
        raise DataError(
            f"the protocol takes {chosen.problems} held-out problems and there are "
            f"{len(problems)}: give more, or a Protocol of your own with problems=None"
        )
    report = evaluate(
        policy,
        problems[: chosen.problems],
        n=chosen.samples,
        ks=chosen.ks,
        temperature=chosen.temperature,
        max_tokens=max_tokens,
        seed=seed,
        greedy=chosen.greedy,
        prompt_of=prompt_of,
        judge=judge,
    )
    numbers = {f"pass@{k}": report.pass_at[k] for k in chosen.ks}
    if chosen.mean_at is not None:
        numbers[f"mean@{chosen.mean_at}"] = numbers.pop("pass@1")
    return ProtocolReport(numbers, report)


def _named(protocol: str | Protocol) -> Protocol:
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise DataError(f"unknown protocol {protocol!r}: choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol]
