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


async def body_of(request: Any, max_bytes: int) -> bytes:
    """The body, given up as soon as it is too long, whatever length it announces."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise RefusalError(413, f"the body has more than {max_bytes} bytes: send fewer queries")
    return bytes(body)


def columns_of(body: bytes) -> list[list[Any]]:
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
    return lists
