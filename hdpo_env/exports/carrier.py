"""How one system takes problems, and the export by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from hdpo_env.errors import ConfigError, ViewError
from hdpo_env.exports.export import Export, LeftOut, Row
from hdpo_env.exports.rows import Entry
from hdpo_env.privileged import privileged_context, privileged_prompt
from hdpo_env.problems.fieldmap import FieldMap
from hdpo_env.types import Group, Problem, Prompt


@dataclass(frozen=True)
class Carrier:
    """How one system takes problems with privileged context. Calling it exports.

    ``view`` and ``template`` are what the system's recipe uses; ``is_whole`` says that the
    privileged text is all that the teacher's message adds to the student's, instructions included,
    because the system itself adds none. ``fields`` reads the rows back with `load_problems`;
    ``settings`` are the system's options that make it read them, in a FILE that its users expect to
    end in ``suffix``.
    """

    name: str
    row: Callable[[Entry], Row]
    fields: FieldMap
    settings: str
    view: str = "solution"
    template: str = "sdft"
    is_whole: bool = False
    suffix: str = ".jsonl"

    def __call__(
        self,
        problems: Iterable[Problem],
        *,
        view: str | None = None,
        template: str | None = None,
        student: str | None = None,
        groups: Mapping[str, Group] | None = None,
        strict: bool = False,
    ) -> Export:
        """The rows of these problems; those that lack what the view needs are left out, by name.

        Args:
            problems: what is exported.
            view: the privileged context; None takes the carrier's.
            template: the privileged template that words it; None takes the carrier's.
            student: the student's template; None takes the privileged template's, or ``plain`` for
                problems whose answers are compared exactly.
            groups: student rollouts by problem id, for views that quote from them.
            strict: raise at the first problem that lacks what the view needs.

        Raises:
            RegistryError, ConfigError: unknown or unfit names.
            ViewError: ``strict``, and a problem lacks what the view needs.
        """
        rows, left_out = [], []
        for problem in problems:
            try:
                entry = self._entry(len(rows), problem, view, template, student, groups)
            except ViewError as error:
                if strict:
                    raise
                left_out.append(LeftOut(problem.id, str(error)))
            else:
                rows.append(self.row(entry))
        return Export(self.name, tuple(rows), tuple(left_out))

    def _entry(
        self,
        index: int,
        problem: Problem,
        view: str | None,
        template: str | None,
        student: str | None,
        groups: Mapping[str, Group] | None,
    ) -> Entry:
        view, words = view or self.view, template or self.template
        # The exact verifier accepts no words around an answer, so none are asked for.
        group = (groups or {}).get(problem.id)
        prompt = privileged_prompt(problem, "none", words, student=student)
        if view == "none":
            return Entry(index, problem, prompt, "", is_plain=True)
        if not self.is_whole:
            context = privileged_context(problem, view, words, group=group)
            return Entry(index, problem, prompt, context)
        told = privileged_prompt(problem, view, words, student=student, group=group)
        return Entry(index, problem, prompt, _added(prompt, told))


def _added(asked: Prompt, told: Prompt) -> str:
    """What the teacher's message adds to the student's."""
    before, whole = asked.messages[-1].content, told.messages[-1].content
    if not whole.startswith(before):
        raise ConfigError(
            f"template {told.template!r} does not begin with the student's prompt, so what it adds "
            "cannot stand in a column of its own: use hdpo, sdpg, opsd, sdpo or sdft"
        )
    return whole[len(before) :].strip()
