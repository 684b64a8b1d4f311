"""prime-rl's custom advantage function as its source calls it."""

from __future__ import annotations

from dataclasses import dataclass

from hdpo_env.conformance import Host, Signature
from hdpo_plugins.prime_rl.advantages import group_advantage


@dataclass
class Rollout:
    """What is read of a ``prime_rl.orchestrator.types.Rollout``, a trace of verifiers 0.4."""

    reward: float
    has_error: bool = False


def advantages() -> None:
    """A hand-worked group with an errored rollout, and a cliff."""
    found = group_advantage([Rollout(1.0), Rollout(0.0), Rollout(0.0, True)], method="hdpo")
    # leave-one-out 1 and -1 over the population std 1/2 of the two that were judged
    assert all(abs(a - b) < 1e-5 for a, b in zip(found, (2.0, -2.0, 0.0), strict=True)), found
    assert group_advantage([Rollout(0.0)] * 2) == [0.0, 0.0]


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
                ("group",),
                source="PrimeIntellect-ai/prime-rl src/prime_rl/orchestrator/algo/custom.py",
                commit="2cfca8994a7e7ebfa0a78c7de1149bb1f0289be3",
                takes_more=True,
            ),
        ),
    ),
)
