"""Every refusal names the argument, its value and the rule."""

from __future__ import annotations

import pytest
import torch

from hdpo_env.losses import (
    Hidden,
    TopK,
    count,
    group_advantages,
    head_loss,
    masked_mean,
    policy_loss,
    reference_kl,
    reverse_kl,
    rlsd_advantages,
    teacher_topk,
    token_logprobs,
    token_weights,
    topk_jsd,
)

pytestmark = pytest.mark.usefixtures("unchecked")

h, W = torch.ones(2, 3), torch.eye(4, 3)
y = torch.tensor([0, 1])
ids, lp = torch.tensor([[0, 1], [2, 3]]), torch.full((2, 2), -1.0)
zero = torch.zeros(2)
NAN, INF = float("nan"), float("inf")


def token_loss(logprobs, rows):
    return logprobs


BAD = {
    "NaN logits": (lambda: reverse_kl(h * NAN, W, h), "student logits.*NaN"),
    "NaN in the head": (lambda: token_logprobs(h, W * NAN, y), "student logits.*NaN"),
    "infinite logits": (lambda: token_logprobs(h, W, y, bias=W[:, 0] * INF), "logits"),
    "all forbidden": (lambda: token_logprobs(h, W, y, bias=torch.full((4,), -INF)), "-inf in"),
    "NaN teacher": (lambda: reverse_kl(h, W, h, W * NAN), "teacher logits.*NaN"),
    "NaN shared teacher": (lambda: reverse_kl(h, W, h * NAN), "teacher logits.*NaN"),
    "NaN teacher for topk": (lambda: teacher_topk(h * NAN, W, 2), "teacher logits.*NaN"),
    "student width": (lambda: reverse_kl(torch.ones(2, 5), W, h), "h is 5 wide and W 3"),
    "teacher width": (lambda: reverse_kl(h, W, torch.ones(2, 5)), "h_teacher is 5 wide and"),
    "teacher rows": (lambda: reverse_kl(h, W, h[:1]), r"h_teacher has shape \[1, 3\].*N = 2"),
    "teacher vocabulary": (lambda: reverse_kl(h, W, h, W[:2]), "W_teacher has 2 rows and W 4"),
    "teacher bias": (lambda: reverse_kl(h, W, h, bias_teacher=W[:, 0]), "bias_teacher without"),
    "integer hidden": (lambda: reverse_kl(h.long(), W, h), "h is torch.int64"),
    "integer head": (lambda: reverse_kl(h, W.long(), h), "W is torch.int64"),
    "vector head": (lambda: reverse_kl(h, W[0], h), r"W is torch.float32\[3\]"),
    "empty vocabulary": (lambda: reverse_kl(h, W[:0], h), "W has 0 rows"),
    "bias shape": (lambda: reverse_kl(h, W, h, bias=zero), r"bias has shape \[2\]"),
    "negative weight": (lambda: reverse_kl(h, W, h, weight=zero - 1), "weight holds -1.0"),
    "NaN weight": (lambda: reverse_kl(h, W, h, weight=zero * NAN), "weight holds nan"),
    "weight rows": (lambda: reverse_kl(h, W, h, weight=zero[:1]), r"weight has shape \[1\]"),
    "temperature": (lambda: reverse_kl(h, W, h, temperature=0.0), "temperature = 0.0"),
    "softcap": (lambda: reverse_kl(h, W, h, softcap=30.0), "softcap = 30.0"),
    "chunk": (lambda: reverse_kl(h, W, h, chunk=0), "chunk = 0"),
    "target range": (lambda: token_logprobs(h, W, y + 3), "targets holds 4.*V = 4"),
    "target sign": (lambda: token_logprobs(h, W, y - 1), "targets holds -1"),
    "float targets": (lambda: token_logprobs(h, W, y.float()), "targets is torch.float32"),
    "no targets": (lambda: head_loss(h, W, None, token_loss), "targets is None"),
    "mask rows": (lambda: head_loss(h, W, y, token_loss, mask=y[:1] > 0), "mask has shape"),
    "integer mask": (lambda: head_loss(h, W, y, token_loss, mask=y), "mask is torch.int64"),
    "summed token loss": (lambda: head_loss(h, W, y, lambda a, b: a.sum()), "one weighted loss"),
    "ids range": (lambda: topk_jsd(h, W, ids + 1, lp), "ids holds 4.*V = 4"),
    "ids sign": (lambda: topk_jsd(h, W, ids - 1, lp), "ids holds -1"),
    "float ids": (lambda: topk_jsd(h, W, ids.float(), lp), "ids is torch.float32"),
    "repeated ids": (lambda: topk_jsd(h, W, ids * 0, lp), r"ids \[0, 0\].*distinct"),
    "k above V": (
        lambda: topk_jsd(h, W, torch.zeros(2, 5).long(), torch.zeros(2, 5)),
        "k = 5.*V = 4",
    ),
    "empty teacher": (lambda: topk_jsd(h, W, ids[:, :0], lp[:, :0]), "k = 0"),
    "teacher without mass": (lambda: topk_jsd(h, W, ids, lp - INF), "empty teacher"),
    "NaN teacher log-probs": (lambda: topk_jsd(h, W, ids, lp * NAN), "NaN or without any mass"),
    "shapes of ids": (lambda: topk_jsd(h, W, ids, lp[:, :1]), r"ids \[2, 2\] and logprobs \[2, 1"),
    "tail": (lambda: topk_jsd(h, W, ids, lp, tail="half"), "tail = 'half'.*bucket"),
    "divergence": (lambda: head_loss(h, W, teacher=Hidden(h), divergence="kl"), "= 'kl'"),
    "infinite divergence": (lambda: head_loss(h, W, teacher=TopK(ids, lp)), "infinite"),
    "k for teacher_topk": (lambda: teacher_topk(h, W, 5), "k = 5.*V = 4"),
    "no k": (lambda: teacher_topk(h, W, 0), "k = 0"),
    "baseline": (lambda: group_advantages(zero, y, baseline="median"), "baseline = 'median'"),
    "scale": (lambda: group_advantages(zero, y, scale="std"), "scale = 'std'.*population_std"),
    "eps_std": (lambda: group_advantages(zero, y, eps_std=-1.0), "eps_std = -1.0"),
    "infinite reward": (lambda: group_advantages(zero + INF, y), "infinity"),
    "group index": (lambda: group_advantages(zero, y - 1), "group_index holds -1"),
    "policy kind": (lambda: policy_loss(zero, zero, zero, kind="ppo"), "kind = 'ppo'"),
    "no old log-probs": (lambda: policy_loss(zero, None, zero), "old_logprobs is None"),
    "clip_low": (lambda: policy_loss(zero, zero, zero, clip_low=1.0), "clip_low = 1.0"),
    "clip_high": (lambda: policy_loss(zero, zero, zero, clip_high=-0.1), "clip_high = -0.1"),
    "dual_clip": (lambda: policy_loss(zero, zero, zero, dual_clip=1.0), "dual_clip = 1.0"),
    "reference kind": (lambda: reference_kl(zero, zero, kind="k3"), "kind = 'k3'.*urkl"),
    "mix": (lambda: rlsd_advantages(zero, zero, zero, mix=2.0, clip=0.1), "mix = 2.0"),
    "rlsd clip": (lambda: rlsd_advantages(zero, zero, zero, mix=0.5, clip=-1.0), "clip = -1.0"),
    "level": (lambda: count(ids > 0, level="batch"), "level = 'batch'"),
    "weights level": (lambda: token_weights(ids > 0, level="x", denominator=1), "level = 'x'"),
    "zero denominator": (lambda: token_weights(ids >= 0, denominator=0), "denominator = 0"),
    "negative denominator": (lambda: masked_mean(zero, zero > 1, -2), "denominator = -2"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_bad_input_is_refused(name):
    """ValueError whose message holds the argument, the value and the rule."""
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_an_infinite_divergence_is_infinite_not_nan():
    """A teacher that forbids a token the student can say is at distance inf."""
    bias = torch.tensor([0.0, 0.0, 0.0, -INF])
    assert (reverse_kl(h, W, h, W.clone(), bias_teacher=bias).value == INF).all()
