"""First calculus: slopes, integrals, products, extrema, areas between curves."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked
from hdpo_env.problems.wording import affine, nonzero, polynomial, signed


def _slope(rng: Random) -> Worked:
    coefficients = [nonzero(rng, 9) for _ in range(rng.choice((3, 4)))]
    x = nonzero(rng, 6)
    slopes = _derivative(coefficients)
    return Worked(
        f"Let f(x) = {polynomial(coefficients)}. What is the derivative of f at x = {x}?",
        str(_value(slopes, x)),
        f"Term by term, f'(x) = {polynomial(slopes)}. At x = {x} this is",
        (
            "Differentiate term by term.",
            "Then put in the value of x.",
            f"The derivative is {polynomial(slopes)}.",
        ),
    )


def _integral(rng: Random) -> Worked:
    coefficients = [nonzero(rng, 9), rng.randrange(-9, 10), rng.randrange(-9, 10)]
    low = rng.randrange(-4, 4)
    high = low + rng.randrange(1, 6)
    a, b, c = coefficients
    primitive = f"{Fraction(a, 3)} * x^3 + {signed(Fraction(b, 2))} * x^2 + {signed(c)} * x"
    at_low, at_high = (_primitive(coefficients, x) for x in (low, high))
    return Worked(
        f"What is the integral of {polynomial(coefficients)} from x = {low} to x = {high}?",
        str(at_high - at_low),
        f"An antiderivative is {primitive}. It is {at_high} at x = {high} and {at_low} at "
        f"x = {low}. The difference is",
        (
            "Find an antiderivative term by term.",
            "Subtract its value at the lower end from its value at the upper end.",
            f"An antiderivative is {primitive}.",
        ),
    )


def _product_slope(rng: Random) -> Worked:
    a, b, c, d = (nonzero(rng, 9) for _ in range(4))
    n, x = rng.randrange(2, 5), nonzero(rng, 3)
    inner = a * x + b
    factor, other = inner ** (n - 1), c * x + d
    total = n * a * factor * other + c * inner**n
    first, second = affine(a, b), affine(c, d)
    return Worked(
        f"Let f(x) = ({first})^{n} * ({second}). What is f'({x})?",
        str(total),
        f"By the product and chain rules, f'(x) = {n} * {signed(a)} * ({first})^{n - 1} * "
        f"({second}) + {signed(c)} * ({first})^{n}. At x = {x}, {first} is {inner} and {second} "
        f"is {other}, so f'({x}) = {n} * {signed(a)} * {signed(factor)} * {signed(other)} + "
        f"{signed(c)} * {signed(inner**n)} =",
        (
            "Use the product rule.",
            "The power needs the chain rule.",
            f"At the point, {first} is {inner} and {second} is {other}.",
        ),
    )


def _minimum(rng: Random) -> Worked:
    p, gap, a, c = rng.randrange(-9, 9), rng.randrange(1, 6), rng.randrange(1, 5), nonzero(rng, 99)
    q = p + 2 * gap  # an even sum keeps every coefficient whole
    coefficients = [2 * a, -3 * a * (p + q), 6 * a * p * q, c]
    slopes = polynomial(_derivative(coefficients))
    return Worked(
        f"Let f(x) = {polynomial(coefficients)}. What is the value of f at its local minimum?",
        str(_value(coefficients, q)),
        f"f'(x) = {slopes} = {6 * a} * ({affine(1, -p)})({affine(1, -q)}) vanishes at x = {p} and "
        f"x = {q}. It changes from negative to positive at x = {q}, so the minimum is f({q}) =",
        (
            "Find where the derivative is zero.",
            "At a minimum the derivative changes from negative to positive.",
            f"The derivative is {slopes}.",
        ),
    )


def _area(rng: Random) -> Worked:
    r, a = rng.randrange(-9, 9), rng.randrange(1, 5)
    s = r + rng.randrange(1, 9)
    slope, shift = rng.randrange(-9, 10), rng.randrange(-20, 21)
    curve = polynomial((a, slope - a * (r + s), shift + a * r * s))
    difference = polynomial((-a, a * (r + s), -a * r * s))
    return Worked(
        f"What is the area of the region enclosed by the curve y = {curve} and the line "
        f"y = {affine(slope, shift)}?",
        str(Fraction(a * (s - r) ** 3, 6)),
        f"Line and curve meet where their difference {difference} is zero, at x = {r} and x = {s}. "
        f"The integral of the difference between its zeros is {a} * ({s} - {signed(r)})^3/6 =",
        (
            "Find where the line and the curve meet.",
            "Integrate the difference between line and curve over that interval.",
            f"The difference is {difference}.",
        ),
    )


def _derivative(coefficients: list[int]) -> list[int]:
    degree = len(coefficients) - 1
    return [value * (degree - i) for i, value in enumerate(coefficients[:-1])]


def _value(coefficients: list[int], x: int) -> int:
    total = 0
    for value in coefficients:
        total = total * x + value
    return total


def _primitive(coefficients: list[int], x: int) -> Fraction:
    a, b, c = coefficients
    return Fraction(2 * a * x**3 + 3 * b * x**2 + 6 * c * x, 6)


class CalculusFamily(LevelFamily):
    """Slopes (1), integrals (2), product and chain rule (3), a minimum (4), enclosed areas (5).

    >>> _derivative([3, 0, -1, 5]), _value([1, 0, -1], 3)
    ([9, 0, -1], 8)
    """

    kind = "calculus"
    subject = "calculus"
    makers = (_slope, _integral, _product_slope, _minimum, _area)
