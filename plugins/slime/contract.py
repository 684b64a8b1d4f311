"""slime's hooks as its source calls them, and what ours do with what it passes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hdpo_env.conformance import Host, Signature
from hdpo_env.types import GroupKind
from hdpo_plugins.slime.rewards import group_reward_func, kind_of, reward_func

_RM = "THUDM/slime slime/rollout/rm_hub/__init__.py"
_RM_COMMIT = "0b420f1ef4161f02d2a00d47c1318eec955a4e2e"


@dataclass
class Sample:
    """The fields that we read and write of slime's ``Sample`` (slime/utils/types.py, 0d234f3)."""

    response: str = ""
    label: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    status: str = "completed"
    remove_sample: bool = False


def rewards() -> None:
    """Right, wrong, cut off, and an abstention that is masked out of the loss."""
    samples = [
        Sample(r"\boxed{4}", "4"),
        Sample(r"\boxed{5}", "4"),
        Sample("so we", "4", status="truncated"),
        Sample(r"\boxed{4}", " ", {"rm_type": "kept"}),
    ]
    found = asyncio.run(group_reward_func(None, samples, evaluation=False))
    assert found == [1.0, 0.0, 0.0, 0.0], found
    assert [s.metadata["acc"] for s in samples] == [1.0, 0.0, 0.0, None]
    assert [s.remove_sample for s in samples] == [False, False, False, True]
    assert samples[3].metadata["rm_type"] == "kept"
    assert asyncio.run(reward_func(None, Sample("(B)", "B", {"verifier": "choice"}))) == 1.0


def kinds() -> None:
    """Groups are told apart by verdicts: an abstention leaves a would-be cliff undecided."""

    def group(*verdicts: float | None) -> list[Sample]:
        return [Sample(metadata={"acc": acc}) for acc in verdicts]

    assert kind_of(group(0.0, 1.0)) is GroupKind.MIXED
    assert kind_of(group(0.0, 0.0)) is GroupKind.CLIFF
    assert kind_of(group(1.0, 1.0)) is GroupKind.SATURATED
    assert kind_of(group(0.0, None)) is GroupKind.UNDECIDED
    assert kind_of([[*group(0.0), *group(1.0)], *group(1.0)]) is GroupKind.MIXED


HOSTS = (
    Host(
        "slime",
        distribution="slime",
        tested=(),
        abstention="`remove_sample` masks the rollout; reward 0.0, logged and counted",
        offline={"rewards": rewards, "kinds of groups": kinds},
        recorded=(
            Signature(
                "hdpo_plugins.slime.rewards:reward_func",
                ("args", "sample"),
                source=_RM,
                commit=_RM_COMMIT,
                is_async=True,
                takes_more=True,
            ),
            Signature(
                "hdpo_plugins.slime.rewards:group_reward_func",
                ("args", "samples"),
                source=_RM,
                commit=_RM_COMMIT,
                is_async=True,
                takes_more=True,
            ),
            Signature(
                "hdpo_plugins.slime.rewards:dynamic_filter",
                ("args", "samples"),
                source="THUDM/slime slime/rollout/filter_hub/dynamic_sampling_filters.py",
                commit="c7c9e7d3a4ee7227fe2de61b42823928c835a8ee",
                takes_more=True,
            ),
        ),
    ),
)
