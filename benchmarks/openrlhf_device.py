"""Memory and time of OpenRLHF's training step with and without the plugins, on a GPU or the CPU.

    python -m benchmarks.openrlhf_device                    # on CUDA: GPT-2's shape, 124 M weights
    .venv-openrlhf/bin/python tests/plugins/openrlhf/cpu.py -m benchmarks.openrlhf_device

One JSON line a variant: ``plain`` OpenRLHF, ``--plugin hdpo``, ``--plugin sdpg``. In process and on
one rank, without Ray and vLLM, everything else is real: OpenRLHF's command line, model, DeepSpeed
engine, replay buffer and training step (tests/plugins/openrlhf/ranks.py). A random model, random
tokens; half of the rollouts have a positive advantage, which lets SDPG in, and HDPO distils a pair
beside every fourth. ``peak_gb`` is what the device had allocated at most after the first step, on
the CPU the process's largest resident set since its start. Each variant has a process of its own.
No GPU has run this yet.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from math import log
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "tests" / "plugins" / "openrlhf"
VARIANTS = ("plain", "hdpo", "sdpg")
GPT2 = {"hidden": 768, "layers": 12, "vocabulary": 50257, "rows": 64, "prompt": 256}
GPT2 |= {"context": 512, "completion": 768, "micro_rows": 8}
TINY = {"hidden": 128, "layers": 2, "vocabulary": 2048, "rows": 16, "prompt": 16}
TINY |= {"context": 32, "completion": 48, "micro_rows": 4}


def write_model(folder: Path, shape: argparse.Namespace) -> int:
    """A random GPT-2 with a tokenizer of as many words as it has logits; the number of weights."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = {"<end>": 0, "<pad>": 1, **{f"w{i}": i for i in range(2, shape.vocabulary)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=shape.vocabulary, n_positions=length_of(shape), n_embd=shape.hidden,
        n_layer=shape.layers, n_head=shape.hidden // 64, bos_token_id=0, eos_token_id=0,
        pad_token_id=1,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    return model.num_parameters()


def length_of(shape: argparse.Namespace) -> int:
    """Tokens of the longest sequence, which the teacher reads."""
    return shape.prompt + shape.context + shape.completion


def spec_of(model: Path, shape: argparse.Namespace, variant: str) -> dict[str, Any]:
    """What ranks.py trains on: flags, rollouts, HDPO's pairs, the teacher's prompts."""
    given = {
        "actor.model_name_or_path": model, "vllm.num_engines": 1, "reward.remote_url": "unused.py",
        "rollout.n_samples_per_prompt": 2, "rollout.batch_size": shape.rows // 2,
        "rollout.micro_batch_size": shape.micro_rows, "train.batch_size": shape.rows,
        "train.micro_batch_size": shape.micro_rows, "actor.num_gpus_per_node": 1,
        "algo.advantage.estimator": "group_norm", "algo.kl.init_coef": 0, "actor.adam.lr": 1e-6,
        "ds.zero_stage": shape.zero_stage, "ds.attn_implementation": shape.attention,
        "data.max_len": length_of(shape), "rollout.max_new_tokens": shape.completion,
    }  # fmt: skip
    off = {"sdpg.warmup_steps": 0, "sdpg.decay_steps": 0, "plugin": variant}
    given |= {"plain": {}, "hdpo": {"plugin": variant}, "sdpg": off}[variant]
    draw = Random(0)

    def tokens(size: int) -> list[int]:
        return [draw.randrange(2, shape.vocabulary) for _ in range(size)]

    rollouts = [
        {
            "prompt": tokens(shape.prompt), "completion": tokens(shape.completion), "text": f"p{i}",
            "old": [-log(shape.vocabulary)] * shape.completion, "gate": i % 2 == 0,
            "advantage": 1.0 if i % 2 == 0 else -1.0, "reward": float(i % 2 == 0),
        }
        for i in range(shape.rows)
    ]  # fmt: skip
    told = {row["text"]: row["prompt"] + tokens(shape.context) for row in rollouts}
    pairs = [[row["prompt"], told[row["text"]], row["completion"]] for row in rollouts[::4]]
    flags = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    return {
        "flags": flags, "rollouts": [rollouts], "pairs": [pairs], "prompts": told,
        "attention": shape.attention, "step": 1, "total_steps": 10,
    }  # fmt: skip


