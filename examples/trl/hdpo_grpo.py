"""Train with HDPO inside TRL: GRPO, and the cliffs taught by the model that saw the solution.

On a GPU, with the paper's numbers (every option of GRPOConfig can be set):

    python examples/trl/hdpo_grpo.py --model Qwen/Qwen2.5-Math-1.5B-Instruct --problems math.jsonl

On a laptop, with the small model that the package ships and the cliffs it was made for:

    python examples/trl/hdpo_grpo.py --use_cpu true --bf16 false --template chain \
        --teacher_template chain --max_completion_length 8 --num_generations 8 \
        --per_device_train_batch_size 128 --gradient_accumulation_steps 1 --learning_rate 3e-4 \
        --distill_weight 1 --warmup_steps 0 --max_steps 60
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from transformers import HfArgumentParser

from hdpo_env.commands.places import find_problems
from hdpo_plugins.trl import HDPOConfig, HDPOTrainer, VerdictReward, to_dataset


@dataclass
class Run:
    """Which model learns which problems."""

    model: str = str(files("hdpo_env") / "assets" / "chain_base")
    problems: str = "chain-table"  # a family, or a file with question, answer and solution
    num_problems: int = 2000


def main(run: Run, args: HDPOConfig) -> HDPOTrainer:
    """Train, and print how many groups were cliffs at the start and at the end."""
    problems = find_problems(run.problems, split="train", limit=run.num_problems)
    dataset = to_dataset(problems, template=args.template)
    trainer = HDPOTrainer(run.model, VerdictReward(problems), args, dataset)
    trainer.train()
    rates = [e["groups/cliff_rate"] for e in trainer.state.log_history if "groups/cliff_rate" in e]
    print(f"cliffs: {rates[0]:.0%} of the groups at first, {rates[-1]:.0%} at last")
    return trainer


if __name__ == "__main__":
    main(*HfArgumentParser((Run, HDPOConfig)).parse_args_into_dataclasses())
