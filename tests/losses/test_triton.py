"""The GPU's row kernels against the torch rows they replace: compiled where there is a GPU, else
run by Triton's interpreter, which has to be chosen before triton is first imported.
"""

from __future__ import annotations

import os
import sys

import pytest
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and "triton" not in sys.modules:
    os.environ["TRITON_INTERPRET"] = "1"
pytest.importorskip("triton")
if DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("triton was imported before; run this file alone", allow_module_level=True)

from hdpo_env.losses import Hidden, TopK, _head, _rows, head_loss, reference, teacher_topk  # noqa: E402
from hdpo_env.losses._merge import Whole  # noqa: E402
from hdpo_env.losses._prepare import log_teacher  # noqa: E402

# numpy, which interprets, warns of inf * 0 in branches that a `where` does not take.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture
def kernels(monkeypatch):
    """The kernels, with blocks smaller than the vocabulary."""
    from hdpo_env.losses import _triton

    monkeypatch.setattr(_triton, "BLOCK", 64)
    return _triton


def plan(shared=True, tail="exact", divergence="kl_student_teacher"):
    return _rows.Plan(divergence, tail, shared, True, Whole(V))


N, G, V, K = 7, 4, 150, 5


def logits(apart: float, seed: int = 0):
    """Student and teacher logits, the student's with a forbidden token and a peaked row."""
    g = torch.Generator().manual_seed(seed)
    s, noise = torch.randn(2, N, V, generator=g).mul_(3.0).unbind()
    s[1] *= 20.0
    t = s + apart * noise
    s[:, 17], t[:, 17] = float("-inf"), float("-inf")
    return s.to(DEVICE), t[:G].to(DEVICE)


def run(module, s, x, part, how, dtype=torch.float32):
    s, x = s.clone(), None if x is None else x.clone()
    weight = torch.linspace(0.2, 1.1, G, device=DEVICE)
    slope = torch.linspace(-1, 1, N, device=DEVICE)
    stats = module.read(s, x, G, part, how)
    return stats, module.write(s, x, part, stats, weight, slope, how, dtype)


def assert_same(a, b, tolerance):
    """Equal statistics (those that are there) and gradients."""
    for name in ("lse", "entropy", "logprobs", "value"):
        ours, theirs = getattr(a[0], name), getattr(b[0], name)
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance, msg=name)
    torch.testing.assert_close(a[1], b[1], rtol=10 * tolerance, atol=tolerance)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("apart", [0.01, 1.0, 40.0])
def test_kl_rows_equal_torch(kernels, shared, apart):
    """Gated rows, policy rows and entropy at once: as the torch path, for both kinds of teacher."""
    s, t = logits(apart)
    x = t
    if shared:
        x = s[:G] - t
        x[:, 17] = 0.25  # over one head the bias cancels: a forbidden token has a difference
    part = _rows.Part(torch.tensor([0, 149, 3, 63, 64, 65, 8], device=DEVICE))
    assert_same(run(kernels, s, x, part, plan(shared)), run(_rows, s, x, part, plan(shared)), 2e-5)


@pytest.mark.parametrize("apart", [1e-3, 1e-2, 0.3, 30.0])
def test_kl_rows_keep_their_digits(kernels, apart):
    """Against float64: KL >= 1e-6 to 1e-4, never negative."""
    s, t = logits(apart)
    x = (s[:G] - t).nan_to_num(0.25)
    stats, _ = run(kernels, s, x, _rows.Part(None), plan())
    exact = reference.kl_student_teacher(s[:G].double(), s[:G].double() - x.double())
    assert stats.value.min() >= 0
    tell = exact > 1e-6
    assert tell.any()
    assert ((stats.value - exact).abs() / exact)[tell].max() < 1e-4


