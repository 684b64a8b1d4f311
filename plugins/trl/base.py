"""A GRPOTrainer that knows verdicts, teacher prompts and the weight of a distillation term."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

from hdpo_env.cliffs import GroupRates, classify_correct
from hdpo_env.errors import ConfigError, ViewError
from hdpo_env.losses import HeadLoss, schedules
from hdpo_env.policies.hf import HFPolicy
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import default_template, student_prompt
from hdpo_env.types import GroupKind
from hdpo_plugins.trl.compat import GRPOTrainer, causal_model, refuse_host_arguments
from hdpo_plugins.trl.config import TeachingConfig
from hdpo_plugins.trl.data import messages_of
from hdpo_plugins.trl.rewards import VerdictReward
from hdpo_plugins.trl.teacher import Teacher


class TeachingTrainer(GRPOTrainer):
    """The common part of `HDPOTrainer` and `SDPGTrainer`; arguments as of GRPOTrainer.

    One of ``reward_funcs`` must be a `VerdictReward`: its verdicts decide what is a cliff and what
    may teach, whatever other rewards are added to it; a completion without one has no advantage,
    whatever else it earned. The dataset is `to_dataset`'s.

    Raises:
        ConfigError: no or several VerdictRewards, a config of another kind, tools, or a model
            whose logits are not ``hidden @ head.T + bias``.
    """

    config_class: type[TeachingConfig] = TeachingConfig

    def __init__(
        self, model: Any, reward_funcs: Any, args: Any, train_dataset: Any = None, **host: Any
    ) -> None:
        if not isinstance(args, self.config_class):
            raise ConfigError(
                f"args is {type(args).__name__}: {type(self).__name__} needs "
                f"{self.config_class.__name__}(output_dir=...)"
            )
        refuse_host_arguments(host)
        super().__init__(model, reward_funcs, args, train_dataset, **host)
        self.distill = args.distill()
        self._verdict_column = _verdict_column(self.reward_funcs)
        self.student = causal_model(self)
        HFPolicy(self.student, self._tokenizer)  # refuses soft-capped and scaled logits
        self.teacher = Teacher(self, args.teacher)
        # of the newest generation's groups, in their order
        self.correct: list[list[bool | None]] = []
        self.kinds: list[GroupKind] = []
        self._window: defaultdict[str, float] = defaultdict(float)  # sums over one optimiser step

    @property
    def verdicts(self) -> VerdictReward:
        """The reward function that holds the problems and judges."""
        return self.reward_funcs[self._verdict_column]

    def distill_coefficient(self) -> float:
        """Lambda, or beta(k), of this step; a function of the global step, so resuming keeps it."""
        total = max(self.state.max_steps, 1)
        return schedules.distill_weight(
            min(self.state.global_step + 1, total),
            total,
            base=self.distill.weight,
            warmup_steps=self.distill.warmup_steps,
            decay_steps=self.distill.decay_steps,
        )

    def _calculate_rewards(self, inputs: Any, prompts: Any, *rest: Any) -> Any:
        """TRL's rewards, read in passing: the verdict's column says what each group is."""
        rewards = super()._calculate_rewards(inputs, prompts, *rest)
        mode, size = "train", self.num_generations
        if not self.model.training:
            mode, size = "eval", self.num_generations_eval
        column = rewards[:, self._verdict_column]
        rewards[column.isnan()] = math.nan  # TRL leaves out only what has no reward of any kind
        correct = [None if math.isnan(reward) else reward == 1.0 for reward in column.tolist()]
        self.correct = [correct[at : at + size] for at in range(0, len(correct), size)]
        threshold = self.distill.cliff_threshold
        self.kinds = [classify_correct(group, threshold=threshold) for group in self.correct]
        counts = Counter(f"num_{kind.value}" for kind in self.kinds)
        self._note(GroupRates(**counts).metrics(), mode)
        return rewards

    def teacher_prompts(self, rows: list[dict[str, Any]]) -> list[list[int] | None]:
        """Each row's privileged prompt as ids; None where the view or the model has no room for it.

        Raises:
            ConfigError: a row's prompt was not made with the config's template.
        """
        told = [self._privileged(row) for row in rows]
        shown = [messages for messages in told if messages is not None]
        ids = iter(self._tokenize_prompts(shown)[0] if shown else ())
        limit = self._room()
        found = [None if messages is None else list(next(ids)) for messages in told]
        return [
            None if p is None or len(p) + self.max_completion_length > limit else p for p in found
        ]

    def _room(self) -> int:
        """Tokens of a prompt and its completion: what the model has, and vLLM if it samples."""
        limit = self.student.config.get_text_config().max_position_embeddings
        window = self.args.vllm_max_model_length if self.args.use_vllm else None
        return limit if window is None else min(limit, window)

    def _privileged(self, row: dict[str, Any]) -> list[dict[str, str]] | None:
        problem = self.verdicts.problem(row["problem_id"])
        template = self.args.template or default_template(problem)
        asked = messages_of(student_prompt(problem, template))
        if asked != [{"role": m["role"], "content": m["content"]} for m in row["prompt"]]:
            raise ConfigError(
                f"the prompt of problem {problem.id} is not what template {template!r} makes of "
                "it: build the dataset with to_dataset(problems, template=...) and give the "
                "config the same template"
            )
        try:
            prompt = privileged_prompt(
                problem, self.distill.view, self.args.teacher_template, student=template
            )
        except ViewError:
            return None
        return messages_of(prompt)

    def _note(self, metrics: dict[str, float], mode: str = "train") -> None:
        """Hand metrics to TRL, which logs the mean of what came in since the last log."""
        for name, value in metrics.items():
            self._metrics[mode][name].append(value)

    def _count(self, out: HeadLoss | None, coefficient: float, weight: Any = None) -> None:
        """Add one micro-batch's term to the step's sums; log them when the step is complete."""
        if out is not None:
            self._window["loss"] += float(out.loss.detach())
            self._window["divergence"] += float(out.divergence.sum())
            self._window["tokens"] += int((weight > 0).sum())
        if self.accelerator.sync_gradients:
            sums, self._window = self._window, defaultdict(float)
            self._note({"distill/loss": sums["loss"], "distill/weight": coefficient})
            if sums["tokens"]:
                self._note({"distill/token_divergence": sums["divergence"] / sums["tokens"]})
            if sums["rows"]:
                self._note({"distill/gate_rate": sums["gated"] / sums["rows"]})


def _verdict_column(reward_funcs: list[Any]) -> int:
    found = [i for i, func in enumerate(reward_funcs) if isinstance(func, VerdictReward)]
    if len(found) != 1:
        raise ConfigError(
            f"reward_funcs holds {len(found)} VerdictRewards: give exactly one, beside any others; "
            "cliffs are found by verdicts, not by shaped rewards"
        )
    return found[0]
