"""One variant of one loss, measured in a process of its own: called by `benchmarks.losses`.

    python -m benchmarks.losses_variants GROUP VARIANT N V d chunk repeats share

prints one JSON line: the best process CPU time of one forward and backward pass on one thread, and
the peak resident memory above the inputs, without the gradients in h and W. Each group's variants
compute one loss; ``loss`` and ``norm`` (of the gradient in h) let the caller see that they do.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hdpo_env.losses import (
    Hidden,
    TopK,
    head_loss,
    policy_loss,
    reference_kl,
    reverse_kl,
    teacher_topk,
    token_logprobs,
    topk_jsd,
)

K, BETA, ALPHA = 64, 1.0, 1e-3
VARIANTS: dict[tuple[str, str], Callable[..., Tensor | None]] = {}
NEEDS = {
    "liger": "liger-kernel==0.8.5",
    "trl": "trl==1.16.0 and accelerate",
    "torch chunked": "torch>=2.13",
}


@dataclass
class Inputs:
    """A micro-batch: logits of standard deviation 2, a teacher at a KL of a few tenths of a nat."""

    h: Tensor
    W: Tensor
    h_teacher: Tensor
    targets: Tensor
    advantages: Tensor
    weight: Tensor
    chunk: int
    old: Tensor | None = None
    top: TopK | None = None

    def token_loss(self, logprobs: Tensor, rows: Tensor) -> Tensor:
        """Clipped policy term and URKL to a reference a little off."""
        assert self.old is not None
        old = self.old[rows]
        policy = policy_loss(logprobs, old, self.advantages[rows]).loss
        return policy + ALPHA * reference_kl(logprobs, old - 0.1, kind="urkl").loss


def make_inputs(group: str, n: int, V: int, d: int, chunk: int, share: float) -> Inputs:
    g = torch.Generator().manual_seed(0)
    h, noise = torch.randn(2, n, d, generator=g).unbind()
    W = torch.randn(V, d, generator=g).mul_(2.0 / d**0.5)
    targets = torch.randint(0, V, (n,), generator=g)
    advantages = torch.randn(n, generator=g)
    weight = (torch.randperm(n, generator=g) < share * n).float()
    x = Inputs(h, W, h + 0.3 * noise, targets, advantages, weight, chunk)
    if group == "joint":
        x.old = token_logprobs(h, W, targets, chunk=chunk).logprobs
    if group == "topk":
        x.top = teacher_topk(x.h_teacher, W, K, chunk=chunk)
    return x


def variant(group: str, name: str):
    def register(function):
        VARIANTS[group, name] = function
        return function

    return register


def products(x: Inputs, student_share: float, teacher_share: float) -> Callable[[], None]:
    """The matrix products nobody can avoid: logits, dh, dW, and the teacher's logits."""
    n, V = len(x.h), x.W.shape[0]
    S, dW, dh = torch.empty(x.chunk, V), torch.zeros_like(x.W), torch.empty_like(x.h)

    def run() -> None:
        for rows in chunks(round(student_share * n), x.chunk):
            part = S[: rows.stop - rows.start]
            torch.mm(x.h[rows], x.W.T, out=part)
            torch.mm(part, x.W, out=dh[rows])
            dW.addmm_(part.T, x.h[rows])
        for rows in chunks(round(teacher_share * n), x.chunk):
            torch.mm(x.h_teacher[rows], x.W.T, out=S[: rows.stop - rows.start])

    return run


