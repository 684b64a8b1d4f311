"""``hdpo eval --views``: which privileged view gets a model off its cliffs, before any training."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from hdpo_env.errors import DataError

if TYPE_CHECKING:
    from hdpo_env.commands.eval import Options
    from hdpo_env.evaluation import ViewAudit
    from hdpo_env.rollouts import Policy
    from hdpo_env.types import Group, Problem


_LEGEND = {
    "teach": "share of rollouts that may teach: correct, derived, not copied, nothing given away",
    "pass": "pass rate with the view",
    "opens": "share of cliffs with a success",
    "stays": "pass rate without the view after half a derivation",
    "copied": "share of a correct completion's words that repeat the view",
    "early": "share of correct completions that answer before deriving anything",
    "tells": "share of rollouts with a phrase that gives the view away",
    "tokens": "mean length of a completion",
    "of": "cliffs that can be shown",
}


def run(policy: Policy, problems: Sequence[Problem], options: Options) -> int:
    """Find the cliffs among the problems, try the views on them, and print the ranking.

    Raises:
        DataError: no problem is a cliff.
    """
    from hdpo_env.commands.eval import template_of
    from hdpo_env.evaluation import audit_views
    from hdpo_env.privileged import VIEWS

    names = list(VIEWS) if options.views == ("all",) else list(options.views)
    for name in names:
        VIEWS[name]  # a misspelt one is refused before anything is sampled
    cliffs = find_cliffs(policy, problems, options)
    template = "chain" if problems[0].source == "chain" else "hdpo"
    audits = audit_views(
        policy,
        cliffs,
        [name for name in names if name != "none"],
        num=options.n,
        template=template,
        student=options.template or template_of(problems[0]),
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        seed=options.seed,
    )
    if options.json:
        print(json.dumps([audit.row() for audit in audits], indent=2))
    else:
        _print_table(audits, len(cliffs), options)
    if options.out is not None:
        rows = "".join(json.dumps(audit.row()) + "\n" for audit in audits)
        options.out.write_text(rows, encoding="utf-8")
    return 0


def find_cliffs(policy: Policy, problems: Sequence[Problem], options: Options) -> list[Group]:
    """The student's groups without a success.

    Raises:
        DataError: there is none.
    """
    from hdpo_env.cliffs import classify
    from hdpo_env.commands.eval import template_of
    from hdpo_env.prompts import student_prompt
    from hdpo_env.rollouts import sample_groups
    from hdpo_env.types import GroupKind

    template = options.template or template_of(problems[0])
    groups = sample_groups(
        policy,
        problems,
        num=options.n,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        seed=options.seed,
        prompt_of=partial(student_prompt, template=template),
    )
    cliffs = [group for group in groups if classify(group) is GroupKind.CLIFF]
    if not cliffs:
        raise DataError(
            f"none of {len(groups)} problems is a cliff at {options.n} rollouts: give harder ones, "
            "or a smaller --n"
        )
    print(f"{len(cliffs)} of {len(groups)} problems are cliffs", file=sys.stderr)
    return cliffs


def _print_table(audits: Sequence[ViewAudit], num_cliffs: int, options: Options) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cliffs = "1 cliff" if num_cliffs == 1 else f"{num_cliffs} cliffs"
    title = f"views on {cliffs} of {options.data}, --n {options.n}"
    table = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("view", *_LEGEND):
        table.add_column(name, justify="left" if name == "view" else "right", no_wrap=True)
    for a in audits:
        if a.pass_rate is None:
            continue
        survival = "-" if a.survival is None else f"{a.survival:.2f}"
        rates = (a.teachable_rate, a.pass_rate.value, a.escape_rate)
        leaks = (a.copy_ratio, a.early_rate, a.telltale_rate)
        table.add_row(
            a.view,
            *(f"{rate:.2f}" for rate in rates),
            survival,
            *(f"{share:.2f}" for share in leaks),
            f"{a.tokens:.0f}",
            str(a.num_cliffs),
        )
    console = Console()
    console.print(table)
    for name, meaning in _LEGEND.items():
        console.print(Text(f"{name:>6}: {meaning}"), soft_wrap=True)
    for a in audits:
        if a.pass_rate is None:
            why = a.left_out_why or "no rollout was judged: the verifier abstained"
            console.print(Text(f"{a.view}: left out, since {why}"), soft_wrap=True)
