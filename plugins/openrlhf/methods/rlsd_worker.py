"""RLSD in a policy worker: the advantages of the policy loss, token by token."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hdpo_env.losses import rlsd_advantages, token_logprobs
from hdpo_plugins.openrlhf import heads
from hdpo_plugins.openrlhf.methods.reread import Prompts, reread
from hdpo_plugins.openrlhf.plugins import WorkerPart


class RlsdWorker(WorkerPart):
    """``A [(1 - l) + l clip(exp(sign(A) (log q - log p)))]`` with the step's own log p."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._prompts: Prompts = {}
        self._teacher: tuple[Tensor, Tensor] | None = None  # rows [B, A], log q there [N]
        self._sums: defaultdict[str, float] = defaultdict(float)

    def begin(self, payload: Any, updates: Sequence[int]) -> None:
        """Take the teacher's prompts."""
        self._prompts = payload or {}
        self._sums.clear()

    def before(
        self, experience: Any, micro_step: int, loss_batch_info: Mapping[str, Any]
    ) -> Tensor | None:
        """Let the teacher read the tokens that were sampled."""
        self._teacher = None
        found = reread(experience, self._prompts, "rlsd/gate_rate", self._worker, self._sums)
        if found is None:
            return None
        worker, batch = self._worker, found.batch

        def of_tokens(h: Tensor, W: Tensor, bias: Tensor | None) -> Any:
            return token_logprobs(h, W, batch.target, bias=bias, temperature=worker.temperature)

        logprobs = heads.read(worker.engine, worker.head, batch, of_tokens).logprobs
        self._teacher = found.rows[:, :-1], logprobs[found.is_action]
        return None

    def advantages(self, advantages: Tensor, logprobs: Tensor) -> Tensor:
        """Re-weighted where the teacher has read, as they were elsewhere."""
        if self._teacher is None:
            return advantages
        rows, teacher = self._teacher
        args, changed = self._worker.args, advantages.clone()
        before = advantages[rows]
        after = rlsd_advantages(
            before.float(),
            logprobs[rows].detach().float(),
            teacher,
            mix=args["rlsd.rlsd_mix"],
            clip=args["rlsd.rlsd_clip"],
        )
        changed[rows] = after.to(changed.dtype)
        self._sums["tokens"] += len(after)
        self._sums["change"] += float(torch.nan_to_num(after / before - 1).abs().sum())
        return changed

    def sums(self) -> dict[str, float]:
        """This rank's sums of the step."""
        return {name: float(self._sums[name]) for name in ("tokens", "change", "left_out")}

    def status(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Tokens that a teacher re-weighted, by which share on average, and rollouts too long."""
        return {
            "rlsd/tokens": sums["tokens"],
            "rlsd/mean_change": sums["change"] / max(1.0, sums["tokens"]),
            "rlsd/rollouts_left_out": sums["left_out"],
        }
