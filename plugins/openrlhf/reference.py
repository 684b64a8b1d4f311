"""OpenRLHF's reference worker, which can also be a frozen teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hdpo_env.batching import token_batch
from hdpo_plugins.openrlhf import compat, heads
from hdpo_plugins.openrlhf.groups import Pair


class TeacherModelActor(compat.ReferenceModelActor):
    """Holds the first weights, and tells their top k on a privileged sequence."""

    def teacher_topk(self, pairs: Sequence[Pair], num_passes: int, top_k: int) -> list[tuple]:
        """For each pair (ids [T, k], logprobs [T, k], log_tail [T]), on the CPU.

        ``num_passes`` forward passes are run whatever the number of pairs, because partitioned
        parameters (ZeRO-3) need every rank in every pass.
        """
        from hdpo_env.losses import teacher_topk

        engine, temperature = self.model.model, self.strategy.args.rollout.temperature
        head = heads.output_head(engine.module)

        def top(h: Any, W: Any, bias: Any) -> Any:
            k = min(top_k, W.shape[0])
            return tuple(teacher_topk(h, W, k, bias=bias, temperature=temperature))

        found = []
        for i in range(num_passes):
            texts = heads.padded_to([(p.teacher_ids, p.completion_ids) for p in pairs[i : i + 1]])
            batch = token_batch(*zip(*texts, strict=True), pad_id=0, device=compat.current_device())
            tops = heads.read(engine, head, batch, top)
            if i < len(pairs):
                found.append(tuple(part.cpu() for part in tops))
        return found
