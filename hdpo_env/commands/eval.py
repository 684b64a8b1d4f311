"""``hdpo eval``: pass@k of a model on problems, with intervals over problems."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from hdpo_env.commands.places import ColumnsOption, check_out, find_report
from hdpo_env.config import check_ks
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.prompts import TEMPLATES, default_template
from hdpo_env.types import Group, Problem, derive_seed

if TYPE_CHECKING:
    from hdpo_env.evaluation import EvalReport
    from hdpo_env.policies.hf import HFPolicy
    from hdpo_env.rollouts import Policy

_CHUNK = 16  # problems sampled at a time, from one generator


@dataclass(frozen=True)
class Options:
    """Measure pass@k of a model on problems, with 95 % intervals over problems."""

    model: str
    """Folder of a Hugging Face checkpoint, or a hub id."""
    data: str
    """Problem file (jsonl, json, csv, parquet), hub id, or a family: linear:level=3, chain#6."""
    field_map: ColumnsOption = "plain"
    split: str = "eval"
    """Split of a family (train, eval, test) or of a hub data set."""
    strict: bool = False
    """Stop at the first bad row instead of leaving it out aloud."""
    limit: int = 200
    """Number of problems. They are sampled 16 at a time: another limit changes the last draws."""
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
    model = Path(options.model)
    weights = [p for p in model.iterdir() if p.suffix != ".jsonl"] if model.is_dir() else []
    check_out("--out", options.out, [options.data, *weights])
    loaded = find_report(
        options.data,
        field_map=options.field_map,
        split=options.split,
        limit=options.limit,
        seed=options.seed,
        strict=options.strict,
    )
    policy = _policy(options.model)
    problems = _fitting(policy, loaded.problems, options)
    if options.views:
        from hdpo_env.commands import views

        return views.run(policy, problems, options)
    report = measure(policy, problems, options)
    if options.json:
        print(json.dumps(_numbers(report, loaded.num_bad, options), indent=2))
    else:
        _print_table(report, options)
    if options.out is not None:
        rows = "".join(json.dumps(row) + "\n" for row in report.rows())
        options.out.write_text(rows, encoding="utf-8")
    return 0


def _fitting(policy: HFPolicy, problems: Sequence[Problem], options: Options) -> Sequence[Problem]:
    """The problems whose prompts leave room for an answer; the others are counted aloud.

    Raises:
        DataError: there is none.
    """
    from hdpo_env.prompts import student_prompt

    room = policy.max_positions
    if room is None:
        return problems
    template = options.template or template_of(problems[0])
    lengths = [len(policy.encode(student_prompt(p, template))) for p in problems]
    kept = [p for p, length in zip(problems, lengths, strict=True) if length < room]
    told = f"{len(problems) - len(kept)} of {len(problems)} problems"
    if not kept:
        raise DataError(
            f"{told} fill the model's context of {room} tokens: the shortest prompt has "
            f"{min(lengths)}; give shorter problems, or a model with a longer context"
        )
    if len(kept) < len(problems):
        print(f"left out {told}: they fill the model's context of {room} tokens", file=sys.stderr)
    return kept


def _policy(model: str) -> HFPolicy:
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
    if not options.temperature > 0:
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
    return report_of(groups, best or None, ks=options.ks, maj_ks=options.maj)


def template_of(problem: Problem) -> str:
    """The template that suits a problem: chains have their own."""
    return "chain" if problem.source == "chain" else default_template(problem)


def _numbers(report: EvalReport, num_bad: int, options: Options) -> dict[str, Any]:
    metrics = {key.removeprefix("eval/"): value for key, value in report.metrics("eval").items()}
    asked = {"problems": len(report.results), "bad_rows": num_bad}
    return {"model": options.model, "data": options.data} | asked | metrics


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
