"""In which words a teacher is told: one template for each recipe, all in words of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hdpo_env.prompts import TEMPLATES, Template
from hdpo_env.registry import Registry


@dataclass(frozen=True)
class PrivilegedTemplate:
    """The words around privileged context.

    ``user`` may use ``{prompt}`` (the student's own user message), ``{question}`` and
    ``{context}``. ``words`` gives a pattern with ``{text}`` for each kind of piece: answer,
    solution, prefix (of a solution), hint and feedback; a kind without words is not shown.
    ``student`` is the student's template unless another one is asked for. ``telltales`` are phrases
    by which a completion admits that it was given help.
    """

    name: str
    version: int
    student: Template
    user: str
    words: Mapping[str, str]
    telltales: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


PRIVILEGED_TEMPLATES: Registry[PrivilegedTemplate] = Registry("privileged_template")

# Phrases are matched without regard to case and spacing; see ``filters``.
TELLTALES = (
    "the given answer",
    "the given solution",
    "the provided answer",
    "the provided solution",
    "the reference answer",
    "the reference solution",
    "reference material",
    "the known answer",
    "the hint",
    "as provided",
    "as given above",
    "according to the solution",
    "we are told that the answer",
    "we know the answer",
    "matches the correct answer",
    "matches the expected answer",
)

_BOXED = TEMPLATES["boxed"]
_TOLD = (
    *TELLTALES,
    "the earlier attempt",
    "the previous attempt",
    "the successful attempt",
    "the attempt that solved it",
    "the example response",
)

# HDPO, arXiv 2603.23871, section 3: the ground truth y* is put into the prompt.
_HDPO = PrivilegedTemplate(
    "hdpo",
    1,
    student=_BOXED,
    user="{prompt}\n\nFor your eyes only, here is reference material on this problem.\n\n"
    "{context}\n\nWrite a complete derivation of your own that would convince a reader who has "
    "never seen this material. Do not mention it.",
    words={
        "answer": "Final answer: {text}",
        "solution": "Worked solution:\n{text}",
        "prefix": "The first part of a worked solution:\n{text}",
        "hint": "Hint: {text}",
        "feedback": "On an earlier attempt: {text}",
    },
    telltales=TELLTALES,
)

# SDPG, arXiv 2606.04036, section 3: another route if there is one, and not a word about the hint.
_SDPG = PrivilegedTemplate(
    "sdpg",
    1,
    student=_BOXED,
    user="{prompt}\n\n[Hint]\n{context}\n[End of hint]\n\n"
    "If you can reach the answer by a different route that is just as rigorous, take that "
    "route. If you cannot, present the standard route, and make every step of it clear. "
    "Write as if you had found everything yourself: never say or suggest that an answer, a "
    "hint or a reference was available to you.",
    words={
        "answer": "The correct answer is: {text}",
        "solution": "A common way to solve the problem is:\n{text}",
        "prefix": "A common way to solve the problem begins like this:\n{text}",
        "hint": "{text}",
        "feedback": "About an earlier attempt: {text}",
    },
    telltales=TELLTALES,
)

# OPSD, arXiv 2601.18734: the teacher reads a verified solution and then reasons anew.
_OPSD = PrivilegedTemplate(
    "opsd",
    1,
    student=_BOXED,
    user="{prompt}\n\nBefore you begin, study what is known about this problem.\n\n"
    "<<<\n{context}\n>>>\n\nOnce every step of it is clear to you, put it aside and work "
    "through the problem from the start, in your own way and in your own words. Explore, check, "
    "and turn back where a path fails, until you arrive at the same result.",
    words={
        "answer": "Its answer is {text}",
        "solution": "A correct solution:\n{text}",
        "prefix": "How a correct solution begins:\n{text}",
        "hint": "An idea that helps: {text}",
        "feedback": "What went wrong before: {text}",
    },
    telltales=_TOLD,
)

# SDPO, arXiv 2601.20802: a successful attempt of the same group, or what the environment said.
_SDPO = PrivilegedTemplate(
    "sdpo",
    1,
    student=_BOXED,
    user="{prompt}\n\n{context}\n\nNow solve the problem stated at the top, correctly.",
    words={
        "answer": "Known answer: {text}",
        "solution": "This attempt solved it:\n\n{text}",
        "prefix": "This is how an attempt that solved it began:\n\n{text}",
        "hint": "Advice: {text}",
        "feedback": "An attempt that did not solve it was told: {text}",
    },
    telltales=_TOLD,
)

# SDFT, arXiv 2601.19897: the teacher is shown a demonstration in its context.
_SDFT = PrivilegedTemplate(
    "sdft",
    1,
    student=_BOXED,
    user="{prompt}\n\nTo show what a good response looks like, here is one.\n\n{context}\n\n"
    "Respond yourself now, with your own reasoning.",
    words={
        "answer": "{text}",
        "solution": "{text}",
        "prefix": "{text} ...",
        "hint": "Hint: {text}",
        "feedback": "Remark: {text}",
    },
    telltales=_TOLD,
)

# The format that the tiny chain models are trained on.
_CHAIN = PrivilegedTemplate(
    "chain",
    1,
    student=TEMPLATES["chain"],
    user="P{question}|{context}",
    words={"solution": "{text}"},
)

for _template in (_HDPO, _SDPG, _OPSD, _SDPO, _SDFT, _CHAIN):
    PRIVILEGED_TEMPLATES.add(_template.name, _template)
