"""A student's own rollouts as its privileged self reads them: the same tokens, another prompt."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hdpo_env.batching import TokenBatch, token_batch
from hdpo_plugins.openrlhf import heads
from hdpo_plugins.openrlhf.labels import asked_key

Prompts = Mapping[tuple[str, str], Sequence[int]]  # question -> the teacher's token ids


@dataclass(frozen=True)
class Reread:
    """The gated rollouts of one micro-batch.

    ``rows`` [B, L] marks the positions of the student's batch that predict their N action tokens,
    ``targets`` [N] are those tokens, ``batch`` the teacher's sequences, and ``is_action`` says
    which of the teacher's completion tokens the N are (a turn of an environment is none).
    """

    rows: Tensor
    targets: Tensor
    attention_mask: Tensor
    batch: TokenBatch
    is_action: Tensor

    def of_student(self, hidden: Tensor) -> Tensor:
        """What the student's head reads at the N rows, [N, d]; padded or packed."""
        return heads.select_rows(hidden, self.rows, self.attention_mask)

    def of_actions(self, values: Tensor) -> Tensor:
        """Values [B, A] of OpenRLHF's action positions at the N rows."""
        return values[self.rows[:, :-1]]

    @property
    def num_rows(self) -> int:
        """N."""
        return len(self.targets)


def reread(
    experience: Any, prompts: Prompts, gate: str, worker: Any, sums: MutableMapping[str, float]
) -> Reread | None:
    """The rollouts that a gate lets in and a teacher can read.

    Those that are too long for the teacher are counted in ``sums["left_out"]``: nothing is cut.

    None if there are none, unless parameters are partitioned (ZeRO-3): then every rank has to run
    the teacher's forward pass, and one without rollouts runs it on a single token.
    """
    mask = experience.action_mask.bool()
    gates = [float(g) > 0 for g in experience.info[gate]]
    chosen, texts = [], []
    is_action = [torch.zeros(0, dtype=torch.bool, device=mask.device)]
    for b in (b for b, is_open in enumerate(gates) if is_open):
        teacher = prompts.get(asked_key(experience.prompts[b], experience.labels[b]))
        start = int(mask[b].long().argmax()) + 1  # mask[t] is about token t + 1
        end = int(experience.attention_mask[b].sum())
        if teacher is None or len(teacher) + end - start > worker.args["data.max_len"]:
            sums["left_out"] += 1
            continue
        chosen.append(b)
        texts.append((teacher, experience.sequences[b, start:end].tolist()))
        is_action.append(mask[b, start - 1 : end - 1])
    if not chosen and not worker.is_partitioned:
        return None
    is_in = torch.zeros(len(mask), 1, dtype=torch.bool, device=mask.device)
    is_in[chosen] = True
    rows = functional.pad(mask & is_in, (0, 1))
    nothing = torch.zeros(int(not chosen), dtype=torch.bool, device=mask.device)
    return Reread(
        rows=rows,
        targets=experience.sequences.roll(-1, dims=1)[rows],
        attention_mask=experience.attention_mask,
        batch=token_batch(
            *zip(*heads.padded_to(texts), strict=True), pad_id=worker.pad_id, device=mask.device
        ),
        is_action=torch.cat([*is_action, nothing]),
    )
