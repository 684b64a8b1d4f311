"""The reference trainer: one readable loop from problems to updated weights.

A step: sample groups -> verify -> find cliffs -> sample those again with privileged context ->
filter -> rows -> micro-batches -> one optimiser update. Every random draw is seeded by a hash of
(seed, role, step), so a resumed run repeats an uninterrupted one bit for bit.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from hdpo_env.batching import Row, micro_batches
from hdpo_env.cliffs import classify
from hdpo_env.config import TrainConfig
from hdpo_env.errors import ConfigError, TrainingError, ViewError
from hdpo_env.evaluation import evaluate
from hdpo_env.filters import Selection, select_teachable
from hdpo_env.losses import schedules
from hdpo_env.policies.base import TorchPolicy
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import student_prompt
from hdpo_env.rollouts import Judge, judge, sample_groups
from hdpo_env.training import checkpoints
from hdpo_env.training.metrics import MetricsWriter
from hdpo_env.training.objective import Roles, accumulate
from hdpo_env.training.rows import policy_rows, solution_rows, survivor_rows
from hdpo_env.training.signals import StopRequest
from hdpo_env.training.stream import ProblemStream
from hdpo_env.training.summary import completion_rows, group_metrics, group_rows
from hdpo_env.training.teachers import frozen_copy, make_teacher
from hdpo_env.types import Group, GroupKind, Problem, Prompt, Rollout, derive_seed

MAX_RESAMPLES = 4  # further draws of a step that drops zero-variance groups


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
        self._writer = MetricsWriter(self.run_dir, wandb_project=self.wandb_project)
        self._clock: Counter[str] = Counter()

    # ---- the loop -------------------------------------------------------------------------

    def run(self, *, resume: bool = False) -> None:
        """Train to the last step, saving every ``checkpoint_every`` steps and on SIGINT, SIGTERM.

        Raises:
            TrainingError: the loss or gradient became NaN or infinite. The newest checkpoint holds
                the weights before that step.
            CheckpointError: ``resume`` was asked for and there is no checkpoint.
            KeyboardInterrupt: a signal came; the state after the step in progress was saved.
        """
        if resume:
            self.resume()
        try:
            with StopRequest() as stop:
                while self.next_step < self.config.steps:
                    self._one_step(self.next_step)
                    if stop.requested or self.next_step % self.config.checkpoint_every == 0:
                        self.save()
                    if stop.requested:
                        raise KeyboardInterrupt(f"saved after step {self.next_step}")
                self._writer.log(self.config.steps, self.evaluate(self.config.steps))
                self.save()
        except TrainingError:
            self.save()
            raise
        finally:
            self._writer.close()

    def _one_step(self, step: int) -> None:
        metrics = self.evaluate(step) if step % self.config.eval.every == 0 else {}
        metrics |= self.step(step)
        self._writer.log(step, metrics)
        self.next_step = step + 1
        self.on_step(step, metrics)

    def step(self, step: int) -> dict[str, float]:
        """One update: problems -> groups -> survivors -> rows -> new weights. Returns metrics.

        Raises:
            TrainingError: the loss or the gradient is not finite; the weights are unchanged.
        """
        algo, self._clock = self.config.algo, Counter()
        weight = self.distill_weight(step)
        seen, groups = self.student_groups(step)
        cliffs = [g for g in seen if self.kind(g) is GroupKind.CLIFF]
        rows = policy_rows(
            groups,
            algo,
            encode=self.policy.encode,
            teacher_prompt=self.teacher_prompt,
            max_tokens=self.config.rollout.max_tokens,
            distill_weight=weight,
        )
        metrics = group_metrics(seen, threshold=algo.distill.cliff_threshold)
        if algo.distill.on == "cliffs" and weight > 0:
            selection, found = self.survivors([g.problem for g in cliffs], step)
            metrics |= found
            rows += survivor_rows(
                selection.kept,
                algo,
                encode=self.policy.encode,
                student_prompt=self._student_prompt_of(cliffs),
                distill_weight=weight,
            )
        if algo.imitation.weight > 0:
            rows += self._solution_rows(cliffs)
        self._record(step, seen)
        metrics |= self.update(rows, step)
        return metrics | {f"time/{k}": v for k, v in self._clock.items()}

    # ---- sampling -------------------------------------------------------------------------

    def student_groups(self, step: int) -> tuple[list[Group], list[Group]]:
        """All groups that were sampled, and those that enter the outcome term.

        The two are the same unless zero-variance groups are dropped; then further problems are
        drawn until the batch is full or ``MAX_RESAMPLES`` draws were made.
        """
        rollout, wanted = self.config.rollout, self.config.rollout.prompts_per_step
        seen: list[Group] = []
        used: list[Group] = []
        for attempt in range(1 + MAX_RESAMPLES * self.config.algo.policy.drop_zero_variance):
            problems = self.stream.batch(step, wanted, attempt)
            groups = self._sample(
                problems, self.student_prompt, rollout.group_size, ("student", step, attempt)
            )
            seen += groups
            if not self.config.algo.policy.drop_zero_variance:
                return seen, seen
            used += [g for g in groups if self.kind(g) is GroupKind.MIXED]
            if len(used) >= wanted:
                break
        return seen, used[:wanted]

    def survivors(
        self, problems: Sequence[Problem], step: int
    ) -> tuple[Selection, dict[str, float]]:
        """Privileged rollouts of the cliffs that may teach, and what happened on the way."""
        distill = self.config.algo.distill
        able = [p for p in problems if self._has_view(p)]
        groups = self._sample(
            able[: distill.max_cliff_prompts],
            self.teacher_prompt,
            distill.rollouts_per_cliff,
            ("privileged", step),
        )
        selection = select_teachable(
            groups, telltales=None if distill.drop_leaks else (), distinct=distill.distinct
        )
        metrics = {"privileged/without_view": float(len(problems) - len(able))}
        known = [c for g in groups for c in g.correct if c is not None]
        if known:
            rate = sum(known) / len(known)
            metrics |= {"privileged/pass_rate": rate, "privileged/failure_rate": 1 - rate}
        teacher = [r for g in groups for r in g.rollouts]
        self._writer.rows("completions.jsonl", completion_rows(step, "teacher", teacher))
        return selection, metrics | selection.metrics()

    def _sample(
        self,
        problems: Sequence[Problem],
        prompt_of: Callable[[Problem], Prompt],
        num: int,
        role: tuple[str | int, ...],
    ) -> list[Group]:
        started, rollout = time.monotonic(), self.config.rollout
        groups = sample_groups(
            self.policy,
            problems,
            num=num,
            temperature=rollout.temperature,
            max_tokens=rollout.max_tokens,
            seed=derive_seed("trainer", self.config.seed, *role),
            prompt_of=prompt_of,
            judge=self._timed_judge,
        )
        self._clock["privileged_s" if role[0] == "privileged" else "sample_s"] += (
            time.monotonic() - started
        )
        return groups

    def _timed_judge(self, pairs: Sequence[tuple[Problem, object]]) -> list:
        started = time.monotonic()
        verdicts = self.judge(pairs)  # type: ignore[arg-type]
        self._clock["verify_s"] += time.monotonic() - started
        return verdicts

    # ---- learning -------------------------------------------------------------------------

    def update(self, rows: Sequence[Row], step: int) -> dict[str, float]:
        """Accumulate the gradient of all rows and take one optimiser step.

        Without a row there is no gradient and the optimiser is left alone.
        """
        started, optim = time.monotonic(), self.config.optim
        lr = optim.lr * schedules.lr_factor(
            step, warmup_steps=optim.warmup_steps, start=optim.warmup_start
        )
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        roles = Roles(self.policy, self.teacher.policy, self.reference)
        sums: Counter[str] = Counter()
        for part in micro_batches(rows, optim.micro_batch_rows):
            sums.update(
                accumulate(
                    part, roles, self.config.algo, temperature=self.config.rollout.temperature
                )
            )
        norm = self._apply(sums["losses/total"], step) if rows else 0.0
        self._clock["update_s"] += time.monotonic() - started
        return _step_metrics(sums) | {
            "optim/grad_norm": norm,
            "optim/lr": lr,
            "optim/distill_weight": self.distill_weight(step),
        }

    def _apply(self, loss: float, step: int) -> float:
        parameters = [p for p in self.policy.module.parameters() if p.grad is not None]
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self.config.optim.max_grad_norm))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self.optimizer.zero_grad(set_to_none=True)
            raise TrainingError(
                f"step {step}: the loss is {loss} and the gradient norm {norm}; the weights before "
                f"this step are kept in {self.run_dir / 'checkpoints'}. Lower the learning rate or "
                "the distillation weight and continue with --resume"
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
                prompt_of=self.student_prompt,
                judge=self.judge,
            )
            metrics |= {f"eval/{name}/{k}": v for k, v in report.metrics().items()}
            self._writer.rows(
                "eval.jsonl", ({"step": step, "slice": name, **row} for row in report.rows())
            )
        return metrics

    # ---- prompts and weights ----------------------------------------------------------------

    def student_prompt(self, problem: Problem) -> Prompt:
        """What the student sees."""
        return student_prompt(problem, self.config.rollout.template)

    def teacher_prompt(self, problem: Problem) -> Prompt:
        """What the teacher sees: the student's prompt and the view's privileged context."""
        rollout = self.config.rollout
        return privileged_prompt(
            problem,
            self.config.algo.distill.view,
            rollout.teacher_template,
            student=rollout.template,
        )

    def kind(self, group: Group) -> GroupKind:
        """Cliff, mixed, saturated or undecided, by the configured threshold."""
        return classify(group, threshold=self.config.algo.distill.cliff_threshold)

    def distill_weight(self, step: int) -> float:
        """HDPO's lambda or SDPG's beta(k) at this step, counted from 1 so that none is wasted."""
        distill = self.config.algo.distill
        return schedules.distill_weight(
            min(step + 1, self.config.steps),
            self.config.steps,
            base=distill.weight,
            warmup_steps=distill.warmup_steps,
            decay_steps=distill.decay_steps,
        )

    def _has_view(self, problem: Problem) -> bool:
        try:
            self.teacher_prompt(problem)
        except ViewError:
            return False
        return True

    def _student_prompt_of(self, groups: Sequence[Group]) -> Callable[[Rollout], Prompt]:
        prompts = {g.problem.id: self.student_prompt(g.problem) for g in groups}
        return lambda rollout: prompts[rollout.prompt.problem_id]

    def _solution_rows(self, cliffs: Sequence[Group]) -> list[Row]:
        encode = getattr(self.policy, "encode_completion", None)
        if encode is None:
            raise ConfigError(
                f"{type(self.policy).__name__} cannot encode written solutions; imitation needs a "
                "policy with encode_completion(text)"
            )
        return solution_rows(
            [g.problem for g in cliffs[: self.config.algo.distill.max_cliff_prompts]],
            self.config.algo.imitation.weight,
            encode=self.policy.encode,
            encode_solution=encode,
            student_prompt=self.student_prompt,
        )

    # ---- what stays on disk -------------------------------------------------------------------

    def _record(self, step: int, groups: Sequence[Group]) -> None:
        threshold = self.config.algo.distill.cliff_threshold
        self._writer.rows("groups.jsonl", group_rows(step, groups, threshold=threshold))
        first = [g.rollouts[0] for g in groups]
        self._writer.rows("completions.jsonl", completion_rows(step, "student", first))

    def save(self) -> Path:
        """Write a checkpoint of everything the next step depends on."""
        state = {
            "next_step": self.next_step,
            "module": self.policy.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "teacher": self.teacher.state(),
            "reference": self.reference.module.state_dict() if self.reference else None,
        }
        return checkpoints.save(self.run_dir, self.next_step, state)

    def resume(self) -> None:
        """Continue from the newest checkpoint; rows of later steps are dropped from the logs."""
        state = checkpoints.load_latest(self.run_dir)
        self.next_step = int(state["next_step"])
        self.policy.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.teacher.load(state["teacher"])
        if self.reference is not None:
            self.reference.module.load_state_dict(state["reference"])
        for name in ("metrics", "groups", "completions", "eval"):
            checkpoints.drop_lines_from(self.run_dir / f"{name}.jsonl", self.next_step)


def _step_metrics(sums: Mapping[str, float]) -> dict[str, float]:
    """Sums over a step's micro-batches -> means; a mean over nothing is absent."""
    metrics = {k: v for k, v in sums.items() if not k.endswith(("_sum", "_count"))}
    if tokens := sums["losses/token_count"]:
        for name in ("entropy", "clip_rate", "logprob_gap"):
            metrics[f"losses/{name}"] = sums[f"losses/{name}_sum"] / tokens
    if tokens := sums["distill/token_count"]:
        metrics["distill/token_divergence"] = sums["distill/divergence_sum"] / tokens
        metrics["distill/saturated_mass"] = sums["distill/saturated_sum"] / tokens
        metrics["distill/completion_divergence"] = (
            sums["distill/divergence_sum"] / sums["distill/row_count"]
        )
    return metrics
