"""``--plugin hdpo``: cliffs get privileged rollouts, and the survivors are distilled."""

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

PAPER = preset("hdpo")
FIELDS = (
    "weight", "divergence", "top_k", "tail", "teacher", "view", "rollouts_per_cliff",
    "max_cliff_prompts", "cliff_threshold", "drop_leaks", "distinct",
)  # fmt: skip


class Hdpo(Plugin):
    """HDPO (arXiv 2603.23871): ``L + lambda * JSD_k`` on correct privileged rollouts of cliffs."""

    name = "hdpo"

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--hdpo.*``."""
        few = {"divergence": ("jsd", "kl_teacher_student")}
        add_fields(parser, "hdpo", PAPER.algo.distill, FIELDS, few)
        parser.add_argument(
            "--hdpo.template",
            default=PAPER.rollout.teacher_template,
            help="the teacher's prompt: a registered template, or words with {prompt} (or "
            "{question}) and {context} (default: %(default)s)",
        )
        parser.add_argument(
            "--hdpo.reenter_after",
            type=int,
            default=0,
            help="expand, then sharpen: a distilled cliff's prompt is rolled out again this many "
            "steps later; 0 leaves the order of the data alone (default: %(default)s)",
        )

    def complaints(self, args: Args) -> Iterator[str]:
        """What HDPO cannot work with."""
        if found := complaint_about(args, "hdpo", PAPER.algo.distill):
            yield found
            return
        if args["hdpo.reenter_after"] < 0:
            yield f"--hdpo.reenter_after {args['hdpo.reenter_after']}: choose 0 or more steps"
        if not self.is_on(args):
            return
        yield from reward_complaints(args, "hdpo")
        yield from prompt_complaints(args, "hdpo")
        yield from teacher_complaints(args, "hdpo")

    def is_on(self, args: Args) -> bool:
        """Whether lambda is above 0."""
        return args["hdpo.weight"] > 0

    def config(self, args: Args) -> DistillConfig:
        """The flags as a config."""
        return distill_config(args, "hdpo", PAPER.algo.distill)

    def controller(self, controller: Any) -> ControllerPart:
        """Cliffs to pairs."""
        from hdpo_plugins.openrlhf.methods.hdpo_controller import HdpoController

        return HdpoController(controller, self.config(controller.args))

    def worker(self, worker: Any) -> WorkerPart:
        """Pairs to a term of the loss."""
        from hdpo_plugins.openrlhf.methods.hdpo_worker import HdpoWorker

        return HdpoWorker(worker, self.config(worker.args))
