"""Every default, once. A preset holds a paper's own numbers; what you set departs from it.

The configs are frozen and refuse impossible combinations when they are built. Sources: HDPO
(arXiv 2603.23871), SDPG (arXiv 2606.04036), RLSD (arXiv 2604.03128), GRPO (arXiv 2402.03300),
Dr. GRPO (arXiv 2503.20783).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from hdpo_env.errors import ConfigError

Baseline = Literal["mean", "leave_one_out"]
Scale = Literal["population_std", "sample_std", "none"]
Level = Literal["token", "sequence", "dr_grpo"]
Divergence = Literal["jsd", "kl_student_teacher", "kl_teacher_student", "nll"]
Teacher = Literal["drifting", "frozen", "ema"]
Strategy = Literal["uniform", "frontier", "retry", "drop", "pools"]


def _require(rule: bool, message: str) -> None:
    if not rule:
        raise ConfigError(message)


@dataclass(frozen=True)
class PolicyLossConfig:
    """The outcome term: group-relative advantages times a policy-gradient surrogate."""

    kind: Literal["reinforce", "clip"] = "clip"  # -A log pi, or PPO's clipped surrogate
    baseline: Baseline = "mean"  # what is subtracted from a reward: the group's or the others' mean
    scale: Scale = "population_std"  # what it is divided by
    eps_std: float = 1e-6  # added to the standard deviation
    clip_low: float = 0.2  # the ratio's lower bound is 1 - clip_low
    clip_high: float = 0.2  # its upper bound is 1 + clip_high
    dual_clip: float | None = None  # c > 1 bounds the loss where A < 0
    level: Level = "token"  # mean over tokens, over sequences, or over a fixed budget
    drop_zero_variance: bool = False  # DAPO-like: resample prompts whose group has one outcome
    rlsd_mix: float | None = None  # RLSD's l in [0, 1]; None: plain advantages
    rlsd_clip: float = 0.2  # RLSD's e_w

    def __post_init__(self) -> None:
        _require(0 <= self.clip_low < 1, f"clip_low is {self.clip_low}: choose one in [0, 1)")
        _require(self.clip_high >= 0, f"clip_high is {self.clip_high}: choose one >= 0")
        _require(self.eps_std >= 0, f"eps_std is {self.eps_std}: choose one >= 0")
        _require(
            self.dual_clip is None or self.dual_clip > 1,
            f"dual_clip is {self.dual_clip}: choose one > 1, or none to switch it off",
        )
        _require(
            self.rlsd_mix is None or 0 <= self.rlsd_mix <= 1,
            f"rlsd_mix is {self.rlsd_mix}: choose one in [0, 1], or none for plain advantages",
        )
        _require(0 <= self.rlsd_clip <= 1, f"rlsd_clip is {self.rlsd_clip}: choose one in [0, 1]")


@dataclass(frozen=True)
class DistillConfig:
    """The teacher-student term: who is distilled, on which rollouts, how strongly."""

    weight: float = 0.0  # HDPO's lambda, SDPG's beta_base
    on: Literal["cliffs", "own_rollouts"] = "cliffs"  # HDPO: cliffs; SDPG: the student's own
    divergence: Divergence = "jsd"  # nll imitates the survivors' tokens instead
    top_k: int = 64  # the teacher's support for "jsd"; capped at the vocabulary
    tail: Literal["exact", "paper", "bucket"] = "exact"  # the student's mass outside the top k
    teacher: Teacher = "drifting"  # current weights, first weights, or their moving average
    ema_decay: float = 0.99  # of the "ema" teacher
    view: str = "solution"  # the privileged context that the teacher sees
    fade: tuple[str, ...] = ()  # less telling views, one by one, as a cliff's teacher succeeds
    rollouts_per_cliff: int = 4  # privileged rollouts of each cliff
    max_cliff_prompts: int = 32  # cliffs distilled in one step, at most
    cliff_threshold: float = 0.0  # a group is a cliff if its number of successes is <= this
    drop_leaks: bool = True  # survivors that admit to having been told do not teach
    distinct: bool = False  # keep one of several equal survivors (the paper keeps all)
    gate: Literal["positive_advantage", "all"] = "positive_advantage"  # of own_rollouts
    max_token_kl: float | None = None  # tokens above it carry no gradient (the released SDPG code)
    warmup_steps: int = 0  # weight * min(1, k/warmup) * min(1, (T-k)/decay)
    decay_steps: int = 0  # T_decay above

    def __post_init__(self) -> None:
        _require(
            self.warmup_steps >= 0 and self.decay_steps >= 0 and self.cliff_threshold >= 0,
            f"warmup_steps={self.warmup_steps}, decay_steps={self.decay_steps}, cliff_threshold="
            f"{self.cliff_threshold}: none may be negative",
        )
        _require(self.weight >= 0, f"distill weight is {self.weight}: choose one >= 0")
        _require(
            self.weight == 0 or self.view != "none",
            f"distill weight is {self.weight} but view is 'none': the teacher would be the "
            "student; choose view=solution or view=answer, or weight 0",
        )
        self._check_fade()
        _require(self.top_k >= 1, f"top_k is {self.top_k}: choose one >= 1")
        _require(0 <= self.ema_decay < 1, f"ema_decay is {self.ema_decay}: choose one in [0, 1)")
        _require(
            self.rollouts_per_cliff >= 1 and self.max_cliff_prompts >= 1,
            f"rollouts_per_cliff={self.rollouts_per_cliff}, max_cliff_prompts="
            f"{self.max_cliff_prompts}: both must be at least 1 (weight 0 switches the term off)",
        )
        _require(
            not (self.on == "own_rollouts" and self.divergence == "nll"),
            "divergence 'nll' imitates the teacher's survivors and own_rollouts has none; "
            "choose kl_student_teacher",
        )

    def _check_fade(self) -> None:
        _require(
            not (self.fade and self.on == "own_rollouts"),
            "fade goes by the privileged rollouts of cliffs and own_rollouts has none: drop it",
        )
        _require(
            len({*self.fade, self.view, "none"}) == len(self.fade) + 2 or not self.fade,
            f"view {self.view!r} fades to {', '.join(self.fade)}: give different views, and not "
            "'none', which would make the teacher the student",
        )

    @property
    def is_on(self) -> bool:
        """Whether the term can contribute at all."""
        return self.weight > 0


@dataclass(frozen=True)
class ReferenceConfig:
    """SDPG's regulariser towards the frozen initial policy (eq. of section 3.4)."""

    kind: Literal["ufkl", "urkl", "fkl", "rkl"] = "ufkl"  # which surrogate of pi / pi_ref
    weight: float = 0.0  # SDPG's alpha

    def __post_init__(self) -> None:
        _require(self.weight >= 0, f"reference weight is {self.weight}: choose one >= 0")


