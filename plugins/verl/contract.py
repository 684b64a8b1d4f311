"""What we promise to verl, driven through its own loader, reward manager and registries."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from hdpo_env.conformance import Host
from hdpo_plugins.verl.compat import TESTED, data_proto


def score(completions: list[str], gold: str, **settings: Any) -> list[dict[str, Any]]:
    """Completions through verl's function loader and its naive reward manager."""
    from omegaconf import OmegaConf
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
    from verl.trainer.ppo.reward import get_custom_reward_fn

    custom = {
        "path": "pkg://hdpo_plugins.verl.reward",
        "name": "compute_score",
        "reward_kwargs": settings,
    }
    config = OmegaConf.create({"reward": {"custom_reward_function": custom}})

    async def run() -> list[dict[str, Any]]:
        manager = NaiveRewardManager(config, _Bytes(), get_custom_reward_fn(config))
        return [await manager.run_single(_proto(text, gold)) for text in completions]

    return asyncio.run(run())


class _Bytes:
    """A tokenizer of one method: ids are UTF-8 bytes."""

    def decode(self, ids: Any, skip_special_tokens: bool = True) -> str:
        return bytes(ids.tolist()).decode()


def _proto(completion: str, gold: str) -> Any:
    import numpy as np
    import torch

    ids = torch.tensor([list(completion.encode())])
    prompt = torch.tensor([[1, 2]])
    extra = {"problem_id": "p", "verifier": "math", "answers": np.array([gold], dtype=object)}
    return data_proto().from_dict(
        tensors={
            "prompts": prompt,
            "responses": ids,
            "attention_mask": torch.ones(1, ids.shape[1] + 2, dtype=torch.long),
        },
        non_tensors={
            "data_source": np.array(["hdpo/linear"], dtype=object),
            "reward_model": np.array([{"style": "rule", "ground_truth": gold}], dtype=object),
            "extra_info": np.array([extra], dtype=object),
        },
    )


def reward_function() -> None:
    """Correct, wrong, silent and an abstention: one set of keys, the verdict under ``acc``."""
    right, wrong, silent = score([r"\boxed{4}", r"\boxed{5}", "hm"], "4")
    (fault,) = score([r"\boxed{4}"], " ")
    (left_out,) = score([r"\boxed{4}"], " ", abstention=math.nan)
    seen = [r["reward_extra_info"] for r in (right, wrong, silent, fault, left_out)]
    assert len({frozenset(info) for info in seen}) == 1, "the keys differ between completions"
    assert [r["reward_score"] for r in (right, wrong, silent)] == [1.0, 0.0, 0.0]
    assert [info["acc"] for info in seen[:3]] == [1.0, 0.0, 0.0], "acc is not the verdict"
    assert [info["abstained"] for info in seen] == [0, 0, 0, 1, 1]
    assert math.isnan(left_out["reward_score"]), "reward_kwargs do not reach the function"


def advantage_estimator() -> None:
    """By name through ``compute_advantage``: a hand-worked group, a cliff, an abstention."""
    import numpy as np
    import torch
    from verl.trainer.ppo.ray_trainer import compute_advantage

    import hdpo_plugins.verl.algorithms  # noqa: F401 (registers)

    rewards = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, math.nan]
    token_level = torch.zeros(8, 3)
    token_level[:, 1] = torch.tensor(rewards)
    mask = torch.tensor([[1, 1, 0]] * 8)
    data = data_proto().from_dict(
        tensors={"token_level_rewards": token_level, "response_mask": mask},
        non_tensors={"uid": np.array(["a", "a", "b", "b", "c", "c", "c", "c"], dtype=object)},
    )
    found = compute_advantage(data, "hdpo").batch["advantages"]
    # a: leave-one-out 1 - 0 = 1 over the population std 1/2; b: a cliff; c: without the NaN
    # rewards 0 0 1, leave-one-out -1/2 -1/2 1 over sqrt(2)/3
    third = 3 / math.sqrt(2)
    expected = torch.tensor([2, -2, 0, 0, -third / 2, -third / 2, third, 0.0])
    assert torch.allclose(found[:, 0], expected, atol=1e-4), found[:, 0]
    assert not found[:, 2].any(), "padding has an advantage"


def policy_losses() -> None:
    """By name through verl's registry, with its own aggregation."""
    import torch
    from verl.trainer.ppo.core_algos import get_policy_loss_fn
    from verl.workers.config import ActorConfig

    import hdpo_plugins.verl.algorithms  # noqa: F401 (registers)

    config = ActorConfig(strategy="fsdp", rollout_n=2, ppo_micro_batch_size_per_gpu=1)
    old, new = torch.tensor([[-1.0, 0.0]]), torch.zeros(1, 2, requires_grad=True)
    advantages, mask = torch.ones(1, 2), torch.tensor([[1, 1]])
    call = {"old_log_prob": old, "log_prob": new, "advantages": advantages, "response_mask": mask}
    loss, metrics = get_policy_loss_fn("hdpo")(**call, config=config)
    # ratios e and 1: the first is clipped to 1.2
    assert abs(loss.item() + 1.1) < 1e-6, loss
    assert metrics["actor/pg_clipfrac"] == 0.5, metrics
    (slope,) = torch.autograd.grad(loss, new)
    assert slope.tolist() == [[0.0, -0.5]], slope
    loss, _ = get_policy_loss_fn("sdpg")(**call, config=config)
    (slope,) = torch.autograd.grad(loss, new)
    assert slope.tolist() == [[-0.5, -0.5]], slope


HOSTS = (
    Host(
        "verl",
        distribution="verl",
        tested=TESTED,
        abstention="0.0, logged, counted, `abstained` = 1; or NaN, left out by our estimators",
        exercises={
            "compute_score through the function loader and NaiveRewardManager": reward_function,
            "advantage estimators through compute_advantage": advantage_estimator,
            "policy losses through the registry": policy_losses,
        },
    ),
)
