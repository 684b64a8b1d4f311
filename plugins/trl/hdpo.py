"""HDPOTrainer: GRPO, and on its cliffs the divergence from the model that was told the solution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from hdpo_env.batching import Row
from hdpo_env.filters import select_teachable
from hdpo_env.privileged import PRIVILEGED_TEMPLATES
from hdpo_env.types import Group, GroupKind, derive_seed
from hdpo_plugins.trl.base import TeachingTrainer
from hdpo_plugins.trl.compat import head_of, hidden_states
from hdpo_plugins.trl.config import HDPOConfig
from hdpo_plugins.trl.survivors import completions_of, deal, judged_groups, privileged_metrics
from hdpo_plugins.trl.teacher import distillation


class HDPOTrainer(TeachingTrainer):
    """``L = L_TRL + lambda / N_tok * sum over survivors' tokens of D(teacher, student)``.

    A group in which every rollout failed (a cliff, by verdicts) is sampled again with the solution
    in the prompt, through TRL's own generation; what is correct, complete and leaks nothing
    survives and is distilled: the teacher reads it after the privileged prompt, the student after
    the plain one. N_tok counts the survivors' tokens of the whole optimiser step. Without a
    survivor, or with ``distill_weight=0``, the loss is TRL's own, bit for bit.

    Source: HDPO arXiv 2603.23871. Arguments and errors as in `TeachingTrainer`.
    """

    config_class = HDPOConfig
    _tag_names = ["trl", "hdpo"]  # noqa: RUF012 (TRL's declaration)
    _name = "HDPO"
    _paper = {  # noqa: RUF012
        "title": "HDPO: Hybrid Distillation Policy Optimization via Privileged Self-Distillation",
        "id": "2603.23871",
    }
    _fresh: list[Row] | None = None  # survivors of a generation that is not yet cut up

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)
        if self.model.training and self.distill.is_on:
            self._fresh = self._survivors(inputs)
        return output

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        inputs = super()._prepare_inputs(generation_batch)
        if self._fresh is not None:
            deal(self._fresh, self._buffered_inputs, self.args.gradient_accumulation_steps)
            self._fresh = None
        return inputs

    def _compute_loss(self, model: Any, inputs: Any) -> Any:
        rows, coefficient = inputs.get("survivors", ()), self.distill_coefficient()
        if not self.model.training:
            return super()._compute_loss(model, inputs)
        if not rows or coefficient == 0:
            self._count(None, coefficient)
            return super()._compute_loss(model, inputs)
        completions = [row.completion_ids for row in rows]
        told = self.teacher.reads([row.teacher_ids for row in rows], completions)
        loss = super()._compute_loss(model, inputs)
        batch = self.teacher.batch([row.prompt_ids for row in rows], completions)
        weight = coefficient * batch.per_token([row.distill_weight for row in rows])
        out = distillation(
            hidden_states(self, self.student, batch),
            head_of(self.student),
            told,
            targets=batch.target,
            weight=weight,
            divergence=self.distill.divergence,
            top_k=self.distill.top_k,
            tail=self.distill.tail,
            temperature=self.temperature,
        )
        self._count(out, coefficient, weight)
        return loss + out.loss

    def _survivors(self, inputs: list[dict[str, Any]]) -> list[Row]:
        """What may teach of this generation's cliffs; `deal` gives the rows their weights."""
        size = self.num_generations
        places = [i * size for i, kind in enumerate(self.kinds) if kind is GroupKind.CLIFF]
        cliffs = [inputs[place] for place in places]
        told = zip(cliffs, self.teacher_prompts(cliffs), strict=True)
        steps = self.args.steps_per_generation // self.args.gradient_accumulation_steps
        tried = [(row, ids) for row, ids in told if ids is not None]
        tried = tried[: self.distill.max_cliff_prompts * steps]
        groups = self._privileged_groups(tried) if tried else []
        selection = select_teachable(
            groups,
            telltales=None if self.distill.drop_leaks else (),
            distinct=self.distill.distinct,
        )
        self._note(privileged_metrics(selection, groups, len(cliffs)))
        asked = self._tokenize_prompts([row["prompt"] for row, _ in tried])[0] if tried else ()
        student = {row["problem_id"]: ids for (row, _), ids in zip(tried, asked, strict=True)}
        teacher = {row["problem_id"]: ids for row, ids in tried}
        return [
            Row(
                tuple(student[rollout.prompt.problem_id]),
                rollout.completion.token_ids,
                teacher_ids=tuple(teacher[rollout.prompt.problem_id]),
            )
            for rollout in selection.kept
        ]

    def _privileged_groups(self, tried: Sequence[tuple[dict[str, Any], list[int]]]) -> list[Group]:
        """Each cliff sampled by TRL's own generation with its privileged prompt, and judged."""
        num = self.distill.rollouts_per_cliff
        prompts = [ids for _, ids in tried for _ in range(num)]
        with self._own_draws():
            drawn, _ = self._generate_single_turn(prompts, None, {}, num)
        texts = self.processing_class.batch_decode(drawn, skip_special_tokens=True)
        return judged_groups(
            [self.verdicts.problem(row["problem_id"]) for row, _ in tried],
            completions_of(drawn, texts, {*self.eos_token_ids, self._tokenizer.pad_token_id}),
            judge=self.verdicts.judge,
            template=PRIVILEGED_TEMPLATES[self.args.teacher_template].label,
            view=self.distill.view,
        )

    @contextmanager
    def _own_draws(self) -> Iterator[None]:
        """A random stream of their own, so that the student's rollouts stay those of plain GRPO."""
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed("privileged", self.args.seed, self.state.global_step))
            yield
