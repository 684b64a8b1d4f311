"""Student's and teacher's prompts as token ids that line up, with the spans of their parts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hdpo_env.errors import ConfigError, ViewError
from hdpo_env.privileged.pieces import Piece
from hdpo_env.privileged.prompt import TeacherText, teacher_text
from hdpo_env.privileged.words import PrivilegedTemplate
from hdpo_env.prompts import Template
from hdpo_env.types import Group, Problem

CUT = " [...]"  # stands where privileged text was cut


class Span(NamedTuple):
    """Token positions ``start`` to ``stop``, the latter not included."""

    start: int
    stop: int


@dataclass(frozen=True)
class PromptTokens:
    """One prompt as token ids. Its repr shows no ids, which could be decoded.

    ``question`` and ``context`` are the tokens that hold any character of the question or of the
    privileged context (empty for the student); ``assistant`` is what the chat template puts after
    the user's turn. A completion's first token comes at ``completion_start``.
    """

    ids: tuple[int, ...] = field(repr=False)
    question: Span
    context: Span
    assistant: Span

    @property
    def completion_start(self) -> int:
        """Where the completion begins, which is the number of prompt tokens."""
        return len(self.ids)


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
        ViewError: the budget has no room for the question, the template's words and one word of
            context.
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
    told = teacher_text(problem, view, template, student=student, group=group)
    asked = teacher_text(problem, "none", template, student=student)

    def encode(text: TeacherText) -> PromptTokens:
        return _encode(tokenizer, text, dict(chat_kwargs or {}))

    def rendered(pieces: Sequence[Piece]) -> PromptTokens:
        words = {"student": student, "pieces": pieces}
        return encode(teacher_text(problem, view, template, **words))

    mine, theirs = encode(asked), encode(told)
    length = len(theirs.ids)
    if max_teacher_tokens is not None and length > max_teacher_tokens:
        theirs = _within(max_teacher_tokens, told.pieces, rendered, problem, len(mine.ids))
    if _tail(mine) != _tail(theirs):
        raise ConfigError(
            "the chat template ends the student's and the teacher's prompts differently, so their "
            "completions would not line up: use one that does not look into the messages"
        )
    return Pair(mine, theirs, length - len(theirs.ids))


def _tail(prompt: PromptTokens) -> tuple[int, ...]:
    return prompt.ids[prompt.assistant.start :]


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


def _encode(tokenizer: Any, text: TeacherText, chat_kwargs: dict[str, Any]) -> PromptTokens:
    messages = [{"role": m.role, "content": m.content} for m in text.prompt.messages]
    has_template = tokenizer.chat_template is not None
    if has_template:
        shown = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False, **chat_kwargs
        )
    elif chat_kwargs:
        raise ConfigError(
            f"chat_kwargs {sorted(chat_kwargs)} need a chat template, and this tokenizer has none"
        )
    else:
        shown = "\n\n".join(m["content"] for m in messages) + "\n\n"
    start, end = _place(shown, messages[-1]["content"])
    encoded = _with_offsets(tokenizer, shown, add_special_tokens=not has_template)
    offsets = encoded["offset_mapping"]
    question, context = (
        _tokens(offsets, start + a, start + b) for a, b in (text.question, text.context)
    )
    first = next((i for i, (a, b) in enumerate(offsets) if a >= end and b > a), len(offsets))
    return PromptTokens(tuple(encoded["input_ids"]), question, context, Span(first, len(offsets)))


def _place(shown: str, content: str) -> tuple[int, int]:
    """Where the user's message begins and ends in the rendered text; templates may strip it."""
    at = shown.rfind(content.strip())
    if at < 0:
        raise ConfigError(
            "the chat template alters the user's message, so its parts cannot be found: use a "
            "template that repeats messages as they are"
        )
    start = at - (len(content) - len(content.lstrip()))
    is_whole = shown.startswith(content, max(start, 0))
    return start, start + len(content if is_whole else content.rstrip())


def _with_offsets(tokenizer: Any, text: str, *, add_special_tokens: bool) -> Any:
    try:
        return tokenizer(text, add_special_tokens=add_special_tokens, return_offsets_mapping=True)
    except NotImplementedError:
        raise ConfigError(
            f"{type(tokenizer).__name__} gives no character offsets, which spans need: load the "
            "tokenizer with use_fast=True"
        ) from None


def _tokens(offsets: Sequence[tuple[int, int]], start: int, stop: int) -> Span:
    """The tokens that hold any of these characters."""
    inside = [i for i, (a, b) in enumerate(offsets) if a < stop and b > start and b > a]
    return Span(inside[0], inside[-1] + 1) if inside else Span(0, 0)
