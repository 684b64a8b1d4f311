"""The presets are the papers' tables, and impossible settings are refused with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hdpo_env import config as c
from hdpo_env.errors import ConfigError


def test_hdpo_is_the_papers_table() -> None:
    """ArXiv 2603.23871: every number of the hyperparameter table."""
    p = c.preset("hdpo")
    assert (p.rollout.prompts_per_step, p.rollout.group_size) == (32, 16)
    assert p.rollout.prompts_per_step * p.rollout.group_size == 512
    assert p.rollout.temperature == 1.0
    assert p.rollout.max_prompt_tokens + p.rollout.max_tokens == 4096
    assert p.optim == c.OptimConfig(
        lr=1e-6,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.01,
        max_grad_norm=1.0,
        warmup_steps=50,
        warmup_start=0.1,
        micro_batch_rows=p.optim.micro_batch_rows,
    )
    policy, distill = p.algo.policy, p.algo.distill
    assert (policy.kind, policy.clip_low, policy.clip_high) == ("clip", 0.2, 0.2)
    assert (policy.baseline, policy.scale) == ("leave_one_out", "population_std")
    assert policy.level == "token"
    assert policy.dual_clip is None
    assert not policy.drop_zero_variance
    assert p.algo.reference.weight == 0.0
    assert distill.weight in (0.01, 0.1)
    assert (distill.on, distill.divergence, distill.top_k) == ("cliffs", "jsd", 64)
    assert (distill.cliff_threshold, distill.max_cliff_prompts) == (0.0, 32)
    assert (distill.teacher, distill.tail, distill.distinct) == ("drifting", "exact", False)
    assert (distill.warmup_steps, distill.decay_steps) == (0, 0)
    assert p.steps == 2000
    assert (p.eval.every, p.eval.problems, p.eval.ks) == (10, 2048, (1, 4, 8))


def test_sdpg_is_the_papers_table() -> None:
    """ArXiv 2606.04036: every number of the hyperparameter table."""
    p = c.preset("sdpg")
    assert (p.rollout.prompts_per_step, p.rollout.group_size) == (128, 8)
    assert (p.rollout.max_prompt_tokens, p.rollout.max_tokens) == (2048, 4096)
    assert p.rollout.temperature == 1.0
    assert (p.optim.lr, p.optim.warmup_steps, p.optim.weight_decay) == (1e-6, 10, 0.1)
    assert (p.optim.betas, p.optim.max_grad_norm) == ((0.9, 0.999), 1.0)
    policy, distill, reference = p.algo.policy, p.algo.distill, p.algo.reference
    assert (policy.kind, policy.baseline, policy.scale) == ("reinforce", "mean", "population_std")
    assert policy.eps_std == 1e-6
    assert (distill.weight, distill.warmup_steps, distill.decay_steps) == (1e-3, 50, 350)
    assert (distill.on, distill.divergence) == ("own_rollouts", "kl_student_teacher")
    assert distill.gate == "positive_advantage"
    assert distill.max_token_kl is None
    assert reference.weight == 1e-3
    assert p.steps == 400
    assert p.eval.samples == 32


def test_sdpg_code_is_the_released_script() -> None:
    """Where the script departs from the text: dual clip, no gate, no schedule, clamp, filtering."""
    paper, code = c.preset("sdpg"), c.preset("sdpg-code")
    policy, distill = code.algo.policy, code.algo.distill
    assert (policy.kind, policy.dual_clip, policy.drop_zero_variance) == ("clip", 3.0, True)
    assert (distill.gate, distill.warmup_steps, distill.decay_steps) == ("all", 0, 0)
    assert distill.max_token_kl == 20.0
    assert code.optim == paper.optim
    assert code.rollout == paper.rollout


def test_the_baselines_differ_from_their_method_in_what_defines_them() -> None:
    """GRPO, Dr. GRPO, DAPO, RLSD, OPSD and SFT as rows of one table."""
    grpo = c.preset("grpo").algo
    assert (grpo.policy.baseline, grpo.policy.scale) == ("mean", "population_std")
    assert not grpo.distill.is_on
    dr = c.preset("dr_grpo").algo.policy
    assert (dr.scale, dr.level) == ("none", "dr_grpo")
    dapo = c.preset("dapo").algo.policy
    assert (dapo.clip_low, dapo.clip_high, dapo.drop_zero_variance) == (0.2, 0.28, True)
    rlsd = c.preset("rlsd").algo
    assert rlsd.policy.rlsd_mix is not None
    assert not rlsd.distill.is_on
    assert c.preset("opsd").algo.distill.gate == "all"
    sft = c.preset("sft-cliffs").algo
    assert sft.imitation.weight > 0
    assert not sft.distill.is_on


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: c.preset("hpdo"), r"unknown preset 'hpdo'.*hdpo"),
        (lambda: c.RolloutConfig(group_size=1), "group of one has no baseline.*at least 2"),
        (lambda: c.DistillConfig(weight=0.1, view="none"), "view is 'none'.*view=solution"),
        (lambda: c.DistillConfig(weight=-1), "weight is -1"),
        (lambda: c.EvalConfig(samples=4, ks=(1, 8)), "pass@8 cannot be estimated from 4"),
        (lambda: c.DistillConfig(on="own_rollouts", divergence="nll"), "own_rollouts has none"),
        (lambda: c.PolicyLossConfig(dual_clip=1.0), "dual_clip is 1.0"),
        (lambda: c.PolicyLossConfig(clip_low=1.0), "clip_low is 1.0"),
        (lambda: c.PolicyLossConfig(rlsd_mix=2.0), "rlsd_mix is 2.0"),
        (lambda: c.OptimConfig(lr=0.0), "lr is 0.0"),
        (lambda: c.OptimConfig(micro_batch_rows=0), "micro_batch_rows is 0"),
        (lambda: c.RolloutConfig(temperature=0.0), "temperature is 0.0"),
        (lambda: c.TrainConfig(steps=0), "steps is 0"),
        (lambda: c.DistillConfig(ema_decay=1.0), "ema_decay is 1.0"),
        (lambda: c.ReferenceConfig(weight=-0.1), "reference weight is -0.1"),
        (lambda: c.EvalConfig(every=0), "eval.every=0"),
        (lambda: c.OptimConfig(warmup_steps=-1), "warmup_steps=-1"),
        (lambda: c.OptimConfig(max_grad_norm=-1.0), "max_grad_norm=-1.0"),
        (lambda: c.DistillConfig(decay_steps=-1), "decay_steps=-1"),
        (lambda: c.PolicyLossConfig(rlsd_clip=2.0), "rlsd_clip is 2.0"),
        (lambda: replace(c.preset("rlsd").algo, distill=c.DistillConfig(view="none")), "rlsd_mix"),
    ],
)
def test_impossible_settings_are_refused(make: Callable[[], object], says: str) -> None:
    """Every refusal names the value and the rule."""
    with pytest.raises(ConfigError, match=says):
        make()


def test_a_replaced_config_is_checked_again() -> None:
    """The rules hold for departures from a preset, not only for presets."""
    with pytest.raises(ConfigError, match="view is 'none'"):
        replace(c.preset("hdpo").algo.distill, view="none")