def ranks() -> Any:
    """The tests' module that builds OpenRLHF's trainer in this process; they are no package."""
    spec = importlib.util.spec_from_file_location("ranks", HERE / "ranks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(shape: argparse.Namespace, variant: str) -> dict[str, Any]:
    """Build the trainer, take one step more than is counted, and time the others."""
    import torch

    is_gpu = torch.cuda.is_available()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        weights = write_model(Path(folder), shape)
        free.bind(("127.0.0.1", 0))
        place = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1"}
        place["MASTER_PORT"] = free.getsockname()[1]
        free.close()
        os.environ |= {name: str(value) for name, value in place.items()}
        module, spec = ranks(), spec_of(Path(folder), shape, variant)
        trainer = module.trainer_of(module.arguments(spec["flags"]), spec, 0)
    seconds: list[float] = []
    for _ in range(shape.steps + 1):
        fill(module, trainer, spec, variant)
        if is_gpu:
            torch.cuda.synchronize()
        started = time.perf_counter()
        status = trainer.ppo_train(0.0)
        if is_gpu:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
        if is_gpu and len(seconds) == 1:
            torch.cuda.reset_peak_memory_stats()
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    peak = torch.cuda.max_memory_allocated() / 2**30 if is_gpu else resident
    return {
        "bench": "openrlhf/device", "variant": variant, "weights": weights,
        **{k: v for k, v in vars(shape).items() if k != "variants"},
        "distilled": status.get(f"{variant}/tokens", 0.0),
        "step_s": float(f"{median(seconds[1:]):.4g}"), "peak_gb": round(peak, 3),
        "peak_of": "allocated" if is_gpu else "resident",
        "device": torch.cuda.get_device_name() if is_gpu else "cpu", "torch": torch.__version__,
    }  # fmt: skip


def fill(module: Any, trainer: Any, spec: dict[str, Any], variant: str) -> None:
    """The next step's rollouts, and what the controller would tell this rank."""
    trainer.replay_buffer.clear()
    gates = [f"{variant}/gate_rate"] if variant == "sdpg" else []
    for rollout in spec["rollouts"][0]:
        trainer.replay_buffer.append(module.experience(rollout, gates))
    if variant == "plain":
        return
    from hdpo_plugins.openrlhf.groups import Pair

    trainer.worker.tell(
        {
            "": {"step": spec["step"], "total_steps": spec["total_steps"]},
            "hdpo": [Pair(*map(tuple, pair)) for pair in spec["pairs"][0]],
            "sdpg": {(text, ""): ids for text, ids in spec["prompts"].items()},
        }
    )


def apart(shape: argparse.Namespace, variant: str) -> dict[str, Any]:
    """`measure` in a process of its own, from which memory of other variants is absent."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in vars(shape).items()
             if name != "variants"]  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.openrlhf_device", *flags, "--variants", variant]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def options() -> argparse.Namespace:
    """The command line; its defaults go by the device."""
    import torch

    shape = GPT2 if torch.cuda.is_available() else TINY
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in shape.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--steps", type=int, default=5, help="after one that is not counted")
    parser.add_argument("--zero-stage", type=int, default=2)
    parser.add_argument("--attention", default="eager", help="eager or flash_attention_2")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    return parser.parse_args()


def main() -> None:
    """Print one JSON line a variant; ``over_plain`` where plain OpenRLHF was measured too."""
    shape = options()
    if len(shape.variants) == 1:
        print(json.dumps(measure(shape, shape.variants[0])), flush=True)
        return
    base = None
    for variant in shape.variants:
        row = apart(shape, variant)
        base = row["step_s"] if variant == "plain" else base
        more = {"over_plain": round(row["step_s"] / base, 3)} if base else {}
        print(json.dumps(row | more), flush=True)


if __name__ == "__main__":
    main()
