"""In every policy worker: OpenRLHF's training step, with the plugins' terms in its one loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from hdpo_plugins.openrlhf import compat, heads
from hdpo_plugins.openrlhf.flags import flat
from hdpo_plugins.openrlhf.methods import chosen
from hdpo_plugins.openrlhf.plugins import WorkerPart
from hdpo_plugins.openrlhf.teachers import Teachers

AVERAGES = "hdpo_env_averages"  # our entry in each rank's file of OpenRLHF's checkpoints


class Worker:
    """What the plugins share in one policy worker: the engine, its head, the step, the ranks."""

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.strategy = trainer, trainer.strategy
        self.args = flat(trainer.args)
        self.engine = trainer.actor.model
        self.head = heads.checked_head(self.engine, self.device)
        self.temperature = float(self.args["rollout.temperature"])
        self.pad_id = trainer.tokenizer.pad_token_id
        self.is_partitioned = self.strategy.stage == 3
        self.step, self.total_steps, self.payloads = 0, 1, {}
        self.teachers = Teachers(self.engine, has_base=self.args["ds.lora.rank"] > 0)
        on = [p for p in chosen(self.args["plugin"]) if p.is_on(self.args)]
        self.parts: dict[str, WorkerPart] = {p.name: p.worker(self) for p in on}

    @property
    def device(self) -> Any:
        """Where tensors go."""
        return compat.current_device()

    @property
    def is_dynamic(self) -> bool:
        """Whether OpenRLHF fills micro-batches by tokens: an update's number of them varies."""
        return bool(self.args["train.dynamic_batch_enable"])

    @property
    def loss_divisor(self) -> int:
        """What DeepSpeed divides every micro-step's loss by before it adds the gradients up."""
        return int(self.engine.gradient_accumulation_steps())

    @property
    def ranks(self) -> int:
        """Ranks that hold different data."""
        return dist.get_world_size(group=self._group()) if dist.is_initialized() else 1

    def tell(self, message: Mapping[str, Any]) -> None:
        """Take the controller's message for the next step."""
        common, self.payloads = message[""], dict(message)
        self.step, self.total_steps = common["step"], common["total_steps"]

    def updates(self, buffer: Any) -> list[int]:
        """For each micro-step of the batch in OpenRLHF's replay buffer, which update it is part of.

        All ranks have the same list: OpenRLHF makes as many dynamic micro-batches on every rank as
        the fullest one needs.
        """
        if not self.is_dynamic:
            num = len(buffer) // buffer.sample_batch_size
            return [i // self.loss_divisor for i in range(num)]
        buffer.setup_dynamic_batch(self.strategy)  # ppo_train does it again, with the same outcome
        return list(accumulate(buffer.dynamic_optimizer_step, initial=0))[:-1]

    def reduced(self, values: list[float]) -> list[float]:
        """Each value added up over the ranks; every rank must call it."""
        if not values or not dist.is_initialized():
            return values
        together = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(together, group=self._group())
        return together.tolist()

    def _group(self) -> Any:
        return compat.data_parallel_group(self.strategy)


class PluginActorTrainer(compat.ActorPPOTrainer):
    """OpenRLHF's actor trainer; a step's extra terms join its loss before the one backward.

    Two backward passes per micro-step would silently lose gradient: DeepSpeed reduces and discards
    what the first one left (ZeRO-2).
    """

    worker: Worker

    def ppo_train(self, kl_ctl: float) -> dict[str, Any]:
        """One rollout batch: plan it, train as OpenRLHF does, add the plugins' numbers."""
        parts, worker = self.worker.parts, self.worker
        updates = worker.updates(self.replay_buffer) if parts else []
        for name, part in parts.items():
            part.begin(worker.payloads.pop(name, None), updates)
        status = super().ppo_train(kl_ctl)
        for part in parts.values():
            sums = part.sums()
            totals = worker.reduced(list(sums.values()))
            status.update(part.status(dict(zip(sums, totals, strict=True))))
        return status

    def training_step(
        self, experience: Any, kl_ctl: float, step: int, loss_batch_info: Any = None
    ) -> dict[str, Any]:
        """OpenRLHF's own training step, with what the plugins add to its loss."""
        parts = list(self.worker.parts.values())
        if not parts:
            return super().training_step(experience, kl_ctl, step, loss_batch_info)
        if self.worker.is_dynamic:
            loss_batch_info = self._mark_boundary(experience, step)
        terms = [part.before(experience, step, loss_batch_info) for part in parts]
        with self._watched(parts, [t for t in terms if t is not None]):
            status = super().training_step(experience, kl_ctl, step, loss_batch_info)
        self.worker.teachers.after_micro_step()
        return status

    def _mark_boundary(self, experience: Any, step: int) -> Any:
        """Tell DeepSpeed which micro-step ends the update, and the plugins its tokens.

        OpenRLHF runs dynamic micro-batches with one accumulation step, so that DeepSpeed takes each
        backward pass for an update of its own and keeps only the last one's gradient (ZeRO-2).
        """
        is_last = bool(self.replay_buffer.dynamic_optimizer_step[step])
        self.worker.engine.set_gradient_accumulation_boundary(is_last)
        return compat.dynamic_loss_info(self, experience, step)

    @contextmanager
    def _watched(self, parts: list[WorkerPart], terms: list[Tensor]) -> Iterator[None]:
        def with_listeners(hidden: Tensor) -> Any:
            found = [part.on_hidden(hidden) for part in parts]
            terms.extend(term for term in found if term is not None)
            return logits(hidden)

        def changed_advantages(module: Any, args: tuple) -> tuple:
            logprobs, old, advantages, *rest = args
            for part in parts:
                advantages = part.advantages(advantages, logprobs)
            pulls = [part.on_logprobs(logprobs) for part in parts]
            terms.extend(term for term in pulls if term is not None)
            return (logprobs, old, advantages, *rest)

        backward = self.strategy.backward

        def of_the_sum(loss: Tensor, *args: Any, **kwargs: Any) -> Any:
            return backward(sum(terms, loss), *args, **kwargs)

        with ExitStack() as stack:
            logits = stack.enter_context(heads.replaced(self.worker.head, with_listeners))
            hook = self.actor_loss_fn.register_forward_pre_hook(changed_advantages)
            stack.callback(hook.remove)
            self.strategy.backward = of_the_sum  # shadows the method on this one object
            stack.callback(delattr, self.strategy, "backward")
            yield


class PluginPolicyModelActor(compat.PolicyModelActor):
    """OpenRLHF's policy worker; its trainer learns to train with plugins."""

    def init_model_from_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """Load the model as OpenRLHF does.

        The trainer changes class afterwards: building another one would open a second group for
        sending weights to vLLM.
        """
        super().init_model_from_pretrained(*args, **kwargs)
        self.trainer.__class__ = PluginActorTrainer
        self.trainer.worker = Worker(self.trainer)
        if self.checkpoint_states:
            # Out of what the controller will ask for: it need not see weights.
            averages = self.checkpoint_states.pop(AVERAGES, {})
            self.trainer.worker.teachers.load_state(averages)

    def save_checkpoint(
        self, tag: str, client_states: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        """Save as OpenRLHF does, with the averages among the states in this rank's file."""
        states = {**(client_states or {}), AVERAGES: self.trainer.worker.teachers.state()}
        super().save_checkpoint(tag, states, *args, **kwargs)

    def begin_step(self, message: Mapping[str, Any]) -> None:
        """Hear what the controller has for this rank."""
        self.trainer.worker.tell(message)
