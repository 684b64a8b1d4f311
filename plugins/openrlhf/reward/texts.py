"""The completion in a decoded query: after its prompt, before the end marks."""

from __future__ import annotations

from collections.abc import Sequence


def completion_of(query: str, prompt: str) -> str | None:
    """What follows the prompt, or None if the query does not begin with it.

    Tokenizers may change white space between encoding and decoding, so it is not compared.

    >>> completion_of("1 + 1 = 2", "1 + 1 ="), completion_of("1+1= 2", "1 + 1 =")
    (' 2', ' 2')
    >>> completion_of("1 + 2 = 3", "1 + 1 =") is None
    True
    """
    at = 0
    for char in "".join(prompt.split()):
        while query[at : at + 1].isspace():
            at += 1
        if query[at : at + 1] != char:
            return None
        at += 1
    return query[at:]


def without_marks(completion: str, marks: Sequence[str]) -> str:
    """The completion without end-of-text marks at its end.

    >>> without_marks("42</s></s>", ["</s>"])
    '42'
    """
    text = completion.rstrip()
    while mark := next((m for m in marks if m and text.endswith(m)), None):
        text = text[: -len(mark)].rstrip()
    return text
