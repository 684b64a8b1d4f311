"""Whose weights the policy's engine reads with: its own, LoRA's base, or their moving average."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from hdpo_env.config import DistillConfig
from hdpo_env.errors import ConfigError

Weights = dict[str, Tensor]


class WeightAverage:
    """``a <- d a + (1 - d) w`` of every trained weight, from ``a = w``, float32 in host memory.

    A rank averages what it holds: whole weights, or its partitions of them (ZeRO-3). Small steps
    would be lost in bfloat16, whose numbers near ``a`` are ``a / 256`` apart or more. With LoRA the
    adapter's matrices are what is trained, and so averaged one by one.

    >>> net = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.ones_(net.weight)
    >>> average = WeightAverage(net, 0.75)
    >>> _ = nn.init.constant_(net.weight, 5.0)
    >>> average.update()
    >>> with average.in_place():
    ...     net.weight.item()
    2.0
    >>> net.weight.item()
    5.0
    """

    def __init__(
        self, module: nn.Module, decay: float, release: Callable[[], None] = lambda: None
    ) -> None:
        self._decay, self._release = decay, release
        self._trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self.means = {
            name: held.detach().to("cpu", torch.float32, copy=True)
            for name, held in self._held().items()
        }
        self._cast: Weights = {}  # as the forward pass wants them; empty after an update

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights, as after each optimiser step."""
        self._cast = {}
        for name, held in self._held().items():
            mean = self.means[name]
            mean.lerp_(held.to(mean), 1 - self._decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model's weights are the averaged ones inside, and the very same as before after it.

        Only pointers change, so that nothing is rounded. Tensors that were detached from a weight
        inside keep the averaged values.
        """
        held = self._held()
        self._cast = self._cast or {name: self.means[name].to(t) for name, t in held.items()}
        own = {name: tensor.data for name, tensor in held.items()}
        self._point(held, self._cast)
        try:
            yield
        finally:
            self._point(held, own)

    def load(self, means: Weights) -> None:
        """Go back to an average that was saved.

        Raises:
            ConfigError: it is one of other weights, or of other partitions.
        """
        mine = {name: mean.shape for name, mean in self.means.items()}
        if {name: mean.shape for name, mean in means.items()} != mine:
            raise ConfigError(
                "the checkpoint's averaged weights are those of another model, of other LoRA "
                "settings, or of another number of ranks: resume with the flags that it was "
                "written with"
            )
        self.means, self._cast = means, {}

    def _held(self) -> dict[str, Any]:
        """What this rank holds of each weight: under ZeRO-3 the parameter itself is empty."""
        return {name: getattr(p, "ds_tensor", p) for name, p in self._trained.items()}

    def _point(self, held: Mapping[str, Any], weights: Weights) -> None:
        self._release()  # what is gathered of the weights that were there
        for name, tensor in held.items():
            tensor.data = weights[name]


class Teachers:
    """The weights with which the parts of one policy worker read; one average for each decay."""

    def __init__(self, engine: Any, *, has_base: bool) -> None:
        self._engine, self._has_base = engine, has_base
        self._averages: dict[float, WeightAverage] = {}
        self._steps = engine.global_steps

    def weights(self, config: DistillConfig) -> Callable[[], AbstractContextManager[Any]]:
        """What makes a context in which the engine's weights are those of this teacher.

        Ask before training starts: an average begins with the weights that it finds.
        """
        if config.teacher == "ema":
            if config.ema_decay not in self._averages:
                self._averages[config.ema_decay] = self._average(config.ema_decay)
            return self._averages[config.ema_decay].in_place
        is_base = config.teacher == "frozen" and self._has_base
        return self._engine.module.disable_adapter if is_base else nullcontext

    def after_micro_step(self) -> None:
        """Update the averages if the optimiser has stepped."""
        if self._engine.global_steps != self._steps:
            self._steps = self._engine.global_steps
            for average in self._averages.values():
                average.update()

    def state(self) -> dict[float, Weights]:
        """What this rank's file of a checkpoint must hold: decay -> name -> averaged weights."""
        return {decay: average.means for decay, average in self._averages.items()}

    def load_state(self, state: Mapping[float, Weights]) -> None:
        """Go back to a checkpoint.

        Raises:
            ConfigError: it does not hold an average that is needed.
        """
        for decay, average in self._averages.items():
            if decay not in state:
                found = ", ".join(map(str, state)) or "none"
                raise ConfigError(
                    f"the teacher ema needs averaged weights of ema_decay {decay}, and the "
                    f"checkpoint's are of {found}: resume with the teacher and the ema_decay that "
                    "it was written with, or start anew without --ckpt.load_enable"
                )
            average.load(state[decay])

    def _average(self, decay: float) -> WeightAverage:
        # Only ZeRO-3's optimizer keeps gathered weights, some of them from one pass to the next.
        release = getattr(self._engine.optimizer, "empty_partition_cache", lambda: None)
        return WeightAverage(self._engine.module, decay, release)
