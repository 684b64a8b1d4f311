"""Mechanical rewrites (same answer) and perturbations (different answer) of gold answers.

Both are made from the text or from the parsed tree printed another way; none asks the verifier
whether its result is equal, so they can test it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random

from hdpo_env.verifiers.parse.answer import parse_answer
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym, walk

Rewrite = Callable[[str, Random], "str | None"]
_FUNCTIONS = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_NAMED = frozenset(["sin", "cos", "tan", "cot", "sec", "csc", "ln", "asin", "acos", "atan"])


# -- printing a tree in another way -------------------------------------------------------------


def render(node: Node, rng: Random) -> str:
    """LaTeX of an arithmetic tree with random commutations and spellings.

    Raises:
        ValueError: the tree holds something this printer does not know.
    """
    if isinstance(node, Num):
        return _number(node.value, rng)
    if isinstance(node, Sym):
        known = {"pi": "\\pi ", "oo": "\\infty "}
        return known.get(node.name) or (node.name if len(node.name) == 1 else _subscripted(node))
    printer = _PRINTERS.get(node.name)
    if printer is None:
        if node.name in _NAMED and len(node.args) == 1:
            name = _FUNCTIONS.get(node.name, node.name)
            return f"\\{name}{{\\left({render(node.args[0], rng)}\\right)}}"
        raise ValueError(node.name)
    return printer(node, rng)


def _subscripted(node: Sym) -> str:
    if re.fullmatch(r"[A-Za-z]_[A-Za-z0-9]+", node.name):
        return node.name[:2] + "{" + node.name[2:] + "}"
    if re.fullmatch(r"[a-z]{2,7}", node.name):
        return f"\\{node.name} "
    raise ValueError(node.name)


def _number(value: Fraction, rng: Random) -> str:
    if value.denominator == 1:
        text = str(value.numerator)
    elif rng.random() < 0.5 and _is_short_decimal(value):
        text = format(float(value), ".12g")
        if "e" in text:
            text = f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    else:
        text = f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    return f"({text})" if value < 0 else text


def _is_short_decimal(value: Fraction) -> bool:
    return (value * 10**6).denominator == 1


def _grouped(node: Node, rng: Random) -> str:
    text = render(node, rng)
    return text if isinstance(node, (Num, Sym)) else f"\\left({text}\\right)"


def _sum(node: Op, rng: Random) -> str:
    terms = list(node.args)
    rng.shuffle(terms)
    out = ""
    for term in terms:
        negative = isinstance(term, Op) and term.name == "neg"
        text = _grouped(term.args[0] if negative and isinstance(term, Op) else term, rng)
        out += (" - " if negative else " + " if out else "") + text
    return out


def _product(node: Op, rng: Random) -> str:
    left, right = node.args if rng.random() < 0.5 else node.args[::-1]
    sign = rng.choice([" \\cdot ", " \\times ", " * "])
    return _grouped(left, rng) + sign + _grouped(right, rng)


def _quotient(node: Op, rng: Random) -> str:
    top, bottom = node.args
    style = rng.randrange(4)
    if style == 0:
        return f"{_grouped(top, rng)} / {_grouped(bottom, rng)}"
    if style == 1:
        return f"{_grouped(top, rng)} \\cdot {_grouped(bottom, rng)}^{{-1}}"
    factor = rng.choice(["", "2", "3", "7"])
    a, b = render(top, rng), render(bottom, rng)
    if factor:
        return f"\\frac{{{factor}\\left({a}\\right)}}{{{factor}\\left({b}\\right)}}"
    return f"\\dfrac{{{a}}}{{{b}}}"


def _power(node: Op, rng: Random) -> str:
    return f"{_grouped(node.args[0], rng)}^{{{render(node.args[1], rng)}}}"


def _root(node: Op, rng: Random) -> str:
    inner, index = render(node.args[0], rng), render(node.args[1], rng)
    if rng.random() < 0.3 and not any(isinstance(n, Op) and n.name == "neg" for n in walk(node)):
        return f"\\left({inner}\\right)^{{1/{index}}}"
    return f"\\sqrt{{{inner}}}" if index == "2" else f"\\sqrt[{index}]{{{inner}}}"


_PRINTERS: dict[str, Callable[[Op, Random], str]] = {
    "+": _sum,
    "*": _product,
    "/": _quotient,
    "^": _power,
    "root": _root,
    "neg": lambda n, rng: f"-{_grouped(n.args[0], rng)}",
    "fact": lambda n, rng: f"{_grouped(n.args[0], rng)}!",
    "binom": lambda n, rng: f"\\binom{{{render(n.args[0], rng)}}}{{{render(n.args[1], rng)}}}",
    "abs": lambda n, rng: f"\\left|{render(n.args[0], rng)}\\right|",
    "percent": lambda n, rng: f"{_grouped(n.args[0], rng)}\\%",
    "pm": lambda n, rng: (
        (f"{_grouped(n.args[0], rng)} " if len(n.args) == 2 else "")
        + f"\\pm {_grouped(n.args[-1], rng)}"
    ),
}


def _printed(gold: str, rng: Random) -> str | None:
    answer = parse_answer(gold)
    if len(answer.readings) != 1 or answer.has_words:
        return None
    node = answer.readings[0]
    try:
        return _structure(node, rng)
    except ValueError:
        return None


def _structure(node: Node, rng: Random) -> str:
    if isinstance(node, Op) and node.name == "seq" and node.data != "cases":
        items = [_structure(item, rng) for item in node.args]
        if node.data in ("", "or", "{}"):
            rng.shuffle(items)
        joined = (" \\text{ or } " if node.data == "or" else ", ").join(items)
        if node.data in ("", "or"):
            return joined
        left, right = node.data
        braces = {"{": "\\left\\{", "}": "\\right\\}"}
        return braces.get(left, "\\left" + left) + joined + braces.get(right, "\\right" + right)
    if isinstance(node, Op) and node.name == "rel" and node.data == "=":
        return " = ".join(render(side, rng) for side in node.args)
    if isinstance(node, Op) and node.name == "cup":
        return " \\cup ".join(_structure(part, rng) for part in node.args)
    if isinstance(node, Op) and node.name == "matrix":
        rows = [" & ".join(render(c, rng) for c in r.args) for r in node.args if isinstance(r, Op)]
        return "\\begin{bmatrix} " + " \\\\ ".join(rows) + " \\end{bmatrix}"
    return render(node, rng)


# -- rewrites of the text ---------------------------------------------------------------------


def _swap(*pairs: tuple[str, str]) -> Rewrite:
    def rewrite(gold: str, rng: Random) -> str | None:
        out = gold
        for old, new in pairs:
            out = out.replace(old, new)
        return out if out != gold else None

    return rewrite


def _wrap(before: str, after: str) -> Rewrite:
    return lambda gold, rng: None if "\\$" in gold else before + gold + after


def _spaced(gold: str, rng: Random) -> str | None:
    if "\\text" in gold or "\\mbox" in gold or re.search(r"[a-z]{2}", gold.replace("\\", " ")):
        return None
    return re.sub(r"([-+=,])", r" \1 ", gold)


def _thousands(gold: str, rng: Random) -> str | None:
    if re.fullmatch(r"-?[1-9]\d{3,}", gold):
        sign = rng.choice([",", "{,}", "\\,", ",\\!"])
        return f"{int(gold):,}".replace(",", sign)
    return None


def _decimal(gold: str, rng: Random) -> str | None:
    if re.fullmatch(r"-?\d+", gold):
        return gold + rng.choice([".0", ".00", "."])
    return None


def _assigned(gold: str, rng: Random) -> str | None:
    if re.fullmatch(r"-?\d+(\.\d+)?|-?\\frac\{\d+\}\{\d+\}", gold):
        return rng.choice(["x = ", "n = ", "k="]) + gold
    return None


def _condition(gold: str, rng: Random) -> str | None:
    match = re.fullmatch(r"([\[(])(-?\d+), ?(-?\d+)([\])])", gold)
    if not match or (match.group(1), match.group(4)) == ("(", ")"):
        return None
    left, low, high, right = match.groups()
    first, second = ("\\le" if left == "[" else "<"), ("\\le" if right == "]" else "<")
    return f"{low} {first} x {second} {high}"


def _expanded_signs(gold: str, rng: Random) -> str | None:
    match = re.fullmatch(r"(-?\d+) \\pm (\\sqrt\{\d+\}|\d+)", gold)
    return (
        f"{match.group(1)} - {match.group(2)}, {match.group(1)} + {match.group(2)}"
        if match
        else None
    )


REWRITES: dict[str, Rewrite] = {
    "printed": _printed,
    "printed again": _printed,
    "dfrac": _swap(("\\frac", "\\dfrac")),
    "tfrac": _swap(("\\frac", "\\tfrac")),
    "no left/right": _swap(("\\left", ""), ("\\right", "")),
    "cdot": _swap(("\\times", "\\cdot")),
    "unicode": _swap(("\\pi", "π"), ("\\infty", "∞"), ("\\leq", "≤"), ("\\sqrt", "√"), ("-", "−")),
    "words": _swap(("\\text{ and }", ", "), ("\\text{ or }", ", ")),
    "brackets": _swap(("pmatrix", "bmatrix")),
    "dollars": _wrap("$", "$"),
    "period": _wrap("", "."),
    "display": _wrap("\\displaystyle ", ""),
    "thin space": _wrap("\\,", "\\,"),
    "boxed": _wrap("\\boxed{", "}"),
    "braces": _wrap("{", "}"),
    "bold": _wrap("**", "**"),
    "spaces": _spaced,
    "thousands": _thousands,
    "decimal": _decimal,
    "assigned": _assigned,
    "condition": _condition,
    "signs": _expanded_signs,
}


# -- perturbations ------------------------------------------------------------------------------


def _digit(gold: str, rng: Random) -> str | None:
    """One digit of a number changed (never an index or a row of trailing zeros)."""
    spots = [m.start() for m in re.finditer(r"(?<![_\d.])\d|(?<=\d)\d", gold)]
    spots = [s for s in spots if gold[max(0, s - 2) : s] != "_{" and gold[s - 1 : s] != "_"]
    if not spots:
        return None
    spot = rng.choice(spots)
    return gold[:spot] + str((int(gold[spot]) + rng.randint(1, 8)) % 10) + gold[spot + 1 :]


def _negated(gold: str, rng: Random) -> str | None:
    if re.fullmatch(r"-?(\d|\\d?frac|\\sqrt)[^,=<>+]*(?<!\s-\s)", gold) and "\\pm" not in gold:
        return gold[1:] if gold.startswith("-") else "-" + gold
    return None


def _replaced(old: str, new: str) -> Rewrite:
    return lambda gold, rng: gold.replace(old, new, 1) if old in gold else None


def _dropped(gold: str, rng: Random) -> str | None:
    if re.fullmatch(r"(?:-?\d+, ?)+-?\d+", gold):
        return gold.rsplit(",", 1)[0]
    return None


def _inverted(gold: str, rng: Random) -> str | None:
    match = re.fullmatch(r"(-?)\\d?frac\{(\d+)\}\{(\d+)\}", gold)
    if match and match.group(2) != match.group(3):
        return f"{match.group(1)}\\frac{{{match.group(3)}}}{{{match.group(2)}}}"
    return None


def _swapped(gold: str, rng: Random) -> str | None:
    match = re.fullmatch(r"\((-?\d+), ?(-?\d+)\)", gold)
    if match and match.group(1) != match.group(2):
        return f"({match.group(2)}, {match.group(1)})"
    return None


def _longer(gold: str, rng: Random) -> str | None:
    return f"{gold}, 777" if re.fullmatch(r"[-\d.\\{}a-z]+(, ?[-\d.]+)*", gold) else None


PERTURBATIONS: dict[str, Rewrite] = {
    "digit": _digit,
    "digit again": _digit,
    "digit once more": _digit,
    "negated": _negated,
    "inverted": _inverted,
    "swapped": _swapped,
    "dropped": _dropped,
    "longer": _longer,
    "plus to minus": _replaced(" + ", " - "),
    "minus to plus": _replaced(" - ", " + "),
    "closed to open": _replaced("[", "("),
    "half-open": _replaced("]", ")"),
    "sine": _replaced("\\sin", "\\cos"),
    "tangent": _replaced("\\tan", "\\cot"),
    "root": _replaced("\\sqrt{", "{"),
    "pi": _replaced("\\pi", "e"),
    "flip": _replaced("\\leq", "\\geq"),
    "less": _replaced("<", ">"),
    "strict": _replaced("\\leq", "<"),
    "union": _replaced("\\cup", "\\cap"),
    "letter": _replaced("x", "w"),
    "unit": _replaced("cm", "km"),
}


def variants(gold: str, table: dict[str, Rewrite], rng: Random) -> Iterator[tuple[str, str]]:
    """(name, text) of every rule of a table that applies to a gold."""
    for name, rule in table.items():
        text = rule(gold, rng)
        if text is not None and text != gold:
            yield name, text
