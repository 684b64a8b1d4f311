"""One rollout batch through the real training step, on spawned ranks without Ray or vLLM.

    python cpu.py ranks.py SPEC.json...

Real: OpenRLHF's command line, strategy, model, DeepSpeed engine, replay buffer and training step.
Of SPEC: ``flags``, ``rollouts`` and ``pairs`` for each rank, ``prompts`` for the teacher, perhaps a
``teacher_model`` or a number of ``rounds``, in each of which the batch is trained on; ``out`` is
where rank 0 writes the parameters before and after each round, the gradients before the last
optimiser step, the status, and what averages there are. Several SPECs share their processes.
"""

import json
import os
import runpy
import sys
from pathlib import Path

import torch


class _CapturedError(Exception):
    """Carries the parsed arguments out of the command line."""


def arguments(flags, plugins=True):
    """OpenRLHF's nested arguments, from its own command line with our flags in it."""
    import openrlhf.utils
    import ray

    def stop(args):
        raise _CapturedError(args)

    from hdpo_plugins.openrlhf import compat, launch

    compat.on_every_node = lambda function, seconds: {}  # there is no cluster here
    if plugins:
        launch.install()
    get_strategy, initialized, argv = openrlhf.utils.get_strategy, ray.is_initialized, sys.argv
    openrlhf.utils.get_strategy, ray.is_initialized = stop, lambda: True
    sys.argv = ["train_ppo_ray", *flags]
    try:
        runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__", alter_sys=True)
    except _CapturedError as found:
        return found.args[0]
    finally:
        openrlhf.utils.get_strategy, ray.is_initialized, sys.argv = get_strategy, initialized, argv
    raise AssertionError("the command line did not get as far as the strategy")


def experience(rollout, gates):
    """A rollout with its old log-probabilities and advantages, as the controller sends it."""
    from openrlhf.trainer.ppo_utils.experience import Experience

    ids = rollout["prompt"] + rollout["completion"]
    num, start = len(rollout["completion"]), len(rollout["prompt"]) - 1
    mask = torch.zeros(1, len(ids) - 1, dtype=torch.long)
    mask[0, start:] = torch.tensor(rollout.get("is_action", [1] * num))
    old = torch.zeros(1, len(ids) - 1)
    old[0, start:] = torch.tensor(rollout["old"])
    base = torch.zeros(1, len(ids) - 1)
    base[0, start:] = torch.tensor(rollout.get("base", rollout["old"]))
    reward = torch.tensor([rollout["reward"]])
    return Experience(
        sequences=torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        action_mask=mask,
        action_log_probs=old * mask,
        base_action_log_probs=base * mask,
        advantages=torch.full_like(old, rollout["advantage"]) * mask,
        index=[0],
        prompts=[rollout["text"]],
        labels=[""],
        images=[None],
        mm_train_inputs=[None],
        rewards=reward,
        scores=reward,
        response_length=torch.tensor([num]),
        truncated=torch.tensor([False]),
        total_length=torch.tensor([float(len(ids))]),
        info={"reward": reward, **{g: torch.tensor([float(rollout["gate"])]) for g in gates}},
    )


def trainer_of(args, spec, rank):
    """OpenRLHF's actor trainer around a DeepSpeed engine, ours if there are plugins."""
    import openrlhf.utils
    from openrlhf.models import Actor
    from openrlhf.trainer.ray.ppo_actor import ActorPPOTrainer
    from openrlhf.utils.utils import get_tokenizer

    path = args.actor.model_name_or_path
    if spec.get("float32"):  # a DeepSpeed engine that rounds as little as the reference does
        args.ds.param_dtype = "fp32"
    strategy = openrlhf.utils.get_strategy(args)
    strategy.setup_distributed()
    actor = Actor(
        whole(path, args.ds.lora.rank) if spec.get("float32") else path,
        attn_implementation=spec.get("attention", "eager"),
        ds_config=strategy.get_ds_train_config(),
        temperature=args.rollout.temperature,
    )
    actor.packing_samples = spec.get("packed", False)
    with torch.no_grad():  # a fresh adapter is its base model: move it
        for i, (name, p) in enumerate(actor.model.named_parameters()):
            if "lora_B" in name:
                p.copy_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(i)))
    tokenizer = get_tokenizer(path, actor.model, "left", strategy)
    config = {
        "optim": "adam",
        "adam": vars(args.actor.adam),
        "lr_scheduler": "constant",
        "max_norm": args.actor.max_norm,
        "scheduler_steps": 10,
    }
    actor, optimizer, scheduler = strategy.prepare((actor, config))
    trainer = ActorPPOTrainer(
        strategy,
        actor,
        None,
        optimizer,
        scheduler,
        micro_train_batch_size=args.train.micro_batch_size,
        tokenizer=tokenizer,
        vllm_engines=None,
    )
    if getattr(args, "plugin", None):
        from hdpo_plugins.openrlhf.groups import Pair
        from hdpo_plugins.openrlhf.worker import PluginActorTrainer, Worker

        trainer.__class__ = PluginActorTrainer
        trainer.worker = Worker(trainer)
        pairs = [Pair(*map(tuple, pair)) for pair in spec["pairs"][rank]]
        if spec.get("teacher_model"):
            teacher = Actor(whole(spec["teacher_model"]))
            teacher.packing_samples = False
            pairs = given_by(strategy.prepare(teacher), strategy, pairs, args.hdpo.top_k)
        common = {"step": spec.get("step", 0), "total_steps": spec.get("total_steps", 10)}
        prompts = {(text, ""): ids for text, ids in spec["prompts"].items()}
        trainer.message = {"": common, "hdpo": pairs, "sdpg": prompts, "rlsd": prompts}
    return trainer


