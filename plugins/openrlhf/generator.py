"""OpenRLHF's samples generator, watched: every training group is seen before it can be filtered."""

from __future__ import annotations

from typing import Any

from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.groups import GroupRecord, grouped, rollout_of
from hdpo_plugins.openrlhf.unrewarded import Unrewarded, joinable


class PluginSamplesGenerator(compat.SamplesGenerator):
    """Records each training rollout, and tells the controller while the engines are awake."""

    def watch(self, controller: Any) -> None:
        """Report to this controller from now on."""
        self._controller, self._is_training = controller, False
        self._unrewarded = Unrewarded()

    def generate_samples(self, **generate: Any) -> Any:
        """Sample a training batch: evaluation samples are nobody's business."""
        self._is_training = True
        try:
            samples, *rest = super().generate_samples(**generate)
        finally:
            self._is_training = False
        joinable(samples)
        return samples, *rest

    def _process_response_into_experience(self, response: Any, **generate: Any) -> Any:
        if self.args.reward.remote_url:  # else a reward model speaks later
            response = self._unrewarded.answered(response)
        experience = super()._process_response_into_experience(response, **generate)
        if self._is_training:
            self._seen.append(rollout_of(experience))
        return experience

    def _generate_vllm(
        self, dataloader_iter: Any, num_prompts: int, dynamic_filtering: Any, **generate: Any
    ) -> Any:
        if not self._is_training:
            return super()._generate_vllm(
                dataloader_iter, num_prompts, dynamic_filtering, **generate
            )
        self._seen: list[GroupRecord] = []
        stream = self._controller.stream(dataloader_iter, num_prompts)
        found = super()._generate_vllm(stream, num_prompts, dynamic_filtering, **generate)
        size = self.args.rollout.n_samples_per_prompt
        members = [self._seen[i : i + size] for i in range(0, len(self._seen), size)]
        self._controller.saw([grouped(group) for group in members], generate)
        return found
