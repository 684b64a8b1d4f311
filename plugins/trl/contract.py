"""What we promise to TRL: a real step of its trainer on our reward and our data set."""

from __future__ import annotations

from importlib.resources import files
from tempfile import TemporaryDirectory
from typing import Any

from hdpo_env.conformance import Host
from hdpo_env.problems.source import PROBLEMS
from hdpo_env.types import Problem


def _trained(trainer: Any, config: Any, **settings: Any) -> Any:
    """A trainer after one step on the small model that the package ships."""
    from hdpo_plugins.trl import VerdictReward, to_dataset

    problems = list(PROBLEMS["chain-table"](size=8, length=2))
    with TemporaryDirectory() as folder:
        args = config(
            output_dir=folder,
            use_cpu=True,
            bf16=False,
            report_to=[],
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
            max_steps=1,
            per_device_train_batch_size=8,
            gradient_accumulation_steps=1,
            num_generations=4,
            max_completion_length=8,
            **settings,
        )
        made = trainer(
            str(files("hdpo_env") / "assets" / "chain_base"),
            VerdictReward(problems, workers=0),
            args,
            to_dataset(problems, template="chain"),
        )
        made.train()
    return made


def rewards() -> None:
    """Right, wrong, and None for what could not be judged, in TRL's conversational form too."""
    from hdpo_plugins.trl import VerdictReward

    good, bad = Problem("1/2?", ("0.5",)), Problem("q", (" \\frac{1}{",))
    reward = VerdictReward([good, bad], workers=0)
    said = [r"\boxed{\frac12}", [{"role": "assistant", "content": r"\boxed{2}"}], r"\boxed{1}"]
    found = reward(said, [good.id, good.id, bad.id])
    assert found == [1.0, 0.0, None], found


def grpo() -> None:
    """One optimiser step of ``GRPOTrainer``; the verdicts are in its log."""
    from hdpo_plugins.trl.compat import GRPOConfig, GRPOTrainer

    log = _trained(GRPOTrainer, GRPOConfig).state.log_history[0]
    assert 0 <= log["rewards/verdict/mean"] <= 1, log
    assert log["verdict/abstention_rate"] == 0, log


def hdpo() -> None:
    """One optimiser step of ``HDPOTrainer``; the kinds of its groups are in its log."""
    from hdpo_plugins.trl import HDPOConfig, HDPOTrainer

    words = {"template": "chain", "teacher_template": "chain"}
    history = _trained(HDPOTrainer, HDPOConfig, **words).state.log_history
    rates = [log["groups/cliff_rate"] for log in history if "groups/cliff_rate" in log]
    assert rates, history
    assert 0 <= rates[0] <= 1, rates


HOSTS = (
    Host(
        "trl",
        distribution="trl",
        tested=("1.16.0",),
        abstention="None: GRPO leaves the completion out (a 0 in SDPO and beside another reward)",
        exercises={
            "the reward in a step of GRPOTrainer": grpo,
            "a step of HDPOTrainer": hdpo,
        },
        offline={"rewards and abstentions": rewards},
    ),
)
