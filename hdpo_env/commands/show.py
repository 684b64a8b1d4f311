"""``hdpo show``: one problem as the student, the teacher and the verifier see it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from hdpo_env.commands.places import ColumnsOption, find_problem
from hdpo_env.errors import ViewError

if TYPE_CHECKING:
    from hdpo_env.types import Problem, Prompt


@dataclass(frozen=True)
class Options:
    """Show one problem: both prompts, the gold answer, and the verdict on an answer."""

    problem: Annotated[str, tyro.conf.Positional]
    """FILE:ROW (rows from 1) or FAMILY:INDEX, such as data.jsonl:3, linear:5 or chain#6:3."""
    view: str = "solution"
    """What the teacher sees: solution, answer, masked_solution, prefix:0.5, hints:2,
    reference_only, wrong_answer, none, or two such as answer+hints:1; sibling and feedback need
    rollouts."""
    template: str | None = None
    """Words of the student's prompt: boxed, plain or chain; the problem's own by default."""
    teacher_template: str | None = None
    """Words of the teacher's prompt: hdpo, sdpg, opsd, sdpo, sdft or chain; the problem's own by
    default."""
    answer: str | None = None
    """A completion to judge."""
    verifier: str | None = None
    """Judge with this verifier instead of the problem's own."""
    field_map: ColumnsOption = "plain"
    split: str = "train"
    """Split of a family (train, eval, test) or of a hub data set."""
    json: bool = False
    """Print everything as one JSON object."""


def run(options: Options) -> int:
    """Print the problem; the exit code is 1 if the given answer is not correct."""
    problem = find_problem(options.problem, field_map=options.field_map, split=options.split)
    facts = _facts(problem, options)
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        _print(facts)
    verdict = facts.get("verdict")
    return 0 if verdict is None or verdict["correct"] else 1


def _facts(problem: Problem, options: Options) -> dict[str, Any]:
    from hdpo_env.commands.eval import template_of
    from hdpo_env.prompts import student_prompt
    from hdpo_env.verifiers import VERIFIERS

    verifier = VERIFIERS[options.verifier or problem.verifier]()
    facts: dict[str, Any] = {
        "id": problem.id,
        "source": f"{problem.source} {problem.subject} {problem.split}".strip(),
        "student": _turns(student_prompt(problem, options.template or template_of(problem))),
        "teacher": _teacher(problem, options),
        "gold": list(problem.answers),
    }
    if options.answer is not None:
        verdict = verifier.verify(options.answer, problem.answers)
        facts["verdict"] = {
            "verifier": f"{verifier.name} {verifier.version}",
            "outcome": verdict.outcome.value,
            "correct": verdict.correct,
            "extracted": verdict.extracted,
            "reason": verdict.reason,
        }
    return facts


def _teacher(problem: Problem, options: Options) -> list[dict[str, str]] | str:
    from hdpo_env.privileged import privileged_prompt

    default = "chain" if problem.source == "chain" else "hdpo"
    try:
        prompt = privileged_prompt(
            problem,
            options.view,
            options.teacher_template or default,
            student=options.template,
        )
    except ViewError as error:
        return f"none: {error}"
    return _turns(prompt)


def _turns(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in prompt.messages]


def _print(facts: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(Text(f"problem {facts['id']}  {facts['source']}", style="bold"))
    for name in ("student", "teacher"):
        console.print(Rule(f"{name}'s prompt", align="left", style="dim"))
        shown = facts[name]
        turns = [{"role": "", "content": shown}] if isinstance(shown, str) else shown
        for turn in turns:
            head = f"[{turn['role']}] " if len(turns) > 1 else ""
            console.print(Text(f"{head}{turn['content']}"), soft_wrap=True)
    console.print(Rule("gold answer", align="left", style="dim"))
    console.print(Text(" or ".join(facts["gold"])), soft_wrap=True)
    if verdict := facts.get("verdict"):
        console.print(Rule(f"verdict of {verdict['verifier']}", align="left", style="dim"))
        found = "" if verdict["extracted"] is None else f", read as {verdict['extracted']!r}"
        reason = f": {verdict['reason']}" if verdict["reason"] else ""
        console.print(Text(f"{verdict['outcome']}{found}{reason}"), soft_wrap=True)
