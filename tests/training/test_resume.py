"""Runs that end early: killed, interrupted, or stopped by a loss that is not a number."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from hdpo_env.cliffs import read_ledger
from hdpo_env.config import TrainConfig
from hdpo_env.errors import CheckpointError, TrainingError
from hdpo_env.trainer import Trainer
from hdpo_env.training import checkpoints
from hdpo_env.types import Problem

MakeTrainer = Callable[..., Trainer]


def logged(run_dir: Path) -> list[dict[str, float]]:
    """The metrics without their times, which no two runs share."""
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if not k.startswith("time")} for line in lines
    ]


def ledger_of(run_dir: Path) -> dict[str, bytes]:
    """Every file of the ledger, byte for byte."""
    return {path.name: path.read_bytes() for path in sorted((run_dir / "ledger").iterdir())}


@pytest.mark.parametrize("teacher", ["drifting", "frozen", "ema"])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    teacher: str, make_trainer: MakeTrainer, config_of: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    """Weights, optimiser and every logged number agree exactly after a stop at a checkpoint."""
    config = config_of("hdpo", teacher=teacher, weight=0.5)
    whole = make_trainer(config, run_dir=tmp_path / "whole")
    whole.run()
    first = make_trainer(config, run_dir=tmp_path / "cut")
    for step in range(5):  # dies after step 4; the newest checkpoint is of step 3
        first._turn(step)
        if first.next_step % config.checkpoint_every == 0:
            first.save()
    first.writer.close()
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "loss')  # a line torn by the kill
    second = make_trainer(config, run_dir=tmp_path / "cut")
    second.run(resume=True)
    assert torch.equal(whole.policy.module.logits, second.policy.module.logits)
    moments = [t.optimizer.state_dict()["state"][0]["exp_avg_sq"] for t in (whole, second)]
    assert torch.equal(*moments)
    assert logged(tmp_path / "whole") == logged(tmp_path / "cut")
    assert ledger_of(tmp_path / "whole") == ledger_of(tmp_path / "cut")
    assert second.distilled == whole.distilled
    assert whole.distilled, "no cliff was distilled, so nothing of that was tested"


SCRIPT = """
import sys, time
from pathlib import Path
from hdpo_env import demo
from hdpo_env.training.runs import execute
import dataclasses
spec = demo.run_specs(Path(sys.argv[1]), steps=12, only=("hdpo-strong",))[0]
curriculum = dataclasses.replace(spec.config.curriculum, strategy=sys.argv[4], delay=20)
fade = ("answer",) if sys.argv[4] != "uniform" else ()
distill = dataclasses.replace(spec.config.algo.distill, fade=fade)
config = dataclasses.replace(spec.config, checkpoint_every=4, curriculum=curriculum,
    algo=dataclasses.replace(spec.config.algo, distill=distill),
    eval=dataclasses.replace(spec.config.eval, every=6, problems=4))
spec = dataclasses.replace(spec, config=config)
slow = float(sys.argv[3])
execute(spec, resume=sys.argv[2] == "resume", on_step=lambda k, m: time.sleep(slow), threads=1)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "strategy"),
    [(signal.SIGKILL, "uniform"), (signal.SIGTERM, "uniform"), (signal.SIGKILL, "retry")],
)
def test_a_killed_process_resumes_to_the_same_weights(
    number: int, strategy: str, tmp_path: Path
) -> None:
    """Kill -9 (and -15) of a real run of the demo's model, then --resume: the same model file.

    Under a curriculum that learns and a view that fades as well.
    """

    def run(folder: str, mode: str, slow: float = 0.0) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", SCRIPT, str(tmp_path / folder), mode, str(slow), strategy]
        return subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    assert run("whole", "new").wait(900) == 0
    victim = run("cut", "new", slow=0.3)
    folder = tmp_path / "cut" / "hdpo-strong-seed0"
    deadline = time.monotonic() + 600
    while not checkpoints.complete(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(victim.pid, number)
    assert victim.wait(60) != 0
    assert not (folder / "summary.json").exists()
    assert run("cut", "resume").wait(900) == 0
    name = "hdpo-strong-seed0/model/model.safetensors"
    assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    whole = logged(tmp_path / "whole" / "hdpo-strong-seed0")
    assert logged(folder) == whole
    assert ledger_of(folder) == ledger_of(tmp_path / "whole" / "hdpo-strong-seed0")


def test_the_ledger_holds_the_groups_of_the_run(
    make_trainer: MakeTrainer, problems: list[Problem], tmp_path: Path
) -> None:
    """Training and held-out counts are those of the logs, also after a run that goes on longer."""
    trainer = make_trainer("grpo", slices={"held": problems}, run_dir=tmp_path / "run")
    config = replace(trainer.config, eval=replace(trainer.config.eval, every=2, samples=8))
    for steps, resume in ((4, False), (6, True)):
        trainer = make_trainer(
            replace(config, steps=steps), slices={"held": problems}, run_dir=tmp_path / "run"
        )
        trainer.run(resume=resume)
    groups, results = (rows_of(tmp_path / "run" / f"{n}.jsonl") for n in ("groups", "eval"))
    train = read_ledger(tmp_path / "run" / "ledger", writer="train").columns()
    names = ("step", "problem_id", "num_correct", "num_wrong", "num_abstained")
    told = list(zip(*(train[name].tolist() for name in names), strict=True))
    assert told == [tuple(row[name] for name in names) for row in groups]
    held = read_ledger(tmp_path / "run" / "ledger", writer="eval").columns()
    told = list(zip(*(held[name].tolist() for name in names), strict=True))
    assert [row["step"] for row in results] == [s for s in (0, 2, 4, 6) for _ in problems]
    assert told == [
        (r["step"], r["problem_id"], r["correct"], r["n"] - r["correct"], 0) for r in results
    ]
    assert set(train["policy"]) == {"grpo-seed0"}


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_weights(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN: a TrainingError that names the step, and a checkpoint of the weights before it."""
    trainer = make_trainer("hdpo")
    trainer.step(0)
    trainer.next_step = 1
    before = trainer.policy.module.logits.detach().clone()
    table = trainer.policy.module.logits
    table.register_hook(lambda grad: grad * float("nan"))
    with pytest.raises(TrainingError, match=r"step 1: .*nan"):
        trainer.run()
    assert torch.equal(table, before)
    kept = checkpoints.load_latest(trainer.run_dir)
    assert kept["next_step"] == 1
    assert torch.equal(kept["module"]["logits"], before)


def test_resuming_nothing_says_so(make_trainer: MakeTrainer) -> None:
    """--resume without a checkpoint is refused with the remedy."""
    with pytest.raises(CheckpointError, match="Start it again without --resume"):
        make_trainer("grpo").run(resume=True)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(make_trainer: MakeTrainer) -> None:
    """A half-written newest file costs the steps since the one before, not the run."""
    trainer = make_trainer("grpo")
    for step in (1, 2):
        trainer.next_step = step
        trainer.save()
    newest = checkpoints.complete(trainer.run_dir)[-1] / "state.pt"
    newest.write_bytes(newest.read_bytes()[:100])
    assert checkpoints.load_latest(trainer.run_dir)["next_step"] == 1


def test_only_the_newest_two_checkpoints_stay(make_trainer: MakeTrainer) -> None:
    """Old checkpoints are removed; nothing half-written is left beside them."""
    trainer = make_trainer("grpo")
    for step in range(1, 6):
        trainer.next_step = step
        trainer.save()
    names = sorted(p.name for p in (trainer.run_dir / "checkpoints").iterdir())
    assert names == ["step_000004", "step_000005"]
