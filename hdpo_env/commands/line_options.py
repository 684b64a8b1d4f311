"""The options that say how files of rollouts are read, and what is said of lines that cannot be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from hdpo_env.commands.dialects import DIALECTS, likely_options
from hdpo_env.commands.rollout_lines import LineFormat
from hdpo_env.commands.tally import MAX_NAMED, Tally
from hdpo_env.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class LineOptions:
    """What every command that reads files of rollouts asks about their lines."""

    dialect: Literal["auto", "own", "run", "groups", "lm-eval", "openrlhf", "trl", "verl"] = "auto"
    """Which system wrote the files; auto looks at the fields of the first line."""
    filter: str | None = None
    """Of lm-evaluation-harness's filters, the one that counts; the first of the file by default."""
    problem_id_field: str = "problem_id"
    """Field that names the problem; dots reach into nested objects."""
    verdict_field: str = "verdict"
    """Field with true, false, null (abstention) or an outcome such as wrong or timeout."""
    reward_field: str = "reward"
    """Field with a number; used where there is no verdict."""
    completion_field: str = "completion"
    """Field with the completion's text; judged where there is neither verdict nor reward."""
    gold_field: str = "gold"
    """Field with the gold answer, or a list of accepted forms."""
    step_field: str = "step"
    """Field that tells apart several groups of one problem."""
    finish_reason_field: str = "finish_reason"
    """Field that says length where a token limit cut the completion."""
    success_reward: float = 1.0
    """In files of rollouts, a reward from here on is a success."""
    threshold: int = 0
    """In files of rollouts, a group with at most this many successes is a cliff."""
    verifier: str = "math"
    """Who judges completions: math, exact, numeric, gsm8k or choice."""
    bad_lines: Path | None = None
    """Write every line that cannot be counted, with its number and the reason, to this file."""

    @property
    def max_faults(self) -> int:
        """How many such lines are kept with their number."""
        return MAX_NAMED if self.bad_lines is None else sys.maxsize


def format_of(options: LineOptions) -> LineFormat:
    """How a line is read, as the options say.

    Raises:
        ConfigError: no reward, or every reward, could reach ``success_reward``.

    >>> format_of(LineOptions(reward_field="score")).reward
    'score'
    """
    given = vars(options)
    names = [f.name for f in fields(LineFormat)]
    paths = {name: given[f"{name}_field"] for name in names if f"{name}_field" in given}
    return LineFormat(**paths, **{name: given[name] for name in names if name not in paths})


def warn(tally: Tally, options: LineOptions) -> None:
    """Say on standard error which lines could not be counted, and how the others were understood.

    Raises:
        ConfigError: a filter was chosen, and a file has none.
        DataError: no line could be counted.
    """
    if options.bad_lines is not None:
        told = "".join(f"{fault}\n" for fault in tally.faults)
        options.bad_lines.write_text(told, encoding="utf-8", errors="backslashreplace")
    for sentence in told_faults(tally):
        print(sentence, file=sys.stderr)
    _check_some(tally)
    for name, line_format in tally.formats.items():
        if options.filter is not None and line_format.dialect != "lm-eval":
            raise ConfigError(
                f"--filter is for files of lm-evaluation-harness, and {name} is read as "
                f"{line_format.dialect}: leave it out"
            )
    for note in _notes(tally, options):
        print(f"note: {note}", file=sys.stderr)


def _check_some(tally: Tally) -> None:
    if not tally.num_lines:
        raise DataError("there are no lines to read: give a file of rollouts, one object a line")
    if tally.num_no_object == tally.num_lines:
        raise DataError(
            f"none of {tally.num_lines} lines is a JSON object: give a .jsonl file with one object "
            "a line, or a .parquet file"
        )
    if tally.num_malformed == tally.num_lines:
        raise DataError(
            f"none of {tally.num_lines} lines could be used: name your fields with "
            "--problem-id-field, --verdict-field, --reward-field, --completion-field, "
            f"--gold-field, or their writer with --dialect{_fields_found(tally)}"
        )


def _notes(tally: Tally, options: LineOptions) -> Iterator[str]:
    """How lines were understood that could have been meant otherwise."""
    for name, line_format in tally.formats.items():
        if line_format.dialect in DIALECTS:
            about = DIALECTS[line_format.dialect].about
            yield f"{name} is read as {line_format.dialect}: {about}"
    if tally.num_privileged:
        yield (
            f"{tally.num_privileged} rollouts that saw privileged context count in no group; "
            "they tell whether it helps, among the causes"
        )
    if tally.num_left_out:
        chosen = {str(f.filter) for f in tally.formats.values() if f.filter}
        yield (
            f"{tally.num_left_out} lines of other filters than {', '.join(sorted(chosen))} "
            "are left out; --filter chooses another"
        )
    if tally.shaped_rewards:
        seen = ", ".join(f"{r:g}" for r in sorted(tally.shaped_rewards))
        yield (
            f"some rewards are neither 0 nor 1 ({seen}): rewards from "
            f"{options.success_reward:g} on count as success; --success-reward changes that"
        )


def told_faults(tally: Tally) -> list[str]:
    """The lines that could not be counted, each reason once with the lines that have it.

    >>> from hdpo_env.commands.tally import Fault
    >>> faults = [Fault("a.jsonl", line, "is not JSON") for line in (2, 3, 7)]
    >>> for sentence in told_faults(Tally(num_malformed=5, faults=faults)):
    ...     print(sentence)
    a.jsonl:2: is not JSON (3 lines: 2, 3, 7)
    ... and 2 more malformed lines: --bad-lines FILE names them all
    """
    lines: dict[tuple[str, str], list[int]] = {}
    for fault in tally.faults[:MAX_NAMED]:
        lines.setdefault((fault.file, fault.reason), []).append(fault.line)
    told = []
    for (file, reason), numbers in lines.items():
        which = f" ({len(numbers)} lines: {', '.join(map(str, numbers))})"
        told.append(f"{file}:{numbers[0]}: {reason}{which if len(numbers) > 1 else ''}")
    if (more := tally.num_malformed - len(tally.faults[:MAX_NAMED])) > 0:
        told.append(f"... and {more} more malformed lines: --bad-lines FILE names them all")
    return told


def printable(text: str) -> str:
    r"""A text as a terminal can show it: what would move its cursor or turn its letters is spelt.

    >>> print(printable("a\x1b[31m"), printable("a\nb"))
    a\x1b[31m a\nb
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _fields_found(tally: Tally) -> str:
    if not (found := tally.fields_found):
        return ""
    dialect = next((f.dialect for f in tally.formats.values()), "own")
    likely = " ".join(likely_options(found, dialect))
    return f"; a line has: {printable(', '.join(found))}" + (f"; try {likely}" if likely else "")
