"""Student's and teacher's prompts as token ids that line up, with the spans of their parts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hdpo_env.errors import ConfigError, ViewError
from hdpo_env.privileged.pieces import Piece
from hdpo_env.privileged.prompt import teacher_text
from hdpo_env.privileged.tokens import PromptTokens, encode
from hdpo_env.privileged.words import PrivilegedTemplate
from hdpo_env.prompts import Template
from hdpo_env.types import Group, Problem

CUT = " [...]"  # stands where privileged text was cut


@dataclass(frozen=True)
class Pair:
    """What student and teacher read before the same completion.

    ``num_cut`` tokens of the teacher's prompt were left out to keep to its budget: the end of its
    last piece, and where that was not enough the piece before; ``[...]`` stands in their place.
    """

    student: PromptTokens
    teacher: PromptTokens
    num_cut: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether privileged context was cut to keep to the budget."""
        return self.num_cut > 0


def build_pair(
    tokenizer: Any,
    problem: Problem,
    view: str = "solution",
    template: str | PrivilegedTemplate = "hdpo",
    *,
    student: str | Template | None = None,
    group: Group | None = None,
    max_teacher_tokens: int | None = None,
    chat_kwargs: Mapping[str, Any] | None = None,
) -> Pair:
    """Token ids of student's and teacher's prompts, with the same assistant prefix.

    Both are rendered by the tokenizer's chat template with the same ``chat_kwargs`` (such as
    ``enable_thinking``), or joined by blank lines where it has none. The question is never cut. If
    the teacher's prompt is longer than ``max_teacher_tokens``, the end of the last piece of
    privileged context is cut at a blank, then whole pieces, the last one first.

    Raises:
        RegistryError, ConfigError, ViewError: as ``privileged_prompt``.
        ViewError: the budget has no room for question, template's words and one word of context.
        ConfigError: the tokenizer gives no character offsets, or its chat template alters the
            messages or ends the two prompts differently.

    >>> from importlib.resources import files
    >>> from transformers import AutoTokenizer
    >>> tokenizer = AutoTokenizer.from_pretrained(files("hdpo_env") / "assets" / "chain_base")
    >>> problem = Problem("3+7+2", ("02",), solution="02")
    >>> pair = build_pair(tokenizer, problem, "solution", "chain")
    >>> tokenizer.decode(pair.teacher.ids), pair.teacher.context, pair.teacher.completion_start
    ('P3+7+2|02=', Span(start=7, stop=9), 10)
    """
    text = partial(teacher_text, problem, template=template, student=student)
    tokens = partial(encode, tokenizer, chat_kwargs=chat_kwargs or {})
    told = text(view, group=group)
    mine, theirs = tokens(text("none")), tokens(told)
    length = len(theirs.ids)

    def rendered(pieces: Sequence[Piece]) -> PromptTokens:
        return tokens(text(view, pieces=pieces))

    if max_teacher_tokens is not None and length > max_teacher_tokens:
        theirs = _within(max_teacher_tokens, told.pieces, rendered, problem, len(mine.ids))
    _check_same_end(mine, theirs)
    return Pair(mine, theirs, length - len(theirs.ids))


def _check_same_end(student: PromptTokens, teacher: PromptTokens) -> None:
    """Both end in the same assistant prefix, after which a completion's tokens are the same."""
    if student.ids[student.assistant.start :] != teacher.ids[teacher.assistant.start :]:
        raise ConfigError(
            "the chat template ends the student's and the teacher's prompts differently, so their "
            "completions would not line up: use one that does not look into the messages"
        )


def _within(
    budget: int,
    pieces: tuple[Piece, ...],
    rendered: Callable[[Sequence[Piece]], PromptTokens],
    problem: Problem,
    student_length: int,
) -> PromptTokens:
    """The longest prompt within the budget that the rule of ``build_pair`` allows."""
    while pieces:
        *kept, last = pieces
        ends = [m.start() for m in re.finditer(r"\s+", last.text)] or range(1, len(last.text))
        cuts = [[*kept, Piece(last.kind, last.text[:end] + CUT)] for end in ends]
        fitting = bisect_right(cuts, budget, key=lambda cut: len(rendered(cut).ids))
        # The first of these fits but for tokenizers that need fewer tokens for a longer text.
        for cut in [*reversed(cuts[:fitting]), *([kept] if kept else [])]:
            if len((shorter := rendered(cut)).ids) <= budget:
                return shorter
        pieces = tuple(kept)
    raise ViewError(
        f"a budget of {budget} tokens has no room for any privileged context of problem "
        f"{problem.id}, whose student's prompt has {student_length}: raise max_teacher_tokens"
    )
