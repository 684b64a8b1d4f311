"""The stages in order: text, choice, mathematics, words. Each answers only where it is certain."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from hdpo_env.verifiers.compare.choices import choice, is_separated, letters_of, rest_of_choice
from hdpo_env.verifiers.compare.families import same_family
from hdpo_env.verifiers.compare.logic import any3
from hdpo_env.verifiers.compare.match import Matcher
from hdpo_env.verifiers.compare.quantities import lone_unit_letter, quantity
from hdpo_env.verifiers.compare.renaming import declared_apart, renamings
from hdpo_env.verifiers.compare.values import Leaf, same_value
from hdpo_env.verifiers.compare.wording import same_words
from hdpo_env.verifiers.parse.answer import Answer, gold_readings, parse_answer
from hdpo_env.verifiers.parse.nodes import Node, Op, Sym, integer, letters, substitute, walk

_ARROW = "vec:"  # what the lexer puts before a letter that is marked as a vector


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
        pairs = product(gold_readings(gold), answer.readings)
        verdict = any3(_match(Matcher(leaf), g, a) for g, a in pairs)
        if verdict is not False:
            return Decision(verdict, "mathematics")
    if same_words(gold, answer):
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
    if declared_apart(gold, answer):
        return False
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
    for renamed in renamings(gold, answer):
        if matcher.same(gold, renamed) is True:
            return True
    if same_family(matcher.leaf, gold, answer):
        return True
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