@dataclass(frozen=True)
class ImitationConfig:
    """Negative log-likelihood of the written solution on cliffs (SFT, ReLIFT-like); a baseline."""

    weight: float = 0.0  # of the written solutions' negative log-likelihood

    def __post_init__(self) -> None:
        _require(self.weight >= 0, f"imitation weight is {self.weight}: choose one >= 0")


@dataclass(frozen=True)
class AlgoConfig:
    """One algorithm: the sum of an outcome term, a distillation term and regularisers."""

    name: str = "grpo"  # as it appears in summaries and reports
    policy: PolicyLossConfig = field(default_factory=PolicyLossConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    reference: ReferenceConfig = field(default_factory=ReferenceConfig)
    imitation: ImitationConfig = field(default_factory=ImitationConfig)

    def __post_init__(self) -> None:
        _require(
            self.policy.rlsd_mix is None or self.distill.view != "none",
            "rlsd_mix is set but view is 'none': RLSD reads a teacher; choose view=solution or "
            "view=answer",
        )


@dataclass(frozen=True)
class RolloutConfig:
    """How many completions are drawn, and how."""

    prompts_per_step: int = 32  # P
    group_size: int = 16  # G
    temperature: float = 1.0  # of sampling, and of the distributions that are compared
    max_prompt_tokens: int = 2048  # a file's problems with longer prompts are left out, never cut
    max_tokens: int = 4096  # completions are cut here
    template: str = "boxed"  # the student's prompt: boxed, plain, chain
    teacher_template: str = "hdpo"  # the teacher's prompt: hdpo, sdpg, opsd, sdpo, sdft, chain

    def __post_init__(self) -> None:
        _require(
            self.prompts_per_step >= 1 and self.max_tokens >= 1,
            f"prompts_per_step={self.prompts_per_step}, max_tokens={self.max_tokens}: "
            "both must be at least 1",
        )
        _require(
            self.group_size >= 2,
            f"group_size is {self.group_size}: a group of one has no baseline, so every advantage "
            "is 0; choose at least 2",
        )
        _require(self.temperature > 0, f"temperature is {self.temperature}: choose one > 0")


@dataclass(frozen=True)
class CurriculumConfig:
    """Which problems come next, given what became of them (hdpo_env.cliffs.sampler)."""

    strategy: Strategy = "uniform"  # epochs of all problems, or one of CliffSampler's others
    delay: int = 1000  # retry: problems drawn until a cliff's first retry; doubled at each failure
    rest: int = 2  # drop: epochs for which a problem without variance is left out
    pool_shares: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    """pools: weights of unseen, cliff, mixed and solved problems; empty pools give theirs away"""

    def __post_init__(self) -> None:
        _require(
            self.delay >= 1 and self.rest >= 1,
            f"delay={self.delay}, rest={self.rest}: both must be at least 1",
        )
        _require(
            min(self.pool_shares) >= 0 < max(self.pool_shares),
            f"pool_shares {self.pool_shares}: give weights >= 0 for unseen, cliff, mixed and "
            "solved problems, not all of them 0",
        )


@dataclass(frozen=True)
class OptimConfig:
    """AdamW with linear warm-up to a constant rate."""

    lr: float = 1e-6  # learning rate after the warm-up
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0  # the gradient is scaled down to this norm
    warmup_steps: int = 50  # linear warm-up
    warmup_start: float = 0.1  # the rate starts at this fraction of lr
    micro_batch_rows: int = 8  # sequences held in memory at once; changes no number

    def __post_init__(self) -> None:
        _require(self.lr > 0, f"lr is {self.lr}: choose one > 0")
        _require(
            self.micro_batch_rows >= 1,
            f"micro_batch_rows is {self.micro_batch_rows}: choose at least 1",
        )
        _require(
            self.warmup_steps >= 0 and self.max_grad_norm > 0,
            f"warmup_steps={self.warmup_steps}, max_grad_norm={self.max_grad_norm}: the first must "
            "be >= 0, the second > 0",
        )
        _require(
            0 < self.warmup_start <= 1, f"warmup_start is {self.warmup_start}: choose in (0, 1]"
        )


@dataclass(frozen=True)
class EvalConfig:
    """How a policy is judged: unbiased pass@k from n samples a problem, and greedy accuracy."""

    every: int = 10  # steps between evaluations
    problems: int = 2048  # held-out problems, at most
    samples: int = 8  # n
    ks: tuple[int, ...] = (1, 4, 8)  # which pass@k
    temperature: float = 1.0  # of the sampled completions

    def __post_init__(self) -> None:
        _require(
            self.every >= 1 and self.problems >= 1 and self.temperature > 0,
            f"eval.every={self.every}, eval.problems={self.problems}, eval.temperature="
            f"{self.temperature}: all must be positive",
        )
        check_ks(self.ks, self.samples)


@dataclass(frozen=True)
class TrainConfig:
    """A whole run."""

    algo: AlgoConfig = field(default_factory=AlgoConfig)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    steps: int = 2000  # optimiser updates
    seed: int = 0  # decides every draw
    checkpoint_every: int = 50  # steps between checkpoints

    def __post_init__(self) -> None:
        _require(self.steps >= 1, f"steps is {self.steps}: choose at least 1")
        _require(
            self.checkpoint_every >= 1,
            f"checkpoint_every is {self.checkpoint_every}: choose at least 1",
        )


def check_ks(ks: Sequence[int], samples: int) -> None:
    """Refuse pass@k that ``samples`` completions cannot estimate.

    Raises:
        ConfigError: some k is below 1 or above the number of samples.
    """
    if bad := [k for k in ks if not 1 <= k <= samples]:
        raise ConfigError(
            f"pass@{bad[0]} cannot be estimated from {samples} samples a problem: "
            "k must lie in 1..samples; raise samples or drop that k"
        )


def preset(name: str) -> TrainConfig:
    """A published setting by name.

    Raises:
        ConfigError: no preset has this name; the message lists them.

    >>> preset("hdpo").algo.distill.weight, preset("sdpg").rollout.group_size
    (0.01, 8)
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(f"unknown preset {name!r}; choose one of: {', '.join(PRESETS)}") from None


def _with(config: TrainConfig, name: str, **parts: object) -> TrainConfig:
    return replace(config, algo=replace(config.algo, name=name, **parts))


# HDPO's table: Qwen2.5-Math-1.5B-Instruct, 32 x 16, 2000 steps. The text divides by the group's
# std and subtracts a leave-one-out mean; the preset does both (the paper is ambiguous).
_HDPO_PAPER = TrainConfig(
    algo=AlgoConfig(
        name="hdpo",
        policy=PolicyLossConfig(kind="clip", baseline="leave_one_out"),
        distill=DistillConfig(weight=0.01, on="cliffs", divergence="jsd", top_k=64),
    ),
    # "max length 4096" is the model's whole context; how it is shared out is ours
    rollout=RolloutConfig(max_prompt_tokens=1024, max_tokens=3072),
    eval=EvalConfig(every=10, problems=2048, samples=8, ks=(1, 4, 8)),
)

# SDPG's table: Qwen3-4B / 1.7B on DAPO-Math-17k, 400 steps of "batch 128", read as 128 prompts
# (the unit of the trainer its authors used).
_SDPG_PAPER = TrainConfig(
    algo=AlgoConfig(
        name="sdpg",
        policy=PolicyLossConfig(kind="reinforce"),
        distill=DistillConfig(
            weight=1e-3,
            on="own_rollouts",
            divergence="kl_student_teacher",
            warmup_steps=50,
            decay_steps=350,
        ),
        reference=ReferenceConfig(kind="ufkl", weight=1e-3),
    ),
    rollout=RolloutConfig(
        prompts_per_step=128, group_size=8, max_tokens=4096, teacher_template="sdpg"
    ),
    optim=OptimConfig(weight_decay=0.1, warmup_steps=10),
    eval=EvalConfig(every=10, problems=70, samples=32, ks=(1,)),
    steps=400,
)

PRESETS: dict[str, TrainConfig] = {
    "grpo": _with(
        _HDPO_PAPER, "grpo", policy=PolicyLossConfig(kind="clip"), distill=DistillConfig()
    ),
    "dr_grpo": _with(
        _HDPO_PAPER,
        "dr_grpo",
        policy=PolicyLossConfig(kind="clip", scale="none", level="dr_grpo"),
        distill=DistillConfig(),
    ),
    "dapo": _with(
        _HDPO_PAPER,
        "dapo",
        policy=PolicyLossConfig(kind="clip", clip_high=0.28, drop_zero_variance=True),
        distill=DistillConfig(),
    ),
    "hdpo": _HDPO_PAPER,
    "sdpg": _SDPG_PAPER,
    # The released script departs from the paper's text; this row is the script.
    "sdpg-code": _with(
        _SDPG_PAPER,
        "sdpg-code",
        policy=PolicyLossConfig(kind="clip", dual_clip=3.0, drop_zero_variance=True),
        distill=replace(
            _SDPG_PAPER.algo.distill, gate="all", warmup_steps=0, decay_steps=0, max_token_kl=20.0
        ),
        reference=ReferenceConfig(kind="urkl", weight=1e-3),
    ),
    "rlsd": _with(
        _SDPG_PAPER,
        "rlsd",
        policy=PolicyLossConfig(kind="clip", rlsd_mix=0.5),
        distill=DistillConfig(on="own_rollouts", divergence="kl_student_teacher"),
        reference=ReferenceConfig(),
    ),
    "opsd": _with(
        _SDPG_PAPER,
        "opsd",
        distill=replace(_SDPG_PAPER.algo.distill, gate="all"),
        reference=ReferenceConfig(),
    ),
    "sft-cliffs": _with(
        _HDPO_PAPER, "sft-cliffs", distill=DistillConfig(), imitation=ImitationConfig(weight=0.1)
    ),
}


def to_dict(config: object) -> dict[str, object]:
    """A config as plain nested dicts, for ``config.json``."""
    return dataclasses.asdict(config)  # type: ignore[call-overload]
