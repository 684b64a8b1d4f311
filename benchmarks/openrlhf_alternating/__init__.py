"""OpenRLHF with the plugin in every second step only, for `benchmarks.openrlhf_overhead`.

The odd steps go past every override of the plugin, straight to OpenRLHF's own methods.
"""

from __future__ import annotations

from typing import Any

from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.generator import PluginSamplesGenerator
from hdpo_plugins.openrlhf.trainer import PluginPPOTrainer
from hdpo_plugins.openrlhf.worker import PluginActorTrainer, PluginPolicyModelActor


class Generator(PluginSamplesGenerator):
    """Watches the rollouts of even steps."""

    def generate_samples(self, **generate: Any) -> Any:
        """OpenRLHF's own method in odd steps; what it calls here looks at `_is_training` only."""
        if self._controller.step % 2:
            return compat.SamplesGenerator.generate_samples(self, **generate)
        return super().generate_samples(**generate)


class Trainer(PluginPPOTrainer):
    """Tells the ranks about even steps."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.samples_generator.__class__ = Generator

    def train_step(self, rollout_samples: Any, global_step: int) -> Any:
        """OpenRLHF's own method in odd steps."""
        if global_step % 2 == 0:
            return super().train_step(rollout_samples, global_step)
        status, self.controller.step = compat.PPOTrainer.train_step(
            self, rollout_samples, global_step
        )
        return status, self.controller.step


class ActorTrainer(PluginActorTrainer):
    """Trains with the plugin's terms in even steps, which are its odd calls."""

    calls = 0

    def ppo_train(self, kl_ctl: float) -> dict[str, Any]:
        """OpenRLHF's own method in odd steps."""
        self.calls += 1
        if self.calls % 2:
            return super().ppo_train(kl_ctl)
        return compat.ActorPPOTrainer.ppo_train(self, kl_ctl)

    def training_step(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """OpenRLHF's own method in odd steps."""
        if self.calls % 2:
            return super().training_step(*args, **kwargs)
        return compat.ActorPPOTrainer.training_step(self, *args, **kwargs)


class PolicyActor(PluginPolicyModelActor):
    """Its trainer alternates."""

    def init_model_from_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """Load the model as the plugin does."""
        super().init_model_from_pretrained(*args, **kwargs)
        self.trainer.__class__ = ActorTrainer
