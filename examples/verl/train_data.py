"""verl: rows for its data set, our reward function through its loader, and the command to train.

python examples/verl/train_data.py [FILE]
"""

from __future__ import annotations

import sys
from pathlib import Path

from hdpo_env import PROBLEMS
from hdpo_env.exports import to_verl
from hdpo_plugins.verl.reward import compute_score

COMMAND = """VERL_USE_EXTERNAL_MODULES=hdpo_plugins.verl.algorithms \\
python -m verl.trainer.main_ppo \\
    data.train_files={path} data.val_files={path} data.train_batch_size=32 \\
    reward.custom_reward_function.path=pkg://hdpo_plugins.verl.reward \\
    reward.custom_reward_function.name=compute_score \\
    +reward.custom_reward_function.reward_kwargs.abstention=nan \\
    algorithm.adv_estimator=hdpo \\
    algorithm.filter_groups.enable=True algorithm.filter_groups.metric=acc \\
    actor_rollout_ref.model.path=Qwen/Qwen2.5-Math-1.5B-Instruct \\
    actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=16 \\
    actor_rollout_ref.actor.policy_loss.loss_mode=hdpo \\
    actor_rollout_ref.actor.ppo_mini_batch_size=32 actor_rollout_ref.actor.use_dynamic_bsz=True \\
    trainer.n_gpus_per_node=1 trainer.logger=console
"""


def main(path: Path) -> list[dict[str, float]]:
    """Write the rows, and score two completions as verl would."""
    from omegaconf import OmegaConf
    from verl.trainer.ppo.reward import get_custom_reward_fn

    problems = list(PROBLEMS["linear"](size=512, level=3))
    rows = to_verl(problems, view="solution")
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.save(path)
    custom = {"path": "pkg://hdpo_plugins.verl.reward", "name": compute_score.__name__}
    function = get_custom_reward_fn(
        OmegaConf.create({"reward": {"custom_reward_function": custom}})
    )
    assert function is not None
    scores = []
    for text in (rf"\boxed{{{problems[0].gold}}}", r"\boxed{-10^9}"):
        row = rows[0]
        truth, extra = row["reward_model"]["ground_truth"], row["extra_info"]
        scores.append(function(row["data_source"], text, truth, extra))
        print(scores[-1])
    print(COMMAND.format(path=path))
    return scores


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "data/verl_linear.parquet"))
