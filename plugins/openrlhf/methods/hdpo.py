"""``--plugin hdpo``: cliffs get privileged rollouts, and the survivors are distilled."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from hdpo_plugins.openrlhf.flags import add_fields, complaint_about, distill_config
from hdpo_plugins.openrlhf.plugins import Args, ControllerPart, Plugin, WorkerPart

from hdpo_env.config import DistillConfig, preset

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


def reward_complaints(args: Args, name: str) -> Iterator[str]:
    """Why a reward model alone is not enough."""
    if not (args["reward.remote_url"] or args["train.agent_func_path"]):
        yield (
            f"--plugin {name} needs a verdict on every rollout when it is sampled, and a reward "
            "model gives none: pass --reward.remote_url or --train.agent_func_path"
        )


def teacher_complaints(args: Args, prefix: str, *, needs_head: bool = False) -> Iterator[str]:
    """What a frozen or averaged teacher needs from OpenRLHF's other flags."""
    teacher, lora = args[f"{prefix}.teacher"], args["ds.lora.rank"] > 0
    if teacher == "frozen" and not lora:
        if needs_head:
            yield (
                f"--{prefix}.teacher frozen compares whole distributions and needs the first "
                "weights on the policy's own ranks: train with --ds.lora.rank, whose base model "
                f"they are, or choose --{prefix}.teacher drifting"
            )
        elif args["algo.kl.init_coef"] <= 0:
            yield (
                f"--{prefix}.teacher frozen needs the first weights, and without a reference model "
                "OpenRLHF keeps none: pass --algo.kl.init_coef above 0, or train with "
                "--ds.lora.rank"
            )
    if teacher == "ema" and not args["train.enable_ema"]:
        yield f"--{prefix}.teacher ema is OpenRLHF's averaged model: pass --train.enable_ema"
    if teacher == "ema" and args["ckpt.load_enable"]:
        yield (
            f"--{prefix}.teacher ema cannot be resumed, because OpenRLHF's checkpoints do not hold "
            "the average: drop --ckpt.load_enable or choose another teacher"
        )
    if teacher == "ema" and needs_head and args["ds.zero_stage"] == 3:
        yield (
            f"--{prefix}.teacher ema needs the average's whole head, which ZeRO-3 partitions: use "
            f"--ds.zero_stage 2 or --{prefix}.teacher drifting"
        )
