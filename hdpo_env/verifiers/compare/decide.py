"""The stages in order: text, choice, mathematics, words. Each answers only where it is certain."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hdpo_env.verifiers.compare.choices import choice, is_separated, letters_of, rest_of_choice
from hdpo_env.verifiers.compare.lists import is_integer_clause
from hdpo_env.verifiers.compare.logic import any3
from hdpo_env.verifiers.compare.match import Matcher
from hdpo_env.verifiers.compare.quantities import lone_unit_letter, quantity
from hdpo_env.verifiers.compare.values import Leaf, same_value
from hdpo_env.verifiers.parse.answer import Answer, parse_answer, plain_words
from hdpo_env.verifiers.parse.nodes import Node, Op, Sym, integer, letters, substitute, walk

# texts that mean the same answer
SYNONYMS = (
    frozenset({"no solution", "no solutions", "no real solution", "no real solutions", "none",
               "empty set", "emptyset", "\\emptyset", "there are no solutions", "no roots",
               "no real roots", "\\varnothing", "no such", "{}"}),
    frozenset({"does not exist", "dne", "undefined", "not defined", "doesn't exist", "no limit"}),
    frozenset({"infinitely many", "infinitely many solutions", "infinite", "infinite solutions"}),
    frozenset({"yes", "true"}),
    frozenset({"no", "false"}),
)  # fmt: skip
_UNQUALIFIED = r"(?!.*\b(?:or|yes|no|true|false|maybe)\b)"
_REASONED = re.compile(
    r"(?:\\text\{)?\s*(yes|no|true|false)\s*[,.;:]" + _UNQUALIFIED, re.IGNORECASE | re.DOTALL
)
_MEMBERS = {word: i for i, group in enumerate(SYNONYMS) for word in group}
_PARAMETERS = frozenset(["k", "n", "m", "l", "j", "t", "p", "q", "r", "s"])
_ARROW = "vec:"  # what the lexer puts before a letter that is marked as a vector
_ARBITRARY = frozenset({"C", "c", "K", "C_1", "c_1", "const"})


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether two answers are equal (None: not known), and which stage found out."""

    same: bool | None
    stage: str
    reason: str = ""


def decide(gold: Answer, answer: Answer, leaf: Leaf = same_value) -> Decision:
    """Run the stages on a parsed gold and answer."""
    if gold.canonical == answer.canonical and gold.canonical:
        return Decision(True, "text")
    chosen = _choices(gold, answer, leaf)
    if chosen is not None:
        return chosen
    if gold.readings and answer.readings:
        verdict = any3(_match(Matcher(leaf), g, a) for g in gold.readings for a in answer.readings)
        if verdict is not False:
            return Decision(verdict, "mathematics")
    if _same_words(gold, answer):
        return Decision(True, "words")
    if not answer.readings and not answer.has_words:
        return Decision(False, "parse", f"the answer is not understood: {answer.error}")
    return Decision(False, "mathematics" if gold.readings and answer.readings else "words")


def _choices(gold: Answer, answer: Answer, leaf: Leaf) -> Decision | None:
    """Decide when the gold is a choice or the answer is a choice with its text."""
    several, others = letters_of(gold.text), letters_of(answer.text)
    wanted, given = choice(gold.text), choice(answer.text)
    if several and is_separated(gold.text) and (others or given):
        return Decision(several == others, "choice")
    if wanted is not None and len(gold.spelled) == 1 and gold.spelled.islower():
        return None  # a letter of algebra, such as i or e
    if wanted is not None and not wanted[1]:
        if given is not None and not (given[1] and _is_call(answer)):
            return Decision(wanted[0] == given[0], "choice")
        return None
    if wanted is not None:  # "(B) 7": the letter or the text will do
        rest = parse_answer(rest_of_choice(gold.text) or wanted[1])
        if given is not None:
            same = wanted[0] == given[0] and not _texts_differ(rest, answer, leaf)
            return Decision(same, "choice")
        return decide(rest, answer, leaf)
    if given is not None and (tail := rest_of_choice(answer.text)) and not gold.has_words:
        return decide(gold, parse_answer(tail), leaf)
    if several and others and is_separated(answer.text):
        return Decision(several == others, "choice")
    return None


