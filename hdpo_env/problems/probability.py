"""Probability: urns, tosses, dice, and reasoning backwards, all as exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked

_END = "Give the probability as a fraction in lowest terms."
_TRIALS = (
    ("A biased coin shows heads", "It is tossed {} times", "heads"),
    ("A spinner stops on red", "It is spun {} times", "red results"),
    ("A nail lands on its point", "It is dropped {} times", "landings on its point"),
    ("A player makes a free throw", "She takes {} throws", "successful throws"),
    ("A seed sprouts", "A row of {} seeds is sown", "sprouting seeds"),
    ("A part from a machine is faulty", "A box of {} parts is checked", "faulty parts"),
    ("A letter arrives the next day", "A firm sends {} letters", "next-day arrivals"),
    ("A bus is late", "A day has {} buses", "late buses"),
)
_COLOURS = ("red", "blue", "green", "white", "black", "yellow", "orange", "purple")


def _one_draw(rng: Random) -> Worked:
    first, second, third = rng.sample(_COLOURS, 3)
    a, b, c = (rng.randrange(1, 30) for _ in range(3))
    return Worked(
        f"A bag holds {a} {first}, {b} {second} and {c} {third} balls. One ball is drawn at "
        f"random. What is the probability that it is not {first}? {_END}",
        str(Fraction(b + c, a + b + c)),
        f"There are {a} + {b} + {c} = {a + b + c} balls, of which {b} + {c} = {b + c} are not "
        f"{first}. The probability is {b + c}/{a + b + c} =",
        (
            "Count all balls.",
            "Count the balls of the other colours.",
            f"There are {a + b + c} balls.",
        ),
    )


def _two_draws(rng: Random) -> Worked:
    first, second = rng.sample(_COLOURS, 2)
    a, b = rng.randrange(2, 25), rng.randrange(2, 25)
    n = a + b
    return Worked(
        f"A bag holds {a} {first} and {b} {second} balls. Two balls are drawn at random without "
        f"replacement. What is the probability that they have different colours? {_END}",
        str(Fraction(2 * a * b, n * (n - 1))),
        f"{first.capitalize()} then {second} has probability {a}/{n} * {b}/{n - 1}, and "
        f"{second} then {first} the same. Together this is 2 * {a * b}/{n * (n - 1)} =",
        (
            "Consider the two orders in which the colours can come.",
            "The second draw is from one ball fewer.",
            f"The first draw is from {n} balls.",
        ),
    )


def _tosses(rng: Random) -> Worked:
    bottom = rng.randrange(3, 31)
    p = Fraction(rng.randrange(1, bottom), bottom)
    n = rng.randrange(3, 8)
    k = rng.randrange(1, n)
    event, trial, counted = rng.choice(_TRIALS)
    ways, each = comb(n, k), p**k * (1 - p) ** (n - k)
    return Worked(
        f"{event} with probability {p}, each time independently. {trial.format(n)}. What is the "
        f"probability of exactly {k} {counted}? {_END}",
        str(ways * each),
        f"The {k} can fall in {ways} ways. Each way has probability ({p})^{k} * "
        f"({1 - p})^{n - k} = {each}. The product is",
        (
            "Find the probability of one fixed order of the outcomes.",
            "Multiply by the number of such orders.",
            f"There are {ways} orders.",
        ),
    )


def _dice(rng: Random) -> Worked:
    m, n = rng.randrange(4, 41), rng.randrange(4, 41)
    s = rng.randrange(4, m + n)
    low, high = max(1, s - n), min(m, s - 1)
    hits = sum(min(n, s - x) for x in range(1, high + 1))
    below = (
        f"each first number x up to {high} leaves room for min({n}, {s} - x) second numbers, "
        f"{hits} pairs in all"
    )
    return Worked(
        f"A fair die with faces 1 to {m} and a fair die with faces 1 to {n} are rolled. What is "
        f"the probability that the sum is at most {s}? {_END}",
        str(Fraction(hits, m * n)),
        f"Of {m} * {n} = {m * n} equally likely pairs, {below}. The probability is "
        f"{hits}/{m * n} =",
        (
            "Count all pairs of faces.",
            "For each face of the first die count the faces of the second that fit.",
            f"There are {m * n} pairs, and the sum {s} is reached from first numbers {low} to "
            f"{high}.",
        ),
    )


def _backwards(rng: Random) -> Worked:
    first, second = rng.sample(_COLOURS, 2)
    a, b, c, d = (rng.randrange(1, 16) for _ in range(4))
    one, two = Fraction(a, a + b), Fraction(c, c + d)
    half_one, half_two = Fraction(a, 2 * (a + b)), Fraction(c, 2 * (c + d))
    return Worked(
        f"Box one holds {a} {first} and {b} {second} balls; box two holds {c} {first} and {d} "
        f"{second} balls. A box is chosen by a fair coin and a ball is drawn from it. The ball is "
        f"{first}. What is the probability that it came from box one? {_END}",
        str(Fraction(a * (c + d), a * (c + d) + c * (a + b))),
        f"Box one and {first} has probability 1/2 * {one} = {half_one}; box two and {first} has "
        f"1/2 * {two} = {half_two}. Given {first}, box one has ({half_one})/({half_one} + "
        f"{half_two}) =",
        (
            "Use Bayes' rule.",
            "Compare the two ways in which such a ball can be drawn.",
            f"From box one such a ball comes with probability {one}.",
            f"From box two such a ball comes with probability {two}.",
        ),
    )


class ProbabilityFamily(LevelFamily):
    """One draw (1), two draws (2), biased coins (3), two dice (4), Bayes' rule (5).

    >>> ProbabilityFamily(3).problem("train", 0, 0).question.endswith("in lowest terms.")
    True
    """

    kind = "probability"
    subject = "probability"
    makers = (_one_draw, _two_draws, _tosses, _dice, _backwards)
