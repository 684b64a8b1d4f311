"""A run as long and as wide as real ones, by simulated policies and the trainer's own writers.

``python -m benchmarks.large_run FOLDER [PROBLEMS [STEPS]]`` writes the run. Every number in its
files comes from judged completions of a policy whose pass rates are known; no model is needed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import exp
from pathlib import Path
from random import Random

from hdpo_env.cliffs import LedgerWriter
from hdpo_env.config import preset, to_dict
from hdpo_env.evaluation import evaluate
from hdpo_env.privileged import privileged_prompt
from hdpo_env.problems import ChainFamily
from hdpo_env.rollouts import sample_groups
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.training.metrics import MetricsWriter
from hdpo_env.training.summary import (
    completion_rows,
    group_metrics,
    group_rows,
    lab_metrics,
    revisit_metrics,
    run_summary,
)
from hdpo_env.types import Problem, Prompt, derive_seed

GROUP, PRIVILEGED, VISITS = 8, 4, 6
EVAL_PROBLEMS, EVAL_SAMPLES, EVAL_EVERY = 200, 16, 10


class Learner:
    """Known pass rates that rise with training: some problems early, some late, some never."""

    def __init__(self, problems: Sequence[Problem], steps: int, seed: int, pull: float) -> None:
        self.problems, self.steps, self.seed = problems, steps, seed
        rng = Random(derive_seed("learner", seed))
        self.course = {p.id: self._course(rng, pull) for p in problems}

    def _course(self, rng: Random, pull: float) -> tuple[float, float, float]:
        # Pass rate at the start, at the end, and the share of training at which it turns.
        if rng.random() < 0.45:
            start = rng.betavariate(0.15, 12.0)
            return start, rng.betavariate(3, 2) if rng.random() < pull else start, rng.random()
        start = rng.betavariate(1.2, 1.0)
        return start, start + (1 - start) * rng.random(), rng.random()

    def rate(self, problem: Problem, step: int) -> float:
        """The known pass rate of a problem at a step."""
        start, end, turn = self.course[problem.id]
        return start + (end - start) / (1 + exp(-12 * (step / self.steps - turn)))

    def at(self, step: int, problems: Sequence[Problem]) -> SimulatedPolicy:
        """The policy of a step; its privileged self solves most of what it fails."""
        return SimulatedPolicy(
            problems,
            {p.id: self.rate(p, step) for p in problems},
            view_lift={"solution": 0.6},
            truncation_rate=0.12,
            no_answer_rate=0.2,
            seed=derive_seed("policy", self.seed, step),
        )


def write_run(
    folder: Path, *, num_problems: int = 2000, steps: int = 100, seed: int = 0, pull: float = 0.8
) -> Path:
    """Write all files of a run and return its folder; ``pull`` is the share of cliffs learned."""
    problems = distinct(ChainFamily("#", 8).source("train", seed, 4 * num_problems), num_problems)
    held_out = distinct(ChainFamily("#", 8).source("eval", 0, 4 * EVAL_PROBLEMS), EVAL_PROBLEMS)
    learner = Learner([*problems, *held_out], steps, seed, pull)
    config = preset("hdpo")
    config = replace(config, steps=steps, seed=seed)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**to_dict(config), "data": "chain-table"}))
    writer = MetricsWriter(folder)
    name = f"hdpo-seed{seed}"
    distilled: dict[str, int] = {}
    with (
        LedgerWriter(folder / "ledger", writer="train", policy=name) as train,
        LedgerWriter(folder / "ledger", writer="eval", policy=name) as evals,
    ):
        for step, batch in enumerate([*batches(problems, steps, seed), []]):
            metrics = {}
            if step % EVAL_EVERY == 0 or step == steps:
                metrics |= _evaluate(writer, evals, learner.at(step, held_out), held_out, step)
            if batch:
                metrics |= _train(writer, train, learner.at(step, batch), batch, step, distilled)
            writer.log(step, metrics)
    writer.close()
    summary = run_summary(folder, algo="hdpo", variant=folder.name, seed=seed)
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def distinct(source: Sequence[Problem], num: int) -> list[Problem]:
    """The first ``num`` different problems of a source."""
    return list({p.id: p for p in source}.values())[:num]


def batches(problems: Sequence[Problem], steps: int, seed: int) -> Iterator[list[Problem]]:
    """Every problem about `VISITS` times in all, in shuffled passes."""
    size = max(1, len(problems) * VISITS // steps)
    order: list[Problem] = []
    rng = Random(derive_seed("batches", seed))
    for _ in range(steps):
        if len(order) < size:
            order += rng.sample(list(problems), len(problems))
        yield order[:size]
        del order[:size]


def _train(
    writer: MetricsWriter,
    ledger: LedgerWriter,
    policy: SimulatedPolicy,
    batch: list,
    step: int,
    distilled: dict[str, int],
) -> dict[str, float]:
    groups = sample_groups(policy, batch, num=GROUP, max_tokens=64, seed=step)
    cliffs = [g.problem for g in groups if not any(g.correct)]
    helped = sample_groups(
        policy, cliffs, num=PRIVILEGED, max_tokens=64, seed=step, prompt_of=privileged
    )
    for group in groups:
        ledger.append_group(group, step=step)
    ledger.flush()
    rows = list(group_rows(step, groups, helped, threshold=0.0))
    writer.rows("groups.jsonl", rows)
    for role, found in (("student", groups), ("teacher", helped)):
        first = [g.rollouts[0] for g in found]
        writer.rows("completions.jsonl", completion_rows(step, role, first, limit=12))
    judged = [c for g in helped for c in g.correct if c is not None]
    metrics = group_metrics(groups, threshold=0.0) | lab_metrics(groups, rows)
    metrics |= revisit_metrics(groups, distilled)
    distilled.update((g.problem.id, step) for g in helped if any(g.correct))
    divergence = 0.3 * (1 - metrics["rollouts/reward"]) if helped else 0.0
    return metrics | {
        "privileged/pass_rate": sum(judged) / max(1, len(judged)),
        "distill/token_divergence": divergence,
    }


def privileged(problem: Problem) -> Prompt:
    """What the teacher is shown."""
    return privileged_prompt(problem, "solution", "chain")


def _evaluate(
    writer: MetricsWriter, ledger: LedgerWriter, policy: SimulatedPolicy, problems: list, step: int
) -> dict[str, float]:
    report = evaluate(
        policy, problems, n=EVAL_SAMPLES, ks=(1, 4, 8), max_tokens=64, seed=step, greedy=True
    )
    rows = [{"step": step, "slice": "held-out", **row} for row in report.rows()]
    writer.rows("eval.jsonl", rows)
    for row in rows:
        counts = {"num_correct": row["correct"], "num_wrong": row["n"] - row["correct"]}
        ledger.append(str(row["problem_id"]), step=step, **counts)
    ledger.flush()
    return report.metrics("eval/held-out")


def main() -> None:
    """Write a run where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("num_problems", type=int, nargs="?", default=2_000)
    parser.add_argument("steps", type=int, nargs="?", default=100)
    options = parser.parse_args()
    print(write_run(options.folder, num_problems=options.num_problems, steps=options.steps))


if __name__ == "__main__":
    main()
