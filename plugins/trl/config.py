"""HDPOConfig and SDPGConfig: GRPOConfig with the papers' numbers and our own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hdpo_env.config import DistillConfig, TrainConfig, preset
from hdpo_env.errors import ConfigError
from hdpo_plugins.trl.compat import GRPOConfig, refuse_config

_HDPO, _SDPG = preset("hdpo"), preset("sdpg")
_ROWS = 8  # TRL's default per_device_train_batch_size


def _rounds(config: TrainConfig) -> int:
    """Micro-batches of TRL's default size in the paper's batch of prompts x group size."""
    return config.rollout.prompts_per_step * config.rollout.group_size // _ROWS


@dataclass
class TeachingConfig(GRPOConfig):
    """What both methods set beside TRL's own fields; meanings as in ``hdpo_env.config``.

    Raises:
        ConfigError: an impossible value, or a mode of TRL that the trainers do not support.
    """

    distill_weight: float = 0.0  # HDPO's lambda, SDPG's beta_base
    distill_warmup_steps: int = 0
    distill_decay_steps: int = 0
    divergence: str = "jsd"  # or kl_student_teacher, kl_teacher_student
    top_k: int = 64  # the teacher's support for "jsd"
    tail: str = "exact"
    teacher: str = "drifting"  # or "frozen"
    view: str = "solution"  # what the teacher is shown
    template: str | None = None  # the dataset's prompts were made with it, as in to_dataset
    teacher_template: str = "hdpo"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.teacher not in ("drifting", "frozen"):
            raise ConfigError(f"teacher is {self.teacher!r}: choose 'drifting' or 'frozen'")
        if self.divergence not in ("jsd", "kl_student_teacher", "kl_teacher_student"):
            raise ConfigError(
                f"divergence is {self.divergence!r}: choose 'jsd', 'kl_student_teacher' or "
                "'kl_teacher_student'"
            )
        refuse_config(self)
        self.distill()

    def distill(self, **more: Any) -> DistillConfig:
        """The distillation's settings as ``hdpo_env`` knows them, checked.

        Raises:
            ConfigError: an impossible value.
        """
        return DistillConfig(
            weight=self.distill_weight,
            warmup_steps=self.distill_warmup_steps,
            decay_steps=self.distill_decay_steps,
            divergence=self.divergence,  # type: ignore[arg-type]
            top_k=self.top_k,
            tail=self.tail,  # type: ignore[arg-type]
            teacher=self.teacher,  # type: ignore[arg-type]
            view=self.view,
            **more,
        )


@dataclass
class HDPOConfig(TeachingConfig):
    """GRPOConfig with HDPO's table (arXiv 2603.23871): 32 prompts x 16 completions a step.

    ``distill_weight`` is lambda. The paper's two values are 0.01 and 0.1; 0 is plain GRPO.
    """

    learning_rate: float = _HDPO.optim.lr
    weight_decay: float = _HDPO.optim.weight_decay
    warmup_steps: float = _HDPO.optim.warmup_steps
    lr_scheduler_type: str = "constant_with_warmup"
    max_steps: int = _HDPO.steps
    gradient_accumulation_steps: int = _rounds(_HDPO)
    num_generations: int | None = _HDPO.rollout.group_size
    max_completion_length: int | None = _HDPO.rollout.max_tokens
    temperature: float = _HDPO.rollout.temperature
    epsilon: float = _HDPO.algo.policy.clip_low

    distill_weight: float = _HDPO.algo.distill.weight
    top_k: int = _HDPO.algo.distill.top_k
    rollouts_per_cliff: int = _HDPO.algo.distill.rollouts_per_cliff
    max_cliff_prompts: int = _HDPO.algo.distill.max_cliff_prompts
    cliff_threshold: float = _HDPO.algo.distill.cliff_threshold
    drop_leaks: bool = _HDPO.algo.distill.drop_leaks
    distinct: bool = _HDPO.algo.distill.distinct

    def distill(self, **more: Any) -> DistillConfig:
        """The distillation's settings, with those of the privileged rollouts."""
        return super().distill(
            on="cliffs",
            rollouts_per_cliff=self.rollouts_per_cliff,
            max_cliff_prompts=self.max_cliff_prompts,
            cliff_threshold=self.cliff_threshold,
            drop_leaks=self.drop_leaks,
            distinct=self.distinct,
            **more,
        )


@dataclass
class SDPGConfig(TeachingConfig):
    """GRPOConfig with SDPG's table (arXiv 2606.04036): 128 prompts x 8 completions a step.

    ``distill_weight`` is beta_base; TRL's ``beta`` is the weight of the reference term, SDPG's
    alpha, and ``reference_kind`` its form.
    """

    learning_rate: float = _SDPG.optim.lr
    weight_decay: float = _SDPG.optim.weight_decay
    warmup_steps: float = _SDPG.optim.warmup_steps
    lr_scheduler_type: str = "constant_with_warmup"
    max_steps: int = _SDPG.steps
    gradient_accumulation_steps: int = _rounds(_SDPG)
    num_generations: int | None = _SDPG.rollout.group_size
    max_completion_length: int | None = _SDPG.rollout.max_tokens
    temperature: float = _SDPG.rollout.temperature
    epsilon: float = _SDPG.algo.policy.clip_low
    beta: float = _SDPG.algo.reference.weight
    reference_kind: str = _SDPG.algo.reference.kind

    distill_weight: float = _SDPG.algo.distill.weight
    distill_warmup_steps: int = _SDPG.algo.distill.warmup_steps
    distill_decay_steps: int = _SDPG.algo.distill.decay_steps
    divergence: str = _SDPG.algo.distill.divergence
    gate: str = _SDPG.algo.distill.gate  # or "all"
    teacher_template: str = _SDPG.rollout.teacher_template

    def distill(self, **more: Any) -> DistillConfig:
        """The distillation's settings, with the gate."""
        if self.gate not in ("positive_advantage", "all"):
            raise ConfigError(f"gate is {self.gate!r}: choose 'positive_advantage' or 'all'")
        return super().distill(on="own_rollouts", gate=self.gate, **more)
