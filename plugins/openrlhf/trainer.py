"""OpenRLHF's single controller, a Ray worker, with ours beside it."""

from __future__ import annotations

from typing import Any

from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.controller import Controller
from hdpo_plugins.openrlhf.generator import PluginSamplesGenerator

STATE = "hdpo_env"  # our entry in OpenRLHF's checkpoints


class PluginPPOTrainer(compat.PPOTrainer):
    """OpenRLHF's synchronous trainer with the plugins' controller beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.samples_generator = PluginSamplesGenerator(
            strategy=self.strategy,
            prompts_dataloader=self.prompts_dataloader,
            eval_dataloader=self.eval_dataloader,
            tokenizer=self.tokenizer,
            vllm_engines=self.vllm_engines,
        )
        self.controller = Controller(self)
        self.samples_generator.watch(self.controller)

    def fit(self, *args: Any, **kwargs: Any) -> None:
        """Train as OpenRLHF does, and close the ledger at the end."""
        try:
            super().fit(*args, **kwargs)
        finally:
            self.controller.close()

    def init_checkpoint_states(self) -> dict[str, Any]:
        """OpenRLHF's states, and ours restored from them; without a checkpoint a clean ledger."""
        states = super().init_checkpoint_states()
        if STATE in states:
            self.controller.load_state(states[STATE])
        else:
            self.controller.begin_anew(states["global_step"], states["total_consumed_prompts"])
        self.controller.step = states["global_step"]
        return states

    def train_step(self, rollout_samples: Any, global_step: int) -> Any:
        """Tell the ranks, train, and add our numbers to OpenRLHF's status."""
        self.controller.step = global_step
        group = self.actor_model_group
        handlers, copies = group._actor_handlers, group.duplicate_actors
        messages = self.controller.payloads(rollout_samples, len(handlers) // copies)
        compat.get([h.begin_step.remote(messages[i // copies]) for i, h in enumerate(handlers)])
        status, step = super().train_step(rollout_samples, global_step)
        status.update(self.controller.close_step())
        self.controller.step = step
        return status, step

    def save_logs_and_checkpoints(
        self, global_step: int, logs_dict: Any = None, client_states: Any = None
    ) -> None:
        """Put our state into the dict that OpenRLHF saves, now or as its best checkpoint."""
        if client_states is not None:
            client_states[STATE] = self.controller.state()
        super().save_logs_and_checkpoints(global_step, logs_dict, client_states)
