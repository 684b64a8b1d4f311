"""The matrix products between hidden states and the head: logits wide, gradients accumulated wide.

*Wide* is float64 for float64 inputs and float32 otherwise. Logits of a low-precision head must come
out wide: rounded to bf16 they carry a gradient error that grows without bound as the divergence
shrinks. CUDA has products with a wide output; on the CPU the operands are widened, a slab of the
head at a time, which is exact because a product of two bf16 numbers fits a float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

SLAB = 16384  # rows of a low-precision head widened at a time on the CPU


def wide_dtype(*tensors: Tensor) -> torch.dtype:
    """float64 if any of them is, else float32."""
    return torch.float64 if any(x.dtype == torch.float64 for x in tensors) else torch.float32


def native_wide_output(h: Tensor, W: Tensor) -> bool:
    """Whether the device multiplies this pair into a wide output by itself."""
    return h.is_cuda and h.dtype == W.dtype and h.dtype in (torch.bfloat16, torch.float16)


def _slabs(W: Tensor, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    size = W.shape[0] if W.dtype == dtype else SLAB
    for start in range(0, W.shape[0], size):
        cut = slice(start, start + size)
        yield cut, W[cut].to(dtype)


def logits(h: Tensor, W: Tensor, bias: Tensor | None, inverse_temp: float, out: Tensor) -> Tensor:
    """``(h W' + bias) / temperature`` into ``out[rows, V]``, which is wide."""
    if native_wide_output(h, W):
        if out.dtype == h.dtype:
            torch.mm(h, W.T, out=out)
        else:
            torch.mm(h, W.T, out_dtype=out.dtype, out=out)
        if inverse_temp != 1.0:
            out *= inverse_temp
    else:
        wide = h.to(out.dtype) * inverse_temp
        for cut, slab in _slabs(W, out.dtype):
            torch.mm(wide, slab.T, out=out[:, cut])
    if bias is not None:
        out += bias * inverse_temp
    return out


class Gradients:
    """``dh = G W / temp``, ``dW = sum G' h / temp``, ``dbias = sum G / temp``, chunk by chunk."""

    def __init__(
        self, h: Tensor, W: Tensor, needs: tuple[bool, bool, bool], inverse_temp: float
    ) -> None:
        self.h, self.W, self.inverse_temp = h, W, inverse_temp
        wide = wide_dtype(h, W)
        self.dh = torch.zeros_like(h) if needs[0] else None
        self.dW = torch.empty_like(W, dtype=wide) if needs[1] else None
        self.keep = 0.0  # 1 once dW holds something: the first chunk writes, the others add
        self.dbias = W.new_zeros(W.shape[0], dtype=wide) if needs[2] else None

    @property
    def wanted(self) -> bool:
        """Whether anybody asked for a gradient."""
        return any(x is not None for x in (self.dh, self.dW, self.dbias))

    def finish(
        self, sum_over_ranks: Callable[[Tensor], Tensor] | None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """The gradients in their tensors' dtypes; dh is summed over the vocabulary's ranks."""
        if self.dh is not None and sum_over_ranks is not None:
            self.dh = sum_over_ranks(self.dh)
        if self.dW is not None and not self.keep:
            self.dW.zero_()
        dW, dbias = (x if x is None else x.to(self.W.dtype) for x in (self.dW, self.dbias))
        return self.dh, dW, dbias

    def add(self, rows: Tensor, G: Tensor, scale: Tensor | None = None) -> None:
        """Add the contribution of these rows, whose logit gradient is ``scale G[rows, V]``."""
        if self.dbias is not None:
            total = G.sum(0) if scale is None else torch.mv(G.T, scale)
            self.dbias.add_(total, alpha=self.inverse_temp)
        if native_wide_output(self.h, self.W) and scale is None:
            self._add_native(rows, G.to(self.W.dtype))
        else:
            self._add_slabs(rows, G, scale)
        self.keep = 1.0

    def _add_native(self, rows: Tensor, G: Tensor) -> None:
        if self.dh is not None:
            self.dh[rows] = torch.mm(G, self.W) * self.inverse_temp
        if self.dW is not None:
            args = (self.dW, G.T, self.h[rows])
            torch.addmm(
                *args, out_dtype=self.dW.dtype, beta=self.keep, alpha=self.inverse_temp, out=self.dW
            )

    def _add_slabs(self, rows: Tensor, G: Tensor, scale: Tensor | None) -> None:
        factor = self.inverse_temp if scale is None else (scale * self.inverse_temp).unsqueeze(-1)
        wide = self.h[rows].to(G.dtype) * factor
        dh = torch.zeros_like(wide)
        for cut, slab in _slabs(self.W, G.dtype):
            if self.dh is not None:
                dh.addmm_(G[:, cut], slab)
            if self.dW is not None:
                self.dW[cut].addmm_(G[:, cut].T, wide, beta=self.keep)
        if self.dh is not None:
            self.dh[rows] = (dh * factor).to(self.dh.dtype)
