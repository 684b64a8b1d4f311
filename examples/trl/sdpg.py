"""Train with SDPG inside TRL: GRPO, a gated KL to the privileged self, a reference term.

On a GPU, with the paper's numbers (every option of GRPOConfig can be set):

    python examples/trl/sdpg.py --model Qwen/Qwen3-1.7B --problems dapo.jsonl

On a laptop, with the small model that the package ships and problems it half knows:

    python examples/trl/sdpg.py --use_cpu true --bf16 false --template chain \
        --teacher_template chain --max_completion_length 8 \
        --per_device_train_batch_size 128 --gradient_accumulation_steps 1 --learning_rate 3e-4 \
        --warmup_steps 0 --max_steps 60 --distill_warmup_steps 5 --distill_decay_steps 50
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from transformers import HfArgumentParser

from hdpo_env.commands.places import find_problems
from hdpo_plugins.trl import SDPGConfig, SDPGTrainer, VerdictReward, to_dataset


@dataclass
class Run:
    """Which model learns which problems."""

    model: str = str(files("hdpo_env") / "assets" / "chain_base")
    problems: str = "chain-add"  # a family, or a file with question, answer and solution
    num_problems: int = 2000


def main(run: Run, args: SDPGConfig) -> SDPGTrainer:
    """Train, and print the pass rate at the start and at the end."""
    problems = find_problems(run.problems, split="train", limit=run.num_problems)
    dataset = to_dataset(problems, template=args.template)
    trainer = SDPGTrainer(run.model, VerdictReward(problems), args, dataset)
    trainer.train()
    key = "rewards/verdict/mean"
    rates = [entry[key] for entry in trainer.state.log_history if key in entry]
    print(f"right: {rates[0]:.0%} of the rollouts at first, {rates[-1]:.0%} at last")
    return trainer


if __name__ == "__main__":
    main(*HfArgumentParser((Run, SDPGConfig)).parse_args_into_dataclasses())
