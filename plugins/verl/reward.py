"""verl's reward function: verdict first, always under the key ``acc``.

    reward.custom_reward_function.path=pkg://hdpo_plugins.verl.reward
    reward.custom_reward_function.name=compute_score

An abstention of the verifier: verl's rewards are floats, so by default it is 0.0, logged, counted,
and marked by ``abstained`` = 1. With ``reward_kwargs.abstention=nan`` it is NaN, which our
advantage estimators leave out of every mean (verl's own would spread it), and which keeps
``filter_groups`` from taking an undecided group for a cliff. ``acc`` is NaN with it, and so are
verl's means over a batch with an abstention in it: ``critic/score/mean`` and
``critic/rewards/mean`` in training, ``acc`` in validation. ``abstained`` says how many there were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hdpo_env.hosting import golds, judged, number_of


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    abstention: float = 0.0,
    **_: Any,
) -> dict[str, float]:
    r"""The same four keys for every completion: ``score``, ``acc``, ``abstained``, ``answered``.

    ``extra_info`` may name the problem's ``verifier`` and hold all accepted ``answers``;
    ``ground_truth`` alone is enough.

    >>> compute_score("hdpo", r"\boxed{4}", "4")
    {'score': 1.0, 'acc': 1.0, 'abstained': 0.0, 'answered': 1.0}
    """
    info = extra_info or {}
    accepted = golds(info, ground_truth)
    verdict = judged(solution_str, accepted, verifier=info.get("verifier") or "math")
    value = number_of(verdict, "verl", abstention=float(abstention))
    return {
        "score": value,
        "acc": value,
        "abstained": float(verdict.is_abstention),
        "answered": float(verdict.extracted is not None),
    }