def whole(path, lora_rank=0):
    """The model in float32, as OpenRLHF would make it: it loads bfloat16 or float16 only."""
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, attn_implementation="eager"
    )
    model.config.use_cache = False
    if not lora_rank:
        return model
    kind = TaskType.CAUSAL_LM
    return get_peft_model(
        model,
        LoraConfig(
            task_type=kind,
            r=lora_rank,
            target_modules="all-linear",
            bias="none",
            fan_in_fan_out=True,
        ),
    )


def given_by(teacher, strategy, pairs, top_k):
    """The pairs with what a reference worker around this model says, one pass too many included."""
    from hdpo_plugins.openrlhf.groups import Teacher
    from hdpo_plugins.openrlhf.reference import TeacherModelActor

    worker = object.__new__(TeacherModelActor)  # its constructor wants a Ray worker around it
    worker.model, worker.strategy = teacher, strategy
    tops = worker.teacher_topk(pairs, len(pairs) + 1, top_k)
    assert len(tops) == len(pairs)
    return [p._replace(teacher=Teacher(*top)) for p, top in zip(pairs, tops, strict=True)]


def recording(trainer):
    """Gradients of every parameter, as they are when the optimiser is about to use them."""
    from deepspeed.utils import safe_get_full_grad

    found, step = {}, trainer.strategy.optimizer_step
    model = trainer.actor.model.module

    def recorded(*args, **kwargs):
        is_due = trainer.actor.model.is_gradient_accumulation_boundary()
        for name, parameter in model.named_parameters() if is_due else ():
            if parameter.requires_grad:
                grad = safe_get_full_grad(parameter)
                found[name] = None if grad is None else grad.detach().float().cpu().clone()
        return step(*args, **kwargs)

    if not trainer.args.train.max_epochs > 1:
        trainer.strategy.optimizer_step = recorded
    return found


def parameters(trainer):
    """Every whole parameter after the step."""
    import deepspeed

    model = trainer.actor.model.module
    with deepspeed.zero.GatheredParameters(list(model.parameters())):
        return {name: p.detach().cpu().clone() for name, p in model.named_parameters()}


def averages(trainer):
    """What the model's whole parameters are while an average is in their place, for each decay."""
    found = {}
    for decay, average in trainer.worker.teachers._averages.items():
        with average.in_place():
            found[decay] = parameters(trainer)
    return found


def restored(trainer, again, path):
    """Save this policy as OpenRLHF does, start another from it, compare this rank's averages."""
    from hdpo_plugins.openrlhf.worker import AVERAGES, PluginPolicyModelActor

    policy = object.__new__(PluginPolicyModelActor)  # its constructor wants a Ray worker around it
    policy.trainer, policy.actor, policy.strategy = trainer, trainer.actor, trainer.strategy
    policy.save_hf_ckpt = policy.disable_ds_ckpt = False
    policy.strategy.args.ckpt.path = f"{path}.checkpoint"
    policy.save_checkpoint("global_step1", {"global_step": 1})
    _, states = again.strategy.load_ckpt(again.actor.model, f"{path}.checkpoint/_actor")
    assert states["global_step"] == 1
    again.worker.teachers.load_state(states[AVERAGES])
    mine, theirs = (t.worker.teachers.state() for t in (trainer, again))
    assert mine
    torch.testing.assert_close(theirs, mine, rtol=0, atol=0, equal_nan=True)


def rank_main(rank, world, port, spec):
    os.environ.update(
        RANK=str(rank),
        WORLD_SIZE=str(world),
        LOCAL_RANK="0",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    torch.set_num_threads(1)
    args = arguments(spec["flags"], spec.get("launcher", True))
    trainer = trainer_of(args, spec, rank)
    torch.manual_seed(7)  # the order in which the replay buffer is read
    parts = trainer.worker.parts if hasattr(trainer, "worker") else ()
    names = [f"{plugin}/gate_rate" for plugin in parts if plugin != "hdpo"]
    gradients, history = recording(trainer), [parameters(trainer)]
    for _ in range(spec.get("rounds", 1)):
        trainer.replay_buffer.clear()
        for rollout in spec["rollouts"][rank]:
            trainer.replay_buffer.append(experience(rollout, names))
        if parts:
            trainer.worker.tell(trainer.message)
        status = trainer.ppo_train(0.0)
        history.append(parameters(trainer))
    inside = averages(trainer) if parts else {}
    if inside:
        history.append(parameters(trainer))
        restored(trainer, trainer_of(args, spec, rank), spec["out"])
    if rank == 0:
        numbers = {k: float(v) for k, v in status.items() if isinstance(v, (int, float))}
        found = {"gradients": gradients, "history": history, "status": numbers, "averages": inside}
        found |= {"before": history[0], "parameters": history[-1]}
        # rows of each dynamic micro-batch
        found["dynamic"] = [len(rows) for rows in trainer.replay_buffer.dynamic_indices]
        torch.save(found, spec["out"])


def rank_of_all(rank, world, port, specs):
    for spec in specs:
        rank_main(rank, world, port, spec)


def main(paths):
    import socket

    specs = [json.loads(Path(path).read_text()) for path in paths]
    [world] = {len(spec["rollouts"]) for spec in specs}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if world == 1:
        rank_of_all(0, 1, port, specs)
        return
    context = torch.multiprocessing.get_context("spawn")
    ranks = [
        context.Process(target=rank_of_all, args=(r, world, port, specs)) for r in range(world)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(240)
    codes = [process.exitcode for process in ranks]
    for process in ranks:
        process.kill()
    sys.exit(0 if codes == [0] * world else f"exit codes of the ranks: {codes}")


if __name__ == "__main__":
    main(sys.argv[1:])
