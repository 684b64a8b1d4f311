"""Problem -> the student's prompt. Templates are versioned data that users can replace.

Nothing here reads a gold answer, a solution or a hint: those enter prompts in ``privileged`` only.
"""

from __future__ import annotations

from dataclasses import dataclass

from hdpo_env.errors import ConfigError
from hdpo_env.registry import Registry
from hdpo_env.types import Message, Problem, Prompt


@dataclass(frozen=True)
class Template:
    """The words around a question. ``{question}`` in ``user`` is where the question goes.

    A change of wording is a new version: prompts carry ``name@version``, so runs that used
    different words can be told apart.

    >>> Template("shout", 1, system="", user="{question}!").render("1+1?")
    (Message(role='user', content='1+1?!'),)
    """

    name: str
    version: int
    system: str
    user: str

    @property
    def label(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    def render(self, question: str, **fields: str) -> tuple[Message, ...]:
        """The chat messages; other ``{fields}`` of ``user`` are filled by name."""
        user = Message("user", fill(self.user, question=question, **fields))
        return (Message("system", self.system), user) if self.system else (user,)


def fill(pattern: str, **fields: str) -> str:
    r"""Put fields into a pattern, once and literally: braces of LaTeX, in either, stay as they are.

    >>> fill(r"{question} Use \boxed{}.", question="What is {question}?")
    'What is {question}? Use \\boxed{}.'
    """
    pieces, rest = [], pattern
    while rest:
        found = {name: at for name in fields if (at := rest.find(f"{{{name}}}")) >= 0}
        if not found:
            break
        name = min(found, key=found.__getitem__)
        pieces += [rest[: found[name]], fields[name]]
        rest = rest[found[name] + len(name) + 2 :]
    return "".join([*pieces, rest])


TEMPLATES: Registry[Template] = Registry("template")

for _template in (
    Template("plain", 1, system="", user="{question}"),
    Template("chain", 1, system="", user="Q{question}"),
    Template(
        "boxed",
        1,
        system="",
        user="{question}\n\nReason step by step, and put your final answer in \\boxed{}.",
    ),
):
    TEMPLATES.add(_template.name, _template)


def default_template(problem: Problem) -> str:
    """The template whose answers the problem's verifier reads.

    The exact verifier accepts no words around the answer, so it is asked for without them.

    >>> default_template(Problem("1+1=?", ("2",)))
    'boxed'
    >>> default_template(Problem("Who?", ("Ann",), verifier="exact"))
    'plain'
    """
    return "plain" if problem.verifier == "exact" else "boxed"


def student_prompt(problem: Problem, template: str | Template | None = None) -> Prompt:
    r"""The prompt that the student sees: the question and nothing the teacher alone may know.

    Templates: ``plain`` (the question), ``boxed`` (asks for reasoning and a final answer in
    ``\boxed{}``), ``chain`` (``Q`` and the question, for the tiny chain models); None takes
    `default_template`.

    Raises:
        RegistryError: no template has this name.
        ConfigError: it asks for a box, and the problem's verifier is exact, which reads none.

    >>> student_prompt(Problem("1+1=?", ("2",)), "plain").messages[0].content
    '1+1=?'
    """
    template = template or default_template(problem)
    chosen = TEMPLATES[template] if isinstance(template, str) else template
    if problem.verifier == "exact" and "boxed{" in chosen.user + chosen.system:
        raise ConfigError(
            f"template {chosen.name!r} asks for a box, and problem {problem.id} is judged by the "
            "exact verifier, which would call every boxed answer wrong: give template 'plain', or "
            "the problem another verifier"
        )
    return Prompt(problem.id, chosen.render(problem.question), template=chosen.label)