def chunks(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


VARIANTS["kl", "products"] = lambda x: products(x, x.weight.mean().item(), x.weight.mean().item())
VARIANTS["topk", "products"] = lambda x: products(x, 1.0, 0.0)
VARIANTS["joint", "products"] = lambda x: products(x, 1.0, x.weight.mean().item())


@variant("kl", "ours")
def kl_ours(x, h, W):
    return reverse_kl(h, W, x.h_teacher, weight=x.weight, chunk=x.chunk).loss


@variant("kl", "naive autograd")
def kl_naive(x, h, W):
    log_p = (h @ W.T).log_softmax(-1)
    with torch.no_grad():
        log_q = (x.h_teacher @ W.T).log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum()


def full_kl(student: Tensor, teacher: Tensor) -> Tensor:
    log_p, log_q = student.log_softmax(-1), teacher.log_softmax(-1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1)


def checkpointed_kl(x, logits: Tensor, W: Tensor) -> Tensor:
    with torch.no_grad():
        teacher = x.h_teacher @ W.T
    return torch.utils.checkpoint.checkpoint(full_kl, logits, teacher, use_reentrant=False)


@variant("kl", "SDPG structure")
def kl_sdpg(x, h, W):
    return checkpointed_kl(x, h @ W.T, W).sum()


@variant("kl", "trl gjsd")
def kl_trl(x, h, W):
    from trl.experimental.gkd.gkd_trainer import GKDTrainer

    with torch.no_grad():
        teacher = x.h_teacher @ W.T
    return GKDTrainer.generalized_jsd_loss(h @ W.T, teacher, beta=1.0, reduction="sum")


@variant("kl", "trl chunked")
def kl_trl_chunked(x, h, W):
    from trl.kernels.chunked_divergence import ChunkedDivergenceFunction

    args = (h, W, None, x.h_teacher, W.detach(), None, 1.0)
    return ChunkedDivergenceFunction.apply(*args)[0].sum()


def liger(x, h, W, beta):
    from liger_kernel.chunked_loss.jsd_loss import LigerFusedLinearJSDLoss

    loss = LigerFusedLinearJSDLoss(0.0, 1.0, beta=beta, compiled=False, chunk_size=x.chunk)
    return loss(h, W, x.h_teacher, W.detach(), x.targets) * len(h)


@variant("kl", "liger")
def kl_liger(x, h, W):
    return liger(x, h, W, 1.0)


@variant("topk", "ours")
def topk_ours(x, h, W):
    return topk_jsd(h, W, x.top.ids, x.top.logprobs, chunk=x.chunk).loss


@variant("topk", "ours with teacher")
def topk_ours_teacher(x, h, W):
    top = teacher_topk(x.h_teacher, W.detach(), K, chunk=x.chunk)
    return topk_jsd(h, W, top.ids, top.logprobs, chunk=x.chunk).loss


@variant("topk", "naive autograd")
def topk_naive(x, h, W):
    log_p = (h @ W.T).log_softmax(-1).gather(-1, x.top.ids.long())
    log_q = x.top.logprobs.log_softmax(-1)
    p, q = log_p.exp(), log_q.exp()
    log_m = torch.logaddexp(log_p, log_q) - 0.6931471805599453
    on_k = 0.5 * (p * (log_p - log_m) + q * (log_q - log_m)).sum(-1)
    return (on_k + 0.5 * 0.6931471805599453 * (1 - p.sum(-1))).sum()


@variant("topk", "liger full JSD")
def topk_liger(x, h, W):
    return liger(x, h, W, 0.5)


@variant("joint", "ours")
def joint_ours(x, h, W):
    return head_loss(
        h, W, x.targets, x.token_loss, teacher=Hidden(x.h_teacher), weight=BETA * x.weight,
        chunk=x.chunk,
    ).loss  # fmt: skip


@variant("joint", "torch chunked + our KL")
def joint_separate(x, h, W):
    options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=x.chunk)
    logprobs = -F.linear_cross_entropy(h, W, x.targets, reduction="none", options=options)
    kl = reverse_kl(h, W, x.h_teacher, weight=BETA * x.weight, chunk=x.chunk).loss
    return x.token_loss(logprobs, torch.arange(len(h))).sum() + kl


@variant("joint", "our two calls")
def joint_two_calls(x, h, W):
    token = head_loss(h, W, x.targets, x.token_loss, chunk=x.chunk).loss
    return token + reverse_kl(h, W, x.h_teacher, weight=BETA * x.weight, chunk=x.chunk).loss


@variant("joint", "SDPG structure")
def joint_sdpg(x, h, W):
    logits = h @ W.T
    logprobs = logits.log_softmax(-1).gather(-1, x.targets[:, None]).squeeze(-1)
    loss = x.token_loss(logprobs, torch.arange(len(h))).sum()
    return loss + (BETA * x.weight * checkpointed_kl(x, logits, W)).sum()


def resident(field: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) * 1024


def measure(group: str, name: str, n: int, V: int, d: int, chunk: int, repeats: int, share: float):
    """The result line of one variant."""
    torch.set_num_threads(1)
    x = make_inputs(group, n, V, d, chunk, share)
    function, result = VARIANTS[group, name], {}
    if name == "products":
        run = function(x)
    else:

        def run() -> None:
            h, W = x.h.detach().requires_grad_(), x.W.detach().requires_grad_()
            loss = function(x, h, W)
            loss.backward()
            result.update(loss=loss.item(), norm=h.grad.norm().item())

    run_small(function, group, name)
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # the peak starts here
    before, times = resident("VmRSS:"), []
    for _ in range(repeats):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    gradients = 0 if name == "products" else 4 * (x.W.numel() + x.h.numel())
    extra = resident("VmHWM:") - before - gradients
    return {"cpu_s": min(times), "extra_mb": extra / 2**20, **result}


def run_small(function, group: str, name: str) -> None:
    """Import and warm up what the variant needs, on a problem too small to count."""
    if name != "products":
        x = make_inputs(group, 4, 70, 3, 2, 1.0)
        h, W = x.h.requires_grad_(), x.W.requires_grad_()
        function(x, h, W).backward()


def main(arguments: list[str]) -> None:
    group, name = arguments[:2]
    n, V, d, chunk, repeats = (int(a) for a in arguments[2:7])
    try:
        line = measure(group, name, n, V, d, chunk, repeats, float(arguments[7]))
    except (ImportError, AttributeError) as error:
        needs = next((text for key, text in NEEDS.items() if key in name), None)
        if needs is None:
            raise
        line = {"skipped": f"needs {needs} ({error})"}
    print(json.dumps(line))


if __name__ == "__main__":
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main(sys.argv[1:])
