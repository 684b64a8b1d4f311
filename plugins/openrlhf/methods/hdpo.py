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
from hdpo_plugins.openrlhf.scoring import agent_complaints

PAPER = preset("hdpo")
FIELDS = (
    "weight", "divergence", "top_k", "tail", "teacher", "ema_decay", "view", "rollouts_per_cliff",
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
            "steps later, in the place of a new one, and twice as many after each return at which "
            "nobody solves it; 0 leaves the order of the data alone (default: %(default)s)",
        )
        parser.add_argument(
            "--hdpo.reenter_tries",
            type=int,
            default=3,
            help="returns in a row at which nobody solves a former cliff, after which it comes "
            "back no more (default: %(default)s)",
        )

    def complaints(self, args: Args) -> Iterator[str]:
        """What HDPO cannot work with."""
        if found := complaint_about(args, "hdpo", PAPER.algo.distill):
            yield found
            return
        if args["hdpo.reenter_after"] < 0:
            yield f"--hdpo.reenter_after {args['hdpo.reenter_after']}: choose 0 or more steps"
        if args["hdpo.reenter_tries"] < 1:
            yield (
                f"--hdpo.reenter_tries {args['hdpo.reenter_tries']}: choose at least 1, or "
                "--hdpo.reenter_after 0 to switch re-entry off"
            )
        if args["hdpo.reenter_after"] > 0 and args["rollout.batch_size"] < 2:
            yield (
                f"--hdpo.reenter_after {args['hdpo.reenter_after']}: at most half a batch comes "
                "back, and half of --rollout.batch_size 1 is nothing: use at least 2 or drop it"
            )
        if not self.is_on(args):
            return
        yield from reward_complaints(args, "hdpo")
        yield from agent_complaints(args["train.agent_func_path"])
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
