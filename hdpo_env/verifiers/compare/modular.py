"""Identity of rational functions by evaluation modulo large primes (Schwartz-Zippel).

Both sides are evaluated at the same random points of the field Z/p for two 61-bit primes. Two
different rational functions of total degree d agree at a random point with probability at most
d / p < 2^-40 for d <= 2^20, so agreement at four points errs with probability below 2^-160.
Disagreement proves that they differ. The primes have the form 4q + 1 with q prime: a square root
of -1 exists (``i`` is exact) and no base but 0, +-1, +-i has a small order, so that no exponent
below 2^40 can fake an equality by Fermat's theorem.

Functions that are not rational (roots, logarithms, sines, unknown f) become random oracles of
their arguments' values: equality of the results still proves equality, but their disagreement
proves nothing, because sin^2 + cos^2 = 1 is invisible to an oracle.

Source: Schwartz, "Fast probabilistic algorithms for verification of polynomial identities", 1980.
"""

from __future__ import annotations

import hashlib

from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym, letters, walk
from hdpo_env.verifiers.parse.words import ACCENT

_FIELDS = ((1878226735676994917, 1249579332934951055), (1222323285851968229, 243651275839938961))
_POINTS = 2  # per field
MAX_EXPONENT = 1 << 40
_MAX_DEGREE = 1 << 20
_MAX_FACTORIAL = 10_000
_RATIONAL = frozenset({"+", "*", "/", "neg", "^", "fact", "percent", "call"}) | ACCENT


class UndefinedError(ArithmeticError):
    """A division by zero, or a node without a value in a field."""


def identical(left: Node, right: Node) -> bool | None:
    """True if equal as rational functions, False if provably not, None if that is not known.

    >>> from hdpo_env.verifiers.parse.answer import parse_answer
    >>> from hdpo_env.verifiers.parse.nodes import ONE
    >>> [a, b] = [parse_answer(t).readings[0] for t in ("(x+1)^2", "x^2+2x+1")]
    >>> identical(a, b), identical(a, ONE)
    (True, False)
    """
    seed = hashlib.blake2b(repr((left, right)).encode("utf-8", "replace"), digest_size=8).digest()
    defined = 0
    for prime, unit in _FIELDS:
        for point in range(_POINTS):
            field = Field(prime, unit, seed + bytes([point]))
            try:
                same = field.value(left) == field.value(right)
            except UndefinedError:
                continue
            if not same:
                return False if _is_rational(left) and _is_rational(right) else None
            defined += 1
    return True if defined >= 2 else None


def _is_rational(node: Node) -> bool:
    """Whether disagreement is a proof: only field operations, letters, pi, i and unknown f."""
    degree = 1
    for part in walk(node):
        if isinstance(part, Sym) and part.name in ("e", "oo", "...", "emptyset"):
            return False
        if not isinstance(part, Op):
            continue
        if part.name not in _RATIONAL or (part.name == "fact" and not _has_factorial(part)):
            return False
        if part.name == "^":
            exponent = _small(part.args[1])
            if exponent is None:
                return False
            if letters(part.args[0]):
                degree *= max(1, abs(exponent))
    return degree <= _MAX_DEGREE


def _small(node: Node) -> int | None:
    """The value of an integer exponent or argument below the bound, else None."""
    value = rational(node)
    if value is None or value.denominator != 1 or abs(value) >= MAX_EXPONENT:
        return None
    return value.numerator


def _has_factorial(node: Op) -> bool:
    n = _small(node.args[0])
    return n is not None and 0 <= n <= _MAX_FACTORIAL


class Field:
    """Values of trees at one random point of Z/p."""

    def __init__(self, prime: int, unit: int, seed: bytes) -> None:
        self._p = prime
        self._seed = seed
        self._letters: dict[str, int] = {"i": unit}

    @property
    def prime(self) -> int:
        """The modulus."""
        return self._p

    def with_letter(self, name: str, value: int) -> Field:
        """The same point with one letter moved."""
        moved = Field(self._p, self._letters["i"], self._seed)
        moved._letters[name] = value
        return moved

    def value(self, node: Node) -> int:
        """The node's value modulo p.

        Raises:
            UndefinedError: a denominator vanishes here, or the node has no value.
        """
        p = self._p
        if isinstance(node, Num):
            return node.value.numerator * self._inverse(node.value.denominator) % p
        if isinstance(node, Sym):
            if node.name not in self._letters:
                self._letters[node.name] = self._oracle(node.name)
            return self._letters[node.name]
        match node.name:
            case "+":
                return sum(self.value(arg) for arg in node.args) % p
            case "*":
                return self.value(node.args[0]) * self.value(node.args[1]) % p
            case "/":
                return self.value(node.args[0]) * self._inverse(self.value(node.args[1])) % p
            case "neg":
                return -self.value(node.args[0]) % p
            case "percent":
                return self.value(node.args[0]) * self._inverse(100) % p
            case "^":
                return self._power(*node.args)
            case "fact" if _has_factorial(node):
                return self._factorial(_small(node.args[0]) or 0)
        return self._oracle_of(node)

    def _power(self, base: Node, exponent: Node) -> int:
        n = _small(exponent)
        if n is None:
            return self._oracle_of(Op("^", (base, exponent)))
        value = self.value(base)
        if n <= 0 and value == 0:
            raise UndefinedError("a non-positive power of zero")
        return pow(value if n >= 0 else self._inverse(value), abs(n), self._p)

    def _factorial(self, n: int) -> int:
        result = 1
        for k in range(2, n + 1):
            result = result * k % self._p
        return result

    def _inverse(self, value: int) -> int:
        if value % self._p == 0:
            raise UndefinedError("division by zero")
        return pow(value, -1, self._p) if value != 1 else 1

    def _oracle_of(self, node: Op) -> int:
        values = ",".join(str(self.value(arg)) for arg in node.args)
        return self._oracle(f"{node.name}|{node.data}({values})")

    def _oracle(self, name: str) -> int:
        text = name.encode("utf-8", "replace")
        digest = hashlib.blake2b(text, digest_size=16, key=self._seed).digest()
        return int.from_bytes(digest, "big") % self._p


def same_zeros(f: Node, g: Node) -> bool | None:
    """Whether f = 0 and g = 0 have the same solutions, where that can be shown.

    True if f is a constant multiple of g; decided either way if both are linear in a common
    letter, by comparing the solutions for it; otherwise None.
    """
    if not (_is_rational(f) and _is_rational(g)):
        return None
    names = sorted(letters(f))
    prime, unit = _FIELDS[0]
    seed = hashlib.blake2b(repr((f, g)).encode("utf-8", "replace"), digest_size=8).digest()
    fields = [Field(prime, unit, seed + bytes([k])) for k in range(4)]
    try:
        values = [(field.value(f), field.value(g)) for field in fields]
    except UndefinedError:
        return None
    (f0, g0), rest = values[0], values[1:]
    if f0 and g0 and all((f0 * y - g0 * x) % prime == 0 for x, y in rest):
        return True
    for name in names:
        roots = [_linear_root(node, name, fields[1]) for node in (f, g)]
        if None not in roots:
            return roots[0] == roots[1]
    return None


def _linear_root(node: Node, name: str, field: Field) -> int | None:
    """The root in one letter at a random value of the others, if the node is linear in it."""
    try:
        zero, one, two, three = (field.with_letter(name, k).value(node) for k in range(4))
    except UndefinedError:
        return None
    p = field.prime
    slope = (one - zero) % p
    if not slope or (two - one) % p != slope or (three - two) % p != slope:
        return None
    return -zero * pow(slope, -1, p) % p
