"""``hdpo export``: problems with privileged context, as another system reads them."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from hdpo_env.commands.places import ColumnsOption, check_out, find_report
from hdpo_env.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hdpo_env.exports import Carrier, Export
    from hdpo_env.types import Group, Problem


@dataclass(frozen=True)
class Options:
    """Write problems for another trainer, with the privileged context where it looks for it."""

    problems: Annotated[str, tyro.conf.Positional]
    """A file, a hub data set, or a family such as linear:level=3 or chain#6."""
    to: str
    """trl, verl, verl-opsd, openrlhf, sdpg, opsd, sdpo, prime-rl, tinker, roll, slime, nemo-rl."""
    out: str | None = None
    """The file to write, .jsonl or .parquet; by default TO.parquet for verl and its relatives,
    TO.jsonl for others."""
    view: str | None = None
    """Privileged context: solution, answer, masked_solution, prefix:0.5, hints:2, answer+hints:1,
    reference_only, wrong_answer or none, and with rollouts sibling or feedback; the system's own by
    default."""
    rollouts: str | None = None
    """JSON lines with problem_id and completion, which sibling, feedback and wrong_answer quote."""
    template: str | None = None
    """Words of the privileged context: hdpo, sdpg, opsd, sdpo or sdft; the system's by default."""
    student: str | None = None
    """Words of the student's prompt, such as boxed or plain; the template's own by default."""
    field_map: ColumnsOption = "plain"
    split: str = "train"
    """Split of a family (train, eval, test) or of a hub data set."""
    limit: int | None = None
    """At most this many problems; by default all of a file or data set, and 1000 of a family."""
    seed: int = 0
    """Of a family's problems."""
    strict: bool = False
    """Stop at the first bad row, or problem that lacks what the view needs."""
    json: bool = False
    """Print the summary as one JSON object."""


def run(options: Options) -> int:
    """Write the rows; the exit code is 1 if rows were bad or problems were left out.

    Raises:
        ConfigError: a file would be overwritten that is read, or that nobody named.
        DataError: no problem could be exported.
    """
    from hdpo_env.exports import CARRIERS

    carrier = CARRIERS[options.to]
    path = _path(options, f"{carrier.name}{carrier.suffix}")
    report = find_report(
        options.problems,
        field_map=options.field_map,
        split=options.split,
        limit=options.limit,
        seed=options.seed,
        strict=options.strict,
    )
    problems = report.problems
    export = carrier(
        problems,
        view=options.view,
        template=options.template,
        student=options.student,
        groups=_groups(options.rollouts, problems),
        strict=options.strict,
    )
    if not export:
        reason = export.left_out[0].reason
        raise DataError(f"none of {len(problems)} problems could be exported: {reason}")
    export.save(path)
    _tell(export, carrier, path, report.num_bad, options)
    return 1 if export.left_out or report.num_bad else 0


def _path(options: Options, name: str) -> str:
    read = [options.problems, *([options.rollouts] if options.rollouts else [])]
    if options.out is None and Path(name).exists():
        raise ConfigError(f"{name} exists: pass --out {name} to replace it, or another")
    check_out("--out", options.out or name, read)
    return options.out or name


def _groups(path: str | None, problems: Sequence[Problem]) -> dict[str, Group]:
    from hdpo_env.commands.pairs import json_lines
    from hdpo_env.exports import groups_at

    if path is None:
        return {}
    with open(path, "rb") as lines:
        placed = ((f"{path}:{number}", row) for number, row in json_lines(lines, path))
        groups = groups_at(placed, problems)
    if not groups:
        raise DataError(
            f"no problem_id in {path} is one of the {len(problems)} problems, such as "
            f"{problems[0].id!r}: give rollouts of these problems, or the problems they are of"
        )
    return groups


def _tell(export: Export, carrier: Carrier, path: str, num_bad: int, options: Options) -> None:
    if options.json:
        facts = {
            "carrier": carrier.name,
            "file": path,
            "rows": len(export),
            "bad_rows": num_bad,
            "left_out": [left._asdict() for left in export.left_out],
            "view": options.view or carrier.view,
            "settings": carrier.settings,
        }
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    print(f"wrote {len(export)} rows for {carrier.name} to {path}")
    print(f"to read them: {carrier.settings.replace('FILE', path)}")
    if export.left_out:
        # Reasons name the problem; without it, equal ones can be counted together.
        reasons = Counter(left.reason.replace(left.problem_id, "ID") for left in export.left_out)
        print(f"left out {len(export.left_out)} problems:", file=sys.stderr)
        for reason, count in reasons.most_common(5):
            print(f"  {count} x {reason}", file=sys.stderr)
