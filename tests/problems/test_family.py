"""Streams of generated problems: disjoint splits, unrelated seeds, the same everywhere."""

from __future__ import annotations

import json
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
def test_seeds_share_next_to_nothing(kind: type[LevelFamily], level: int) -> None:
    """Two seeds share a question only by chance, and at every level chance is small.

    Two streams of n draws from N equally likely questions share about n^2 / N of them: 15 of 200
    mean a space of about 2,700 questions, the smallest here.
    """
    first, second = (
        {p.question for p in kind(level).source("train", seed, 200)} for seed in (1, 2)
    )
    assert len(first & second) <= 15
    assert len(first) >= 190


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
        "arithmetic-3": "Compute 247 - 22 + 398 * 7 + 804 + 248.",
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
    "arithmetic-1": "d3e2b8083051369c",
    "arithmetic-2": "2c96459c6bac92a1",
    "arithmetic-3": "29880e1c6849c6d0",
    "arithmetic-4": "584cd97024c7c7f4",
    "arithmetic-5": "95aec0ec65098727",
    "fractions-1": "fbd2e30546632058",
    "fractions-2": "402f6c9cc9eed22c",
    "fractions-3": "5e9ce10ef4d90efe",
    "fractions-4": "769d7085d7a2b964",
    "fractions-5": "afb544b85f73151a",
    "linear-1": "6544a2515700c824",
    "linear-2": "76c11ae110371705",
    "linear-3": "de1b8ea87f30a277",
    "linear-4": "b38a53f823f09b15",
    "linear-5": "3f7a8f8a500b7813",
    "quadratic-1": "1eba732a2c8c7ad9",
    "quadratic-2": "718cdad3d567b0fe",
    "quadratic-3": "4e1aefc93db7127d",
    "quadratic-4": "5b104e92d431f09d",
    "quadratic-5": "4f5fc7643e0c6a6f",
    "system-1": "a729084849dd8328",
    "system-2": "d73de113096b590d",
    "system-3": "5b90bbcfa7acd5a7",
    "system-4": "ae1beb35bc4bc7e2",
    "system-5": "d7eed8a5708f394b",
    "modular-1": "e64c5b5b1503eab6",
    "modular-2": "381a156905ffe6e7",
    "modular-3": "f479eb27614af9d2",
    "modular-4": "849dcc8e5dea7d4c",
    "modular-5": "78e7ffcf867464fe",
    "number-theory-1": "514c6ca85d0b214f",
    "number-theory-2": "ba20e78fcad4a959",
    "number-theory-3": "c98a4174b79456da",
    "number-theory-4": "fff5c5b1aca1f920",
    "number-theory-5": "94552b0ff6f1ae9f",
    "combinatorics-1": "d996c4c3d17b3bba",
    "combinatorics-2": "375b00888bd3e6cc",
    "combinatorics-3": "e2ff9efc420147f7",
    "combinatorics-4": "3a95eb99fe71062b",
    "combinatorics-5": "8709f1aa023afae0",
    "sequences-1": "d47426788c65ba3e",
    "sequences-2": "ca7b976f97fad128",
    "sequences-3": "20558ee0dfe3ded4",
    "sequences-4": "c861e981a370a24f",
    "sequences-5": "7e535286b65d628f",
    "calculus-1": "e5d94d999d92e38c",
    "calculus-2": "32521c182b697748",
    "calculus-3": "534576be45b85321",
    "calculus-4": "c5fac58686dc0401",
    "calculus-5": "e362c0d718d25ba7",
    "probability-1": "dde68872f434cbbe",
    "probability-2": "99ef641ca3b3c785",
    "probability-3": "c26aa17903185dd4",
    "probability-4": "2d164f49ed0e8730",
    "probability-5": "0a8f3f08a6954848",
    "geometry-1": "2c64f167471a86a9",
    "geometry-2": "06fc79146f9acad5",
    "geometry-3": "59ca65deba9922b0",
    "geometry-4": "31efab0c2e589493",
    "geometry-5": "ccd660333781c474",
}
