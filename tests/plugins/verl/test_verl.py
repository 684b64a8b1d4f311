"""verl's own loader, reward manager, registries and data set, with our functions inside."""

from __future__ import annotations

import math
import runpy
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hdpo_env.errors import ConfigError
from hdpo_env.exports import to_verl
from hdpo_env.problems import LinearFamily
from hdpo_plugins.verl.contract import HOSTS, score

# Warnings of the host and of what it imports are not ours to mend.
pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
(VERL,) = HOSTS


@pytest.mark.parametrize("what", VERL.exercises)
def test_the_contract(what: str) -> None:
    """Each promise to verl is kept by the installed version, which is a tested one."""
    assert VERL.installed in VERL.tested
    VERL.exercises[what]()


def test_verdicts_agree_with_the_golds_of_a_family() -> None:
    """Whatever the problem: its gold scores 1, its neighbour's gold 0, through verl's manager."""
    problems = list(LinearFamily(2).source(size=12))
    for one, other in pairwise(problems):
        right, wrong = score([rf"\boxed{{{p.gold}}}" for p in (one, other)], one.gold)
        assert right["reward_extra_info"]["acc"] == 1.0
        assert wrong["reward_extra_info"]["acc"] == float(one.gold == other.gold)


def test_the_sdpg_estimator_is_verls_own_up_to_the_standard_deviation() -> None:
    """Verl divides by the sample std: ours is larger by sqrt(G / (G - 1)), and exactly 0 alike."""
    import numpy as np
    import torch
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    import hdpo_plugins.verl.algorithms  # noqa: F401 (registers)

    draw = torch.Generator().manual_seed(0)
    rewards = torch.zeros(24, 5)
    rewards[:, 4] = torch.randint(0, 2, (24,), generator=draw).float()
    rewards[:4, 4] = 0.0  # a cliff
    call = {
        "token_level_rewards": rewards,
        "response_mask": torch.ones(24, 5),
        "index": np.repeat(["a", "b", "c", "d", "e", "f"], 4),
    }
    ours, _ = get_adv_estimator_fn("sdpg")(**call)
    theirs, _ = get_adv_estimator_fn("grpo")(**call)
    torch.testing.assert_close(ours, theirs * (4 / 3) ** 0.5, atol=1e-5, rtol=1e-5)
    assert not ours[:4].any()


def test_an_abstention_is_as_if_the_rollout_were_not_there() -> None:
    """NaN in a group changes nothing for the others, and verl's own estimator shows why we care."""
    import numpy as np
    import torch
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    import hdpo_plugins.verl.algorithms  # noqa: F401 (registers)

    rewards = torch.tensor([[1.0], [0.0], [0.0], [float("nan")]])
    estimate = get_adv_estimator_fn("hdpo")
    mask = torch.ones(4, 1)
    whole, _ = estimate(token_level_rewards=rewards, response_mask=mask, index=np.array(["a"] * 4))
    three, _ = estimate(
        token_level_rewards=rewards[:3], response_mask=mask[:3], index=np.array(["a"] * 3)
    )
    assert torch.equal(whole[:3], three)
    assert whole[3].item() == 0.0
    grpo = get_adv_estimator_fn("grpo")
    spread, _ = grpo(token_level_rewards=rewards, response_mask=mask, index=np.array(["a"] * 4))
    assert spread.isnan().all()


@pytest.mark.parametrize("method", ["hdpo", "sdpg"])
def test_groups_of_one_are_refused(method: str) -> None:
    """With verl's default of one rollout a prompt all advantages would be 0: said, not trained."""
    import numpy as np
    import torch
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    import hdpo_plugins.verl.algorithms  # noqa: F401 (registers)

    estimate = get_adv_estimator_fn(method)
    rewards, mask = torch.tensor([[1.0], [0.0], [0.0]]), torch.ones(3, 1)
    with pytest.raises(
        ConfigError, match=r"all 3 groups have one rollout.*rollout\.n to at least 2"
    ):
        estimate(token_level_rewards=rewards, response_mask=mask, index=np.array(["a", "b", "c"]))
    mixed, _ = estimate(
        token_level_rewards=rewards, response_mask=mask, index=np.array(["a", "a", "c"])
    )
    assert (mixed[:2].abs() > 0).all()
    assert mixed[2].item() == 0.0


