"""The reference trainer: one readable loop from problems to updated weights.

A step: sample groups -> verify -> find cliffs -> sample those again with privileged context ->
filter -> rows -> micro-batches -> one optimiser update. Every random draw is seeded by a hash of
(seed, role, step) and every choice that learns is in the checkpoint, so a resumed run repeats an
uninterrupted one bit for bit.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hdpo_env.batching import Row, micro_batches
from hdpo_env.config import TrainConfig
from hdpo_env.errors import ConfigError, TrainingError
from hdpo_env.evaluation import evaluate
from hdpo_env.losses import schedules
from hdpo_env.policies.base import TorchPolicy
from hdpo_env.rollouts import Judge, judge
from hdpo_env.training import checkpoints
from hdpo_env.training.book import RunLedger
from hdpo_env.training.collect import Collector, privileged_metrics
from hdpo_env.training.metrics import MetricsWriter
from hdpo_env.training.objective import Roles, accumulate, step_metrics
from hdpo_env.training.rows import policy_rows, solution_rows, survivor_rows
from hdpo_env.training.signals import StopRequest
from hdpo_env.training.stream import ProblemStream
from hdpo_env.training.summary import (
    completion_rows,
    group_metrics,
    group_rows,
    lab_metrics,
    revisit_metrics,
)
from hdpo_env.training.teachers import frozen_copy, make_teacher
from hdpo_env.types import Group, GroupKind, Problem, derive_seed


@dataclass
class Trainer:
    """Trains one policy with one algorithm: ``run`` is the loop, ``step`` one turn of it.

    Args:
        config: a preset, or your departure from one.
        policy: the student; its weights are changed in place.
        stream: which problems each step trains on.
        run_dir: where metrics, rollouts and checkpoints go.
        slices: named lists of held-out problems to evaluate on.
        judge: makes verdicts; pass a ``VerifierPool``'s where verification is expensive.
        on_step: called with (step, metrics) after every step, e.g. for a progress bar.
        wandb_project: also log to Weights & Biases under this project.
    """

    config: TrainConfig
    policy: TorchPolicy
    stream: ProblemStream
    run_dir: Path
    slices: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    judge: Judge = judge
    on_step: Callable[[int, Mapping[str, float]], None] = lambda step, metrics: None
    wandb_project: str | None = None

    def __post_init__(self) -> None:
        algo, optim = self.config.algo, self.config.optim
        self.next_step = 0
        self.distilled: dict[str, int] = {}  # problem id -> the step it was last distilled at
        self.collector = Collector(self.config, self.policy, self.stream, self.judge)
        self.teacher = make_teacher(algo.distill.teacher, self.policy, algo.distill.ema_decay)
        self.reference = frozen_copy(self.policy) if algo.reference.weight else None
        self.optimizer = torch.optim.AdamW(
            [p for p in self.policy.module.parameters() if p.requires_grad],
            lr=optim.lr,
            betas=optim.betas,
            eps=optim.eps,
            weight_decay=optim.weight_decay,
        )
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.writer = MetricsWriter(self.run_dir, wandb_project=self.wandb_project)
        self.ledger = RunLedger(self.run_dir, f"{algo.name}-seed{self.config.seed}")

    def run(self, *, resume: bool = False) -> None:
        """Train to the last step, saving every ``checkpoint_every`` steps and on SIGINT, SIGTERM.

        Raises:
            TrainingError: the loss or gradient became NaN or infinite. The newest checkpoint holds
                the weights before that step.
            CheckpointError: ``resume`` was asked for and there is no checkpoint.
            ConfigError: more steps are done than ``config.steps``.
            KeyboardInterrupt: a signal came; the state after the step in progress was saved.
        """
        if resume:
            self.resume()
        try:
            with StopRequest() as stop:
                while self.next_step < self.config.steps:
                    self._turn(self.next_step)
                    if stop.requested or self.next_step % self.config.checkpoint_every == 0:
                        self.save()
                    if stop.requested:
                        raise KeyboardInterrupt(
                            f"saved after {self.next_step} steps, --resume goes on"
                        )
                final = self.evaluate(self.config.steps)
                self.ledger.flush()
                self.writer.log(self.config.steps, final)
                self.save()
        except TrainingError:
            if all(p.isfinite().all() for p in self.policy.module.parameters()):
                self.save()
            raise
        finally:
            self.ledger.close()
            self.writer.close()

    def _turn(self, step: int) -> None:
        metrics = self.evaluate(step) if step % self.config.eval.every == 0 else {}
        before = self._choices()
        try:
            metrics |= self.step(step)
        except TrainingError:
            self._restore(before)  # the step will be taken again, on the same problems
            raise
        self.ledger.flush()
        self.writer.log(step, metrics)
        self.next_step = step + 1
        self.on_step(step, metrics)

    def step(self, step: int) -> dict[str, float]:
        """One update: problems -> groups -> survivors -> rows -> new weights. Returns metrics.

        Raises:
            TrainingError: the loss or the gradient is not finite; the weights are unchanged.
        """
        algo, collector = self.config.algo, self.collector
        collector.seconds.clear()
        weight = self.distill_weight(step)
        seen, groups = collector.student_groups(step)
        self.stream.note(seen)
        cliffs = [g for g in seen if collector.kind(g) is GroupKind.CLIFF]
        metrics = group_metrics(seen, threshold=algo.distill.cliff_threshold)
        metrics |= revisit_metrics(seen, self.distilled)
        privileged: list[Group] = []
        rows = policy_rows(
            groups,
            algo,
            encode=self.policy.encode,
            teacher_prompt=collector.teacher_prompt_or_none,
            max_tokens=self.config.rollout.max_tokens,
            distill_weight=weight,
        )
        if algo.distill.on == "cliffs" and weight > 0:
            taught, privileged, found = self._distilled(cliffs, step, weight)
            rows, metrics = rows + taught, metrics | found
        if algo.imitation.weight > 0:
            rows += self._imitated(cliffs)
        self._record(step, "student", seen)
        self.ledger.note_groups(seen, step)
        told = list(group_rows(step, seen, privileged, threshold=algo.distill.cliff_threshold))
        self.writer.rows("groups.jsonl", told)
        metrics |= lab_metrics(seen, told)
        return metrics | self.update(rows, step) | dict(collector.seconds)

    def _distilled(
        self, cliffs: Sequence[Group], step: int, weight: float
    ) -> tuple[list[Row], list[Group], dict[str, float]]:
        """HDPO: sample the cliffs with privileged context and keep what may teach."""
        selection, groups = self.collector.survivors(cliffs, step)
        self._record(step, "teacher", groups)
        self.distilled |= {r.prompt.problem_id: step for r in selection.kept}
        problem_of = {g.problem.id: g.problem for g in groups}
        rows = survivor_rows(
            selection.kept,
            self.config.algo,
            encode=self.policy.encode,
            student_prompt=lambda r: self.collector.student_prompt(problem_of[r.prompt.problem_id]),
            distill_weight=weight,
        )
        metrics = privileged_metrics(selection, groups, cliffs) | self.collector.fading_metrics()
        return rows, groups, metrics

    def _imitated(self, cliffs: Sequence[Group]) -> list[Row]:
        """sft-cliffs: the written solutions of the cliffs."""
        encode = getattr(self.policy, "encode_completion", None)
        if encode is None:
            raise ConfigError(
                f"{type(self.policy).__name__} cannot encode written solutions: imitation needs a "
                "policy with encode_completion(text)"
            )
        return solution_rows(
            [g.problem for g in cliffs[: self.config.algo.distill.max_cliff_prompts]],
            self.config.algo.imitation.weight,
            encode=self.policy.encode,
            encode_solution=encode,
            student_prompt=self.collector.student_prompt,
        )

    def update(self, rows: Sequence[Row], step: int) -> dict[str, float]:
        """Accumulate the gradient of all rows and take one optimiser step.

        Without a row there is no gradient and the optimiser is left alone.

        Raises:
            TrainingError: the loss or the gradient is not finite; the weights are unchanged.
        """
        started, optim = time.monotonic(), self.config.optim
        lr = optim.lr * schedules.lr_factor(
            step, warmup_steps=optim.warmup_steps, start=optim.warmup_start
        )
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        roles = Roles(self.policy, self.teacher.policy, self.reference)
        temperature = self.config.rollout.temperature
        sums: Counter[str] = Counter()
        for part in micro_batches(rows, optim.micro_batch_rows):
            sums.update(accumulate(part, roles, self.config.algo, temperature=temperature))
        norm = self._apply_gradient(sums["losses/total"], step) if rows else 0.0
        return step_metrics(sums) | {
            "optim/grad_norm": norm,
            "optim/lr": lr,
            "optim/distill_weight": self.distill_weight(step),
            "time/update_s": time.monotonic() - started,
        }

    def _apply_gradient(self, loss: float, step: int) -> float:
        parameters = [p for p in self.policy.module.parameters() if p.grad is not None]
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self.config.optim.max_grad_norm))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self.optimizer.zero_grad(set_to_none=True)
            raise TrainingError(
                f"step {step}: the loss is {loss} and the gradient norm {norm}. The weights that "
                f"were still good are in {self.run_dir / 'checkpoints'}: lower --optim.lr or "
                "--lambda and go on from them with --resume"
            )
        self.optimizer.step()
        self.teacher.after_step(self.policy)
        return norm

    def evaluate(self, step: int) -> dict[str, float]:
        """Greedy accuracy, pass@k and cliff rate on every held-out slice."""
        metrics: dict[str, float] = {}
        for name, problems in self.slices.items():
            report = evaluate(
                self.policy,
                problems[: self.config.eval.problems],
                n=self.config.eval.samples,
                ks=self.config.eval.ks,
                temperature=self.config.eval.temperature,
                max_tokens=self.config.rollout.max_tokens,
                seed=derive_seed("eval", self.config.seed, name),
                prompt_of=self.collector.student_prompt,
                judge=self.judge,
            )
            metrics |= report.metrics(f"eval/{name}")
            rows = ({"step": step, "slice": name, **row} for row in report.rows())
            self.writer.rows("eval.jsonl", rows)
            self.ledger.note_results(report.results, step)
        return metrics

    def distill_weight(self, step: int) -> float:
        """HDPO's lambda or SDPG's beta(k); the first step is k = 1, so that none is wasted."""
        distill = self.config.algo.distill
        return schedules.distill_weight(
            min(step + 1, self.config.steps),
            self.config.steps,
            base=distill.weight,
            warmup_steps=distill.warmup_steps,
            decay_steps=distill.decay_steps,
        )

    def _record(self, step: int, role: str, groups: Sequence[Group]) -> None:
        first = [g.rollouts[0] for g in groups]
        self.writer.rows("completions.jsonl", completion_rows(step, role, first))

    def _choices(self) -> dict[str, Any]:
        # What problems and views were chosen by, where they are chosen by what became of others.
        ladder = self.collector.ladder
        return {
            "stream": self.stream.state_dict(),
            "fading": ladder.state_dict() if ladder else None,
        }

    def _restore(self, choices: Mapping[str, Any]) -> None:
        # A checkpoint of before there was a choice holds none.
        if choices.get("stream"):
            self.stream.load_state_dict(choices["stream"])
        if self.collector.ladder is not None:
            self.collector.ladder.load_state_dict(choices["fading"])

    def save(self) -> Path:
        """Write a checkpoint of everything the next step depends on."""
        self.ledger.sync()
        state = {
            "next_step": self.next_step,
            "distilled": self.distilled,
            "module": self.policy.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "teacher": self.teacher.state(),
            "reference": self.reference.module.state_dict() if self.reference else None,
            **self._choices(),
        }
        return checkpoints.save(self.run_dir, self.next_step, state)

    def resume(self) -> None:
        """Continue from the newest checkpoint; rows of later steps are dropped from the logs.

        Raises:
            CheckpointError: no checkpoint can be read.
            ConfigError: the checkpoint is of a later step than ``config.steps``.
        """
        state = checkpoints.load_latest(self.run_dir)
        self.next_step = int(state["next_step"])
        if self.next_step > self.config.steps:
            raise ConfigError(
                f"steps is {self.config.steps}, but {self.run_dir} has done {self.next_step}: "
                f"choose {self.next_step} or more"
            )
        self.distilled = dict(state["distilled"])
        self._restore(state)
        self.policy.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.teacher.load(state["teacher"])
        if self.reference is not None:
            self.reference.module.load_state_dict(state["reference"])
        self.ledger.forget_from(self.next_step)
        for name in ("metrics", "groups", "completions", "eval"):
            checkpoints.drop_lines_from(self.run_dir / f"{name}.jsonl", self.next_step)
