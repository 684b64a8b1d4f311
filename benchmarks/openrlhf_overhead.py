"""What HDPO costs in the real OpenRLHF, and how much of it its tokens explain.

    make hosts-openrlhf
    .venv-openrlhf/bin/python tests/plugins/openrlhf/cpu.py -m benchmarks.openrlhf_overhead

One JSON line a variant: OpenRLHF as it is, and with ``--plugin hdpo`` where none, half or all of
the prompts are cliffs. Two runs of one command differ by some 10 % on small models, so that a few
milliseconds are seen only within one run: in the variant ``alternating`` no prompt is a cliff and
every second step goes past the plugin (`benchmarks.openrlhf_alternating`). One policy rank and one
vLLM engine, whose phases do not overlap; a random model whose sequences end at their 160th token,
so that nothing is padded; rewards by the prompt's label, and every second privileged completion
survives. Times are wall times, so that the machine should have nothing else to do.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from random import Random
from statistics import mean, median, stdev
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "tests" / "plugins" / "openrlhf"
PROMPT, CONTEXT, LENGTH = 32, 32, 160  # tokens; every sequence ends at its 160th token
PROBLEMS, GROUP, WORDS = 8, 4, 4096
PHASES = ("generation", "make_experience", "ppo_train")
CLIFFS = {"plain": 0.0, "none": 0.0, "alternating": 0.0, "half": 0.5, "all": 1.0}  # of the problems
ALTERNATING = "benchmarks.openrlhf_alternating.__main__"
FLAGS = {
    "actor.num_gpus_per_node": 1,
    "data.apply_chat_template": None,
    "data.max_len": 2 * LENGTH,
    "rollout.max_new_tokens": LENGTH - PROMPT,
    "train.agent_func_path": HERE / "files" / "half_right_agent.py",
    "actor.adam.lr": 1e-6,
}
HDPO = {
    "plugin": ["hdpo"],
    "data.solution_key": "solution",
    "hdpo.template": "{context} {prompt}",
}


def write_model(folder: Path, hidden: int, layers: int) -> int:
    """A random GPT-2 that ends at position `LENGTH`, and a tokenizer of `WORDS` words.

    The end has a direction of the residual stream to itself, which one position alone writes.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = {"<end>": 0, "<pad>": 1, **{f"w{i}": i for i in range(2, WORDS)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=WORDS, n_positions=2 * LENGTH, n_embd=hidden, n_layer=layers,
        n_head=hidden // 64, bos_token_id=0, eos_token_id=0, pad_token_id=1,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        embedding, positions = model.transformer.wte.weight, model.transformer.wpe.weight
        embedding[:, 0] = positions[:, 0] = 0
        embedding[0] = 0
        embedding[0, 0] = 4.0
        positions[: LENGTH - 2, 0] = -20.0
        positions[LENGTH - 2 :, 0] = 20.0
    model.to(torch.bfloat16).save_pretrained(folder)
    return model.num_parameters()


def write_data(path: Path, steps: int, cliffs: float) -> Path:
    """Problems of random words for so many steps; of them a share is labelled a cliff."""
    draw = Random(0)
    count = steps * PROBLEMS

    def text(words: int) -> str:
        return " ".join(f"w{draw.randrange(2, WORDS)}" for _ in range(words))

    with path.open("w") as file:
        for i in range(count):
            label = "cliff" if i < cliffs * count else "w5"
            row = {"input": text(PROMPT), "label": label, "solution": text(CONTEXT)}
            file.write(json.dumps(row) + "\n")
    return path


def stack_of(model: Path, root: Path) -> Any:
    """The runner of whole runs that the tests use; they are no package."""
    spec = importlib.util.spec_from_file_location("stack", HERE / "stack.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Stack(model, root)


def steps_of(folder: Path) -> list[dict[str, float]]:
    """The numbers of each step after the first two, by TensorBoard; ``wall`` is its whole time."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(next(folder.iterdir())), size_guidance={"scalars": 0}).Reload()
    steps: dict[int, dict[str, float]] = {}
    for tag in log.Tags()["scalars"]:
        for event in log.Scalars(tag):
            row = steps.setdefault(event.step, {"end": 0.0})
            row[tag.removeprefix("train/")] = event.value
            row["end"] = max(row["end"], event.wall_time)
    for step in range(2, len(steps) + 1):
        steps[step]["wall"] = steps[step]["end"] - steps[step - 1]["end"]
    return [steps[step] for step in range(3, len(steps) + 1)]


def counts(step: dict[str, float]) -> dict[str, float]:
    """Tokens that plain OpenRLHF would not have had: sampled, read by the teacher, distilled."""
    pairs = step.get("hdpo/pairs", 0.0)
    return {
        "generation": step.get("privileged/tokens", 0.0),
        "make_experience": LENGTH * pairs,
        "ppo_train": PROMPT * pairs + step.get("hdpo/tokens", 0.0),
    }


def rates(plain: list[dict[str, float]]) -> dict[str, float]:
    """Plain OpenRLHF's seconds a token: sampled, read without gradient, trained on."""
    rows = PROBLEMS * GROUP
    tokens = {"generation": rows * (LENGTH - PROMPT)}
    return {
        phase: median(step[f"timing/{phase}"] for step in plain) / tokens.get(phase, rows * LENGTH)
        for phase in PHASES
    }


def compared(steps: list[dict[str, float]], plain: list[dict[str, float]]) -> dict[str, float]:
    """Medians over steps: seconds, seconds more than plain, and those its tokens explain."""
    base, rate = median(step["wall"] for step in plain), rates(plain)
    found = {"steps": len(steps), "step_s": median(step["wall"] for step in steps)}
    found |= {f"{p}_s": median(step[f"timing/{p}"] for step in steps) for p in PHASES}
    found["over_plain"] = found["step_s"] / base
    taught = [step for step in steps if step.get("hdpo/pairs", 0.0)]
    if taught:
        predicted = [sum(rate[p] * n for p, n in counts(step).items()) for step in taught]
        extra = [step["wall"] - base for step in taught]
        found |= {f"extra_tokens_{p}": median(counts(s)[p] for s in taught) for p in PHASES}
        found |= {"extra_s": median(extra), "predicted_s": median(predicted)}
        ratios = (e / p for e, p in zip(extra, predicted, strict=True))
        found["extra_over_predicted"] = median(ratios)
    return found


def alternating(steps: list[dict[str, float]]) -> dict[str, float]:
    """Of steps with and without the plugin in turn: medians, and what the plugin adds on average.

    Each step with it is held against the mean of its two neighbours; ``extra_se`` is the standard
    error of the mean difference.
    """
    middle = range(1, len(steps) - 1)
    found: dict[str, float] = {"steps": len(steps)}
    for name in ("wall", *(f"timing/{phase}" for phase in PHASES)):
        extra = [
            steps[i][name] - (steps[i - 1][name] + steps[i + 1][name]) / 2
            for i in middle
            if "privileged/seconds" in steps[i]
        ]
        found[f"{name}_without"] = median(s[name] for s in steps if "privileged/seconds" not in s)
        found[f"{name}_extra"] = mean(extra)
        found[f"{name}_extra_se"] = stdev(extra) / len(extra) ** 0.5
    return found


def measure(
    root: Path, *, hidden: int, layers: int, steps: int, variants: list[str]
) -> list[dict[str, Any]]:
    """Run the variants one after the other, pool those that are named twice, compare with plain."""
    weights = write_model(root / "model", hidden, layers)
    stack = stack_of(root / "model", root)
    found: dict[str, list[dict[str, float]]] = {}
    for i, variant in enumerate(variants):
        data = write_data(root / f"{variant}.jsonl", steps, CLIFFS[variant])
        plugin = {} if variant == "plain" else HDPO
        module = {"plain": stack.PLAIN, "alternating": ALTERNATING}.get(variant, stack.PLUGIN)
        board = {"logger.tensorboard_dir": root / f"board-{i}"}
        path = {"PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}{os.pathsep}{ROOT}"}
        run = stack.run(
            f"run-{i}", module, data, seconds=3600, environ=path, **FLAGS, **plugin, **board
        )
        if run.code:
            raise SystemExit(run.log[-4000:])
        found.setdefault(variant, []).extend(steps_of(root / f"board-{i}"))
        print(f"{variant}: {len(found[variant])} steps", file=sys.stderr, flush=True)
    shape = {"weights": weights, "rows": PROBLEMS * GROUP, "length": LENGTH}
    return [
        {"bench": "openrlhf/overhead", "variant": variant, **shape}
        | {name: float(f"{x:.4g}") for name, x in summary(variant, rows, found).items()}
        for variant, rows in found.items()
    ]


def summary(
    variant: str, steps: list[dict[str, float]], found: dict[str, list[dict[str, float]]]
) -> dict[str, float]:
    """A variant's row: alternating steps among themselves, all others against plain OpenRLHF's."""
    if variant == "alternating":
        return alternating(steps)
    return compared(steps, found["plain"])


def main() -> None:
    """Print one JSON line a variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--steps", type=int, default=12)
    order = ["plain", "none", "half", "all", "none", "plain"]  # slow drift cancels
    parser.add_argument("--variants", nargs="+", choices=list(CLIFFS), default=order)
    options = parser.parse_args()
    if "plain" not in options.variants and set(options.variants) != {"alternating"}:
        parser.error("--variants: name plain too, which all others are compared with")
    with tempfile.TemporaryDirectory() as folder:
        for row in measure(Path(folder), **vars(options)):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
