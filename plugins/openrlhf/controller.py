"""Beside OpenRLHF's controller: watches groups, keeps the ledger, and tells each rank its part."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from hdpo_env.errors import CheckpointError, ConfigError
from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.flags import flat
from hdpo_plugins.openrlhf.groups import GroupRecord, rates
from hdpo_plugins.openrlhf.ledgers import ledger_folder, open_ledger
from hdpo_plugins.openrlhf.methods import chosen
from hdpo_plugins.openrlhf.plugins import ControllerPart
from hdpo_plugins.openrlhf.sharpen import Reentry
from hdpo_plugins.openrlhf.source import ProblemSource


class Controller:
    """What the plugins share beside the trainer: the data, the ledger, the engines, the step."""

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.args, self.step = trainer, flat(trainer.args), 0
        data = trainer.prompts_dataloader.dataset
        self.source = ProblemSource(
            compat.training_rows(trainer.strategy),
            data.prompts,
            data.labels,
            input_key=trainer.args.data.input_key,
            solution_key=self.args["data.solution_key"],
            render=partial(compat.rendered, tokenizer=trainer.tokenizer, data=trainer.args.data),
        )
        self._num_rows = len(data.labels)
        self.reentry = Reentry(
            self.args["hdpo.reenter_after"],
            tries=self.args["hdpo.reenter_tries"],
            rows=self._num_rows,
        )
        self.generate: dict[str, Any] = {}
        on = [p for p in chosen(self.args["plugin"]) if p.is_on(self.args)]
        self.parts: dict[str, ControllerPart] = {p.name: p.controller(self) for p in on}
        # By which a problem's question is found in its prompt, and with it the ledger's id.
        flags = [f"{name}.template" for name in (*self.parts, "hdpo")]
        self._template = next(self.args[flag] for flag in flags if flag in self.args)
        self._seen: list[GroupRecord] = []
        self._numbers: dict[str, float] = {}
        self.ledger = open_ledger(self.args)  # last: what was refused above leaves no open file

    def stream(self, fresh: Iterator[Any], num_prompts: int) -> Iterator[Any]:
        """The next batch's prompts: former cliffs that are due, at most half, then new ones."""
        return self.reentry.stream(fresh, self.step, num_prompts, self._item)

    def _item(self, row: int) -> Any:
        data = self.trainer.prompts_dataloader.dataset
        return data.collate_fn([data[row]])

    def saw(self, groups: list[GroupRecord], generate: dict[str, Any]) -> None:
        """Take note of a batch as it was sampled; the engines are awake."""
        self.generate, started = generate, time.monotonic()
        self._seen += groups
        for part in self.parts.values():
            part.after_generation(groups)
        self._numbers["privileged/seconds"] = time.monotonic() - started

    def teacher_ids(
        self, group: Any, view: str, template: str
    ) -> tuple[tuple[int, ...], str] | None:
        """Token ids and template of the teacher's prompt; None if there is none or it is too long.

        Nothing is ever cut: a prompt is too long if it leaves less room than the student has.
        """
        prompt = self.source.teacher_prompt(group.prompt, group.label, view, template)
        if prompt is None:
            return None
        text = prompt.messages[0].content
        ids = self.trainer.tokenizer(text, add_special_tokens=False)["input_ids"]
        room = self.args["rollout.max_new_tokens"] or 1
        fits = 0 < len(ids) <= self.args["data.max_len"] - room
        return (tuple(ids), prompt.template) if fits else None

    def payloads(self, samples: Sequence[Any], ranks: int) -> list[dict[str, Any]]:
        """For each data-parallel rank, what each plugin tells it."""
        common = {"step": self.step, "total_steps": self.total_steps}
        messages: list[dict[str, Any]] = [{"": common} for _ in range(ranks)]
        for name, part in self.parts.items():
            for message, payload in zip(messages, part.payloads(samples, ranks), strict=True):
                message[name] = payload
        return messages

    @property
    def total_steps(self) -> int:
        """T, the rollout batches of the whole run; at most so many where OpenRLHF filters prompts.

        A filtered prompt is replaced by one of the same episode. OpenRLHF's learning rate goes by
        the same count, filter or not.
        """
        size = self.args.get("rollout.vllm_generate_batch_size") or self.args["rollout.batch_size"]
        batches = -(-self._num_rows // size)
        return max(1, batches * self.args["train.num_episodes"])

    def close_step(self) -> dict[str, float]:
        """Write the step's groups into the ledger, and return its numbers for the log."""
        threshold = self.args["hdpo.cliff_threshold"]
        for group in self._seen:
            self.ledger.append(
                self.source.problem_id(group.prompt, group.label, self._template),
                step=self.step,
                num_correct=group.correct.count(True),
                num_wrong=group.correct.count(False),
                num_abstained=group.correct.count(None),
            )
        self.ledger.flush()
        # A batch that OpenRLHF had sampled ahead brings no groups, which is no rate of 0.
        kinds = rates(self._seen, threshold).metrics() if self._seen else {}
        numbers = kinds | self._reentered() | self._numbers
        for part in self.parts.values():
            numbers |= part.status()
        self._seen, self._numbers = [], {}
        return numbers

    def _reentered(self) -> dict[str, float]:
        if not self.reentry.delay:
            return {}
        rows = [(self.source.row(g.prompt, g.label), True in g.correct) for g in self._seen]
        back = {row for row, _ in rows if self.reentry.came_back(row)}
        solved = {row for row, is_solved in rows if is_solved}
        for row in solved:
            self.reentry.solved(row)
        numbers = {"hdpo/reentered": len(back), "hdpo/reentered_solved": len(back & solved)}
        return {name: float(number) for name, number in numbers.items()}

    def begin_anew(self, step: int, num_consumed: int = 0) -> None:
        """Start without a state of ours; what a killed start left in its own ledger is cut off.

        ``num_consumed`` prompts were sampled before.

        Raises:
            ConfigError: the ledger may be another run's: it was named by hand, or OpenRLHF goes on
                from a checkpoint that was written without plugins.
        """
        if self.ledger.state_dict()["num_events"] and (self.args["hdpo.ledger"] or step > 0):
            raise ConfigError(
                f"the ledger {ledger_folder(self.args)} holds groups, and OpenRLHF has no "
                "checkpoint that says which of them are this run's: choose another --hdpo.ledger"
            )
        reentry = {"served": num_consumed % max(1, self._num_rows)}
        self.load_state({"ledger": {"num_events": 0}, "reentry": reentry, "parts": {}})

    def close(self) -> None:
        """Write out what is buffered."""
        self.ledger.close()

    def state(self) -> dict[str, Any]:
        """What OpenRLHF's checkpoint holds for us."""
        parts = {name: part.state() for name, part in self.parts.items()}
        ledger = self.ledger.state_dict()
        return {"ledger": ledger, "reentry": self.reentry.state(), "parts": parts}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a checkpoint: groups that were noted after it are cut off the ledger.

        Raises:
            CheckpointError: the ledger on this node is not the one of the checkpoint.
        """
        try:
            self.ledger.load_state_dict(state["ledger"])
        except CheckpointError as error:
            raise CheckpointError(
                f"{error}; Ray may have put the controller on another node than before: "
                "--hdpo.ledger must name a folder that every node sees"
            ) from error
        self.reentry.load_state(state["reentry"])
        for name, part in self.parts.items():
            part.load_state(state["parts"].get(name, {}))
