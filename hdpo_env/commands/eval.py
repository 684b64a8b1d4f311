"""``hdpo eval``: pass@k of a model on problems, with intervals over problems."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from hdpo_env.commands.places import ColumnsOption, check_out, find_problems
from hdpo_env.config import check_ks
from hdpo_env.errors import ConfigError
from hdpo_env.prompts import TEMPLATES
from hdpo_env.types import Group, Problem, derive_seed

if TYPE_CHECKING:
    from hdpo_env.evaluation import EvalReport
    from hdpo_env.rollouts import Policy

_CHUNK = 16  # problems sampled at a time: progress is seen, and the seeds do not depend on --limit


@dataclass(frozen=True)
class Options:
    """Measure pass@k of a model on problems, with 95 % intervals over problems."""

    model: str
    """Folder of a Hugging Face checkpoint, or a hub id."""
    data: str
    """Problem file (jsonl, json, parquet), hub id, or a family: linear:level=3, chain#6."""
    field_map: ColumnsOption = "plain"
    split: str = "eval"
    """Split of a family (train, eval, test) or of a hub data set."""
    limit: int = 200
    """Number of problems."""
    n: int = 8
    """Completions per problem."""
    ks: tuple[int, ...] = (1, 4, 8)
    """Which pass@k; none may exceed n."""
    maj: tuple[int, ...] = ()
    """Also the accuracy of a majority vote among so many completions."""
    temperature: float = 1.0
    """Of the sampling distribution."""
    max_tokens: int = 1024
    """A completion longer than this is cut and counted as truncated."""
    template: str | None = None
    """Words around the question: boxed, plain or chain; the problem's own by default."""
    greedy: bool = True
    """Also take one greedy completion per problem."""
    views: tuple[str, ...] = ()
    """Instead rank these privileged views (or all) on the problems that no completion solved."""
    seed: int = 0
    """Of the sampling."""
    json: bool = False
    """Print the numbers as JSON instead of a table."""
    out: Path | None = None
    """Also write one JSON line per problem to this file."""


def run(options: Options) -> int:
    """Sample, judge, and print the estimates."""
    _check(options)
    check_out("--out", options.out, [options.data])
    problems = find_problems(
        options.data,
        field_map=options.field_map,
        split=options.split,
        limit=options.limit,
        seed=options.seed,
    )
    if options.views:
        from hdpo_env.commands import views

        return views.run(_policy(options.model), problems, options)
    report = measure(_policy(options.model), problems, options)
    if options.out is not None:
        rows = "".join(json.dumps(row) + "\n" for row in report.rows())
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(rows, encoding="utf-8")
    if options.json:
        print(json.dumps(_numbers(report, options), indent=2))
    else:
        _print_table(report, options)
    return 0


def _policy(model: str) -> Policy:
    from transformers.utils.logging import disable_progress_bar

    from hdpo_env.policies.hf import HFPolicy

    disable_progress_bar()
    return HFPolicy.load(model)


def _check(options: Options) -> None:
    if options.n < 1 or options.limit < 1 or options.max_tokens < 1:
        raise ConfigError(
            f"--n is {options.n}, --limit {options.limit}, --max-tokens {options.max_tokens}: "
            "each must be at least 1"
        )
    if not options.ks:
        raise ConfigError("--ks is empty: name at least one k, such as --ks 1")
    check_ks(options.ks, options.n)
    check_ks(options.maj, options.n)
    if options.temperature <= 0:
        raise ConfigError(
            f"--temperature is {options.temperature}: choose one > 0; greedy accuracy is measured "
            "besides"
        )
    if options.template is not None:
        TEMPLATES[options.template]  # an unknown name is refused before a model is loaded


def measure(policy: Policy, problems: Sequence[Problem], options: Options) -> EvalReport:
    """Sample ``n`` completions and a greedy one per problem, with a progress bar, and report."""
    from rich.progress import track

    from hdpo_env.evaluation import report_of
    from hdpo_env.prompts import student_prompt
    from hdpo_env.rollouts import sample_groups

    def draw(at: int, num: int, greedy: bool) -> list[Group]:
        part = problems[at : at + _CHUNK]
        template = options.template or template_of(part[0])
        return sample_groups(
            policy,
            part,
            num=num,
            temperature=options.temperature,
            max_tokens=options.max_tokens,
            seed=derive_seed("hdpo eval", options.seed, at, str(greedy)),
            greedy=greedy,
            prompt_of=partial(student_prompt, template=template),
        )

    groups: list[Group] = []
    best: list[Group] = []
    chunks = range(0, len(problems), _CHUNK)
    for at in track(chunks, "sampling", console=Console(stderr=True), transient=True):
        groups += draw(at, options.n, False)
        best += draw(at, 1, True) if options.greedy else []
    return report_of(groups, best or None, ks=options.ks, seed=options.seed, maj_ks=options.maj)


def template_of(problem: Problem) -> str:
    """The template that suits a problem: chains have their own, everything else is boxed."""
    return "chain" if problem.source == "chain" else "boxed"


def _numbers(report: EvalReport, options: Options) -> dict[str, Any]:
    metrics = {key.removeprefix("eval/"): value for key, value in report.metrics("eval").items()}
    return {"model": options.model, "data": options.data, "problems": len(report.results)} | metrics


def _print_table(report: EvalReport, options: Options) -> None:
    table = Table(title=f"{options.model} on {len(report.results)} problems of {options.data}")
    for name in ("", "estimate", "95 % over problems"):
        table.add_column(name, justify="left" if not name else "right")
    estimates = {f"pass@{k}": estimate for k, estimate in report.pass_at.items()}
    estimates |= {f"maj@{k}": estimate for k, estimate in report.maj_at.items()}
    for name, estimate in {**estimates, "greedy": report.greedy}.items():
        if estimate is not None:
            interval = f"{estimate.low:.3f} to {estimate.high:.3f}"
            table.add_row(name, f"{estimate.value:.3f}", interval)
    table.add_section()
    table.add_row("cliffs", f"{report.cliff_rate:.3f}", f"{report.kinds.num_cliff} problems")
    table.add_row("abstained", f"{report.abstention_rate:.3f}", "of completions")
    table.add_row("truncated", f"{report.truncation_rate:.3f}", "of completions")
    table.add_row("tokens", f"{report.mean_tokens:.1f}", "per completion")
    Console().print(table)
