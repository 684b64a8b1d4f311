"""Environments, verified rollouts, cliffs, privileged context and exact distillation losses.

The names below are the torch-free ones; they load on first use, so that importing the package costs
next to nothing. Losses, policies and the trainer are imported by their own names.

>>> from hdpo_env import pass_at_k
>>> pass_at_k(num_samples=8, num_correct=2, k=1)
0.25
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hdpo_env.advantages import group_advantages
    from hdpo_env.cliffs import classify
    from hdpo_env.env import GroupEnv, MathEnv
    from hdpo_env.errors import HdpoError
    from hdpo_env.evaluation import evaluate
    from hdpo_env.filters import select_teachable
    from hdpo_env.privileged import privileged_prompt
    from hdpo_env.problems import PROBLEMS, load_problems
    from hdpo_env.prompts import student_prompt
    from hdpo_env.rollouts import sample_groups
    from hdpo_env.simulate import SimulatedPolicy
    from hdpo_env.stats import pass_at_k
    from hdpo_env.types import (
        Completion,
        Group,
        GroupKind,
        Outcome,
        Problem,
        Prompt,
        Rollout,
        Verdict,
    )
    from hdpo_env.verifiers import MathVerifier, VerifierPool

__all__ = [
    "Problem",
    "Prompt",
    "Completion",
    "Outcome",
    "Verdict",
    "Rollout",
    "Group",
    "GroupKind",
    "HdpoError",
    "PROBLEMS",
    "load_problems",
    "student_prompt",
    "privileged_prompt",
    "MathVerifier",
    "VerifierPool",
    "MathEnv",
    "GroupEnv",
    "sample_groups",
    "classify",
    "pass_at_k",
    "group_advantages",
    "select_teachable",
    "evaluate",
    "SimulatedPolicy",
]

_HOME = {
    **dict.fromkeys(__all__[:8], "types"),
    "HdpoError": "errors",
    "PROBLEMS": "problems",
    "load_problems": "problems",
    "student_prompt": "prompts",
    "privileged_prompt": "privileged",
    "MathVerifier": "verifiers",
    "VerifierPool": "verifiers",
    "MathEnv": "env",
    "GroupEnv": "env",
    "sample_groups": "rollouts",
    "classify": "cliffs",
    "pass_at_k": "stats",
    "group_advantages": "advantages",
    "select_teachable": "filters",
    "evaluate": "evaluation",
    "SimulatedPolicy": "simulate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hdpo_env' has no attribute {name!r}")
    value = getattr(import_module(f"hdpo_env.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