@pytest.mark.parametrize("mode", ["token-mean", "seq-mean-token-sum", "seq-mean-token-mean"])
def test_the_hdpo_loss_is_verls_own_where_dual_clip_does_not_bite(mode: str) -> None:
    """Value and gradient equal verl's vanilla loss for ratios below its dual clip of 3."""
    import torch
    from verl.trainer.ppo.core_algos import get_policy_loss_fn
    from verl.workers.config import ActorConfig

    import hdpo_plugins.verl.algorithms  # noqa: F401 (registers)

    config = ActorConfig(
        strategy="fsdp", rollout_n=2, ppo_micro_batch_size_per_gpu=1, clip_ratio_high=0.28
    )
    draw = torch.Generator().manual_seed(1)
    old = -torch.rand(6, 9, generator=draw) - 0.5
    new = (old + torch.rand(6, 9, generator=draw) - 0.5).requires_grad_()
    advantages = torch.randn(6, 1, generator=draw).expand(6, 9)
    mask = (torch.rand(6, 9, generator=draw) < 0.8).long()
    found = []
    for name in ("hdpo", "vanilla"):
        loss, _ = get_policy_loss_fn(name)(old, new, advantages, mask, mode, config)
        found.append((loss.detach(), *torch.autograd.grad(loss, new)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def kept_groups(groups: dict[str, list[dict]], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Groups that survive verl's filter on ``acc``; only the store it reads from is ours."""
    import verl.trainer.ppo.v1.replay_buffer as host
    from omegaconf import OmegaConf

    rows = {f"{uid}_{i}_0": row for uid, group in groups.items() for i, row in enumerate(group)}

    def stored(keys: list[str], **_: Any) -> dict[str, list[dict]]:
        fields = ("reward_extra_info",)
        return {"extra_fields": [{name: rows[key][name] for name in fields} for key in keys]}

    monkeypatch.setattr(host.tq, "kv_batch_get", stored)
    buffer = host.ReplayBuffer(
        "sync", OmegaConf.create({}), None, "drop", OmegaConf.create({}),
        refill_fn=lambda count: None, filter_groups_metric="acc",
    )  # fmt: skip
    buffer.finished_keys["train"] = set(groups)
    buffer.partitions["train"] = {key: {} for key in rows}
    dropped, _ = buffer._dapo_filtered_keys("train")
    return set(groups) - dropped


def test_verls_filter_goes_by_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cliff and a saturated group are dropped, a mixed one is kept, and so is an undecided one
    if abstentions are NaN; as 0.0 they would make it look like a cliff.
    """
    good, bad = r"\boxed{4}", r"\boxed{5}"
    groups = {
        "cliff": score([bad, bad, "", bad], "4"),
        "saturated": score([good, good], "4"),
        "mixed": score([good, bad], "4"),
    }
    for name, abstention in (("undecided", math.nan), ("counted", 0.0)):
        faulty = score([good], " ", abstention=abstention)
        groups[name] = score([bad, bad], "4") + faulty
    assert kept_groups(groups, monkeypatch) == {"mixed", "undecided"}


class Words:
    """A tokenizer with just the method by which verl measures prompts."""

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> list[int]:
        return list(" ".join(m["content"] for m in messages).encode())


def test_verls_data_set_reads_our_parquet(tmp_path: Path) -> None:
    """`RLHFDataset` gives back the prompt, the gold and the privileged text of every row."""
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset

    problems = list(LinearFamily(1).source(size=5))
    sent = to_verl(problems, view="answer")
    sent.save(tmp_path / "train.parquet")
    config = OmegaConf.create({"cache_dir": str(tmp_path), "filter_overlong_prompts_workers": 1})
    rows = RLHFDataset(str(tmp_path / "train.parquet"), Words(), config)  # type: ignore[arg-type]
    assert len(rows) == 5
    for problem, one, row in zip(problems, sent, (rows[i] for i in range(5)), strict=True):
        assert row["raw_prompt"] == one["prompt"]
        assert row["reward_model"] == one["reward_model"]
        assert problem.gold in row["extra_info"]["privileged_context"]
        (scored,) = score([rf"\boxed{{{problem.gold}}}"], row["reward_model"]["ground_truth"])
        assert scored["reward_score"] == 1.0


EXAMPLE = Path(__file__).parents[3] / "examples" / "verl" / "train_data.py"


def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows are written where the printed command reads them, and the right completion is paid."""
    path = tmp_path / "data" / "train.parquet"
    right, wrong = runpy.run_path(str(EXAMPLE))["main"](path)
    assert (right["acc"], wrong["acc"]) == (1.0, 0.0)
    assert path.stat().st_size > 1000
    assert f"data.train_files={path} " in capsys.readouterr().out


def test_the_examples_command_trains() -> None:
    """Verl's own configuration and check accept the printed command, and its steps can learn:
    groups of more than one, a filter that is on, a model that is named, a batch that is filled.
    """
    import verl
    from hydra import compose, initialize_config_dir
    from verl.utils.config import validate_config

    command = runpy.run_path(str(EXAMPLE))["COMMAND"].format(path="rows.parquet")
    words = shlex.split(command.replace("\\\n", " "))
    start = words.index("verl.trainer.main_ppo") + 1
    folder = Path(verl.__file__).parent / "trainer" / "config"
    with initialize_config_dir(str(folder), version_base=None):
        plain, config = (compose("ppo_trainer", overrides=o) for o in ([], words[start:]))
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    assert plain.actor_rollout_ref.rollout.n == 1
    assert rollout.n > 1
    assert (config.algorithm.filter_groups.enable, config.algorithm.filter_groups.metric) == (
        True,
        "acc",
    )
    assert (config.algorithm.adv_estimator, actor.policy_loss.loss_mode) == ("hdpo", "hdpo")
    assert config.actor_rollout_ref.model.path != plain.actor_rollout_ref.model.path
    assert config.data.train_files == config.data.val_files == "rows.parquet"
    assert actor.ppo_mini_batch_size <= config.data.train_batch_size <= 512
    assert math.isnan(float(config.reward.custom_reward_function.reward_kwargs.abstention))
    validate_config(config, use_reference_policy=False, use_critic=False)
