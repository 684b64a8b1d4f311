"""``--plugin rlsd``: the privileged self re-weights the advantage of each token."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from hdpo_env.config import PolicyLossConfig, preset
from hdpo_env.errors import ConfigError
from hdpo_plugins.openrlhf.flags import add_fields
from hdpo_plugins.openrlhf.methods.needs import prompt_complaints, reward_complaints
from hdpo_plugins.openrlhf.plugins import Args, ControllerPart, Plugin, WorkerPart

PAPER = preset("rlsd")


class Rlsd(Plugin):
    """RLSD (arXiv 2604.03128): ``A [(1 - l) + l clip(exp(sign(A) (log q - log p)))]``."""

    name = "rlsd"

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--rlsd.*``."""
        add_fields(parser, "rlsd", PAPER.algo.policy, ("rlsd_mix", "rlsd_clip"))
        add_fields(parser, "rlsd", PAPER.algo.distill, ("view",))
        parser.add_argument(
            "--rlsd.template",
            default=PAPER.rollout.teacher_template,
            help="the teacher's prompt, as --hdpo.template (default: %(default)s)",
        )

    def complaints(self, args: Args) -> Iterator[str]:
        """What RLSD cannot work with."""
        try:
            PolicyLossConfig(rlsd_mix=args["rlsd.rlsd_mix"], rlsd_clip=args["rlsd.rlsd_clip"])
        except ConfigError as error:
            yield f"--rlsd.*: {error}"
        if self.is_on(args):
            yield from reward_complaints(args, "rlsd")
            yield from prompt_complaints(args, "rlsd")
            if args["rlsd.view"] == "none":
                yield "--rlsd.view none makes the teacher the student: choose solution or answer"

    def is_on(self, args: Args) -> bool:
        """Whether the mix is above 0."""
        return args["rlsd.rlsd_mix"] > 0

    def controller(self, controller: Any) -> ControllerPart:
        """Privileged prompts for every rollout whose group has an advantage."""
        from hdpo_plugins.openrlhf.methods.own_rollouts import OwnRollouts

        return OwnRollouts(controller, "rlsd", "any_advantage")

    def worker(self, worker: Any) -> WorkerPart:
        """The teacher's log-probabilities of the student's tokens."""
        from hdpo_plugins.openrlhf.methods.rlsd_worker import RlsdWorker

        return RlsdWorker(worker)
