"""``--plugin sdpg``: the student's own good rollouts, re-read by its privileged self."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from hdpo_env.config import DistillConfig, ReferenceConfig, preset
from hdpo_plugins.openrlhf.flags import add_fields, complaint_about, distill_config
from hdpo_plugins.openrlhf.methods.needs import (
    prompt_complaints,
    reward_complaints,
    teacher_complaints,
)
from hdpo_plugins.openrlhf.plugins import Args, ControllerPart, Plugin, WorkerPart

PAPER = preset("sdpg")
KINDS = get_args(get_type_hints(ReferenceConfig)["kind"])
OWN_AT_MOST = 1e-8  # OpenRLHF's own coefficient beside --sdpg.reference
FIELDS = ("weight", "teacher", "ema_decay", "view", "gate", "warmup_steps", "decay_steps")


class Sdpg(Plugin):
    """SDPG (arXiv 2606.04036): ``L + beta(k) 1[A > 0] KL(student || privileged self)``.

    The reference term is OpenRLHF's own (``--algo.kl.use_loss --algo.kl.estimator k2`` is URKL on
    the policy's own samples), unless ``--sdpg.reference`` names one of the paper's four.
    """

    name = "sdpg"

    def add_flags(self, parser: argparse.ArgumentParser) -> None:
        """Add ``--sdpg.*``."""
        add_fields(parser, "sdpg", PAPER.algo.distill, FIELDS)
        parser.add_argument(
            "--sdpg.reference",
            choices=KINDS,
            help="add alpha sg[rho] L_K(pi, reference) of this kind (default: none of ours)",
        )
        parser.add_argument(
            "--sdpg.alpha",
            type=float,
            default=PAPER.algo.reference.weight,
            help="coefficient of --sdpg.reference (default: %(default)s)",
        )
        parser.add_argument(
            "--sdpg.template",
            default=PAPER.rollout.teacher_template,
            help="the teacher's prompt, as --hdpo.template (default: %(default)s)",
        )

    def complaints(self, args: Args) -> Iterator[str]:
        """What SDPG cannot work with."""
        if found := complaint_about(args, "sdpg", PAPER.algo.distill):
            yield found
            return
        yield from _reference_complaints(args)
        if self.is_on(args):
            yield from reward_complaints(args, "sdpg")
            yield from prompt_complaints(args, "sdpg")
            yield from teacher_complaints(args, "sdpg", needs_head=True)

    def is_on(self, args: Args) -> bool:
        """Whether beta is above 0, or there is a reference term."""
        return args["sdpg.weight"] > 0 or args["sdpg.reference"] is not None

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


def _reference_complaints(args: Args) -> Iterator[str]:
    """What the reference term needs of OpenRLHF, which hands its log-probabilities to a loss."""
    if args["sdpg.alpha"] < 0:
        yield f"--sdpg.alpha is {args['sdpg.alpha']}: use one of at least 0"
    kind, coefficient = args["sdpg.reference"], args["algo.kl.init_coef"]
    if kind is None and args["sdpg.alpha"] != PAPER.algo.reference.weight:
        yield "--sdpg.alpha does nothing without --sdpg.reference: name one of " + ", ".join(KINDS)
    if kind and not (args["algo.kl.use_loss"] and 0 < coefficient <= OWN_AT_MOST):
        yield (
            f"--sdpg.reference {kind} needs the reference model's log-probabilities, and no second "
            "term of OpenRLHF's beside it: pass --algo.kl.use_loss --algo.kl.init_coef 1e-9, which "
            "keeps one and is too small to change the training"
        )
