"""What the plugins need of other flags: a reward, a teacher's words, a teacher's weights."""

from __future__ import annotations

from collections.abc import Iterator

from hdpo_env.errors import RegistryError
from hdpo_env.privileged import VIEWS
from hdpo_plugins.openrlhf.plugins import Args
from hdpo_plugins.openrlhf.source import privileged_template


def prompt_complaints(args: Args, prefix: str) -> Iterator[str]:
    """Why the teacher's prompt cannot be made: an unknown view or template, or no question."""
    for flag, table in (("view", VIEWS.__getitem__), ("template", privileged_template)):
        try:
            table(args[f"{prefix}.{flag}"])
        except RegistryError as error:
            yield f"--{prefix}.{flag}: {error}" + (
                ", or give words with {prompt} and {context}" if flag == "template" else ""
            )
    words = args[f"{prefix}.template"]
    if "{context}" in words and not ("{prompt}" in words or "{question}" in words):
        yield f"--{prefix}.template {words!r} does not ask anything: put {{prompt}} into it"


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
                "OpenRLHF keeps none: pass --algo.kl.init_coef 1e-9, which keeps one and is too "
                "small to change the training, and as many --ref.num_gpus_per_node as the policy "
                "has, or train with --ds.lora.rank"
            )
    if teacher == "ema" and args["ds.zpg"] > 1 and args["ds.zero_stage"] == 3:
        yield (
            f"--{prefix}.teacher ema does not go with --ds.zpg {args['ds.zpg']}: ZeRO++ gathers "
            "from a second copy of the weights, which knows nothing of the average: use --ds.zpg 1"
        )
