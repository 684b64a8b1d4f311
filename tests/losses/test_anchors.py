"""Agreement with two published implementations, where they are installed.

pip install --no-deps --target peers liger-kernel==0.8.5 trl==1.16.0 accelerate psutil
PYTHONPATH=peers pytest tests/losses/test_anchors.py
"""

from __future__ import annotations

import pytest
import torch

from hdpo_env.losses import Hidden, head_loss

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, at import

DIVERGENCES = {0.0: "kl_teacher_student", 0.5: "jsd", 1.0: "kl_student_teacher"}  # their beta
N, V, D = 48, 1000, 16


def case():
    g = torch.Generator().manual_seed(0)
    h, noise = torch.randn(2, N, D, generator=g).unbind()
    return h, torch.randn(V, D, generator=g), h + 0.3 * noise


def gradients(loss_of):
    """A loss and its gradients in h and W, all divided by the gradient's size."""
    h, W, h_teacher = case()
    h.requires_grad_()
    loss = loss_of(h, W.requires_grad_(), h_teacher)
    return loss.detach(), *torch.autograd.grad(loss, [h, W])


def ours(beta):
    def loss(h, W, h_teacher):
        teacher = Hidden(h_teacher, W.detach().clone())
        return head_loss(h, W, teacher=teacher, divergence=DIVERGENCES[beta], chunk=20).loss

    return gradients(loss)


def assert_agree(a, b):
    """Every part within 1e-5 of the other, relative to its norm."""
    for x, y in zip(a, b, strict=True):
        assert (x - y).norm() <= 1e-5 * y.norm()


@pytest.mark.parametrize("beta", list(DIVERGENCES))
def test_liger_chunked_divergences(beta):
    """Liger's chunked JSD at its three kinds of beta (hard loss off, summed again)."""
    jsd_loss = pytest.importorskip("liger_kernel.chunked_loss.jsd_loss")

    def loss(h, W, h_teacher):
        their = jsd_loss.LigerFusedLinearJSDLoss(0.0, 1.0, beta=beta, compiled=False, chunk_size=16)
        labels = torch.zeros(N, dtype=torch.long)
        return N * their(h, W, h_teacher, W.detach(), labels)

    assert_agree(ours(beta), gradients(loss))


@pytest.mark.parametrize("beta", list(DIVERGENCES))
def test_trl_chunked_divergences(beta):
    """TRL's chunked divergence, on the path it takes without a GPU, rows and gradients."""
    kernels = pytest.importorskip("trl.kernels.chunked_divergence")

    def loss(h, W, h_teacher):
        args = (h, W, None, h_teacher, W.detach(), None, beta)
        return kernels.ChunkedDivergenceFunction.apply(*args)[0].sum()

    assert_agree(ours(beta), gradients(loss))
