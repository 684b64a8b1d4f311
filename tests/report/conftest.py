"""Synthetic runs in the format that training leaves on disk, drawn from known pass rates.

A variant is the pass rate that each slice moves towards; counts are real binomial draws and pass@k
is computed from them, so that files agree with one another as a trainer's do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import exp
from pathlib import Path
from random import Random

import pytest

from hdpo_env.cliffs import LedgerWriter
from hdpo_env.config import preset, to_dict
from hdpo_env.stats import pass_at_k

SLICES = ("easy", "cliff", "control", "faint")
START = {"easy": 0.73, "cliff": 0.001, "control": 0.0, "faint": 0.0}


@dataclass(frozen=True)
class Variant:
    """One synthetic variant: where each slice's pass rate ends, and what the teacher does."""

    algo: str
    ends: dict[str, float]
    teacher: tuple[float, float] | None = None  # its pass rate at the start and at the end
    saturated: tuple[float, float] | None = None
    distill: float | None = None
    divergence: str = "jsd"


DEMO: dict[str, Variant] = {
    "grpo": Variant("grpo", {"easy": 0.965}),
    "hdpo-gentle": Variant("hdpo", {"easy": 0.96, "cliff": 0.12}, (0.78, 0.8), (0.1, 0.05), 0.2),
    "hdpo-gentle-frozen": Variant(
        "hdpo", {"easy": 0.955, "cliff": 0.1}, (0.78, 0.79), (0.1, 0.06), 0.2
    ),
    "hdpo-strong": Variant("hdpo", {"easy": 0.92, "cliff": 0.86}, (0.78, 0.5), (0.1, 0.0), 0.2),
    "hdpo-strong-frozen": Variant(
        "hdpo", {"easy": 0.91, "cliff": 0.8}, (0.78, 0.79), (0.1, 0.0), 0.2
    ),
    "sdpg-ufkl": Variant("sdpg", {"easy": 0.971}, None, (0.0, 0.0), 0.02),
    "sdpg-urkl": Variant("sdpg", {"easy": 0.968}, None, (0.0, 0.0), 0.02),
    "faint-jsd": Variant("hdpo", {"easy": 0.95}, (0.75, 0.74), (0.93, 0.91), 0.6),
    "faint-kl": Variant(
        "hdpo", {"easy": 0.93, "faint": 0.7}, (0.75, 0.7), (0.93, 0.05), 3.0, "kl_teacher_student"
    ),
}


