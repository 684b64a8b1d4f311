"""Pre-train the demo's base model: it can use what it is given, and it believes wrong tables.

    python examples/pretrain_chain.py --out hdpo_env/assets/chain_base

With the default seed 0 this makes the checkpoint that the package ships again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
import tyro

from hdpo_env.policies.pretrain import PretrainConfig, pretrain


@dataclass(frozen=True)
class Config:
    """Where the model goes, and how it is trained."""

    out: Path = Path("runs/chain_base")
    seed: int = 0
    threads: int = 1
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)


def main(config: Config) -> float:
    """Train, save, and return the mean loss of the last tenth of the steps in nats per token."""
    torch.set_num_threads(config.threads)
    losses: list[float] = []

    def on_step(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 100 == 0:
            print(f"step {step:5d}  loss {loss:.3f}")

    pretrain(config.pretrain, seed=config.seed, on_step=on_step).save(config.out)
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail)


if __name__ == "__main__":
    print(f"last tenth: {main(tyro.cli(Config)):.3f} nats per token")
