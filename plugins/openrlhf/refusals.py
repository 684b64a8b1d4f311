"""What the adapter does not support, each in a sentence that says what to do instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.ledgers import ledger_complaint, place_complaints
from hdpo_plugins.openrlhf.plugins import Args, Plugin

# Flags that must stay off or at 1: name, the largest value allowed, why, and what to do.
_LIMITS = (
    (
        "train.async_enable",
        0,
        "the asynchronous trainer distils into weights that have moved on since: drop it",
    ),
    (
        "ds.ring_attn_size",
        1,
        "ring attention puts one token of student and teacher on different ranks: use 1",
    ),
    (
        "ds.tensor_parallel_size",
        1,
        "a head that is split over ranks cannot be compared row by row: use 1",
    ),
    (
        "ds.deepcompile",
        0,
        "a compiled model does not see that its head was replaced: drop it",
    ),
    (
        "data.max_images_per_prompt",
        0,
        "privileged prompts are text, images cannot be put into them: use text prompts "
        "and a model of text alone",
    ),
)


def model_complaints(args: Args) -> Iterator[str]:
    """What the checkpoint itself rules out; OpenRLHF looks into its config."""
    model = args["actor.model_name_or_path"]
    if model and compat.reads_images(model):
        yield (
            f"--actor.model_name_or_path {model} reads images, and OpenRLHF then has a processor "
            "where the plugins need a tokenizer, even if no prompt has an image: use a checkpoint "
            "of text alone"
        )


def complaints(args: Args, plugins: Sequence[Plugin]) -> Iterator[str]:
    """One sentence for each reason why these flags cannot be run, whole adapter first."""
    for name, limit, reason in _LIMITS:
        if args[name] > limit:
            yield f"--{name} does not go with --plugin: {reason}"
    if (
        args["train.dynamic_batch_enable"]
        and args["algo.advantage.estimator"] == "gae"
        and args["ds.zero_stage"] < 3
    ):
        yield (
            "--train.dynamic_batch_enable with --algo.advantage.estimator gae: the plugins mend "
            "the policy's gradient alone, and OpenRLHF's critic keeps only that of an update's "
            "last micro-batch (ZeRO-1, ZeRO-2): use --ds.zero_stage 3, or an estimator without one"
        )
    if args["ds.param_dtype"] == "fp16":
        # head_loss makes its gradients in the forward pass, before DeepSpeed's loss scale is known.
        yield (
            "--ds.param_dtype fp16 does not go with --plugin: the terms' gradients are below what "
            "float16 can hold before the loss scale reaches them, and would be 0: use bf16"
        )
    if args["rollout.n_samples_per_prompt"] < 2:
        yield (
            "--rollout.n_samples_per_prompt is "
            f"{args['rollout.n_samples_per_prompt']}: a group of one has no baseline and one "
            "failure does not make a cliff; use at least 2"
        )
    if not args["vllm.num_engines"]:
        yield "--vllm.num_engines is not set: the plugins sample with vLLM engines; use at least 1"
    if args["rollout.temperature"] <= 0:
        yield (
            f"--rollout.temperature is {args['rollout.temperature']}: distributions are compared "
            "at the temperature of sampling; use one above 0"
        )
    if ledger := ledger_complaint(args):
        yield ledger
    yield from place_complaints(args)
    for plugin in plugins:
        yield from plugin.complaints(args)
