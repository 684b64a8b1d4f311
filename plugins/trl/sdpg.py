"""SDPGTrainer: GRPO, gated KL to the self that was told the solution, and SDPG's reference term."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from hdpo_env.errors import ConfigError
from hdpo_env.losses.policy import importance_ratio
from hdpo_env.losses.regularizer import KINDS, reference_kl
from hdpo_plugins.trl.base import TeachingTrainer
from hdpo_plugins.trl.compat import captured, head_of
from hdpo_plugins.trl.config import SDPGConfig
from hdpo_plugins.trl.survivors import gates
from hdpo_plugins.trl.teacher import Told, distillation


class SDPGTrainer(TeachingTrainer):
    """``L = L_TRL + 1/N sum_n [ beta(k) 1[A > 0] KL(p || sg q) + alpha L_K(p, ref) ]_n``.

    On the student's own rollouts; A in the gate is that of the verdicts alone. N counts the tokens
    of the whole optimiser step, alpha is the config's ``beta``. L_TRL's clipped surrogate has,
    on-policy, REINFORCE's gradient. Completions of an older policy weigh sg[rho] in the two other
    terms. The student is read once: its hidden states are caught in TRL's own forward pass.

    Source: SDPG arXiv 2606.04036. Arguments and errors as in `TeachingTrainer`.
    """

    config_class = SDPGConfig
    _tag_names = ["trl", "sdpg"]  # noqa: RUF012 (TRL's declaration)
    _name = "SDPG"
    _paper = {"title": "Self-Distilled Policy Gradient", "id": "2606.04036"}  # noqa: RUF012
    _logprobs: Tensor | None = None  # of TRL's newest forward pass

    def __init__(self, model: Any, reward_funcs: Any, args: Any, *rest: Any, **host: Any) -> None:
        if args.reference_kind not in KINDS:
            raise ConfigError(
                f"reference_kind is {args.reference_kind!r}: choose one of {', '.join(KINDS)}"
            )
        super().__init__(model, reward_funcs, args, *rest, **host)

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)
        if self.model.training and self.distill.is_on:
            known = {row["problem_id"]: row for row in inputs}
            prompts = dict(zip(known, self.teacher_prompts([*known.values()]), strict=True))
            # lists of B entries: TRL shuffles and splits them with the tensors
            output["teacher_prompts"] = [prompts[row["problem_id"]] for row in inputs]
            output["gates"] = gates(self.correct, self.distill.gate)
        return output

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self._logprobs = found[0]
        return found

    def _compute_loss(self, model: Any, inputs: Any) -> Any:
        coefficient = self.distill_coefficient() if self.model.training else 0.0
        places = self._taught(inputs) if coefficient > 0 else []
        told = self._told(inputs, places) if places else None
        with captured(self.student) as seen, self._without_beta():
            loss = super()._compute_loss(model, inputs)
        if self.beta != 0.0:
            loss = loss + self.beta * self._reference(inputs)
        self._logprobs = None  # it holds the graph
        if told is None:
            if self.model.training:
                self._count(None, coefficient)
            return loss
        out, weight = self._distilled(seen[0], told, inputs, places, coefficient)
        self._count(out, coefficient, weight)
        return loss + out.loss

    def _taught(self, inputs: Any) -> list[int]:
        """The rows that are distilled: gated, with a teacher's prompt and tokens that count."""
        counts = inputs["completion_mask"].bool().any(-1).tolist()
        rows = zip(inputs["gates"], inputs["teacher_prompts"], counts, strict=True)
        places = [
            i
            for i, (is_open, prompt, has_tokens) in enumerate(rows)
            if is_open and prompt is not None and has_tokens
        ]
        self._window["rows"] += len(counts)
        self._window["gated"] += len(places)
        return places

    def _told(self, inputs: Any, places: list[int]) -> Told:
        ids, mask = inputs["completion_ids"], inputs["completion_mask"].bool()
        completions = [ids[i][mask[i]].tolist() for i in places]
        return self.teacher.reads([inputs["teacher_prompts"][i] for i in places], completions)

    def _distilled(
        self, seen: Tensor, told: Told, inputs: Any, places: list[int], coefficient: float
    ) -> tuple[Any, Tensor]:
        """The gated divergence on TRL's own hidden states [B, P + T, d] of this micro-batch."""
        ids, mask = inputs["completion_ids"][places], inputs["completion_mask"][places].bool()
        width = ids.shape[1]
        # the state before a token predicts it: one to the left of the completion's columns
        student = seen[places, -width - 1 : -1][mask]
        weight = mask.new_full((len(student),), coefficient, dtype=torch.float32)
        weight = weight / self._tokens_of_step(inputs)
        old = inputs.get("old_per_token_logps")
        out = distillation(
            student,
            head_of(self.student),
            told,
            targets=ids[mask],
            weight=weight,
            divergence=self.distill.divergence,
            top_k=self.distill.top_k,
            tail=self.distill.tail,
            temperature=self.temperature,
            old_logprobs=None if old is None else old[places][mask],
        )
        return out, weight

    def _reference(self, inputs: Any) -> Tensor:
        """The reference term's mean over the step's tokens: this micro-batch's share of it."""
        assert self._logprobs is not None, "TRL's loss made no log-probabilities"
        mask, old = inputs["completion_mask"], inputs.get("old_per_token_logps")
        ratio = None if old is None else importance_ratio(self._logprobs, old)
        term = reference_kl(
            self._logprobs, inputs["ref_per_token_logps"],
            kind=self.args.reference_kind, ratio=ratio,
        )  # fmt: skip
        mean = (term.value * mask).sum() / mask.sum().clamp(min=1)
        self._note({"kl": float(mean)}, "train" if self.model.training else "eval")
        return (term.loss * mask).sum() / self._tokens_of_step(inputs)

    def _tokens_of_step(self, inputs: Any) -> Tensor:
        """The tokens of one optimiser step; TRL counts those of one generation."""
        tokens = inputs["num_items_in_batch"].clamp(min=1.0)
        if not self.model.training:
            return tokens
        return tokens * self.current_gradient_accumulation_steps / self.args.steps_per_generation

    @contextmanager
    def _without_beta(self) -> Iterator[None]:
        """TRL's own reference term is left out: with its correction it is one of four kinds."""
        beta, self.beta = self.beta, 0.0
        try:
            yield
        finally:
            self.beta = beta
