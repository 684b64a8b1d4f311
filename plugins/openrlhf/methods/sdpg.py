"""``--plugin sdpg``: the student's own good rollouts, re-read by its privileged self."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from hdpo_env.config import DistillConfig, preset
from hdpo_plugins.openrlhf.flags import add_fields, complaint_about, distill_config
from hdpo_plugins.openrlhf.methods.needs import (
    prompt_complaints,
    reward_complaints,
    teacher_complaints,
)
from hdpo_plugins.openrlhf.plugins import Args, ControllerPart, Plugin, WorkerPart

PAPER = preset("sdpg")
FIELDS = ("weight", "teacher", "ema_decay", "view", "gate", "warmup_steps", "decay_steps")


class Sdpg(Plugin):
    """SDPG (arXiv 2606.04036): ``L + beta(k) 1[A > 0] KL(student || privileged self)``.

    The reference term is OpenRLHF's own: ``--algo.kl.use_loss --algo.kl.init_coef
    --algo.kl.estimator k2`` is URKL.
    """

    name = "sdpg"

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--sdpg.*``."""
        add_fields(parser, "sdpg", PAPER.algo.distill, FIELDS)
        parser.add_argument(
            "--sdpg.template",
            default=PAPER.rollout.teacher_template,
            help="the teacher's prompt, as --hdpo.template (default: %(default)s)",
        )

    def complaints(self, args: Args) -> Iterator[str]:
        """What SDPG cannot work with."""
        if found := complaint_about(args, "sdpg", PAPER.algo.distill):
            yield found
        elif self.is_on(args):
            yield from reward_complaints(args, "sdpg")
            yield from prompt_complaints(args, "sdpg")
            yield from teacher_complaints(args, "sdpg", needs_head=True)

    def is_on(self, args: Args) -> bool:
        """Whether beta is above 0."""
        return args["sdpg.weight"] > 0

    def config(self, args: Args) -> DistillConfig:
        """The flags as a config."""
        return distill_config(args, "sdpg", PAPER.algo.distill)

    def controller(self, controller: Any) -> ControllerPart:
        """Gates and privileged prompts."""
        from hdpo_plugins.openrlhf.methods.own_rollouts import OwnRollouts

        return OwnRollouts(controller, "sdpg", self.config(controller.args).gate)

    def worker(self, worker: Any) -> WorkerPart:
        """The divergence inside the student's forward pass."""
        from hdpo_plugins.openrlhf.methods.sdpg_worker import SdpgWorker

        return SdpgWorker(worker, self.config(worker.args))
