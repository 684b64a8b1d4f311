"""A frozen teacher: OpenRLHF's reference workers read the privileged sequences once a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.groups import Pair, Teacher


def with_frozen_teacher(pairs: Sequence[Pair], group: Any, top_k: int) -> list[Pair]:
    """The pairs with the first weights' top k, k numbers a token instead of a vocabulary's.

    Every reference worker runs the same number of forward passes, one a pair of its share, as
    partitioned parameters (ZeRO-3) demand.
    """
    if not pairs:
        return []
    handlers = group._actor_handlers
    ranks, longest = len(handlers), -(-len(pairs) // len(handlers))
    shares = [pairs[rank::ranks] for rank in range(ranks)]
    refs = [
        handler.teacher_topk.remote(share, longest, top_k)
        for handler, share in zip(handlers, shares, strict=True)
    ]
    found: list[Pair] = list(pairs)
    for rank, tops in enumerate(compat.get(refs)):
        for i, top in enumerate(tops):
            found[rank + i * ranks] = pairs[rank + i * ranks]._replace(teacher=Teacher(*top))
    return found
