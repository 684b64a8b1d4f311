r"""Plane geometry with exact answers: whole numbers, halves, surds and multiples of pi."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked
from hdpo_env.problems.wording import signed, square_part, surd, times_pi

Point = tuple[int, int]


def _right_angle(rng: Random) -> Worked:
    m = rng.randrange(2, 16)
    n, scale = rng.randrange(1, m), rng.randrange(1, 121)
    a, b, c = scale * (m * m - n * n), scale * 2 * m * n, scale * (m * m + n * n)
    if rng.random() < 0.5:
        a, b = b, a
    if rng.random() < 0.5:
        asked = f"legs of length {a} and {b}. How long is its hypotenuse?"
        gold, sides, sign = c, (a, b), "+"
    else:
        asked = f"a hypotenuse of length {c} and a leg of length {a}. How long is its other leg?"
        gold, sides, sign = b, (c, a), "-"
    return Worked(
        f"A right triangle has {asked}",
        str(gold),
        f"By Pythagoras the square of the side is {sides[0]}^2 {sign} {sides[1]}^2 = {gold**2}. "
        "Its root is",
        (
            "Use the theorem of Pythagoras.",
            "Combine the squares of the given sides and take the root.",
            f"The square of the side is {gold**2}.",
        ),
    )


def _distance(rng: Random) -> Worked:
    a, b = _points(rng, 2)
    dx, dy = b[0] - a[0], b[1] - a[1]
    square = dx * dx + dy * dy
    return Worked(
        f"What is the distance between the points {a} and {b}? Give an exact answer.",
        surd(1, square),
        f"The coordinates differ by {dx} and {dy}. The square of the distance is "
        f"{signed(dx)}^2 + {signed(dy)}^2 = {square}, so the distance is sqrt({square}) =",
        (
            "Take the differences of the coordinates.",
            "Use the theorem of Pythagoras.",
            f"The coordinates differ by {dx} and {dy}.",
        ),
    )


def _triangle(rng: Random) -> Worked:
    while True:
        a, b, c = _points(rng, 3)
        u, v = (b[0] - a[0], b[1] - a[1]), (c[0] - a[0], c[1] - a[1])
        if cross := u[0] * v[1] - u[1] * v[0]:
            break
    return Worked(
        f"What is the area of the triangle with corners {a}, {b} and {c}?",
        str(Fraction(abs(cross), 2)),
        f"Two sides are the vectors {u} and {v}. Their cross product is {signed(u[0])} * "
        f"{signed(v[1])} - {signed(u[1])} * {signed(v[0])} = {cross}. The area is half its size,",
        (
            "Take two sides from one corner as vectors.",
            "The area is half the size of their cross product.",
            f"Two sides are {u} and {v}.",
        ),
    )


def _sector(rng: Random) -> Worked:
    radius, degrees = rng.randrange(2, 500), 5 * rng.randrange(1, 72)
    share = Fraction(degrees, 360)
    return Worked(
        f"A sector of a circle of radius {radius} has a central angle of {degrees} degrees. What "
        "is its area? Give an exact answer in terms of pi.",
        times_pi(share * radius**2),
        f"The whole circle has area {radius}^2 * pi = {radius**2}pi. The sector is "
        f"{degrees}/360 = {share} of it, that is",
        (
            "Find the area of the whole circle.",
            "Take the share of it that the angle is of a full turn.",
            f"The sector is {share} of the circle.",
        ),
    )


def _heron(rng: Random) -> Worked:
    a, b = rng.randrange(3, 60), rng.randrange(3, 60)
    c = rng.randrange(abs(a - b) + 1, a + b)
    perimeter = a + b + c
    # 16 area^2 is a product of whole numbers, so the root is simplified before it is divided.
    product = perimeter * (perimeter - 2 * a) * (perimeter - 2 * b) * (perimeter - 2 * c)
    k, m = square_part(product)
    outer = Fraction(k, 4)
    top = surd(outer.numerator, m)
    gold = top if outer.denominator == 1 else rf"\frac{{{top}}}{{{outer.denominator}}}"
    return Worked(
        f"A triangle has sides of length {a}, {b} and {c}. What is its area? Give an exact answer.",
        gold,
        f"By Heron's formula, 16 times the square of the area is {perimeter} * "
        f"{perimeter - 2 * a} * {perimeter - 2 * b} * {perimeter - 2 * c} = {product}. The area is "
        f"sqrt({product})/4 =",
        (
            "Use Heron's formula.",
            "Take square factors out of the root.",
            f"The perimeter is {perimeter}.",
            f"Sixteen times the square of the area is {product}.",
        ),
    )


def _points(rng: Random, num: int) -> list[Point]:
    """Different points with coordinates of at most 12 in size."""
    points: list[Point] = []
    while len(points) < num:
        point = (rng.randrange(-12, 13), rng.randrange(-12, 13))
        if point not in points:
            points.append(point)
    return points


class GeometryFamily(LevelFamily):
    """Pythagoras (1), distances (2), triangles (3), sectors (4), Heron's formula (5).

    >>> GeometryFamily(4).problem("train", 0, 0).question.startswith("A sector")
    True
    """

    kind = "geometry"
    subject = "geometry"
    makers = (_right_angle, _distance, _triangle, _sector, _heron)
