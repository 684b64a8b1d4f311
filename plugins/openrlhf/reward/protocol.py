"""OpenRLHF's remote-reward request: its body within a limit, its three columns."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

FIELDS = ("query", "prompts", "labels")


@dataclass
class RefusalError(Exception):
    """An answer that is not a reward."""

    status: int
    detail: str
    headers: dict[str, str] = field(default_factory=dict)


def size_of(request: Any, max_bytes: int) -> int:
    """Bytes that the body will take in memory; one that announces no length may be the largest."""
    announced = _announced(request, max_bytes)
    return announced if announced <= max_bytes else 0  # it will not be kept


async def body_of(request: Any, max_bytes: int) -> bytes:
    """The body; one that is too long, by its announcement or in truth, is not kept.

    As much again is dropped as it comes in: a client that is still sending would not read why it
    is refused.
    """
    body, size = bytearray(), 0
    is_too_long = _announced(request, 0) > max_bytes
    async for chunk in request.stream():
        size += len(chunk)
        is_too_long = is_too_long or size > max_bytes
        if is_too_long:
            body.clear()
        else:
            body += chunk
        if size > 2 * max_bytes:
            break
    if is_too_long:
        raise RefusalError(413, f"the body has more than {max_bytes} bytes: send fewer queries")
    return bytes(body)


def _announced(request: Any, otherwise: int) -> int:
    return int(request.headers.get("content-length", otherwise))


def columns_of(body: bytes, max_rows: int) -> list[list[Any]]:
    """Queries, prompts and labels, or a refusal that says what is wrong without quoting any."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusalError(422, "the body is not JSON") from None
    columns = [data.get(name) if isinstance(data, dict) else None for name in FIELDS]
    lists = [column for column in columns if isinstance(column, list)]
    if len(lists) < len(FIELDS) or len({len(column) for column in lists}) > 1:
        raise RefusalError(422, "give three lists of one length: query, prompts, labels")
    if not all(isinstance(text, str) for column in lists[:2] for text in column):
        raise RefusalError(422, "query and prompts must hold strings")
    if (count := len(lists[0])) > max_rows:
        raise RefusalError(413, f"{count} completions are more than {max_rows}: send fewer at once")
    return lists
