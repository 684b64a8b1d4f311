"""KL over a bf16 head on a GPU: row kernels, torch rows and TRL's against the bare products.

Called by `benchmarks.losses` where there is a GPU. The bars are: torch rows <= 2.6 and 1.7 times
the products at width 1536 and 4096, row kernels <= 1.6 and 1.3, >= 1.4 times faster than TRL's
kernels, <= 3 GB above the gradients at 8192 tokens. Nobody has measured them yet.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from hdpo_env.losses import _head, reverse_kl

RESULTS = Path(__file__).parent / "results" / "losses_gpu.jsonl"
SHAPES = [(8192, 151936, 1536, 2048), (8192, 151936, 4096, 2048)]


def products(h: Tensor, W: Tensor, h_teacher: Tensor, chunk: int) -> None:
    """3 student products and 1 of the teacher, each written once in the precision it needs."""
    V = W.shape[0]
    S = h.new_empty((chunk, V), dtype=torch.float32)
    X, G = h.new_empty((chunk, V)), h.new_zeros((chunk, V))
    dW = torch.zeros_like(W, dtype=torch.float32)
    for rows, teacher in zip(h.split(chunk), h_teacher.split(chunk), strict=True):
        torch.mm(rows, W.T, out_dtype=torch.float32, out=S)
        torch.mm(teacher, W.T, out=X)
        torch.mm(G, W)
        torch.addmm(dW, G.T, rows, out_dtype=torch.float32, out=dW)


def variants(h: Tensor, W: Tensor, h_teacher: Tensor, chunk: int) -> dict[str, Callable]:
    """Name and call of each; a call does one forward and backward pass."""

    def ours() -> None:
        h.grad = W.grad = None
        reverse_kl(h, W, h_teacher, chunk=chunk).loss.backward()

    def without_kernels() -> None:
        with mock.patch.object(_head, "_kernels", return_value=None):
            ours()

    def trl() -> None:
        from trl.kernels.chunked_divergence import ChunkedDivergenceFunction

        h.grad = W.grad = None
        args = (h, W, None, h_teacher, W.detach(), None, 1.0)
        ChunkedDivergenceFunction.apply(*args)[0].sum().backward()

    return {
        "products": lambda: products(h.detach(), W.detach(), h_teacher, chunk),
        "row kernels": ours,
        "torch rows": without_kernels,
        "trl kernels": trl,
    }


def seconds(call: Callable, repeats: int = 5) -> float:
    """The best wall time of a call, the device waited for."""
    best = float("inf")
    for _ in range(repeats):
        torch.cuda.synchronize()
        started = time.perf_counter()
        call()
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    """One JSON line a variant and shape."""
    RESULTS.parent.mkdir(exist_ok=True)
    for n, V, d, chunk in SHAPES:
        g = torch.Generator("cuda").manual_seed(0)
        h, noise = torch.randn(2, n, d, generator=g, device="cuda", dtype=torch.bfloat16).unbind()
        h = h.clone()
        W = torch.randn(V, d, generator=g, device="cuda", dtype=torch.bfloat16).mul_(2 / d**0.5)
        h_teacher, floor = h + 0.3 * noise, float("nan")
        h.requires_grad_(), W.requires_grad_()
        for name, call in variants(h, W, h_teacher, chunk).items():
            row = {"bench": "losses/gpu", "variant": name, "rows": n, "vocabulary": V, "width": d}
            try:
                call()  # compile
            except ImportError as error:
                print(json.dumps(row | {"skipped": f"needs trl==1.16.0 ({error})"}))
                continue
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            took = seconds(call)
            peak = torch.cuda.max_memory_allocated() - before
            floor = took if name == "products" else floor
            row |= {
                "chunk": chunk, "ms": round(1e3 * took, 3), "ratio": round(took / floor, 3),
                "peak_gb": round(peak / 2**30, 3), "device": torch.cuda.get_device_name(),
            }  # fmt: skip
            print(json.dumps(row))
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
