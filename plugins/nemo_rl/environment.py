"""NeMo-RL's environment: a batch of conversations in, verdicts as a tensor of rewards out.

``environment_class()`` is what to wrap in ``ray.remote``. A row's ``extra_env_info`` holds
``answers`` (or ``ground_truth``) and may name the ``verifier``. NeMo-RL's rewards are floats: an
abstention of the verifier is 0.0, logged, counted in the metric ``abstentions``, and marked in the
row's metadata as ``abstained``. NeMo-RL drops the metadata of an episode that ended, so the metric
counts what this environment judged since it was last asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hdpo_env.feedback import ABSTAINED, LAST_FEEDBACK
from hdpo_env.hosting import golds, judged, number_of, require
from hdpo_env.types import Verdict


def judge_batch(
    message_log_batch: Sequence[Sequence[Mapping[str, Any]]], metadata: Sequence[Mapping[str, Any]]
) -> list[Verdict]:
    """The verdict on the last assistant message of each conversation."""
    return [
        judged(
            next((str(m["content"] or "") for m in reversed(log) if m["role"] == "assistant"), ""),
            golds(info, info.get("ground_truth")),
            verifier=info.get("verifier") or "math",
        )
        for log, info in zip(message_log_batch, metadata, strict=True)
    ]


class MathEnvironment:
    """NeMo-RL's two methods; `environment_class` adds the host's base."""

    def __init__(self, cfg: Mapping[str, Any] | None = None) -> None:
        self.cfg = dict(cfg or {})
        self._abstentions = 0  # since the metrics were last read

    def step(
        self,
        message_log_batch: list[list[dict[str, Any]]],
        metadata: list[dict[str, Any]],
    ) -> Any:
        """Judge a batch; every episode ends after one turn."""
        import torch

        verdicts = judge_batch(message_log_batch, metadata)
        self._abstentions += sum(v.is_abstention for v in verdicts)
        rewards = torch.tensor([number_of(v, "nemo-rl") for v in verdicts])
        returned = require("nemo_rl.environments.interfaces", "nemo-rl").EnvironmentReturn
        return returned(
            observations=[
                {"role": "environment", "content": LAST_FEEDBACK.get(v.outcome, ABSTAINED)}
                for v in verdicts
            ],
            metadata=[
                {**info, "abstained": v.is_abstention}
                for info, v in zip(metadata, verdicts, strict=True)
            ],
            next_stop_strings=[None] * len(verdicts),
            rewards=rewards,
            terminateds=torch.ones_like(rewards),
            answers=[v.extracted for v in verdicts],
        )

    def global_post_process_and_metrics(self, batch: Any) -> tuple[Any, dict[str, float]]:
        """Rollouts that did not end by themselves earn nothing; accuracy and abstentions.

        An abstention counts as wrong in ``accuracy``; ``abstentions`` is how many there were since
        the last call.
        """
        batch["rewards"] = batch["rewards"] * batch["is_end"]
        accuracy = batch["rewards"].float().mean().item()
        count, self._abstentions = self._abstentions, 0
        return batch, {"accuracy": accuracy, "abstentions": float(count)}


def environment_class() -> type:
    """The class with NeMo-RL's own interface as its base.

    Raises:
        MissingDependencyError: NeMo-RL is not installed.
    """
    base = require("nemo_rl.environments.interfaces", "nemo-rl").EnvironmentInterface
    return type("HdpoMathEnvironment", (MathEnvironment, base), {})
