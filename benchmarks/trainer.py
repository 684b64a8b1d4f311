"""Where the trainer's time goes, and what importing costs.

``python -m benchmarks trainer`` runs the demo's strong HDPO setting for 20 steps on one thread and
reports the share of a step spent in model code: sampling and privileged sampling without their
verification, plus the update. The rest is verification and bookkeeping.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def busy_share(steps: int = 20) -> dict[str, float]:
    """Shares of the wall time of ``steps`` steps, evaluation and checkpoints left out."""
    import torch

    from hdpo_env import demo
    from hdpo_env.policies.hf import HFPolicy
    from hdpo_env.trainer import Trainer
    from hdpo_env.training.stream import EpochStream, MixedStream

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        spec = demo.run_specs(Path(folder), steps=steps, only=("hdpo-strong",))[0]
        streams = {n: (EpochStream(s.problems()), share) for n, (s, share) in spec.train.items()}
        policy = HFPolicy.load(spec.model, device="cpu")
        trainer = Trainer(spec.config, policy, MixedStream(streams), spec.run_dir)
        trainer.step(0)  # warm caches
        totals: dict[str, float] = {}
        started = time.monotonic()
        for step in range(1, steps):
            for key, value in trainer.step(step).items():
                if key.startswith("time/"):
                    totals[key] = totals.get(key, 0.0) + value
        wall = time.monotonic() - started
    sampling = totals["time/sample_s"] + totals["time/privileged_s"] - totals["time/verify_s"]
    return {
        "step_ms": 1000 * wall / (steps - 1),
        "sampling": sampling / wall,
        "update": totals["time/update_s"] / wall,
        "verification": totals["time/verify_s"] / wall,
        "model_code": (sampling + totals["time/update_s"]) / wall,
    }


def import_seconds(module: str, repeats: int = 5) -> float:
    """The fastest of several fresh interpreters importing a module, less an empty one's start."""
    return min(_run(f"import {module}") for _ in range(repeats)) - min(
        _run("pass") for _ in range(repeats)
    )


def _run(code: str) -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.monotonic() - started


def main() -> None:
    """Print one JSON line a measurement."""
    shares = {name: round(value, 4) for name, value in busy_share().items()}
    print(json.dumps({"bench": "trainer", "variant": "hdpo-strong", **shares}))
    for module in ("hdpo_env", "hdpo_env.verifiers", "hdpo_env.env", "hdpo_env.cli"):
        seconds = round(import_seconds(module), 3)
        print(json.dumps({"bench": "import", "module": module, "seconds": seconds}))


if __name__ == "__main__":
    main()