def _texts_differ(rest: Answer, answer: Answer, leaf: Leaf) -> bool:
    """Whether two choices of one letter have mathematical texts that are not equal."""
    tail = rest_of_choice(answer.text)
    if not tail:
        return False
    other = parse_answer(tail)
    plain = not (rest.has_words or other.has_words) and rest.readings and other.readings
    return bool(plain) and decide(rest, other, leaf).same is not True


def _is_call(answer: Answer) -> bool:
    return any(isinstance(n, Op) and n.name == "call" for r in answer.readings for n in walk(r))


def _match(matcher: Matcher, gold: Node, answer: Node) -> bool | None:
    """Match two trees, then again with parameters renamed or a lone letter read as a unit."""
    verdict = matcher.same(gold, answer)
    if verdict is True:
        return True
    if _has_bare_log(gold) != _has_bare_log(answer):
        ten = matcher.same(_with_base_ten(gold), _with_base_ten(answer))
        if ten is True:
            return True  # log is the decimal one if the other side says so
    if _has_arrow(gold) != _has_arrow(answer):
        plain = matcher.same(_without_arrows(gold), _without_arrows(answer))
        if plain is True:
            return True  # only one side marks its vectors
    renamed = _renamed(gold, answer)
    if renamed is not None:
        again = matcher.same(gold, renamed)
        verdict = True if again is True else verdict
    says_unit = quantity(gold) or quantity(answer)  # then 5 m is no plain 5
    if verdict is not True and not says_unit and letters(gold) != letters(answer):
        plain = lone_unit_letter(answer) if not letters(gold) else None
        if plain is not None:
            return any3((verdict, matcher.same(gold, plain)))
        plain = lone_unit_letter(gold) if not letters(answer) else None
        if plain is not None:
            return any3((verdict, matcher.same(plain, answer)))
    return verdict


def _has_bare_log(node: Node) -> bool:
    return any(isinstance(n, Op) and n.name == "log" and len(n.args) == 1 for n in walk(node))


def _with_base_ten(node: Node) -> Node:
    if not isinstance(node, Op):
        return node
    args = tuple(_with_base_ten(a) for a in node.args)
    if node.name == "log" and len(args) == 1:
        args = (*args, integer(10))
    return Op(node.name, args, node.data)


def _has_arrow(node: Node) -> bool:
    return any(isinstance(n, Sym) and n.name.startswith(_ARROW) for n in walk(node))


def _without_arrows(node: Node) -> Node:
    for name in letters(node):
        node = substitute(node, name, Sym(name.removeprefix(_ARROW)))
    return node


def _renamed(gold: Node, answer: Node) -> Node | None:
    """The answer with its one own letter called as in the gold, if it is only a parameter.

    Parameters are the constant of integration and a letter declared to be an integer, or one that
    multiplies pi: ``k pi`` and ``n pi`` list the same numbers.
    """
    ours, theirs = letters(gold) - letters(answer), letters(answer) - letters(gold)
    if len(ours) != 1 or len(theirs) != 1:
        return None
    (old,), (new,) = theirs, ours
    if {old, new} <= _ARBITRARY:
        return substitute(answer, old, Sym(new))
    declared = any(is_integer_clause(n) for side in (gold, answer) for n in walk(side))
    periodic = _multiplies_pi(gold, new) and _multiplies_pi(answer, old)
    if {old, new} <= _PARAMETERS and (declared or periodic):
        return substitute(answer, old, Sym(new))
    return None


def _multiplies_pi(node: Node, name: str) -> bool:
    return any(
        isinstance(n, Op) and n.name in ("*", "/") and Sym("pi") in walk(n) and name in letters(n)
        for n in walk(node)
    )


def _same_words(gold: Answer, answer: Answer) -> bool:
    a, b = _words(gold), _words(answer)
    if not a or not b:
        return False
    unread = not gold.readings and not answer.readings
    if a == b and (gold.has_words or answer.has_words or unread):
        return True
    if a in ("yes", "no", "true", "false") and (said := _REASONED.match(answer.text)):
        b = said.group(1).lower()  # "No, because ..."
    return a in _MEMBERS and _MEMBERS[a] == _MEMBERS.get(b)


def _words(answer: Answer) -> str:
    return plain_words(answer.spelled).rstrip(".")


def contradicts(one: Answer, other: Answer) -> bool:
    """Whether two text answers stand for opposite or different standard answers (yes, no...)."""
    a, b = _MEMBERS.get(_words(one)), _MEMBERS.get(_words(other))
    return a is not None and b is not None and a != b
