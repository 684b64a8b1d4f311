"""Completions to read, and what could not be read."""

from __future__ import annotations

from hdpo_env.report.markup import Markup, el
from hdpo_env.report.records import CompletionRow, Run

#: Longer completions are cut, which is said.
MAX_TEXT = 1500
MAX_COMPLETIONS = 4  # of each role, variant and end of training


def completions(run: Run) -> list[Markup]:
    """A run's kept completions, folded away; empty if it kept none."""
    chosen: dict[tuple[int, str], list[CompletionRow]] = {}
    for row in run.completions:
        chosen.setdefault((row.step, row.role), []).append(row)
    texts = [
        completion(row)
        for key in sorted(chosen, key=lambda k: (k[1], k[0]))
        for row in chosen[key][:MAX_COMPLETIONS]
    ]
    if not texts:
        return []
    return [el("details", el("summary", f"{run.variant}, seed {run.seed}"), *texts)]


def completion(row: CompletionRow, limit: int = MAX_TEXT) -> Markup:
    """One completion with what is known of it; cut after ``limit`` characters, which is said."""
    cut = f" · first {limit} of {len(row.text)} characters" if len(row.text) > limit else ""
    answer = f" · answer {row.extracted[:80]}" if row.extracted else ""
    head = (
        f"step {row.step} · {row.role} · problem {row.problem_id[:40]} · {row.outcome}{answer}{cut}"
    )
    return el(
        "div",
        el("p", head, class_=f"verdict {_verdict_class(row)}"),
        el("pre", row.text[:limit]),
        class_="text",
    )


def _verdict_class(row: CompletionRow) -> str:
    return "correct" if row.outcome == "correct" else "other"


def data_notes(run: Run, *, is_at_end: bool) -> list[str]:
    """What is missing from a run: steps it never reached, lines that could not be used.

    ``is_at_end`` tells whether its last values count among the values at the end.
    """
    notes = []
    planned = run.planned_steps
    if planned and run.last_step < planned:
        out = "" if is_at_end else ", so its seed is left out of the values at the end"
        notes.append(f"{run.name} stopped at step {run.last_step} of {planned}{out}.")
    by_file: dict[str, list[str]] = {}
    for skip in run.skipped:
        by_file.setdefault(skip.file, []).append(f"line {skip.line} {skip.why}")
    for file, whys in by_file.items():
        more = f" and {len(whys) - 3} more" if len(whys) > 3 else ""
        notes.append(f"{run.name}/{file}: skipped {'; '.join(whys[:3])}{more}.")
    return notes
