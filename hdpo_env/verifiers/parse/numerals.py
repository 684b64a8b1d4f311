"""Numbers as digits, repeating decimals and words."""

from __future__ import annotations

from fractions import Fraction

from hdpo_env.verifiers.parse import words
from hdpo_env.verifiers.parse.lexer import Token
from hdpo_env.verifiers.parse.nodes import Num, ParseError


def number(token: Token) -> Num:
    """The exact value of a number token, repeating decimals included."""
    if token.kind == "repeat":
        return Num(_repeating(token.value))
    mantissa, _, exponent = token.value.lower().partition("e")
    places = len(mantissa.partition(".")[2]) if "." in mantissa else None
    if exponent:
        if abs(int(exponent)) > 5000:
            raise ParseError(f"the exponent {exponent} is beyond 5000")
        power = int(exponent)
        return Num(Fraction(mantissa) * Fraction(10) ** power, (places or 0) - power or None)
    return Num(Fraction(mantissa.rstrip(".") or "0"), places or None)


def _repeating(text: str) -> Fraction:
    head, _, cycle = text.partition("|")
    cycle = cycle.replace("|", "")
    whole, _, fixed = head.partition(".")
    scale = 10 ** len(fixed)
    value = Fraction(int((whole or "0") + fixed), scale)
    return value + Fraction(int(cycle or "0"), (10 ** max(1, len(cycle)) - 1) * scale)


def spoken_number(spoken: list[str]) -> int | None:
    """The value of number words up to a few thousand, or None.

    >>> spoken_number(["two", "hundred", "thirty", "one"])
    231
    """
    total = current = 0
    for word in spoken:
        if word not in words.NUMBER_WORDS:
            return None
        value = words.NUMBER_WORDS[word]
        if value == 100:
            current = max(1, current) * 100
        elif value == 1000:
            total, current = total + max(1, current) * 1000, 0
        elif (
            current % 10 or (value >= 20 and current % 100) or (value < 20 and current % 100 == 10)
        ):
            return None
        else:
            current += value
    return total + current


def spoken_fraction(spoken: list[str]) -> Fraction | None:
    """The value of "one half", "a third" or "two thirds", or None; "twenty fifth" is a rank.

    >>> spoken_fraction(["two", "thirds"]), spoken_fraction(["two", "third"])
    (Fraction(2, 3), None)
    """
    if len(spoken) < 2 or spoken[-1] not in words.FRACTIONS:
        return None
    top = 1 if spoken[:-1] == ["a"] else spoken_number(spoken[:-1])
    is_plural = spoken[-1].endswith("s")
    if top is None or is_plural != (top != 1):
        return None
    return Fraction(top, words.FRACTIONS[spoken[-1]])
