"""SDPG in a policy worker: the divergence is computed inside the student's own forward pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from hdpo_env.config import DistillConfig
from hdpo_env.losses import Hidden, head_loss, reference_kl
from hdpo_env.losses.policy import importance_ratio
from hdpo_env.losses.schedules import distill_weight
from hdpo_plugins.openrlhf import heads
from hdpo_plugins.openrlhf.methods.reread import Prompts, Reread, reread
from hdpo_plugins.openrlhf.plugins import WorkerPart

NAMES = ("loss", "divergence", "tokens", "left_out", "reference", "read")


class SdpgWorker(WorkerPart):
    """``beta(k) / N sum_n m_n sg[rho_n] KL(p_n || sg q_n)``, N all action tokens of an update.

    The teacher's forward pass ends in hidden states of the gated rows, [N, d]; the exact divergence
    over the vocabulary costs one product more beside OpenRLHF's own logits.
    """

    def __init__(self, worker: Any, config: DistillConfig) -> None:
        self._worker, self._config = worker, config
        self._taught = worker.teachers.weights(config)  # frozen without LoRA is refused
        self._prompts: Prompts = {}
        self._beta = 0.0
        self._kind, self._alpha = worker.args["sdpg.reference"], worker.args["sdpg.alpha"]
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._term: tuple[Reread, Hidden, Tensor, float] | None = None

    def begin(self, payload: Any, updates: Sequence[int]) -> None:
        """Take the teacher's prompts, and beta for this step of the run."""
        worker, config = self._worker, self._config
        self._prompts = payload or {}
        self._num_updates = max(1, len(set(updates))) * worker.args["train.max_epochs"]
        self._sums.clear()
        # Batches that only the critic learns from are no steps of the schedule.
        frozen = max(0, worker.args["critic.freezing_steps"] + 1)
        total = max(1, worker.total_steps - frozen)
        self._beta = distill_weight(
            min(max(1, worker.step + 1 - frozen), total),  # the first step is k = 1
            total,
            base=config.weight,
            warmup_steps=config.warmup_steps,
            decay_steps=config.decay_steps,
        )

    def before(
        self, experience: Any, micro_step: int, loss_batch_info: Mapping[str, Any]
    ) -> Tensor | None:
        """Let the teacher read; the term itself comes with the student's forward pass."""
        self._term = None
        scale = loss_batch_info["dp_size"] / float(loss_batch_info["batch_num_tokens"])
        self._rollouts = experience, self._alpha * scale
        if self._beta == 0:
            return None
        found = reread(experience, self._prompts, "sdpg/gate_rate", self._worker, self._sums)
        if found is None:
            return None
        hidden = self._hidden(found)
        if found.num_rows:
            old = found.of_actions(experience.action_log_probs).float()
            self._term = found, hidden, old, self._beta * scale
        return None

    def on_hidden(self, hidden: Tensor) -> Tensor | None:
        """The term, from what the student's head is reading."""
        if self._term is None:
            return None
        (found, teacher, old, each), self._term = self._term, None
        h, head = found.of_student(hidden), self._worker.head
        out = head_loss(
            h,
            head.weight,
            found.targets,
            teacher=teacher,
            divergence="kl_student_teacher",
            weight=old.new_full((len(h),), each),
            old_logprobs=old,
            bias=head.bias,
            temperature=self._worker.temperature,
        )
        self._sums["loss"] += float(out.loss.detach())
        self._sums["divergence"] += float(out.divergence.sum())
        self._sums["tokens"] += len(h)
        return out.loss

    def on_logprobs(self, logprobs: Tensor) -> Tensor | None:
        """``alpha / N sum_n sg[rho_n] L_K`` over all action tokens, if a kind was named."""
        if not (self._kind and self._alpha):
            return None
        experience, each = self._rollouts
        mask = experience.action_mask.bool()
        log_p = logprobs[mask].float()
        ratio = importance_ratio(log_p, experience.action_log_probs[mask].float())
        reference = experience.base_action_log_probs[mask].float()
        pull = reference_kl(log_p, reference, kind=self._kind, ratio=ratio)
        self._sums["reference"] += float(pull.value.sum())
        self._sums["read"] += len(log_p)
        return each * pull.loss.sum()

    def sums(self) -> dict[str, float]:
        """This rank's sums of the step."""
        return {name: float(self._sums[name]) for name in NAMES}

    def status(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Beta, the mean of the term, the gated tokens, their mean divergence in nats.

        Rollouts that are left out were let in and are too long to be read after the teacher's
        prompt.
        """
        scale = self._worker.ranks * self._worker.loss_divisor
        kl = {"sdpg/reference_kl": sums["reference"] / max(1.0, sums["read"])}
        return (kl if self._kind else {}) | {
            "sdpg/beta": self._beta,
            "sdpg/loss": sums["loss"] / (scale * self._num_updates),
            "sdpg/tokens": sums["tokens"],
            "sdpg/rollouts_left_out": sums["left_out"],
            "sdpg/token_kl": sums["divergence"] / max(1.0, sums["tokens"]),
        }

    def _hidden(self, found: Reread) -> Hidden:
        worker = self._worker
        with self._taught():
            h, *head = heads.read(worker.engine, worker.head, found.batch, _detached)
        h = h[found.is_action]
        return Hidden(h, *head) if self._config.teacher == "ema" else Hidden(h)


def _detached(h: Tensor, W: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """The head beside the rows, whole as it is inside the pass, and the teacher's after it."""
    return h, W.detach(), None if bias is None else bias.detach()
