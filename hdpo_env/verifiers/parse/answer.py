"""Text -> the readings of an answer: trees, or plain text when it is not mathematics."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from hdpo_env.verifiers.parse import words
from hdpo_env.verifiers.parse.alternatives import alternatives, numeral
from hdpo_env.verifiers.parse.calculus import marked
from hdpo_env.verifiers.parse.conventions import conventional
from hdpo_env.verifiers.parse.dates import dated
from hdpo_env.verifiers.parse.idioms import plain
from hdpo_env.verifiers.parse.lexer import MAX_CHARS, Token, tokenize
from hdpo_env.verifiers.parse.nodes import Node, ParseError
from hdpo_env.verifiers.parse.parser import Parser
from hdpo_env.verifiers.parse.spelling import to_latex, unwrap, without_dollars


@dataclass(frozen=True, slots=True)
class Answer:
    """One final answer: its spelling and its possible readings, the likeliest first."""

    text: str
    canonical: str  # equal canonical texts mean the same answer
    spelled: str  # ASCII LaTeX without wrappers
    readings: tuple[Node, ...]
    error: str = ""  # why there is no mathematical reading
    has_words: bool = False


_COMMAND = re.compile(
    r"\\(?:text\w*|mathrm|mathbf|mbox|boldsymbol|operatorname|left|right|displaystyle|quad|qquad"
    r"|[,;:! ])\s*|\\\\"
)
_NOT_WORD = re.compile(r"[^a-z0-9+\-./%<>=|^_\\]+")
_SYSTEM = re.compile(
    r"\\left\s*\\\{\s*(\\begin\{array\}.*\\end\{array\})\s*\\right\s*\.?", re.DOTALL
)
_HALF_DAY = re.compile(r"\b([AaPp])\.\s?[Mm]\b\.?")
_ARTICLES = re.compile(r"\b(?:the|an?)\b(?=\s+\w)")
_DECIMAL_COMMA = re.compile(r"[-+]?(?![1-9]\d{0,2},\d{3}$)\d+,\d+")
_SURE_COMMA = re.compile(r"[-+]?\d+,0\d+")  # 1,05: no member of a list is written 05


def gold_readings(gold: Answer) -> tuple[Node, ...]:
    """The readings that a gold may be paid for: ``1,2`` is a list, and 1.2 in an answer alone.

    >>> gold_readings(parse_answer("1,2")) == parse_answer("1,2").readings[:1]
    True
    """
    is_list = len(gold.readings) > 1 and _DECIMAL_COMMA.fullmatch(gold.spelled)
    if is_list and not _SURE_COMMA.fullmatch(gold.spelled):
        return gold.readings[:1]
    return gold.readings


@lru_cache(maxsize=4096)
def plain_words(text: str) -> str:
    r"""Lower-case words of a text answer without markup, articles and punctuation.

    >>> plain_words(r"\text{The East}")
    'east'
    """
    bare = _COMMAND.sub(" ", text).replace("{", " ").replace("}", " ").replace("$", " ").lower()
    return " ".join(_NOT_WORD.sub(" ", _ARTICLES.sub(" ", bare)).strip(" .").split())


@lru_cache(maxsize=4096)
def parse_answer(text: str) -> Answer:
    r"""Parse one answer; never raises, whatever the text.

    >>> parse_answer(r"\frac{1}{2}").readings[0].name
    '/'
    """
    if len(text) > MAX_CHARS:
        return Answer(text, text, "", (), f"longer than {MAX_CHARS} characters")
    spelled = dated(plain(_HALF_DAY.sub(r"\1m", without_dollars(unwrap(to_latex(unwrap(text)))))))
    if "\\right" in spelled and (system := _SYSTEM.fullmatch(spelled)):
        spelled = system.group(1).replace("{array}", "{cases}")  # one open brace: equations
        spelled = re.sub(r"\\begin\{cases\}\s*\{[lcr|]*\}", r"\\begin{cases}", spelled)
    try:
        tokens = tokenize(spelled)
    except ParseError as error:
        return Answer(text, spelled, spelled, (), str(error))
    tokens = _without_remark(tokens)
    canonical = " ".join(_spelling(tokens))
    has_words = any(t.kind in ("word", "clause") for t in tokens)
    readings, error = _readings(spelled, tokens)
    return Answer(text, canonical, spelled, readings, error, has_words)


def _without_remark(tokens: list[Token]) -> list[Token]:
    """Drop a closing remark in brackets, such as "(units)"; "(k in Z)" becomes an item."""
    starts = [i for i, token in enumerate(tokens) if token.kind == "open"]
    if len(tokens) < 4 or tokens[-1][:2] != ("close", ")") or not starts or starts[-1] == 0:
        return tokens
    inside = tokens[starts[-1] + 1 : -1]
    kinds = {token.kind for token in inside}
    if kinds == {"word"} and not {token.value.lower() for token in inside} & words.DOUBTS:
        return tokens[: starts[-1]]
    if kinds == {"sym", "rel"} and any(token.value.startswith("bb") for token in inside):
        return [*tokens[: starts[-1]], Token(",", ","), *inside]
    return tokens


def _spelling(tokens: list[Token]) -> list[str]:
    """Values with their kind where one value has two meanings; braces around one token dropped."""
    out: list[str] = []
    for i, token in enumerate(tokens):
        single = i + 2 < len(tokens) and tokens[i + 2].kind == "rb"
        if token.kind == "lb" and single:
            continue
        if token.kind == "rb" and i >= 2 and tokens[i - 2].kind == "lb":
            continue
        is_word = token.kind == "word"
        out.append(token.value.lower() if is_word else f"{token.kind}:{token.value}")
    return out


def _readings(spelled: str, tokens: list[Token]) -> tuple[tuple[Node, ...], str]:
    found: list[Node] = []
    error = ""
    variants = [tokens]
    has_signs = "\\int" in spelled or "\\lim" in spelled
    if "," in spelled and re.search(r"\d,\d{3}", spelled):
        variants.append(tokenize(spelled, merge_commas=False))
    if _DECIMAL_COMMA.fullmatch(spelled):
        variants.append(tokenize(spelled.replace(",", ".")))
    for variant in variants:
        try:
            parser = Parser(marked(variant) if has_signs else list(variant))
            node = conventional(parser.answer(), spelled)
        except ParseError as failure:
            error = error or str(failure)
        except RecursionError:
            error = error or "nested too deeply"
        else:
            for reading in (node, *alternatives(node, spelled)):
                if reading not in found:
                    found.append(reading)
    if (based := numeral(spelled)) is not None:
        found.append(based)
    return tuple(found), "" if found else error
