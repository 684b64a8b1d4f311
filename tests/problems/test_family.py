"""Streams of generated problems: disjoint splits, disjoint seeds, the same everywhere."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems import (
    PROBLEMS,
    ArithmeticFamily,
    ChainFamily,
    Family,
    FamilySource,
    FractionFamily,
    LinearFamily,
    SystemFamily,
)
from hdpo_env.problems.chain import OPERATORS
from hdpo_env.problems.family import SPLIT_TENTHS, split_of
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
SOURCE_NAMES = tuple(PROBLEMS)  # before a test adds its own
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


LENGTHS = (3, 6)
EVERY = (
    *(ChainFamily(operator, length) for operator in OPERATORS for length in LENGTHS),
    *(kind(level) for kind in LEVEL_FAMILIES for level in range(1, 6)),
)
every = pytest.mark.parametrize("family", EVERY, ids=lambda f: f.name)
sixteen = st.lists(st.integers(0, 15), min_size=2, max_size=2, unique=True)


def questions(family: Family, split: str, seed: int, size: int) -> set[str]:
    return {p.question for p in family.source(split, seed, size)}


def seed_class(question: str) -> int:
    """The class of seeds that may ask a question, told a second time."""
    return int(content_hash("split", question), 16) // 10 % 17


@given(st.sampled_from(EVERY), st.sampled_from([*SPLIT_TENTHS]), sixteen)
@settings(max_examples=30)
def test_seeds_share_nothing(family: Family, split: str, seeds: list[int]) -> None:
    """Any two of the seeds 0 to 15 share no question, in every family, level and split.

    Random draws would share some: 300 of the 14,500 training questions of combinatorics-2 have 6 in
    common with 300 others.
    """
    size = 300 if split == "train" else 60
    first, second = (questions(family, split, seed, size) for seed in seeds)
    assert not first & second


@every
def test_a_question_belongs_to_one_class_of_seeds(family: Family) -> None:
    """Each question's own hash names the seeds that may ask it, modulo 17, in every split.

    So seeds that differ modulo 17 can share none, however long their streams; 1002 is 16 modulo 17.
    """
    for seed, expected in ((0, 0), (1, 1), (9, 9), (42, 8), (1002, 16), (-1, 16)):
        for split in SPLIT_TENTHS:
            asked = questions(family, split, seed, 4)
            assert {seed_class(question) for question in asked} == {expected}


def test_every_registered_family_is_among_them() -> None:
    """Each name whose source has a seed's stream is one of the families tested here."""
    sources = {name: PROBLEMS[name](size=1) for name in SOURCE_NAMES}
    families = {n: s.family for n, s in sources.items() if isinstance(s, FamilySource)}
    assert set(sources) - set(families) == {"sample"}
    assert set(families.values()) <= set(EVERY)
    assert {type(family) for family in families.values()} == {type(family) for family in EVERY}


@every
def test_a_class_of_seeds_has_a_few_hundred_questions(family: Family) -> None:
    """A seed's share of the smallest level, combinatorics-2, is about 18,144 * 0.8 / 17 = 854.

    The shortest shared-out chains have 10,000 * 0.8 / 17 = 471 training questions and 59 to be
    judged on. 200 draws from 471 give 163 different ones: (200 / 471) ** 2 / 2 of 471 repeat.
    """
    assert len(questions(family, "train", 5, 200)) >= 140


@pytest.mark.parametrize("length", [1, 2])
def test_the_shortest_chains_are_not_shared_out(length: int) -> None:
    """100 or 1,000 chains leave no seed without a question, in any split."""
    family = ChainFamily("#", length)
    assert family.seed_classes == 1
    for split in SPLIT_TENTHS:
        assert all(questions(family, split, seed, 1) for seed in range(17))


@every
def test_a_sketch_is_what_draw_makes(family: Family) -> None:
    """The question that a place is chosen by is the question of the problem that is put there."""
    for seed in range(20):
        question, complete = family.sketch(Random(seed))
        assert complete() == family.draw(Random(seed))
        assert complete().question == question


@families
def test_a_problem_depends_on_its_place_alone(family: Family) -> None:
    """Index i of a stream is the same whether it is asked for alone, in a slice or by iteration."""
    source = family.source("eval", seed=7, size=12)
    listed = list(source)
    assert source[5] == listed[5] == family.problem("eval", 7, 5)
    assert source[2:9:3] == [listed[2], listed[5], listed[8]]
    assert source[-1] == listed[11]
    assert all(p.split == "eval" for p in listed)


@families
def test_whole_numbers_of_numpy_lead_to_the_same_place(family: Family) -> None:
    """A sampler's int64 indices and seeds ask for what Python's do."""
    expected = family.problem("eval", 3, 5)
    assert family.problem("eval", np.int64(3), np.int64(5)) == expected  # type: ignore[arg-type]
    assert family.source("eval", 3, 9)[np.int64(5)] == expected  # type: ignore[call-overload]


@given(st.sampled_from(EVERY), st.integers(0, 40), st.integers(0, 60))
@settings(max_examples=25)
def test_distinct_problems_are_the_stream_without_its_repeats(
    family: Family, seed: int, size: int
) -> None:
    """``distinct`` is the stream in order, each question where it first came."""
    firsts: dict[str, Problem] = {}
    for problem in family.source("train", seed, 2 * size):
        firsts.setdefault(problem.question, problem)
    assert family.source("train", seed, size).distinct() == list(firsts.values())[:size]


