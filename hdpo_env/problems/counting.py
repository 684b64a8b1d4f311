"""Counting: selections, arrangements, words, restricted choices, distributions."""

from __future__ import annotations

from math import comb, factorial, perm, prod
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked

_THINGS = (
    "books", "coins", "stamps", "players", "students", "tickets", "flowers", "songs", "tiles",
    "cards", "photos", "recipes", "puzzles", "ribbons", "sailors", "dancers", "beads", "maps",
)  # fmt: skip
_PLACES = (
    "an old chest", "a large box", "a cupboard", "a museum", "a catalogue", "a shop", "a school",
    "a village", "a club", "a theatre", "an archive", "a workshop", "a garden", "a harbour",
)  # fmt: skip
_GROUPS = (
    ("adults", "child", "children"), ("teachers", "pupil", "pupils"),
    ("doctors", "nurse", "nurses"), ("violinists", "drummer", "drummers"),
    ("painters", "writer", "writers"), ("bakers", "cook", "cooks"),
)  # fmt: skip
_BODIES = ("committee", "team", "jury", "delegation", "crew", "panel")
_GIVEN = ("apples", "pencils", "marbles", "stickers", "buttons", "shells", "badges", "candles")
_TAKERS = ("children", "boxes", "teams", "shelves", "baskets", "rooms", "friends", "drawers")


def _selection(rng: Random) -> Worked:
    n = rng.randrange(6, 36)
    k, things = rng.randrange(2, min(n - 1, 7)), rng.choice(_THINGS)
    top = " * ".join(str(n - i) for i in range(k))
    return Worked(
        f"There are {n} different {things} in {rng.choice(_PLACES)}. In how many ways can {k} of "
        "them be chosen, if order does not matter?",
        str(comb(n, k)),
        f"In order there are {top} = {perm(n, k)} choices. Each set of {k} is counted "
        f"{k}! = {factorial(k)} times, so the number is {perm(n, k)} / {factorial(k)} =",
        (
            "Count the ordered choices first.",
            "Then divide by the number of orders of one set.",
            f"There are {top} ordered choices.",
        ),
    )


def _arrangement(rng: Random) -> Worked:
    n = rng.randrange(6, 30)
    k, things = rng.randrange(3, 6), rng.choice(_THINGS)
    top = " * ".join(str(n - i) for i in range(k))
    return Worked(
        f"There are {n} different {things} in {rng.choice(_PLACES)}. In how many ways can {k} of "
        "them be lined up in a row?",
        str(perm(n, k)),
        f"The places are filled one after the other with {', '.join(str(n - i) for i in range(k))}"
        f" choices: {top} =",
        (
            "Fill the places one after the other.",
            "After each place one choice fewer is left.",
            f"The first place can be filled in {n} ways.",
        ),
    )


def _word(rng: Random) -> Worked:
    letters = rng.sample("ABCDEFGHJKLMNOPRSTUV", rng.randrange(3, 6))
    counts = {letter: rng.randrange(1, 4) for letter in letters}
    counts[letters[0]] = max(2, counts[letters[0]])
    drawn = [letter for letter, count in counts.items() for _ in range(count)]
    rng.shuffle(drawn)
    size, repeated = len(drawn), [c for c in counts.values() if c > 1]
    below = " * ".join(f"{c}!" for c in repeated)
    return Worked(
        f"In how many different orders can the letters of {''.join(drawn)} be written?",
        str(factorial(size) // prod(factorial(c) for c in counts.values())),
        f"{size} letters have {size}! = {factorial(size)} orders. Equal letters can be swapped "
        f"unseen, so divide by {below} = {prod(factorial(c) for c in repeated)}:",
        (
            "Count the orders as if all letters were different.",
            "Divide by the orders of each group of equal letters.",
            f"The repeated letters occur {', '.join(map(str, repeated))} times.",
        ),
    )


def _at_least_one(rng: Random) -> Worked:
    a, b = rng.randrange(4, 19), rng.randrange(4, 19)
    k = rng.randrange(2, min(a, b, 6) + 1)
    ones, other, others = rng.choice(_GROUPS)
    return Worked(
        f"A group has {a} {ones} and {b} {others}. In how many ways can a {rng.choice(_BODIES)} "
        f"of {k} be formed that has at least one {ones[:-1]} and at least one {other}?",
        str(comb(a + b, k) - comb(a, k) - comb(b, k)),
        f"There are {comb(a + b, k)} choices of {k} out of {a + b}. {comb(a, k)} of them have "
        f"{ones} only and {comb(b, k)} have {others} only. That leaves {comb(a + b, k)} - "
        f"{comb(a, k)} - {comb(b, k)} =",
        (
            "Count all choices first.",
            "Take away those that break one of the two conditions.",
            f"There are {comb(a + b, k)} choices without conditions.",
            f"{comb(a, k)} of them have {ones} only.",
        ),
    )


def _distribution(rng: Random) -> Worked:
    k, least = rng.randrange(3, 8), rng.randrange(1, 6)
    free = rng.randrange(3, 31)
    n, given, takers = free + k * least, rng.choice(_GIVEN), rng.choice(_TAKERS)
    return Worked(
        f"In how many ways can {n} identical {given} be distributed among {k} different {takers}, "
        f"if each of the {takers} gets at least {least}?",
        str(comb(free + k - 1, k - 1)),
        f"Give each its {least} first: {n} - {k} * {least} = {free} remain to be distributed "
        f"freely. {free} items and {k - 1} dividers in a row: choose the places of the dividers "
        f"among {free + k - 1}, which gives",
        (
            "Hand out the required minimum first.",
            "Put the rest in a row with dividers between the receivers.",
            f"{free} remain to be distributed freely.",
        ),
    )


class CombinatoricsFamily(LevelFamily):
    """Selections (1), arrangements (2), words (3), restricted choices (4), distributions (5).

    >>> CombinatoricsFamily(2).problem("train", 0, 0).question.endswith("lined up in a row?")
    True
    """

    kind = "combinatorics"
    subject = "combinatorics"
    makers = (_selection, _arrangement, _word, _at_least_one, _distribution)