@dataclass
class Writer:
    """Writes runs of a study below one folder."""

    root: Path
    steps: int = 40
    every: int = 10
    num_problems: int = 30
    num_samples: int = 8
    ledger: bool = True
    texts: Sequence[str] = ("3+7+2 gives 0 then 2: 02.", "I think it is 17.")
    written: list[Path] = field(default_factory=list)

    def study(self, variants: dict[str, Variant] | None = None, seeds: int = 1) -> Path:
        """All variants with seeds 0, 1, ..."""
        for name, variant in (variants or DEMO).items():
            for seed in range(seeds):
                self.run(name, variant, seed)
        return self.root

    def run(self, name: str, variant: Variant, seed: int) -> Path:
        """One run folder."""
        folder = self.root / f"{name}-seed{seed}"
        folder.mkdir(parents=True)
        rng = Random(f"{name}/{seed}")
        evals = {s: self._evaluate(folder, rng, variant, s) for s in self._eval_steps()}
        groups = [self._step_groups(rng, variant, step) for step in range(self.steps + 1)]
        self._write(folder, "groups.jsonl", [g for step in groups for g in step])
        if self.ledger:
            self._ledger(folder, groups)
        metrics = [
            self._metrics(rng, variant, s, groups[s], evals.get(s, {}))
            for s in range(self.steps + 1)
        ]
        self._write(folder, "metrics.jsonl", metrics)
        self._write(folder, "completions.jsonl", list(self._completions(variant)))
        config = {**to_dict(preset(variant.algo)), "seed": seed, "steps": self.steps}
        config["algo"]["distill"]["divergence"] = variant.divergence
        config["algo"]["distill"]["weight"] *= 10 if "strong" in name else 1
        config["algo"]["distill"]["teacher"] = "frozen" if "frozen" in name else "drifting"
        (folder / "config.json").write_text(
            json.dumps({**config, "view": "solution", "model": "tiny", "data": "chain"})
        )
        summary = {
            "algo": variant.algo,
            "variant": name,
            "seed": seed,
            "steps": self.steps,
            "seconds": 61.0,
        }
        (folder / "summary.json").write_text(json.dumps(summary))
        self.written.append(folder)
        return folder

    def _eval_steps(self) -> list[int]:
        return [*range(0, self.steps + 1, self.every)]

    def rate(self, variant: Variant, slice_name: str, step: int) -> float:
        """The known pass rate."""
        start, end = START[slice_name], variant.ends.get(slice_name, START[slice_name])
        grown = 1 / (1 + exp(-10 * (step / self.steps - 0.4)))
        floor = 1 / (1 + exp(4))
        return start + (end - start) * max(0.0, (grown - floor) / (1 / (1 + exp(-6)) - floor))

    def _evaluate(self, folder: Path, rng: Random, variant: Variant, step: int) -> dict[str, float]:
        metrics, rows = {}, []
        for slice_name in SLICES:
            p = self.rate(variant, slice_name, step)
            counts = [
                sum(rng.random() < p for _ in range(self.num_samples))
                for _ in range(self.num_problems)
            ]
            for k in (1, 4, 8):
                values = [pass_at_k(self.num_samples, c, k) for c in counts]
                metrics[f"eval/{slice_name}/pass@{k}"] = sum(values) / len(values)
            metrics[f"eval/{slice_name}/greedy"] = float(p > 0.5)
            metrics[f"eval/{slice_name}/cliff_rate"] = counts.count(0) / len(counts)
            metrics[f"eval/{slice_name}/pass@8/low"] = 0.0
            rows += [
                {
                    "step": step,
                    "slice": slice_name,
                    "problem_id": f"{slice_name}-{i:04d}",
                    "n": self.num_samples,
                    "correct": c,
                    "greedy": p > 0.5,
                }
                for i, c in enumerate(counts)
            ]
        self._write(folder, "eval.jsonl", rows, append=True)
        return metrics

    def _step_groups(self, rng: Random, variant: Variant, step: int) -> list[dict[str, object]]:
        rows = []
        for i in range(8):
            slice_name = "easy" if i < 4 else ("faint" if "faint" in variant.ends else "cliff")
            p = self.rate(variant, slice_name, step)
            correct = sum(rng.random() < p for _ in range(16))
            kind = "cliff" if correct == 0 else "saturated" if correct == 16 else "mixed"
            rows.append(
                {
                    "step": step,
                    "problem_id": f"{slice_name}-{rng.randrange(200)}",
                    "slice": slice_name,
                    "kind": kind,
                    "num_correct": correct,
                    "num_wrong": 16 - correct,
                    "num_abstained": 0,
                    "evidence": self._evidence(rng, variant, correct),
                }
            )
        return rows

    def _evidence(self, rng: Random, variant: Variant, correct: int) -> dict[str, object]:
        truncated = rng.choice((0, 4, 10)) if not correct else 0
        wrong = 16 - correct - truncated
        outcomes = {"correct": correct, "wrong": wrong, "truncated": truncated}
        return {
            "outcomes": {outcome: n for outcome, n in outcomes.items() if n},
            "answers": wrong,
            "votes": min(2, wrong),
            "rescued": 0,
            "privileged": [rng.randrange(5), 4] if variant.teacher and not correct else None,
        }

    def _ledger(self, folder: Path, groups: list) -> None:
        with LedgerWriter(folder / "ledger", writer="train", policy=folder.name) as ledger:
            for row in (row for step in groups for row in step):
                counts = {k: v for k, v in row.items() if k.startswith("num_")}
                ledger.append(row["problem_id"], step=row["step"], **counts)

    def _metrics(
        self, rng: Random, variant: Variant, step: int, groups: list, evals: dict[str, float]
    ) -> dict[str, object]:
        share = {
            k: sum(g["kind"] == k for g in groups) / len(groups)
            for k in ("cliff", "mixed", "saturated", "undecided")
        }
        row: dict[str, object] = {"step": step, "time_s": 1.5 * step, **evals}
        row |= {f"groups/{k}_rate": v for k, v in share.items()}
        done = step / self.steps
        if variant.teacher and share["cliff"]:
            a, b = variant.teacher
            row["privileged/pass_rate"] = min(
                1.0, max(0.0, a + (b - a) * done + rng.gauss(0, 0.08))
            )
        if variant.distill is not None and variant.saturated:
            a, b = variant.saturated
            row["distill/saturated_mass"] = min(
                1.0, max(0.0, a + (b - a) * done + abs(rng.gauss(0, 0.01)))
            )
            row["distill/token_divergence"] = (
                variant.distill * (1 - 0.8 * done) * rng.uniform(0.8, 1.2)
            )
        return row

    def _completions(self, variant: Variant) -> Iterator[dict[str, object]]:
        for step in (0, self.steps // 2, self.steps):
            for role in ("student", "teacher") if variant.teacher else ("student",):
                for i, text in enumerate(self.texts):
                    yield {
                        "step": step,
                        "role": role,
                        "problem_id": f"cliff-{i:04d}",
                        "text": text,
                        "outcome": "wrong" if i else "correct",
                        "extracted": "02",
                        "reward": 1.0 - i,
                    }

    def _write(self, folder: Path, name: str, rows: list, append: bool = False) -> None:
        with (folder / name).open("a" if append else "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def writer(tmp_path: Path) -> Callable[..., Writer]:
    """Makes writers below the test's own folder."""

    def make(name: str = "study", **settings: object) -> Writer:
        return Writer(tmp_path / name, **settings)  # type: ignore[arg-type]

    return make
