"""Named sources and mixtures."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from hdpo_env.errors import ConfigError, RegistryError
from hdpo_env.problems import (
    PROBLEMS,
    ChainFamily,
    Family,
    LinearFamily,
    Mixture,
    ProblemSource,
)

EASY = ChainFamily("+", 3).source("train", 0, 50)
HARD = ChainFamily("#", 3).source("train", 0, 7)


def test_mixture_shares_follow_the_weights() -> None:
    """3 : 1 weights give 3/4 of the entries (4,000 draws, 5 sigma)."""
    mixed = Mixture({"easy": EASY, "hard": HARD}, size=4000, weights={"easy": 3, "hard": 1})
    counts = Counter(p.subject for p in mixed)
    assert abs(counts["add"] - 3000) < 5 * (4000 * 0.75 * 0.25) ** 0.5


def test_each_part_comes_in_its_own_order_and_starts_again() -> None:
    """Dropping the other source's entries leaves the source itself, repeated."""
    mixed = Mixture({"easy": EASY, "hard": HARD}, size=40, seed=3)
    hard = [p for p in mixed if p.subject == "table"]
    assert len(hard) > len(HARD)
    assert hard == [HARD[i % 7] for i in range(len(hard))]


def test_the_seed_decides_the_order() -> None:
    """Same seed, same mixture; another seed, another order."""
    parts = {"easy": EASY, "hard": HARD}
    assert list(Mixture(parts, size=30, seed=1)) == list(Mixture(parts, size=30, seed=1))
    assert list(Mixture(parts, size=30, seed=1)) != list(Mixture(parts, size=30, seed=2))


def test_lists_and_mixtures_are_sources() -> None:
    """Anything with length, index and iteration serves as a source, a list of problems included."""
    for source in (EASY, list(EASY), Mixture({"a": EASY}, size=3)):
        assert isinstance(source, ProblemSource)
        assert [source[i] for i in range(len(source))] == list(source)


@pytest.mark.parametrize(
    ("parts", "weights", "message"),
    [
        ({}, None, "at least one source"),
        ({"a": EASY}, {"a": 0}, "must be positive"),
        ({"a": EASY}, {"b": 1}, r"one for each of \['a'\]"),
        ({"a": []}, None, r"\['a'\] are empty"),
    ],
)
def test_impossible_mixtures_are_refused(parts: dict, weights: dict | None, message: str) -> None:
    """Errors name the source at fault."""
    with pytest.raises(ConfigError, match=message):
        Mixture(parts, size=3, weights=weights)


def test_unknown_names_list_the_choices() -> None:
    """A misspelt source is answered with the table."""
    with pytest.raises(RegistryError, match="unknown problems 'chian'; choose one of: arithmetic"):
        PROBLEMS["chian"]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("linear", {"level": "2"}, "level '2' is no whole number: give one, such as level=3"),
        ("linear", {"level": 2.5}, "level 2.5 is no whole number"),
        ("linear", {"size": "9"}, "size '9' is no whole number"),
        ("sample", {"size": "9"}, "size '9' is no whole number"),
        ("chain-add", {"length": "3"}, "length '3' is no whole number"),
        ("linear", {"lvl": 2}, "unknown setting lvl=2; choose one of: split, seed, size, level"),
        ("chain-add", {"operator": "#"}, "choose one of: split, seed, size, length"),
        ("sample", {"level": 2}, "unknown setting level=2; choose one of: split, seed, size"),
        ("linear:2", {}, "setting '2': write NAME=VALUE, such as level=3"),
        ("linear:lvl=2", {}, "setting 'lvl' in a name; choose one of: level"),
        ("linear:seed=2", {}, "setting 'seed' in a name; choose one of: level"),
        ("linear:level=two", {}, "level 'two' is no whole number"),
        ("linear:level=2", {"level": 3}, "level is given twice, in the name and beside it"),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, settings: dict, message: str) -> None:
    """A mistyped setting, or one of the wrong kind, is told with what would be right."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        PROBLEMS[name](**settings)


@pytest.mark.parametrize(
    ("name", "family"),
    [("linear:level=3", LinearFamily(3)), ("chain-table:length=4", ChainFamily("#", 4))],
)
def test_a_name_may_hold_the_familys_settings(name: str, family: Family) -> None:
    """What follows the colon makes the same problems as the family with these settings."""
    assert name in PROBLEMS
    assert list(PROBLEMS[name](split="eval", seed=2, size=4)) == list(family.source("eval", 2, 4))


def test_a_source_without_settings_of_its_own_takes_none_in_its_name() -> None:
    """The table refuses the name before anything is made."""
    assert "sample:size=2" not in PROBLEMS
    with pytest.raises(RegistryError, match="problems 'sample' takes no argument, and 'size=2'"):
        PROBLEMS["sample:size=2"]
