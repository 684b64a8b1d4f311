"""The vocabulary split over two gloo ranks gives what one process gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

import hdpo_env
from hdpo_env.losses import (
    Hidden,
    TopK,
    VocabShard,
    head_loss,
    reverse_kl,
    teacher_topk,
    token_logprobs,
    topk_jsd,
)

N, V, D, K = 6, 13, 4, 5
CUT = {0: slice(0, 5), 1: slice(5, 13)}  # slices of different sizes


def inputs():
    g = torch.Generator().manual_seed(0)
    shapes = {"h": (N, D), "W": (V, D), "h_teacher": (N, D), "W_teacher": (V, D), "bias": (V,)}
    x = {k: torch.randn(*s, generator=g, dtype=torch.float64) for k, s in shapes.items()}
    x["bias"][3], x["bias"][5] = float("-inf"), float("-inf")  # also in the first column of rank 1
    x["W"][7] *= 30.0  # one rank holds nearly all of some rows' mass
    x["targets"] = torch.tensor([0, 4, 7, 6, 12, 11])
    x["weight"] = torch.tensor([1.0, 0.5, 0, 2, 1, 1], dtype=torch.float64)
    return x


def calls(x, cut, shard):
    """Every operator on this slice of the vocabulary: (loss, rows, gradients) for each."""
    W, b = x["W"][cut], x["bias"][cut]
    own = Hidden(x["h_teacher"], x["W_teacher"][cut], b)
    ids, logprobs, log_tail = teacher_topk(x["h_teacher"], W, K, bias=b, shard=shard)
    top = TopK(ids, logprobs, log_tail)
    options = {"weight": x["weight"], "bias": b, "chunk": 4, "shard": shard}
    ops = {
        "kl": lambda h, W: reverse_kl(h, W, x["h_teacher"], **options),
        "jsd": lambda h, W: topk_jsd(h, W, ids, logprobs, **options),
        "bucket": lambda h, W: topk_jsd(
            h, W, ids, logprobs, tail="bucket", log_tail=log_tail, **options
        ),
    }
    for divergence in ("kl_student_teacher", "kl_teacher_student", "jsd"):
        for name, teacher in (("own", own), ("shared", Hidden(x["h_teacher"])), ("top", top)):
            if name == "top" and divergence == "kl_student_teacher":
                continue
            ops[f"{name} {divergence}"] = lambda h, W, t=teacher, d=divergence: head_loss(
                h, W, x["targets"], lambda logprobs, rows: logprobs.exp() * (rows + 1),
                teacher=t, divergence=d, old_logprobs=x["weight"] - 2, **options,
            )  # fmt: skip
    results = {"top": tuple(top)}
    results["logprobs"] = tuple(token_logprobs(x["h"], W, x["targets"], bias=b, shard=shard))
    for name, op in ops.items():
        h, W_leaf = x["h"].clone().requires_grad_(), W.clone().requires_grad_()
        out = op(h, W_leaf)
        dh, dW = torch.autograd.grad(out.loss, [h, W_leaf])
        results[name] = (out.loss.detach(), *out[1:], dh, dW)
    return results


def rank_main(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    group = dist.group.WORLD
    assert group is not None
    torch.save(calls(inputs(), CUT[rank], VocabShard(group, CUT[rank].start)), f"{folder}/{rank}")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes found."""
    folder = str(tmp_path_factory.mktemp("ranks"))
    command = [sys.executable, __file__, folder]
    env = {**os.environ, "PYTHONPATH": str(Path(hdpo_env.__file__).parents[1])}  # this very code
    children = [subprocess.Popen([*command, str(rank)], env=env) for rank in (0, 1)]
    assert [child.wait(timeout=120) for child in children] == [0, 0]
    return [torch.load(f"{folder}/{rank}") for rank in (0, 1)]


def test_two_ranks_equal_one_process(ranks):
    """Losses, rows, gradients in h everywhere, gradients in W slice by slice: to 1e-12."""
    whole = calls(inputs(), slice(0, V), None)
    assert len(whole) == 13
    for rank, found in enumerate(ranks):
        for name, want in whole.items():
            dense = name not in ("top", "logprobs")
            want = (*want[:-1], want[-1][CUT[rank]]) if dense else want
            torch.testing.assert_close(
                found[name], want, rtol=1e-11, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}"
            )


if __name__ == "__main__":
    rank_main(int(sys.argv[2]), sys.argv[1])
