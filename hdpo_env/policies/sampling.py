"""KV-cached batched sampling from any causal language model, with its own random generator.

``transformers.generate`` draws from torch's global generator, so two samplers in one process would
disturb each other and a resumed run could not repeat itself; hence this loop.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from hdpo_env.errors import TrainingError


@dataclass
class _Row:
    """One completion while it grows, to at most ``room`` tokens."""

    room: int
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    is_done: bool = False

    @property
    def is_open(self) -> bool:
        return not self.is_done and len(self.token_ids) < self.room


@torch.no_grad()
def sample_tokens(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    num: int,
    stop_ids: Collection[int],
    pad_id: int,
    temperature: float,
    max_tokens: int,
    generator: torch.Generator | None,
    max_positions: int | None = None,
) -> list[_Row]:
    """Draw ``num`` completions of every prompt; prompt-major order, ``len(prompts) * num`` rows.

    Prompts are left-padded and read once each; their cache is then shared by their ``num`` rows.
    A row ends with one of ``stop_ids`` (kept in ``token_ids``), after ``max_tokens``, or where
    prompt and completion fill ``max_positions``. With ``generator=None`` the most likely token is
    taken. Finished rows leave the batch when they are half of it.

    Raises:
        TrainingError: the model's logits are NaN or infinite.
    """
    ids, mask = _left_pad(prompts, pad_id, model.device)
    cache = DynamicCache(config=model.config)
    last = None if max_positions is None else max_positions - 1
    logits = _forward(model, ids, mask, cache, last)
    cache.batch_repeat_interleave(num)
    logits, mask = logits.repeat_interleave(num, 0), mask.repeat_interleave(num, 0)
    rows = [_Row(_room(p, max_tokens, max_positions)) for p in prompts for _ in range(num)]
    alive = list(range(len(rows)))
    while True:
        tokens, logprobs = _draw(logits, temperature, generator)
        _append([rows[i] for i in alive], tokens, logprobs, stop_ids)
        open_rows = [j for j, i in enumerate(alive) if rows[i].is_open]
        if not open_rows:
            return rows
        if 2 * len(open_rows) <= len(alive):
            index = torch.tensor(open_rows, device=mask.device)
            cache.batch_select_indices(index)
            alive, mask, tokens = [alive[j] for j in open_rows], mask[index], tokens[index]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
        logits = _forward(model, tokens[:, None], mask, cache, last)


def _room(prompt: Sequence[int], max_tokens: int, max_positions: int | None) -> int:
    return max_tokens if max_positions is None else min(max_tokens, max_positions - len(prompt))


def _forward(
    model: PreTrainedModel, ids: Tensor, mask: Tensor, cache: DynamicCache, last: int | None
) -> Tensor:
    """Next-token logits [B, V] after ``ids``; grows the cache.

    Rows that are full stay at the last position until they leave the batch: nobody reads them.
    """
    positions = (mask.cumsum(1) - 1).clamp(min=0, max=last)[:, -ids.shape[1] :]
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return out.logits[:, -1].float()


def _draw(
    logits: Tensor, temperature: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """One token a row and its log-probability at this temperature."""
    log_dist = (logits if generator is None else logits / temperature).log_softmax(-1)
    if log_dist.isnan().any():
        raise TrainingError(
            "the model's logits are not finite, so nothing can be sampled: its weights diverged; "
            "go on from an earlier checkpoint with a lower --optim.lr or --lambda"
        )
    if generator is None:
        tokens = log_dist.argmax(-1)
    else:
        tokens = torch.multinomial(log_dist.exp(), 1, generator=generator)[:, 0]
    return tokens, log_dist.gather(1, tokens[:, None])[:, 0]


def _append(
    rows: Sequence[_Row], tokens: Tensor, logprobs: Tensor, stop_ids: Collection[int]
) -> None:
    for row, token, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
        if row.is_open:
            row.token_ids.append(token)
            row.logprobs.append(logprob)
            row.is_done = token in stop_ids


def _left_pad(
    prompts: Sequence[Sequence[int]], pad_id: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    width = max(map(len, prompts))
    ids = torch.tensor([[pad_id] * (width - len(p)) + list(p) for p in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
    return ids, mask
