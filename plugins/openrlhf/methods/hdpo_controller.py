"""HDPO beside the controller: cliffs, their privileged rollouts, and which of them may teach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hdpo_env.config import DistillConfig
from hdpo_env.filters import Selection, select_teachable
from hdpo_env.privileged import TELLTALES
from hdpo_env.types import (
    Completion,
    Group,
    GroupKind,
    Outcome,
    Prompt,
    Rollout,
    Verdict,
    derive_seed,
)
from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.groups import GroupRecord, Pair
from hdpo_plugins.openrlhf.labels import asked_key
from hdpo_plugins.openrlhf.methods.frozen import with_frozen_teacher
from hdpo_plugins.openrlhf.plugins import ControllerPart
from hdpo_plugins.openrlhf.scoring import Request, Scorer

ENDS = ("stop", "length")  # vLLM's other reasons (abort, error) say nothing of the policy,
FAULT = Verdict(Outcome.ERROR)  # and no verdict on what is there does


class Cliff(NamedTuple):
    """A cliff and what its teacher reads."""

    group: GroupRecord
    teacher_ids: tuple[int, ...]
    template: str


class HdpoController(ControllerPart):
    """Samples a batch's cliffs again with privileged context, on the engines that are awake."""

    def __init__(self, controller: Any, config: DistillConfig) -> None:
        self._hub, self._config = controller, config
        self._template = controller.args["hdpo.template"]
        self._scorer = Scorer(controller.trainer.args)
        controller.source.check(config.view, self._template, "hdpo")
        self._waiting: list[tuple[int | None, Pair]] = []  # row of the data set, its pair
        self._numbers: dict[str, float] = {}
        self._judged: list[bool] = []  # the step's privileged rollouts, right or wrong

    def after_generation(self, groups: Sequence[GroupRecord]) -> None:
        """Cliffs of this batch -> privileged rollouts -> survivors -> pairs."""
        found = [g for g in groups if g.kind(self._config.cliff_threshold) is GroupKind.CLIFF]
        cliffs = self._tried(found)
        rollouts = self._rollouts(cliffs)
        selection = self._selection(cliffs, rollouts)
        cliff_of = {id(r): c for c, group in zip(cliffs, rollouts, strict=True) for r in group}
        for rollout in selection.kept:
            cliff = cliff_of[id(rollout)]
            row = self._hub.source.row(cliff.group.prompt, cliff.group.label)
            self._waiting.append((row, pair_of(cliff, rollout)))
        self._count(found, cliffs, rollouts, selection)

    def payloads(self, samples: Sequence[Any], ranks: int) -> list[Any]:
        """Every rank's share of the pairs, as even as it can be; some may get none."""
        waiting, self._waiting = self._waiting, []
        if self._hub.step <= self._hub.args["critic.freezing_steps"]:
            waiting = []  # the policy is not trained yet
        for row in dict.fromkeys(row for row, _ in waiting):
            self._hub.reentry.add(row, self._hub.step)
        pairs = [pair for _, pair in waiting]
        if self._config.teacher == "frozen" and self._hub.args["ds.lora.rank"] == 0:
            group = self._hub.trainer.reference_model_group
            pairs = with_frozen_teacher(pairs, group, self._config.top_k)
        shares = [pairs[rank::ranks] for rank in range(ranks)]
        self._numbers["hdpo/pairs"] = float(len(pairs))
        for rank, share in enumerate(shares):
            self._numbers[f"hdpo/pairs_rank{rank}"] = float(len(share))
        return shares

    def status(self) -> dict[str, float]:
        """Counts of cliffs, privileged rollouts and pairs."""
        numbers, self._numbers = self._numbers, {}
        judged, self._judged = self._judged, []
        if judged:
            numbers["privileged/pass_rate"] = sum(judged) / len(judged)
        return numbers

    def _tried(self, found: Sequence[GroupRecord]) -> list[Cliff]:
        cliffs: list[Cliff] = []
        # A generation of which OpenRLHF made no step leaves its cliffs to the next one.
        room = self._config.max_cliff_prompts - len({row for row, _ in self._waiting})
        # They arrive in the order in which their rollouts were done, the shortest first. Which of
        # them get the room must not go by that: a seed and what each one asks put them in order.
        asked = {asked_key(g.prompt, g.label): g for g in found}
        seed = self._hub.args["train.seed"], self._hub.step
        for key in sorted(asked, key=lambda k: derive_seed("room for cliffs", *seed, *k)):
            group = asked[key]
            if len(cliffs) >= room:
                break
            teacher = self._hub.teacher_ids(group, self._config.view, self._template)
            if teacher is not None:
                cliffs.append(Cliff(group, *teacher))
        return cliffs

    def _rollouts(self, cliffs: Sequence[Cliff]) -> list[list[Rollout]]:
        num, args, generate = self._config.rollouts_per_cliff, self._hub.args, self._hub.generate
        asked = [cliff for cliff in cliffs for _ in range(num)]
        rooms = [args["data.max_len"] - len(cliff.teacher_ids) for cliff in asked]
        longest = args["rollout.max_new_tokens"] or args["data.max_len"]
        outputs = compat.generate(
            self._hub.trainer.vllm_engines,
            [list(cliff.teacher_ids) for cliff in asked],
            [compat.sampling_params(min(room, longest), generate) for room in rooms],
        )
        completions = [self._completion(output) for output in outputs]
        requests = [self._request(*both) for both in zip(asked, completions, strict=True)]
        verdicts = self._scorer.verdicts(requests)
        rollouts = [
            rollout_of(cliff, completion, verdict if completion.finish_reason in ENDS else FAULT)
            for cliff, completion, verdict in zip(asked, completions, verdicts, strict=True)
        ]
        return [rollouts[i : i + num] for i in range(0, len(rollouts), num)]

    def _completion(self, output: Any) -> Completion:
        ids = tuple(output.token_ids)
        text = self._hub.trainer.tokenizer.decode(ids, skip_special_tokens=True)
        return Completion(ids, text, finish_reason=str(output.finish_reason))

    def _request(self, cliff: Cliff, completion: Completion) -> Request:
        # Decoded as OpenRLHF decodes a student's rollout: the reward cannot tell the two apart.
        ids = [*cliff.group.prompt_ids, *completion.token_ids]
        query = self._hub.trainer.tokenizer.decode(ids, skip_special_tokens=False)
        return Request(query, cliff.group.prompt, cliff.group.label)

    def _selection(self, cliffs: Sequence[Cliff], rollouts: list[list[Rollout]]) -> Selection:
        source, template = self._hub.source, self._template
        problems = [source.problem(c.group.prompt, c.group.label, template) for c in cliffs]
        groups = [Group(p, tuple(r)) for p, r in zip(problems, rollouts, strict=True)]
        telltales: Sequence[str] | None = None if self._config.drop_leaks else ()
        if self._config.drop_leaks and "{context}" in template:
            telltales = (
                TELLTALES  # literal words are registered nowhere, and have none of their own
            )
        return select_teachable(groups, telltales=telltales, distinct=self._config.distinct)

    def _count(
        self,
        found: Sequence[GroupRecord],
        cliffs: Sequence[Cliff],
        rollouts: list[list[Rollout]],
        selection: Selection,
    ) -> None:
        known = [r.verdict.correct for group in rollouts for r in group]
        self._judged += [c for c in known if c is not None]
        kept_tokens = sum(r.completion.num_tokens for r in selection.kept)
        counts = {
            "hdpo/cliffs": len(found),
            "hdpo/cliffs_tried": len(cliffs),
            "hdpo/cliffs_left_out": len(found) - len(cliffs),
            "privileged/tokens": sum(r.completion.num_tokens for g in rollouts for r in g),
            "privileged/kept_tokens": kept_tokens,
            **selection.metrics(),
        }
        for name, count in counts.items():
            self._numbers[name] = self._numbers.get(name, 0.0) + count


def rollout_of(cliff: Cliff, completion: Completion, verdict: Verdict) -> Rollout:
    """A privileged rollout; of its prompt only the template is kept, by which leaks are found."""
    prompt = Prompt("", (), template=cliff.template)
    reward = None if verdict.correct is None else float(verdict.correct)
    return Rollout(prompt, completion, verdict, reward)


def pair_of(cliff: Cliff, rollout: Rollout) -> Pair:
    """A survivor under both prompts: token ids are joined, never made from text again."""
    return Pair(cliff.group.prompt_ids, cliff.teacher_ids, rollout.completion.token_ids)
