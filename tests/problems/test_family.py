"""Streams of generated problems: disjoint splits, unrelated seeds, the same everywhere."""

from __future__ import annotations

import json
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems import (
    PROBLEMS,
    ArithmeticFamily,
    ChainFamily,
    Family,
    FractionFamily,
    LinearFamily,
    SystemFamily,
)
from hdpo_env.problems.family import SPLIT_TENTHS, split_of
from hdpo_env.problems.levels import LevelFamily
from hdpo_env.problems.source import LEVEL_FAMILIES
from hdpo_env.types import Problem, content_hash

FAMILIES = (
    ChainFamily("+", 6),
    ChainFamily("#", 6),
    ChainFamily("*", 6),
    ChainFamily("@", 6),
    ArithmeticFamily(3),
    FractionFamily(3),
    LinearFamily(3),
    SystemFamily(3),
    *(family(3) for family in LEVEL_FAMILIES if family.makers),
)
families = pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)


@families
def test_splits_share_no_question(family: Family) -> None:
    """A question belongs to one split, so no two splits share one, whatever the seeds."""
    asked = {
        split: {p.question for seed in (0, 1) for p in family.source(split, seed, 60)}
        for split in SPLIT_TENTHS
    }
    assert not asked["train"] & asked["eval"]
    assert not asked["train"] & asked["test"]
    assert not asked["eval"] & asked["test"]


@pytest.mark.parametrize("level", range(1, 6))
@pytest.mark.parametrize("kind", LEVEL_FAMILIES, ids=lambda f: f.kind)
def test_seeds_share_nothing(kind: type[LevelFamily], level: int) -> None:
    """Seeds that differ modulo 4 share no question, in any split; seeds that agree may.

    A seed's share of the smallest level is about 2,462 * 0.8 / 4 = 490 training questions: 200
    draws from them repeat about 37.
    """
    streams = [
        {p.question for p in kind(level).source("train", seed, 200)} for seed in (0, 1, 2, 3, 7)
    ]
    for first, second in combinations(streams[:4], 2):
        assert not first & second
    assert not streams[0] & {p.question for p in kind(level).source("train", 1002, 100)}
    assert all(len(stream) >= 150 for stream in streams)


@families
def test_seeds_give_unrelated_streams(family: Family) -> None:
    """Seeds share no more than two random draws do; `seed + index` would share 199 of 200."""
    first = [p.question for p in family.source("train", 1, 200)]
    second = [p.question for p in family.source("train", 2, 200)]
    within = 200 - len(set(first))  # repeats inside one stream measure the family's own smallness
    assert len(set(first) & set(second)) <= 5 + 4 * within


@families
def test_a_problem_depends_on_its_place_alone(family: Family) -> None:
    """Index i of a stream is the same whether it is asked for alone, in a slice or by iteration."""
    source = family.source("eval", seed=7, size=12)
    listed = list(source)
    assert source[5] == listed[5] == family.problem("eval", 7, 5)
    assert source[2:9:3] == [listed[2], listed[5], listed[8]]
    assert source[-1] == listed[11]
    assert all(p.split == "eval" for p in listed)


def test_streams_are_pinned() -> None:
    """These very questions must come out on every machine and Python version."""
    pinned = {
        f.name: f.problem("train", seed=0, index=0).question
        for f in (FAMILIES[0], FAMILIES[1], FAMILIES[4], FAMILIES[6])
    }
    assert pinned == {
        "chain-add-6": "3+3+1+7+1+4+4",
        "chain-table-6": "8#5#1#6#5#4#4",
        "arithmetic-3": "Compute 274 - 524 - 415 - 614 - 929.",
        "linear-3": "Solve for x: -13x - 2 = -12x + 7.",
    }


def digest(family: Family) -> str:
    """One hash over the questions and golds of the first 100 problems."""
    listed = family.source("train", seed=0, size=100)
    return content_hash(*(text for p in listed for text in (p.question, *p.answers)))


def test_questions_and_golds_are_pinned() -> None:
    """A change of any table, range or sign in a family changes runs made with it: it must show."""
    families = [ChainFamily(operator) for operator in "+#*@"]
    families += [kind(level) for kind in LEVEL_FAMILIES for level in range(1, 6)]
    assert {f.name: digest(f) for f in families} == DIGESTS


def test_split_shares_are_80_10_10() -> None:
    """The hash cuts the question space into 80, 10 and 10 percent (binomial, 5 sigma)."""
    counts = dict.fromkeys(SPLIT_TENTHS, 0)
    for i in range(20_000):
        counts[split_of(f"question {i}")] += 1
    assert abs(counts["train"] - 16_000) < 5 * (20_000 * 0.8 * 0.2) ** 0.5
    assert abs(counts["eval"] - 2_000) < 5 * (20_000 * 0.1 * 0.9) ** 0.5


@given(st.sampled_from(FAMILIES), st.integers(0, 2**40))
def test_golds_survive_a_json_round_trip(family: Family, index: int) -> None:
    """A generated problem states its gold in its solution and equals its own JSON read back."""
    problem = family.problem("train", 0, index)
    assert problem.gold in str(problem.solution)
    assert Problem.from_dict(json.loads(problem.to_json())) == problem


