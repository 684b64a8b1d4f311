"""Cliffs: prompts on which every rollout failed, and what is known about them."""

from hdpo_env.cliffs.groups import (
    GroupRates,
    classify,
    classify_correct,
    group_rates,
    phantom_gradient_rate,
)

__all__ = [
    "classify",
    "classify_correct",
    "GroupRates",
    "group_rates",
    "phantom_gradient_rate",
]
