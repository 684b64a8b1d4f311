"""prime-rl's custom advantage function as its source calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hdpo_env.conformance import Host, Signature
from hdpo_plugins.prime_rl.advantages import group_advantage


@dataclass
class Inputs:
    """The two fields and the method of ``AdvantageInputs`` (algo/advantage.py, 039b400)."""

    rollouts: list[dict[str, Any]]
    completion_lengths: list[int]

    def broadcast(self, values: list[float]) -> list[list[float]]:
        """One value a rollout, spread over its tokens."""
        return [[float(v)] * n for v, n in zip(values, self.completion_lengths, strict=True)]


def advantages() -> None:
    """A hand-worked group with an errored rollout, and a cliff."""
    rewards = [{"reward": 1.0}, {"reward": 0.0, "error": None}, {"reward": 0.0, "error": "fault"}]
    found = group_advantage(Inputs(rewards, [2, 1, 3]), method="hdpo")
    # leave-one-out 1 and -1 over the population std 1/2 of the two that were judged
    for row, expected in zip(found, ([2.0, 2.0], [-2.0], [0.0] * 3), strict=True):
        assert all(abs(a - b) < 1e-5 for a, b in zip(row, expected, strict=True)), found
    assert group_advantage(Inputs([{"reward": 0.0}] * 2, [1, 1])) == [[0.0], [0.0]]


HOSTS = (
    Host(
        "prime-rl",
        distribution="prime-rl",
        tested=(),
        abstention="an errored rollout: left out of every mean, advantage 0",
        offline={"advantages of a group": advantages},
        recorded=(
            Signature(
                "hdpo_plugins.prime_rl.advantages:group_advantage",
                ("inputs",),
                source="PrimeIntellect-ai/prime-rl src/prime_rl/orchestrator/algo/custom.py",
                commit="10d8af3467181d58f1f665b30f10881c8132cb72",
                takes_more=True,
            ),
        ),
    ),
)