def test_unknown_split_is_refused() -> None:
    """The error names the split and the choices."""
    with pytest.raises(ConfigError, match="'dev' is unknown: choose one of train, eval, test"):
        FAMILIES[0].problem("dev", 0, 0)
    with pytest.raises(ConfigError, match="'dev'"):
        FAMILIES[0].source("dev")


def test_a_family_without_a_question_in_the_split_is_refused() -> None:
    """A family of one question cannot serve every split, and says so instead of looping."""

    class One(Family):
        name = "one"

        def draw(self, rng: Random) -> Problem:
            return Problem("1+1=?", ("2",))

    own = split_of("1+1=?")
    other = next(s for s in SPLIT_TENTHS if s != own)
    assert One().problem(own, 0, 0).gold == "2"
    with pytest.raises(DataError, match="no question of split"):
        One().problem(other, 0, 0)


def test_source_bounds() -> None:
    """Indices outside the source and negative sizes are errors."""
    source = FAMILIES[0].source(size=3)
    assert source[-3] == source[0]
    with pytest.raises(IndexError, match="index -4"):
        source[-4]
    with pytest.raises(IndexError, match="outside the 3 problems"):
        source[3]
    with pytest.raises(ConfigError, match="negative"):
        FAMILIES[0].source(size=-1)


@pytest.mark.parametrize("name", ["chain-add", "chain-table", "arithmetic", "linear", "system"])
def test_named_sources_equal_their_families(name: str) -> None:
    """The table of names makes the same problems as the families themselves."""
    family = {
        "chain-add": ChainFamily("+"),
        "chain-table": ChainFamily("#"),
        "arithmetic": ArithmeticFamily(),
        "linear": LinearFamily(),
        "system": SystemFamily(),
    }[name]
    assert list(PROBLEMS[name](split="test", seed=3, size=4)) == list(family.source("test", 3, 4))


DIGESTS = {
    "chain-add-6": "ccc163e15e1f2fca",
    "chain-table-6": "f1a22383cb81d8b3",
    "chain-faint-6": "ef4c81aa78c759c8",
    "chain-control-6": "1d92cdb86004060a",
    "arithmetic-1": "54f3dec00728c27a",
    "arithmetic-2": "281a6ff8f1f350a0",
    "arithmetic-3": "762156d309d74011",
    "arithmetic-4": "5426df0a2b854491",
    "arithmetic-5": "f84ce61e9cf2fb5c",
    "fractions-1": "b7c9983f735cc93b",
    "fractions-2": "2bb7995ef0e2b6e4",
    "fractions-3": "e064cd345a8a3f88",
    "fractions-4": "a4ab7aeb663f522c",
    "fractions-5": "06d30e3e80716614",
    "linear-1": "f0bc82f5c53f3fb7",
    "linear-2": "00d48ce48e001f2e",
    "linear-3": "ee351d6593b6cda0",
    "linear-4": "852345d3b9f004e5",
    "linear-5": "7a4acffa57bd4269",
    "quadratic-1": "b1db35106f27f02e",
    "quadratic-2": "f1f59d02b4e98ee0",
    "quadratic-3": "bfc5839f0934b0aa",
    "quadratic-4": "6395eb29d5acc28d",
    "quadratic-5": "a2a0c64a83eeed36",
    "system-1": "e1715b26bd8717f9",
    "system-2": "055df922d476af46",
    "system-3": "e4c03fc3c3b8b1ec",
    "system-4": "cb92d20ba2a152e2",
    "system-5": "594fb2e042a2f954",
    "modular-1": "daf405dd4110acd5",
    "modular-2": "08cdef51dc002eac",
    "modular-3": "907f58f9ced8f887",
    "modular-4": "e3294f856dbd8699",
    "modular-5": "ecbd3e0853642053",
    "number-theory-1": "f947ffb65d487e93",
    "number-theory-2": "5bfe70f99baf2f57",
    "number-theory-3": "c1a24440e7dedb55",
    "number-theory-4": "d27e19794493ac07",
    "number-theory-5": "b79e84af37c9ee50",
    "combinatorics-1": "86f0da9b3bf1f207",
    "combinatorics-2": "5c4b55073fc1e674",
    "combinatorics-3": "7a7f80d6a4197ce0",
    "combinatorics-4": "7c0e8722fd4c3868",
    "combinatorics-5": "ea9beea62dc15701",
    "sequences-1": "cbe19df49ab20b38",
    "sequences-2": "f6def369ba7d827e",
    "sequences-3": "132b54e8f65c8ad1",
    "sequences-4": "b13453cf895d0408",
    "sequences-5": "944dfcdde64833e2",
    "calculus-1": "577e03e396e3a016",
    "calculus-2": "e6bffb4090e27080",
    "calculus-3": "785ecf65dae415ef",
    "calculus-4": "c15baeb70efaadd1",
    "calculus-5": "352d0a5880165b63",
    "probability-1": "88d00c0876803a6b",
    "probability-2": "82f6aaa0bbe031c2",
    "probability-3": "9e9182d142b01979",
    "probability-4": "6bf1bcb7b861c9ca",
    "probability-5": "c7a73040c6e561b1",
    "geometry-1": "fb2468d446bdd1f1",
    "geometry-2": "8d9098ecb83ba794",
    "geometry-3": "7424b43a6e591c26",
    "geometry-4": "4e8ac5f059fc4d13",
    "geometry-5": "23ff4abd130d3c58",
}
