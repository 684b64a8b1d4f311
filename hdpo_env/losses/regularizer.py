"""The regulariser towards the reference policy, from the sampled token's log-probability alone."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Kind = Literal["ufkl", "urkl", "fkl", "rkl"]
KINDS = ("ufkl", "urkl", "fkl", "rkl")


class ReferenceKL(NamedTuple):
    """``loss``: the surrogate, right in its gradient. ``value``: detached, right in its mean."""

    loss: Tensor
    value: Tensor


def reference_kl(
    logprobs: Float[Tensor, "*N"],
    ref_logprobs: Float[Tensor, "*N"],
    *,
    kind: Kind,
    ratio: Float[Tensor, "*N"] | None = None,
) -> ReferenceKL:
    """SDPG's four surrogates per sampled token, with ``w = pi / pi_ref``, ``l = log w``.

    ========  ==================  ==================================================
    kind      loss                expected gradient under pi
    ========  ==================  ==================================================
    ``ufkl``  ``1/w + l``         grad UKL(ref || pi)   (k3 + 1)
    ``urkl``  ``l^2 / 2``         grad UKL(pi || ref)   (k2)
    ``fkl``   ``1/w``             grad KL(ref || pi)
    ``rkl``   ``(l + 1)^2 / 2``   grad KL(pi || ref)
    ========  ==================  ==================================================

    `ratio` is ``rho = pi / pi_old`` of tokens drawn from an older policy; detached, it multiplies
    the loss and the value (appendix A.3), which keeps the gradients exact off-policy. Nothing is
    clamped: a clamp would cut the gradient where the penalty is needed most.

    ``value`` is ``ratio * (1/w - 1 + l)``, nats per token: its expectation is ``KL(pi || ref)``, it
    is never negative, and 0 where both agree. The surrogates' own values mean nothing.

    Raises:
        ValueError: an unknown kind.

    Source: SDPG arXiv 2606.04036 section 3.4, appendices A.2 and A.3.

    >>> import torch
    >>> loss, value = reference_kl(torch.tensor([0.5]), torch.tensor([0.0]), kind="urkl")
    >>> loss.item(), round(value.item(), 6)
    (0.125, 0.106531)
    """
    if kind not in KINDS:
        raise ValueError(f"kind = {kind!r}: use one of {', '.join(KINDS)}")
    log_w = logprobs - ref_logprobs.detach()
    rho = torch.ones_like(log_w.detach()) if ratio is None else ratio.detach()
    loss = _surrogate(log_w, kind)
    gap = log_w.detach()
    return ReferenceKL(rho * loss, rho * ((-gap).expm1() + gap))


def _surrogate(log_w: Tensor, kind: Kind) -> Tensor:
    """The loss of the table in `reference_kl`."""
    if kind == "ufkl":
        return (-log_w).exp() + log_w
    if kind == "urkl":
        return 0.5 * log_w.square()
    if kind == "fkl":
        return (-log_w).exp()
    return 0.5 * (log_w + 1).square()
