"""SDPG and RLSD beside the controller: who is gated in, and what the teacher reads for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from hdpo_plugins.openrlhf.groups import number_in, verdict_of
from hdpo_plugins.openrlhf.labels import asked_key
from hdpo_plugins.openrlhf.plugins import ControllerPart

Rule = Literal["positive_advantage", "any_advantage", "all", "none"]
TIE = 1e-6  # rewards that differ by less than this from their group's mean are its mean


class OwnRollouts(ControllerPart):
    """Sends every rank the teacher's prompts, and marks each rollout as gated in or out.

    The gate ``m = 1[A > 0]`` is decided on the raw reward of the sequence against its group's mean,
    before penalties, clipping and KL, which would open it on groups without any spread.
    """

    def __init__(self, controller: Any, name: str, rule: Rule) -> None:
        self._hub, self._name = controller, name
        self._rule: Rule = rule
        self._view = controller.args[f"{name}.view"]
        self._template = controller.args[f"{name}.template"]
        controller.source.check(self._view, self._template, name)
        self._left_out = 0

    def payloads(self, samples: Sequence[Any], ranks: int) -> list[Any]:
        """The teacher's token ids by question, for all ranks; each sample's info gets its gate."""
        size = self._hub.args["rollout.n_samples_per_prompt"]
        prompts: dict[tuple[str, str], tuple[int, ...]] = {}
        for group in (samples[i : i + size] for i in range(0, len(samples), size)):
            first = _Echo(group[0].prompts[0], group[0].labels[0])
            found = self._hub.teacher_ids(first, self._view, self._template)
            if found is not None:
                prompts[asked_key(first.prompt, first.label)] = found[0]
            self._left_out += found is None
            rewards = [judged_reward(sample) for sample in group]
            rule: Rule = "none" if found is None else self._rule
            let_in = gates(rewards, rule)
            mark(group, f"{self._name}/gate_rate", let_in)
        return [prompts] * ranks

    def status(self) -> dict[str, float]:
        """How many groups had nothing to show the teacher."""
        left_out, self._left_out = self._left_out, 0
        return {f"{self._name}/prompts_left_out": float(left_out)}


def judged_reward(sample: Any) -> float | None:
    """A rollout's raw reward; None where the verifier abstained and the number says nothing."""
    is_open = verdict_of(sample.rewards, sample.info).correct is None
    return None if is_open else number_in(sample.rewards)


def gates(rewards: Sequence[float | None], rule: Rule) -> list[bool]:
    """Which rollouts of a group are let in; never one without a reward.

    ``positive_advantage``: those above the group's mean; ``any_advantage``: those above or below.

    >>> gates([1.0, 0.0, None, 0.0], "positive_advantage")
    [True, False, False, False]
    """
    known = [r for r in rewards if r is not None]
    mean = sum(known) / max(1, len(known))
    gaps = [None if r is None else r - mean for r in rewards]
    return [
        gap is not None
        and (
            rule == "all"
            or (rule == "positive_advantage" and gap > TIE)
            or (rule == "any_advantage" and abs(gap) > TIE)
        )
        for gap in gaps
    ]


class _Echo:
    """A prompt and its label, as a group has them."""

    def __init__(self, prompt: str, label: Any) -> None:
        self.prompt, self.label = prompt, label


def mark(group: Sequence[Any], name: str, gates: Sequence[bool]) -> None:
    """Write each gate where OpenRLHF carries and logs numbers: a tensor of one in ``info``."""
    import torch

    for sample, gate in zip(group, gates, strict=True):
        sample.info[name] = torch.tensor([float(gate)])
