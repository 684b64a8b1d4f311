"""One prompt as token ids, with the spans of question, context and assistant prefix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hdpo_env.errors import ConfigError
from hdpo_env.privileged.prompt import TeacherText


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


def encode(tokenizer: Any, text: TeacherText, chat_kwargs: Mapping[str, Any]) -> PromptTokens:
    """The ids that a policy of this tokenizer would be given, and where the parts stand in them."""
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
