r"""What stands in other people's columns, and how a question, answer or number is read from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hdpo_env.problems.levels import states

# The words that DAPO-Math-17k wraps around every question.
_DAPO = re.compile(
    r"^Solve the following math problem step by step\..*?answer to the problem\.\s*(.*?)"
    r"\s*Remember to put your answer on its own line after \"Answer:\"\.\s*$",
    re.DOTALL,
)


def numbered_in(data: str) -> Callable[[Any], Any]:
    """Makes ids that are plain numbers ids of their data set; others say themselves what they are.

    Two data sets number their rows alike, and a reward looks a problem up by its id.

    >>> [numbered_in("aime25")(given) for given in (0, "0", 60.0, "2024-I-1")]
    ['aime25-0', 'aime25-0', 'aime25-60', '2024-I-1']
    """

    def identify(given: Any) -> Any:
        whole_number = isinstance(given, float) and given.is_integer()
        text = str(int(given) if whole_number else given).strip()
        return f"{data}-{text}" if text.isascii() and text.isdigit() else given

    return identify


def last_boxed(text: str) -> str | None:
    r"""The content of the last ``\boxed{...}`` with balanced braces, or None.

    >>> last_boxed(r"so \boxed{1}, that is \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    _, mark, tail = text.rpartition(r"\boxed{")
    depth = 1
    # An escaped character is content: \{ as well as the second backslash of a line break.
    for token in re.finditer(r"\\.|[{}]", tail, re.DOTALL) if mark else ():
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return tail[: token.start()]
    return None


def after_hashes(text: str) -> str | None:
    r"""The final answer of GSM8K: what follows ``####``, without thousands separators.

    >>> after_hashes("12*6=<<12*6=72>>72 eggs\n#### 1,072")
    '1072'
    """
    _, mark, tail = text.rpartition("####")
    return re.sub(r"(?<=\d),(?=\d{3})", "", tail.strip()) if mark else None


def without_calculator(text: str) -> str:
    r"""A GSM8K solution without its ``<<...>>`` marks and without the ``####`` line.

    >>> without_calculator("12*6=<<12*6=72>>72 eggs\n#### 72")
    '12*6=72 eggs'
    """
    return re.sub(r"<<[^>]*>>", "", text).rpartition("####")[0].strip()


def whole(value: Any) -> str:
    """A number as people write it: ``27.0`` is ``27``.

    >>> whole("27.0"), whole(0.5), whole("x")
    ('27', '0.5', 'x')
    """
    return re.sub(r"^(-?\d+)\.0+$", r"\1", str(value).strip())


def level_number(value: Any) -> float | None:
    """The number in ``"Level 3"``, in ``3`` or in ``"3.5"``.

    >>> level_number("Level 3"), level_number("Level ?")
    (3.0, None)
    """
    found = re.search(r"\d+(\.\d+)?", str(value))
    return float(found[0]) if found else None


def last_user_message(value: Any) -> Any:
    """The text of a chat's last user turn; a plain string stays itself."""
    if isinstance(value, str):
        return value
    turns = [m["content"] for m in value or () if m.get("role") == "user"]
    return turns[-1] if turns else None


def bare_question(value: Any) -> Any:
    r"""The last user turn without the instructions that DAPO-Math-17k puts around it.

    >>> words = "Solve the following math problem step by step. Write the answer to the problem."
    >>> bare_question(words + ' 1+1? Remember to put your answer on its own line after "Answer:".')
    '1+1?'
    """
    text = last_user_message(value)
    found = _DAPO.match(text) if isinstance(text, str) else None
    return found[1] if found else text


def boxed_or_whole(value: Any) -> Any:
    r"""The last boxed answer of a text that has one, else the text as a number or word.

    >>> boxed_or_whole(r"So it is \boxed{204}."), boxed_or_whole("204"), boxed_or_whole(27.0)
    ('204', '204', '27')
    """
    return last_boxed(value) if isinstance(value, str) and r"\boxed" in value else whole(value)


def derivation(text: Any) -> Any:
    r"""A solution, or None where the column holds nothing but the boxed answer.

    >>> derivation(r"\boxed{204}") is None, derivation(r"1+1 = \boxed{2}")
    (True, '1+1 = \\boxed{2}')
    """
    if not isinstance(text, str):
        return text
    answer = last_boxed(text)
    bare = text.strip().strip("$. ")
    return None if answer is not None and bare == rf"\boxed{{{answer}}}" else text


def socratic_hints(text: str) -> list[str]:
    r"""The questions of a socratic GSM8K solution: a ladder without steps and answers.

    Repeated questions, and those that happen to state the answer, are left out.

    >>> socratic_hints("How many now? ** 3 - 1 = <<3-1=2>>2 now\n#### 2")
    ['How many now?']
    """
    asked = [line.split(" ** ")[0].strip() for line in text.splitlines() if " ** " in line]
    gold = after_hashes(text) or ""
    return [question for question in dict.fromkeys(asked) if not gold or not states(question, gold)]


def socratic_steps(text: str) -> str:
    r"""The steps of a socratic GSM8K solution, as in the main configuration.

    >>> socratic_steps("How many now? ** 3 - 1 = <<3-1=2>>2 now\n#### 2")
    '3 - 1 = 2 now'
    """
    lines = [line.partition(" ** ")[2] or line for line in text.splitlines()]
    return without_calculator("\n".join(lines))


def first_text(value: Any) -> str:
    """The first entry of a list, or the value itself, as text.

    >>> first_text(["Algebra", "Geometry"]), first_text("Algebra"), first_text([])
    ('Algebra', 'Algebra', '')
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        return str(value[0]) if value else ""
    return str(value)


def failure_share(rate: Any) -> float:
    """How hard a question is for a model that solves it at this rate.

    >>> failure_share(0.25)
    0.75
    """
    return 1.0 - float(rate)


def ratio(value: Any) -> float:
    """A number, or a share that is written as ``3/8``.

    >>> ratio("3/8"), ratio(5)
    (0.375, 5.0)
    """
    top, _, bottom = str(value).partition("/")
    return float(top) / float(bottom or 1)


def has_final_answer(row: Mapping[str, Any]) -> bool:
    """Whether a NuminaMath row has an answer that can be checked: no proof, nothing missing.

    >>> has_final_answer({"answer": "proof"}), has_final_answer({"answer": "7"})
    (False, True)
    """
    return str(row.get("answer")).strip().lower() not in ("proof", "notfound")
