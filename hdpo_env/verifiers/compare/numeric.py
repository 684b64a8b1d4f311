"""Equality of two expressions by enclosures: a proof when they differ, a strong case when not.

Letters take a few random rational values. Disjoint enclosures at a point where both sides are
defined prove a difference. Equality is claimed only for compositions of elementary functions that
agree to ``_AGREE`` bits beyond the size of every intermediate value: an analytic function that
vanishes at random points is zero with probability one, and closed forms of the size the parser
admits do not agree to hundreds of digits by accident.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from random import Random

from mpmath import libmp
from mpmath.libmp import libmpi as iv

from hdpo_env.types import derive_seed
from hdpo_env.verifiers.compare.ball import (
    Ball,
    HugeError,
    OutOfDomainError,
    UndecidedError,
    log2_size,
)
from hdpo_env.verifiers.compare.functions import Evaluator
from hdpo_env.verifiers.compare.logic import all3
from hdpo_env.verifiers.parse.nodes import Node, Op, Sym, letters, walk

_LOOK = 80  # bits for the first look: most differences show here
_AGREE = 400
_MAX_PREC = 8_000
_POINTS = 5
_FEWEST = 3  # enough where the domain is narrow
_TRIES = 30
_MAX_NODES = 400
_SCALES = ((0.1, 0.95), (1.0, 3.0), (3.0, 20.0))
_SIGNS = ((1, 1), (-1, -1), (-1, 1), (0, 0), (0, 0))  # of every other letter; 0: random
_WHOLE = frozenset({"n", "k", "m", "N"})  # letters that are integers by custom
_WHOLE_POINTS = (*range(1, 31), 97, 128, 1_000, 1_023, 9_999, 65_535, 123_457, 999_983)
_STEPS = frozenset({"floor", "ceil"})
_INTEGER_ONLY = frozenset({"fact", "fact2", "binom", "mod", "gcd", "lcm", "sum", "prod"})


def agree(left: Node, right: Node) -> bool | None:
    """True if equal by the case above, False if proved different, None if neither.

    >>> from hdpo_env.verifiers.parse.answer import parse_answer as p
    >>> agree(p("sqrt(8)").readings[0], p("2 sqrt(2)").readings[0])
    True
    """
    names = sorted(letters(left) | letters(right))
    parts = [*walk(left), *walk(right)]
    if len(parts) > _MAX_NODES or len(names) > 12:
        return None
    if not names:
        try:
            return _compare(left, right, {}, True)
        except OutOfDomainError:
            return None
    complex_allowed = any(isinstance(n, Sym) and n.name == "i" for n in parts)
    if any(isinstance(n, Op) and n.name in _INTEGER_ONLY for n in parts):
        return _over(left, right, _integer_points(names), complex_allowed)
    has_steps = any(isinstance(n, Op) and n.name in _STEPS for n in parts)
    if has_steps and _WHOLE.issuperset(names):
        return _at_steps(left, right, names)
    verdict = _over(left, right, _real_points(names), complex_allowed)
    if verdict is not False and has_steps:
        return _at_steps(left, right, names)
    if verdict is None and not complex_allowed:  # such as (-1)^n, real only at integers
        verdict = _over(left, right, _integer_points(names), True)
    return verdict


def _over(
    left: Node, right: Node, points: Iterator[dict[str, Fraction]], is_complex: bool
) -> bool | None:
    agreed = 0
    for point in points:
        try:
            verdict = _compare(left, right, point, is_complex)
        except OutOfDomainError:
            continue
        if verdict is False:
            return False
        agreed += verdict is True
        if agreed == _POINTS:
            return True
    return True if agreed >= _FEWEST else None


def _at_steps(left: Node, right: Node, names: list[str]) -> bool | None:
    """Floors agree nearly everywhere with other ceilings: every small integer must agree too."""
    points = [{name: Fraction(n + i) for i, name in enumerate(names)} for n in _WHOLE_POINTS]
    if len(names) > 1:
        points += [*_integer_points(names)]
    try:
        verdicts = [_compare(left, right, point, True) for point in points]
    except OutOfDomainError:
        return None
    return all3(verdicts)


def _real_points(names: list[str]) -> Iterator[dict[str, Fraction]]:
    rng = Random(derive_seed("verifier.points", *names))
    for attempt in range(_TRIES):
        low, high = _SCALES[attempt % len(_SCALES)]
        signs = _SIGNS[attempt % len(_SIGNS)]
        yield {
            name: Fraction(round(rng.uniform(low, high) * 2**30), 2**30)
            * (signs[i % 2] or rng.choice((-1, 1)))
            for i, name in enumerate(names)
        }


def _integer_points(names: list[str]) -> Iterator[dict[str, Fraction]]:
    rng = Random(derive_seed("verifier.integers", *names))
    for attempt in range(_TRIES):
        top = 6 + 2 * attempt
        values = sorted(rng.sample(range(1, top + len(names)), len(names)))
        if attempt % 3 == 1:
            values.reverse()
        elif attempt % 3 == 2:
            rng.shuffle(values)
        yield {name: Fraction(value) for name, value in zip(names, values, strict=True)}


def _compare(left: Node, right: Node, point: dict[str, Fraction], is_complex: bool) -> bool | None:
    """One point: first a look at low precision, then, if they overlap, a close one."""
    prec = _LOOK
    for _ in range(3):
        evaluator = Evaluator(prec, point, is_complex)
        try:
            a = _value_or_huge(evaluator, left)
            b = _value_or_huge(evaluator, right)
        except OutOfDomainError:
            raise
        except (UndecidedError, ZeroDivisionError, OverflowError, ValueError, NotImplementedError):
            if prec > _LOOK:
                return None
            prec = _AGREE
            continue
        if a is None or b is None:
            return _against_huge(a, b)
        if _disjoint(a, b):
            return False
        wanted = _AGREE + 4 * evaluator.extent
        if prec >= wanted:
            return True if _close(a, b, prec, evaluator.extent) else None
        if wanted > _MAX_PREC:
            return None
        prec = wanted + 64
    return None


def _value_or_huge(evaluator: Evaluator, node: Node) -> Ball | None:
    try:
        return evaluator.value(node)
    except HugeError:
        return None


def _against_huge(a: Ball | None, b: Ball | None) -> bool | None:
    """False if one side is beyond every bound and the other is not; None if both are."""
    other = a if a is not None else b
    if other is None:
        return None
    sizes = [log2_size(part) or 0 for part in other.pair()]
    return False if max(sizes) < 1 << 30 else None


def _disjoint(a: Ball, b: Ball) -> bool:
    (a_re, a_im), (b_re, b_im) = a.pair(), b.pair()
    return not iv.mpi_overlap(a_re, b_re) or not iv.mpi_overlap(a_im, b_im)


def _close(a: Ball, b: Ball, prec: int, extent: int) -> bool:
    """Whether the difference is enclosed within 2^-(3/4 prec), beyond every intermediate size."""
    bound = libmp.from_man_exp(1, -(3 * prec // 4) + 2 * extent)
    for x, y in zip(a.pair(), b.pair(), strict=True):
        low, high = iv.mpi_sub(x, y, prec)
        if log2_size((low, high)) is None:
            continue
        if not (
            libmp.mpf_le(libmp.mpf_abs(low), bound) and libmp.mpf_le(libmp.mpf_abs(high), bound)
        ):
            return False
    return True
