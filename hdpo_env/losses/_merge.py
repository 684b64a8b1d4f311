"""How per-row statistics of a slice of the vocabulary become those of the whole."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


class Whole:
    """One process holds the whole vocabulary: nothing to merge."""

    start = 0
    sharded = False

    def __init__(self, size: int) -> None:
        self.size = size

    def logsumexp(self, x: Tensor) -> Tensor:
        return x

    def sum(self, x: Tensor) -> Tensor:
        return x

    def concat(self, x: Tensor) -> Tensor:
        return x


class Shards(Whole):
    """Each rank of a group holds a slice of the head; a few numbers a row are exchanged."""

    sharded = True

    def __init__(self, group: dist.ProcessGroup, start: int, W: Tensor) -> None:
        self.group, self.start = group, start
        ends = torch.tensor([start + W.shape[0]], device=W.device)
        dist.all_reduce(ends, dist.ReduceOp.MAX, group=group)
        super().__init__(int(ends))

    def logsumexp(self, x: Tensor) -> Tensor:
        """Log of the sum over ranks of ``exp(x)``; ``-inf`` from a rank without mass is no harm."""
        top = x.clone()
        dist.all_reduce(top, dist.ReduceOp.MAX, group=self.group)
        anchor = top.nan_to_num(neginf=0.0)
        return anchor + self.sum((x - anchor).exp()).log()

    def sum(self, x: Tensor) -> Tensor:
        """The sum over ranks."""
        total = x.clone()
        dist.all_reduce(total, group=self.group)
        return total

    def concat(self, x: Tensor) -> Tensor:
        """All ranks' columns side by side; each rank may bring another number of them."""
        width = torch.tensor([x.shape[-1]], device=x.device)
        widths = [torch.zeros_like(width) for _ in range(self.group.size())]
        dist.all_gather(widths, width, group=self.group)
        most = max(int(w) for w in widths)
        padded = torch.nn.functional.pad(x, (0, most - x.shape[-1]))
        parts = [torch.empty_like(padded) for _ in widths]
        dist.all_gather(parts, padded.contiguous(), group=self.group)
        return torch.cat([part[:, : int(w)] for part, w in zip(parts, widths, strict=True)], -1)