def test_more_distinct_problems_than_there_are_is_refused() -> None:
    """Of the chains of one step about 80 are for training: all can be had, 101 cannot."""
    family = ChainFamily("+", 1)
    chains = {f"{a}+{b}" for a in range(10) for b in range(10)}
    training = {chain for chain in chains if split_of(chain) == "train"}
    found = family.source("train", 3, len(training)).distinct()
    assert {p.question for p in found} == training
    message = f"101 different .*'chain-add-1', split 'train', seed 3 .* only {len(training)} came"
    with pytest.raises(DataError, match=message):
        family.source("train", 3, 101).distinct()


def test_streams_are_pinned() -> None:
    """These very questions must come out on every machine and Python version."""
    pinned = {
        f.name: f.problem("train", seed=0, index=0).question
        for f in (FAMILIES[0], FAMILIES[1], FAMILIES[4], FAMILIES[6])
    }
    assert pinned == {
        "chain-add-6": "7+9+0+2+9+9+7",
        "chain-table-6": "8#1#8#8#3#8#4",
        "arithmetic-3": "Compute 701 - 155 * 6 + 488 + 856 - 903.",
        "linear-3": "Solve for x: -14x - 25 = 20x + 9.",
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
    with pytest.raises(ConfigError, match="seed '3' is no whole number"):
        FAMILIES[0].source(seed="3")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"index 0\.5 is no whole number"):
        FAMILIES[0].problem("train", 0, 0.5)  # type: ignore[arg-type]


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
    "chain-add-6": "0a8974abe45a292b",
    "chain-table-6": "dee154d86a8df01e",
    "chain-faint-6": "d019fbf14a9f1756",
    "chain-control-6": "e75b59c0332d4490",
    "arithmetic-1": "073658ca8fd5e075",
    "arithmetic-2": "7aadf7bed4828fd2",
    "arithmetic-3": "68ffe2e410fc898b",
    "arithmetic-4": "6b448cbd22d563a6",
    "arithmetic-5": "22d7c46853b388c6",
    "fractions-1": "bf69046e23cc56f8",
    "fractions-2": "7a01e4f9e5dc2368",
    "fractions-3": "10c751ff7f70c29c",
    "fractions-4": "9eb93368143afaf2",
    "fractions-5": "d124dca93eb820a3",
    "linear-1": "c77cf6ef038495c6",
    "linear-2": "92df2bdec5de8ce0",
    "linear-3": "7605cd0a013cffb0",
    "linear-4": "1a0cefdb1b171de0",
    "linear-5": "a3ea068f8746dcb3",
    "quadratic-1": "48b9f6f4e329742a",
    "quadratic-2": "ae01d10f5f06b1e4",
    "quadratic-3": "0e566266216f3e03",
    "quadratic-4": "6345ea8ac3f93b81",
    "quadratic-5": "eedbb22dbe9ae336",
    "system-1": "0ac2cb552143b981",
    "system-2": "86e097bb48908c60",
    "system-3": "f66d4bef7e178b5d",
    "system-4": "21004aa1479c0ee5",
    "system-5": "333dae9a65c49672",
    "modular-1": "223377d7780e04b2",
    "modular-2": "76d182ed46196f94",
    "modular-3": "a83f844b5939977f",
    "modular-4": "63c7c2bfe7f16326",
    "modular-5": "e86c9331ba5e0927",
    "number-theory-1": "7ca787a469a89711",
    "number-theory-2": "ea9363681f76bb67",
    "number-theory-3": "8a07441d2f21cc55",
    "number-theory-4": "1c555b033454333f",
    "number-theory-5": "271790e4a29a5f74",
    "combinatorics-1": "96960e676ef1942e",
    "combinatorics-2": "980ea3a1982a7838",
    "combinatorics-3": "b4346f4d9bd7bbb3",
    "combinatorics-4": "8b63c9862a82d21f",
    "combinatorics-5": "255a3dd5481b9fb6",
    "sequences-1": "7b15cb00dab066d8",
    "sequences-2": "500d74e3ea997977",
    "sequences-3": "331522c908925e08",
    "sequences-4": "36a2325ce03f0c95",
    "sequences-5": "11bc0c5369f15b08",
    "calculus-1": "9d04bc24eb2481e2",
    "calculus-2": "c8a438a8db37e457",
    "calculus-3": "38d25c983d73d03a",
    "calculus-4": "ce40094739b81e70",
    "calculus-5": "35b057a105f569c5",
    "probability-1": "cc9024d627b7c2de",
    "probability-2": "37e780c4e810228b",
    "probability-3": "36cf4d66122a552c",
    "probability-4": "90f36600f17167f5",
    "probability-5": "45af8ea78c95d72b",
    "geometry-1": "642382ba01144dbb",
    "geometry-2": "58fc350270f8f84b",
    "geometry-3": "935987c3a7f731c3",
    "geometry-4": "72a8f9ae9f17f5d0",
    "geometry-5": "a099ed0bc3849e8d",
}
