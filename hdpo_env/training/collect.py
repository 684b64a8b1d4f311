"""The sampling half of a step: student groups, and privileged rollouts of their cliffs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hdpo_env.cliffs import classify
from hdpo_env.cliffs.fading import HintLadder
from hdpo_env.config import TrainConfig
from hdpo_env.errors import ViewError
from hdpo_env.filters import Selection, select_teachable
from hdpo_env.policies.base import TorchPolicy
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import student_prompt
from hdpo_env.rollouts import Judge, sample_groups
from hdpo_env.theory import kl2
from hdpo_env.training.stream import ProblemStream
from hdpo_env.types import Completion, Group, GroupKind, Problem, Prompt, Verdict, derive_seed

MAX_RESAMPLES = 4  # further draws of a step that drops zero-variance groups


@dataclass
class Collector:
    """Samples and verifies what a step learns from; ``seconds`` says where its time went."""

    config: TrainConfig
    policy: TorchPolicy
    stream: ProblemStream
    judge: Judge
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    groups: dict[str, Group] = field(default_factory=dict, repr=False)  # the step's, by problem
    ladder: HintLadder | None = field(init=False, default=None)  # where the view fades

    def __post_init__(self) -> None:
        distill = self.config.algo.distill
        if distill.fade:
            self.ladder = HintLadder((distill.view, *distill.fade))

    def student_groups(self, step: int) -> tuple[list[Group], list[Group]]:
        """All groups that were sampled, and those that enter the outcome term.

        The two are the same unless zero-variance groups are dropped; then further problems are
        drawn until the batch is full or ``MAX_RESAMPLES`` more draws were made.
        """
        rollout, drops = self.config.rollout, self.config.algo.policy.drop_zero_variance
        wanted = rollout.prompts_per_step
        seen: list[Group] = []
        mixed: list[Group] = []
        for attempt in range(1 + MAX_RESAMPLES * drops):
            problems = self.stream.batch(step, wanted, attempt)
            role = ("student", step, attempt)
            seen += self._sample(problems, self.student_prompt, rollout.group_size, role)
            mixed = [g for g in seen if self.kind(g) is GroupKind.MIXED]
            if len(mixed) >= wanted:
                break
        self.groups = {group.problem.id: group for group in seen}
        return seen, mixed[:wanted] if drops else seen

    def survivors(self, cliffs: Sequence[Group], step: int) -> tuple[Selection, list[Group]]:
        """The cliffs' privileged rollouts that may teach, and all that were sampled.

        At most ``max_cliff_prompts`` cliffs are tried; those that cannot be shown in the view are
        passed over.
        """
        distill = self.config.algo.distill
        problems = [g.problem for g in cliffs if self.teacher_prompt_or_none(g.problem)]
        groups = self._sample(
            problems[: distill.max_cliff_prompts],
            self.teacher_prompt,
            distill.rollouts_per_cliff,
            ("privileged", step),
        )
        self._fade(groups)
        telltales = None if distill.drop_leaks else ()
        return select_teachable(groups, telltales=telltales, distinct=distill.distinct), groups

    def _fade(self, groups: Sequence[Group]) -> None:
        if self.ladder is not None:
            for g in {g.problem.id: g for g in groups}.values():  # one rung a step at most
                right, wrong = g.correct.count(True), g.correct.count(False)
                self.ladder.update(g.problem.id, num_correct=right, num_wrong=wrong)

    def fading_metrics(self) -> dict[str, float]:
        """How many of the problems taught so far stand on each rung; nothing without fading."""
        counts = self.ladder.counts() if self.ladder else {}
        return {f"fading/{view}": float(number) for view, number in counts.items()}

    def student_prompt(self, problem: Problem) -> Prompt:
        """What the student sees."""
        return student_prompt(problem, self.config.rollout.template)

    def teacher_prompt(self, problem: Problem) -> Prompt:
        """What the teacher sees: the student's prompt and the view's privileged context.

        Views that quote rollouts quote the student's group of this step. Where the view fades, a
        problem that lacks what its rung shows gets the nearest more telling view.
        """
        first = self.config.algo.distill.view
        *fainter, last = self.ladder.shown(problem.id) if self.ladder else (first,)
        for view in fainter:
            try:
                return self._told(problem, view)
            except ViewError:
                continue
        return self._told(problem, last)

    def _told(self, problem: Problem, view: str) -> Prompt:
        rollout = self.config.rollout
        return privileged_prompt(
            problem,
            view,
            rollout.teacher_template,
            student=rollout.template,
            group=self.groups.get(problem.id),
        )

    def teacher_prompt_or_none(self, problem: Problem) -> Prompt | None:
        """The teacher's prompt, or None where the view shows nothing or more than the model reads.

        Nothing is ever cut: a solution too long for the model's context is not shown.
        """
        try:
            prompt = self.teacher_prompt(problem)
        except ViewError:
            return None
        limit = getattr(self.policy, "max_positions", None)
        room = self.config.rollout.max_tokens
        is_short = limit is None or len(self.policy.encode(prompt)) + room <= limit
        return prompt if is_short else None

    def kind(self, group: Group) -> GroupKind:
        """Cliff, mixed, saturated or undecided, by the configured threshold."""
        return classify(group, threshold=self.config.algo.distill.cliff_threshold)

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
        key = "time/privileged_s" if role[0] == "privileged" else "time/sample_s"
        self.seconds[key] += time.monotonic() - started
        return groups

    def _timed_judge(self, pairs: Sequence[tuple[Problem, Completion]]) -> list[Verdict]:
        started = time.monotonic()
        verdicts = self.judge(pairs)
        self.seconds["time/verify_s"] += time.monotonic() - started
        return verdicts


def privileged_metrics(
    selection: Selection, groups: Sequence[Group], cliffs: Sequence[Group]
) -> dict[str, float]:
    """How the teacher did on the cliffs: p_g, its failure rate, what was kept and dropped.

    ``privileged/kl2_bound`` is kl2(p_g, p_0): no teacher that succeeds with p_g is closer than that
    to a student that succeeds with p_0, in nats per completion (theorem S9_data_processing).
    """
    num_rollouts = sum(g.size for g in cliffs)
    num_successes = sum(g.correct.count(True) for g in cliffs)
    known = [c for g in groups for c in g.correct if c is not None]
    metrics = {
        "privileged/cliffs_tried": float(len(groups)),
        "privileged/cliffs_left_out": float(len(cliffs) - len(groups)),
        "privileged/kept_tokens": float(sum(r.completion.num_tokens for r in selection.kept)),
        **selection.metrics(),
    }
    if known:
        rate = sum(known) / len(known)
        metrics |= {"privileged/pass_rate": rate, "privileged/failure_rate": 1 - rate}
        # what the student's own failures say of its pass rate: the posterior mean under Jeffreys
        before = (num_successes + 0.5) / (num_rollouts + 1)
        metrics["privileged/kl2_bound"] = kl2(rate, before)
    return metrics
