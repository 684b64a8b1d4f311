"""Make TRL's own SDPO learn on cliffs, by one column: what the solution would tell the teacher.

Without the column, or without ``include_environment_feedback``, SDPO's loss is exactly 0 on a
prompt that no rollout solved.

    python examples/trl/sdpo_privileged_column.py --model Qwen/Qwen3-0.6B --problems math.jsonl

On a laptop, with the small model that the package ships:

    python examples/trl/sdpo_privileged_column.py --use_cpu true --bf16 false --max_steps 5 \
        --template chain --teacher_template bare --max_completion_length 8 \
        --per_device_train_batch_size 64 --learning_rate 1e-4
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from transformers import HfArgumentParser
from trl.experimental.sdpo import SDPOConfig, SDPOTrainer

from hdpo_env.commands.places import find_problems
from hdpo_env.privileged import PRIVILEGED_TEMPLATES, PrivilegedTemplate
from hdpo_env.prompts import TEMPLATES
from hdpo_plugins.trl import VerdictReward, to_dataset

# The words around privileged context are yours to choose; this template has none.
PRIVILEGED_TEMPLATES.add(
    "bare",
    PrivilegedTemplate(
        "bare",
        1,
        student=TEMPLATES["plain"],
        user="{prompt}\n{context}",
        words={"answer": "{text}", "solution": "{text}"},
    ),
)


@dataclass
class Run:
    """Which model learns which problems, and what its teacher is told."""

    model: str = str(files("hdpo_env") / "assets" / "chain_base")
    problems: str = "chain-table"  # a family, or a file with question, answer and solution
    num_problems: int = 2000
    template: str = "boxed"
    teacher_template: str = "hdpo"
    view: str = "solution"


def main(run: Run, args: SDPOConfig) -> SDPOTrainer:
    """Train, and print the distillation loss at the start and at the end."""
    problems = find_problems(run.problems, split="train", limit=run.num_problems)
    args.include_environment_feedback = True  # off by default: the column would be ignored
    # our column has its own words; TRL's say that it is feedback on an earlier attempt
    args.feedback_template = "\n\n{feedback_raw}\n\n"
    dataset = to_dataset(
        problems, template=run.template, view=run.view, teacher_template=run.teacher_template
    )
    trainer = SDPOTrainer(
        model=run.model, reward_funcs=VerdictReward(problems), args=args, train_dataset=dataset
    )
    trainer.train()
    key = "self_distillation/distillation_loss"
    losses = [entry[key] for entry in trainer.state.log_history if key in entry]
    print(f"distillation loss: {losses[0]:.4g} at first, {losses[-1]:.4g} at last")
    return trainer


if __name__ == "__main__":
    main(*HfArgumentParser((Run, SDPOConfig)).parse_args_into_dataclasses())
