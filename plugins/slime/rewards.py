"""slime's hooks: rewards from verdicts, and a filter that looks at verdicts, not rewards.

    --custom-rm-path hdpo_plugins.slime.rewards.reward_func    (--group-rm: group_reward_func)
    --dynamic-sampling-filter-path hdpo_plugins.slime.rewards.dynamic_filter

A row's ``label`` is the gold; ``metadata`` may name the problem's ``verifier`` and all ``answers``.
The verdict goes into ``metadata["acc"]``: 1.0, 0.0, or None for an abstention of the verifier. An
abstention also sets ``remove_sample``, which masks the rollout out of the loss; its reward must be
a number, is 0.0, and is logged and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hdpo_env.cliffs import classify_correct
from hdpo_env.hosting import golds, judged, number_of, require
from hdpo_env.types import GroupKind


async def reward_func(args: Any, sample: Any, **kwargs: Any) -> float:
    """The reward of one rollout, judged beside the event loop."""
    return await asyncio.to_thread(_reward, sample)


async def group_reward_func(args: Any, samples: Sequence[Any], **kwargs: Any) -> list[float]:
    """The rewards of a group, in order."""
    return await asyncio.to_thread(lambda: [_reward(sample) for sample in samples])


def dynamic_filter(args: Any, samples: Sequence[Any], **kwargs: Any) -> Any:
    """Keep mixed groups; name the kind of the others: cliff, saturated or undecided."""
    output = require("slime.rollout.filter_hub.base_types", "slime").DynamicFilterOutput
    kind = kind_of(samples)
    keep = kind is GroupKind.MIXED
    return output(keep=keep, reason=None if keep else kind.value)


def kind_of(samples: Sequence[Any]) -> GroupKind:
    """The kind of a group whose rewards came from here; an agent's fragments count once."""
    first = [sample[0] if isinstance(sample, list) else sample for sample in samples]
    verdicts = [sample.metadata["acc"] for sample in first]
    return classify_correct([None if acc is None else acc == 1.0 for acc in verdicts])


def _reward(sample: Any) -> float:
    info = sample.metadata if isinstance(sample.metadata, dict) else {}
    cut = getattr(sample.status, "value", sample.status) == "truncated"
    verdict = judged(
        sample.response,
        golds(info, sample.label),
        verifier=info.get("verifier") or "math",
        finish_reason="length" if cut else None,
    )
    correct = verdict.correct
    sample.metadata = {**info, "acc": None if correct is None else float(correct)}
    if correct is None:
        sample.remove_sample = True
    return number_of(verdict, "slime")
