"""verl: rows for its data set, our reward function through its loader, and the command to train.

python examples/verl/train_data.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from hdpo_env import PROBLEMS
from hdpo_env.exports import to_verl
from hdpo_plugins.verl.reward import compute_score

COMMAND = """VERL_USE_EXTERNAL_MODULES=hdpo_plugins.verl.algorithms \\
python -m verl.trainer.main_ppo \\
    data.train_files={path} \\
    reward.custom_reward_function.path=pkg://hdpo_plugins.verl.reward \\
    reward.custom_reward_function.name=compute_score \\
    +reward.custom_reward_function.reward_kwargs.abstention=nan \\
    algorithm.adv_estimator=hdpo algorithm.filter_groups.metric=acc \\
    actor_rollout_ref.actor.policy_loss.loss_mode=hdpo
"""


def main(path: Path) -> list[dict[str, float]]:
    """Write the rows, and score two completions as verl would."""
    from omegaconf import OmegaConf
    from verl.trainer.ppo.reward import get_custom_reward_fn

    problems = list(PROBLEMS["linear"](size=64, level=3))
    rows = to_verl(problems, view="solution")
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
    with TemporaryDirectory() as folder:
        main(Path(sys.argv[1]) if sys.argv[1:] else Path(folder, "train.parquet"))
