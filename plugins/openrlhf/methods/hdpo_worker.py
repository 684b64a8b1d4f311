"""HDPO in a policy worker: top-k divergence on pairs, spread over the micro-steps of a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hdpo_env.batching import TokenBatch, token_batch
from hdpo_env.config import DistillConfig
from hdpo_env.losses import TopK, head_loss, teacher_topk
from hdpo_plugins.openrlhf import heads
from hdpo_plugins.openrlhf.groups import Pair
from hdpo_plugins.openrlhf.plugins import WorkerPart

SATURATED_NATS = 0.9 * 0.6931471805599453  # near ln 2 the divergence has next to no gradient
NAMES = ("loss", "divergence", "saturated", "tokens", "updates")


class HdpoWorker(WorkerPart):
    """``lambda / N_tok * sum JSD_k``, N_tok counting one optimiser step's tokens on all ranks."""

    def __init__(self, worker: Any, config: DistillConfig) -> None:
        self._worker, self._config = worker, config
        has_base = worker.args["ds.lora.rank"] > 0
        self._is_given = config.teacher == "frozen" and not has_base  # by the reference workers
        self._taught = worker.teachers.weights(config)
        self._shares: list[list[Pair]] = []
        self._sums: defaultdict[str, float] = defaultdict(float)

    def begin(self, payload: Any, updates: Sequence[int]) -> None:
        """Deal this rank's pairs out to the micro-steps, and agree on counts with the others."""
        pairs: Sequence[Pair] = payload or ()
        self._sums.clear()
        self._updates, num = updates, len(updates)
        # Early micro-steps first: those that have a pair on any rank are the same everywhere.
        self._shares = [list(pairs[i::num]) for i in range(num)]
        tokens = [float(sum(len(p.completion_ids) for p in share)) for share in self._shares]
        totals = self._worker.reduced(tokens)
        self._has_any = [total > 0 for total in totals]
        self._tokens_of_update = defaultdict[int, float](float)
        for update, total in zip(updates, totals, strict=True):
            self._tokens_of_update[update] += total

    def before(
        self, experience: Any, micro_step: int, loss_batch_info: Mapping[str, Any]
    ) -> Tensor | None:
        """The divergence of this micro-step's pairs; None where no rank needs a forward pass."""
        pairs, worker = self._shares[micro_step], self._worker
        if not (pairs or (worker.is_partitioned and self._has_any[micro_step])):
            return None
        texts = heads.padded_to([(p.prompt_ids, p.completion_ids) for p in pairs])
        batch = self._batch(texts)
        teacher = self._teacher(pairs)
        tokens = self._tokens_of_update[self._updates[micro_step]]
        # DeepSpeed divides by its accumulation steps and averages over the ranks.
        scale = self._config.weight * worker.loss_divisor * worker.ranks
        each = scale / max(1.0, tokens) if pairs else 0.0

        def loss_of(h: Tensor, W: Tensor, bias: Tensor | None) -> Tensor:
            weight = h.new_full((len(h),), each, dtype=torch.float32)
            found = head_loss(
                h,
                W,
                teacher=teacher,
                divergence="jsd" if self._config.divergence == "jsd" else "kl_teacher_student",
                tail=self._config.tail,
                weight=weight,
                bias=bias,
                temperature=worker.temperature,
            )
            self._count(found.divergence, found.loss, len(pairs))
            return found.loss

        return heads.run(worker.engine, worker.head, batch, loss_of)

    def sums(self) -> dict[str, float]:
        """This rank's sums of the step."""
        with_pairs = sum(1 for total in self._tokens_of_update.values() if total)
        epochs = self._worker.args["train.max_epochs"]
        self._sums["updates"] = with_pairs * epochs / self._worker.ranks
        return {name: float(self._sums[name]) for name in NAMES}

    def status(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Mean loss of the updates that had pairs; means over the distilled tokens."""
        tokens = max(1.0, sums["tokens"])
        return {
            "hdpo/loss": sums["loss"] / max(1.0, sums["updates"]),
            "hdpo/tokens": sums["tokens"],
            "hdpo/token_divergence": sums["divergence"] / tokens,
            "hdpo/saturated_mass": sums["saturated"] / tokens,
        }

    def _batch(self, texts: Sequence[tuple[Sequence[int], Sequence[int]]]) -> TokenBatch:
        prompts, completions = zip(*texts, strict=True)
        worker = self._worker
        return token_batch(prompts, completions, pad_id=worker.pad_id, device=worker.device)

    def _teacher(self, pairs: Sequence[Pair]) -> TopK:
        if self._is_given:
            nothing = torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1)
            given = [p.teacher for p in pairs if p.teacher] or [nothing]
            ids, *rest = (torch.cat(part) for part in zip(*given, strict=True))
            return TopK(*(part.to(self._worker.device) for part in (ids.int(), *rest)))
        texts = heads.padded_to([(p.teacher_ids, p.completion_ids) for p in pairs])
        worker = self._worker
        with self._taught():
            return heads.read(worker.engine, worker.head, self._batch(texts), self._top)

    def _top(self, h: Tensor, W: Tensor, bias: Tensor | None) -> TopK:
        k = min(self._config.top_k, W.shape[0])
        return teacher_topk(h, W, k, bias=bias, temperature=self._worker.temperature)

    def _count(self, divergence: Tensor, loss: Tensor, num_pairs: int) -> None:
        if not num_pairs:
            return
        scale = self._worker.loss_divisor * self._worker.ranks
        found = {
            "loss": float(loss.detach()) / scale,
            "divergence": float(divergence.sum()),
            "saturated": float((divergence > SATURATED_NATS).sum()),
            "tokens": float(len(divergence)),
        }
        for name, value in found.items():
            self._sums[name] += value
