"""What a plugin consists of: flags, refusals, and two parts that run where OpenRLHF runs.

A plugin's *controller part* lives beside OpenRLHF's single controller: it sees the groups of
rollouts before anything filters or shapes them, may sample more on the same engines, and sends one
payload to each data-parallel rank. Its *worker part* lives in each policy worker and may add a term
to the loss of a micro-step, or change the advantages. Third parties add a `Plugin` subclass under
the entry-point group ``hdpo_env.openrlhf_plugins``; `methods` is the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from hdpo_plugins.openrlhf.groups import GroupRecord

Args = Mapping[str, Any]  # the command line, by its flags' dotted names


class ControllerPart:
    """What a plugin does beside OpenRLHF's controller. Every method may be left as it is."""

    def after_generation(self, groups: Sequence[GroupRecord]) -> None:
        """Look at a batch of groups; the generation engines are awake and idle."""

    def payloads(self, samples: Sequence[Any], ranks: int) -> list[Any]:
        """What each data-parallel rank is told before the step; samples are single rollouts."""
        return [None] * ranks

    def status(self) -> dict[str, float]:
        """Numbers of the step for OpenRLHF's log; called once, after the step."""
        return {}

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a checkpoint."""


class WorkerPart:
    """What a plugin does in a policy worker. Every method may be left as it is.

    Where DeepSpeed partitions parameters (ZeRO-3) every rank must run the same forward passes.
    """

    def begin(self, payload: Any, updates: Sequence[int]) -> None:
        """Start a step: every rank calls it, so that collectives are allowed here.

        ``updates[i]`` numbers the optimiser step that micro-step i is part of, the same on every
        rank; a batch is gone through ``--train.max_epochs`` times.
        """

    def before(self, experience: Any, micro_step: int, loss_batch_info: Mapping[str, Any]) -> Any:
        """Before the student's forward pass; a scalar that is returned is added to the loss."""
        return None

    def on_hidden(self, hidden: Tensor) -> Tensor | None:
        """Inside the student's forward pass, with what the head reads; a term for the loss."""
        return None

    def advantages(self, advantages: Tensor, logprobs: Tensor) -> Tensor:
        """The advantages, [B, A], that the policy loss is to use."""
        return advantages

    def on_logprobs(self, logprobs: Tensor) -> Tensor | None:
        """With the student's log-probabilities [B, A] and their graph; a term for the loss."""
        return None

    def sums(self) -> dict[str, float]:
        """This rank's sums over the step: the same names in the same order on every rank."""
        return {}

    def status(self, sums: Mapping[str, float]) -> dict[str, float]:
        """The sums over all ranks as numbers for OpenRLHF's log."""
        return dict(sums)


class Plugin:
    """A name for ``--plugin``, its flags, what it refuses, and its two parts."""

    name = ""

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--<name>.*`` flags."""

    def complaints(self, args: Args) -> Iterator[str]:
        """One sentence for each setting that this plugin cannot work with."""
        return iter(())

    def is_on(self, args: Args) -> bool:
        """Whether it can change anything; a plugin that is off costs nothing in training."""
        return True

    def controller(self, controller: Any) -> ControllerPart:
        """Its part beside the controller, an `hdpo_plugins.openrlhf.controller.Controller`."""
        return ControllerPart()

    def worker(self, worker: Any) -> WorkerPart:
        """Its part in a policy worker, an `hdpo_plugins.openrlhf.worker.Worker`."""
        return WorkerPart()
