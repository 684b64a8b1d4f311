"""Units of measure: spelling -> factor and dimension, so that 1 m is 100 cm and never 1 cm^2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

_F = Fraction
Dimensions = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A factor to base units, the exponent of each dimension, and the nouns it is made of."""

    factor: Fraction
    dimensions: Dimensions
    nouns: tuple[str, ...] = ()
    is_known: bool = True  # a unit of measure, not just a noun

    @property
    def is_blank(self) -> bool:
        """Whether it says nothing ("units", "square units")."""
        return self.is_known and "unit" in self.nouns and not self.dimensions


_INCH = _F(254, 10000)
_LENGTH = {
    "m meter metre": _F(1), "km kilometer kilometre": _F(1000),
    "cm centimeter centimetre": _F(1, 100),
    "mm millimeter millimetre": _F(1, 1000), "dm decimeter decimetre": _F(1, 10),
    "nm nanometer nanometre": _F(1, 10**9), "um micrometer": _F(1, 10**6),
    "in inch inches": _INCH, "ft foot feet": 12 * _INCH, "yd yard": 36 * _INCH,
    "mi mile": 63360 * _INCH,
}  # fmt: skip
_TIME = {
    "s sec second": 1,
    "min minute": 60,
    "h hr hour": 3600,
    "day": 86400,
    "wk week": 604800,
}
_MASS = {
    "kg kilogram": _F(1), "g gram": _F(1, 1000), "mg milligram": _F(1, 10**6),
    "t ton tonne": _F(1000),
    "lb lbs pound": _F(45359237, 10**8), "oz ounce": _F(45359237, 16 * 10**8),
}  # fmt: skip
_VOLUME = {
    "l liter litre": _F(1, 1000), "ml milliliter millilitre": _F(1, 10**6),
    "gal gallon": _F(231) * _INCH**3, "quart qt": _F(231, 4) * _INCH**3,
    "pint pt": _F(231, 8) * _INCH**3,
    "cc": _F(1, 10**6),
}  # fmt: skip
_OTHER = {
    "dollar buck usd $": ("money", _F(1)), "cent": ("money", _F(1, 100)),
    "euro eur €": ("euro", _F(1)), "gbp £": ("sterling", _F(1)), "pence": ("sterling", _F(1, 100)),
    "yen": ("yen", _F(1)), "rupee": ("rupee", _F(1)), "yuan rmb": ("yuan", _F(1)),
    "month": ("month", _F(1)), "year yr": ("month", _F(12)),
    "degree deg": ("degree", _F(1)), "rad radian": ("radian", _F(1)),
    "n newton": ("newton", _F(1)), "j joule": ("joule", _F(1)), "kj kilojoule": ("joule", _F(1000)),
    "w watt": ("watt", _F(1)), "kw kilowatt": ("watt", _F(1000)), "v volt": ("volt", _F(1)),
    "hz hertz": ("hertz", _F(1)), "pa pascal": ("pascal", _F(1)), "k kelvin": ("kelvin", _F(1)),
    "degc celsius": ("celsius", _F(1)), "degf fahrenheit": ("fahrenheit", _F(1)),
    "mol mole": ("mole", _F(1)), "ohm": ("ohm", _F(1)), "a amp ampere": ("ampere", _F(1)),
    "cal calorie": ("calorie", _F(1)), "percent pct percentage": ("percent", _F(1)),
}  # fmt: skip


def _table() -> dict[str, tuple[Fraction, Dimensions]]:
    table = {}
    for source, dimension in ((_LENGTH, "length"), (_TIME, "time"), (_MASS, "mass")):
        for names, factor in source.items():
            for name in names.split():
                table[name] = (_F(factor), ((dimension, 1),))
    for names, factor in _VOLUME.items():
        table.update(dict.fromkeys(names.split(), (factor, (("length", 3),))))
    for names, (dimension, factor) in _OTHER.items():
        table.update(dict.fromkeys(names.split(), (factor, ((dimension, 1),))))
    table["acre"] = (_F(4840) * (36 * _INCH) ** 2, (("length", 2),))
    table["hectare"] = (_F(10**4), (("length", 2),))
    table["mph"] = (63360 * _INCH / 3600, (("length", 1), ("time", -1)))
    table["kph"] = table["kmh"] = (_F(1000, 3600), (("length", 1), ("time", -1)))
    table["unit"] = (_F(1), ())
    return table


_TABLE = _table()
_ADJECTIVES = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_RAISED = {"squared": 1, "cubed": 2}  # how many times more
_MAX_POWER = 50  # nobody measures in cm^51
_TOKEN = re.compile(r"[a-z$€£]+|\^-?\d+|[/*]|\d+")
_SCALE = re.compile(r"degrees? (?=celsius|fahrenheit)")
_SKIP = frozenset({"of", "the", "a", "an", "total", "each", "about"})


def singular(word: str) -> str:
    """A plural noun's singular, roughly, enough to compare two spellings.

    >>> [singular(w) for w in ("apples", "inches", "ladies", "glass")]
    ['apple', 'inch', 'lady', 'glass']
    """
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    if word.endswith("s") and not word.endswith("ss") and len(word) > 2:
        return word[:-1]
    return word


@lru_cache(maxsize=1024)
def parse_unit(spelling: str) -> Unit:
    """The unit a phrase names; an unknown phrase is only its nouns.

    >>> parse_unit("cubic feet").dimensions, parse_unit("km / h").factor
    ((('length', 3),), Fraction(5, 18))
    >>> parse_unit("red apples").nouns
    ('red', 'apple')
    """
    tokens = _TOKEN.findall(_SCALE.sub("", spelling.lower()))
    nouns = tuple(singular(token) for token in tokens)
    reader = _Reader()
    for token, following in zip(tokens, [*tokens[1:], ""], strict=False):
        is_filler = token in _SKIP or (token == "in" and following.isalpha())
        if not (is_filler and following) and not reader.read(token):
            return Unit(_F(1), (), nouns, False)
    dimensions = tuple(sorted((d, e) for d, e in reader.dimensions.items() if e))
    return Unit(reader.factor, dimensions, nouns)


class _Reader:
    """Multiplies up the units of a phrase, token by token."""

    def __init__(self) -> None:
        self.factor = _F(1)
        self.dimensions: dict[str, int] = {}
        self._sign = 1
        self._power = 1
        self._last: tuple[Fraction, Dimensions] = (_F(1), ())

    def read(self, token: str) -> bool:
        """Take one token; False if it is not a unit."""
        if token in ("/", "per"):
            self._sign = -1
        elif token in _ADJECTIVES:
            self._power = _ADJECTIVES[token]
        elif token.startswith("^") or token in _RAISED:
            self._multiply(_RAISED.get(token) or int(token[1:]) - 1)
        elif token != "*":
            known = _TABLE.get(token) or _TABLE.get(singular(token))
            if known is None:
                return False
            self._last = (known[0] ** self._sign, tuple((d, e * self._sign) for d, e in known[1]))
            self._multiply(self._power)
            self._power = 1
        return True

    def _multiply(self, times: int) -> None:
        factor, dimensions = self._last
        if abs(times) <= _MAX_POWER:
            self.factor *= factor**times
        for dimension, exponent in dimensions:
            self.dimensions[dimension] = self.dimensions.get(dimension, 0) + exponent * times