def test_a_far_teacher_does_not_overflow(kernels):
    """KL = 200 and 0 gradient where p underflows on the teacher's token."""
    s = torch.full((N, V), -400.0, device=DEVICE)
    s[:, 0], s[:, 1] = 0.0, -200.0
    x = torch.zeros(G, V, device=DEVICE)
    x[:, 0], x[:, 1] = 200.0, -200.0
    stats, gradient = run(kernels, s, x, _rows.Part(None), plan())
    assert (stats.value - 200).abs().max() < 1e-3
    assert gradient[:G].isfinite().all()


@pytest.mark.parametrize("tail", ["exact", "paper", "bucket"])
def test_topk_rows_equal_torch(kernels, tail):
    """Top-k JSD beside a policy term, for every tail: as the torch path."""
    s, t = logits(1.0)
    log_q = t.log_softmax(-1)
    logprobs, ids = log_q.topk(K, -1)
    rest = (1 - logprobs.double().exp().sum(-1)).log().float()
    top = TopK(ids.int(), logprobs, rest)
    part = _rows.Part(
        torch.arange(N, device=DEVICE),
        top.ids,
        log_teacher(top, tail, torch.arange(G, device=DEVICE)),
    )
    how = plan(False, tail, "jsd")
    assert_same(run(kernels, s, None, part, how), run(_rows, s, None, part, how), 2e-5)


def test_bf16_difference_and_gradient(kernels):
    """A bf16 difference goes in and a bf16 gradient comes out, float32 in between."""
    s, t = logits(0.3)
    x = (s[:G] - t).nan_to_num(0.25).bfloat16()
    part = _rows.Part(torch.arange(N, device=DEVICE))
    ours = run(kernels, s, x, part, plan(), torch.bfloat16)
    theirs = run(_rows, s, x.float(), part, plan())
    assert ours[1].dtype == torch.bfloat16
    torch.testing.assert_close(ours[0].value, theirs[0].value, rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(ours[1].float(), theirs[1], rtol=2**-7, atol=1e-6)  # an ulp of bf16
    assert (ours[0].value > 0).all()


def test_which_cases_they_serve(kernels):
    """Dense JSD and KL(teacher || student) stay with torch; a policy term alone does not."""
    assert kernels.serves(plan(), dense=True)
    assert kernels.serves(plan(divergence="jsd"), dense=False)
    assert not kernels.serves(plan(divergence="jsd"), dense=True)


@pytest.mark.parametrize("kind", ["hidden", "own head", "top k", "none"])
def test_the_joint_operator_through_the_kernels(kernels, monkeypatch, kind):
    """head_loss with the kernels in the torch rows' place: same outputs and gradients."""
    g = torch.Generator().manual_seed(0)
    h, noise = (torch.randn(9, 6, generator=g).to(DEVICE) for _ in range(2))
    W, W_teacher = (torch.randn(V, 6, generator=g).to(DEVICE) for _ in range(2))
    targets = torch.randint(0, V, (9,), generator=g).to(DEVICE)
    gate = torch.tensor([0, 1, 1, 0, 2, 0, 0, 1, 1.0], device=DEVICE)
    mask = torch.tensor([1, 1, 0, 1, 0, 0, 1, 1, 1], device=DEVICE).bool()
    teacher = {
        "hidden": Hidden(h + noise),
        "own head": Hidden(h + noise, W_teacher),
        "top k": teacher_topk(h + noise, W, 5),
        "none": None,
    }[kind]
    results = []
    for chosen in (None, kernels):
        monkeypatch.setattr(_head, "_kernels", lambda S, plan, dense, chosen=chosen: chosen)
        leaves = [h.clone().requires_grad_(), W.clone().requires_grad_()]
        out = head_loss(
            *leaves, targets, lambda logprobs, rows: logprobs * (rows % 3), mask=mask,
            teacher=teacher, divergence="jsd" if kind == "top k" else "kl_student_teacher",
            weight=gate, old_logprobs=-6 - gate, temperature=0.7, chunk=4,
        )  # fmt: skip
        grads = torch.autograd.grad(out.loss, leaves)
        results.append((out._replace(loss=out.loss.detach()), grads))
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-4)
