"""Overlap of training and held-out problems: planted copies are found, chance is not."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError
from hdpo_env.overlap import find_overlaps, without_overlaps, words
from hdpo_env.problems import LEVEL_FAMILIES
from hdpo_env.types import Problem

LONG = (
    "A train leaves the station at noon and travels north at sixty miles per hour. "
    "When will it have covered two hundred and ten miles?"
)


def problem(question: str, gold: str = "1") -> Problem:
    return Problem(question, (gold,))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        (LONG, "exact"),
        (LONG.upper(), "normalised"),
        (LONG.replace(" ", "  ").replace(".", " ;"), "normalised"),
        ("Here is a question. " + LONG, "ngram"),
        (LONG.replace("train", "bus").replace("ten", "twelve"), "ngram"),
        (LONG.replace("sixty", "50").replace("hundred", "50").replace("noon", "ten"), None),
    ],
)
def test_planted_copies(question: str, kind: str | None) -> None:
    """Each kind of copy is found by the surest test that sees it; a rewritten one is not."""
    report = find_overlaps([problem(question)], [problem("What is 2 + 2?"), problem(LONG, "9")])
    assert [p.kind for p in report.pairs] == ([kind] if kind else [])
    if kind:
        [pair] = report.pairs
        assert (pair.train_id, pair.held_out_id) == (problem(question).id, problem(LONG, "9").id)
        assert report.counts[kind] == 1 == sum(report.counts.values())


def test_thirteen_words_and_not_twelve() -> None:
    """Thirteen shared words are an overlap, twelve are none."""
    shared = [f"word{i}" for i in "abcdefghijklm"]
    held_out = [problem("alpha " + " ".join(shared) + " omega")]
    assert len(find_overlaps([problem("x " + " ".join(shared))], held_out).pairs) == 1
    assert len(find_overlaps([problem("x " + " ".join(shared[:12]))], held_out).pairs) == 0
    assert len(find_overlaps([problem("x " + " ".join(shared[:12]))], held_out, n=12).pairs) == 1


def test_short_questions_overlap_by_their_text_alone() -> None:
    """Questions below thirteen words share no run, only the whole."""
    assert find_overlaps([problem("What is 3 + 4?")], [problem("what is 3+4")]).counts == {
        "exact": 0,
        "normalised": 1,
        "ngram": 0,
    }
    assert not find_overlaps([problem("What is 3 + 4?")], [problem("What is 3 - 4?")]).pairs


def test_boilerplate_is_no_overlap() -> None:
    """A closing phrase that many held-out questions share is counted and left aside."""
    close = (
        "The answer is m over n where m and n are relatively prime positive integers. Find m + n."
    )
    held_out = [problem(f"Question {i} about {i * i} things. {close}") for i in range(5)]
    train = [problem(f"A new thing is asked here. {close}")]
    report = find_overlaps(train, held_out)
    assert not report.pairs
    assert report.num_boilerplate > 0
    assert len(find_overlaps(train, held_out, boilerplate=5).pairs) == 5


def test_without_overlaps_keeps_the_rest_in_order() -> None:
    """What is dropped overlaps, what stays does not, and the report names both sides."""
    train = [problem(f"What is {i} + {i}?") for i in range(6)]
    held_out = [train[4], problem("what is 1+1"), problem("unrelated")]
    kept, report = without_overlaps(train, held_out)
    assert kept == [train[i] for i in (0, 2, 3, 5)]
    assert report.train_ids == {train[1].id, train[4].id}
    assert report.held_out_ids == {train[4].id, held_out[1].id}
    assert "2 of 6 training problems overlap with 2 of 3 held-out problems" in str(report)
    assert not find_overlaps(kept, held_out).pairs


vocabulary = st.lists(st.sampled_from("abcd"), min_size=1, max_size=9).map(" ".join)


@given(st.lists(vocabulary, max_size=6), st.lists(vocabulary, max_size=6), st.integers(1, 5))
def test_equal_to_comparing_every_pair(first: list[str], second: list[str], n: int) -> None:
    """The index finds what comparing all pairs run by run finds, with the surest kind."""

    def runs(text: str) -> set[str]:
        tokens = text.split()
        return {" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}

    train = [problem(q) for q in dict.fromkeys(first)]
    held_out = [problem(q) for q in dict.fromkeys(second)]
    expected = {
        (a.id, b.id, "exact" if a.question == b.question else "ngram")
        for a, b in product(train, held_out)
        if a.question == b.question or runs(a.question) & runs(b.question)
    }
    found = find_overlaps(train, held_out, n=n, boilerplate=99).pairs
    normalised = {(p.train_id, p.held_out_id) for p in found if p.kind == "normalised"}
    same = {
        (a.id, b.id)
        for a, b in product(train, held_out)
        if a.question != b.question
        and a.question.split() != b.question.split()
        and "".join(a.question.split()) == "".join(b.question.split())
    }
    assert normalised == same
    assert {(p.train_id, p.held_out_id, p.kind) for p in found if p.kind != "normalised"} == {
        e for e in expected if e[:2] not in same
    }


def test_words_ignore_how_a_formula_is_set() -> None:
    """Dollar signs, brackets and spaces are no words; numbers and operators are."""
    assert words(r"Find $x^2-1$ at \(x = 10\).") == [
        "find", "x", "^", "2", "-", "1", "at", "x", "=", "10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "must be at least 1"),
        ({"boilerplate": 0}, "must be at least 1"),
        ({"kinds": ("exact", "fuzzy")}, r"kinds \['fuzzy'\] are unknown"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    """The error names the value and the rule."""
    with pytest.raises(ConfigError, match=message):
        find_overlaps([], [], **settings)


def test_only_the_kinds_asked_for_count() -> None:
    """Without the n-gram test a shared run of words is no overlap, a shared text still is."""
    train, held_out = [problem("So: " + LONG), problem(LONG.upper())], [problem(LONG)]
    kept, report = without_overlaps(train, held_out, kinds=("exact", "normalised"))
    assert kept == train[:1]
    assert report.counts == {"exact": 0, "normalised": 1, "ngram": 0}
    assert find_overlaps(held_out, held_out, kinds=("ngram",)).counts["ngram"] == 1


@pytest.mark.parametrize("family", LEVEL_FAMILIES, ids=lambda family: family.kind)
def test_splits_of_the_families_do_not_overlap(family: type) -> None:
    """No training question of a family is, or reads like, one of its evaluation questions."""
    train, held_out = family(3).source("train", 0, 80), family(3).source("eval", 0, 40)
    counts = find_overlaps(train, held_out).counts
    assert counts["exact"] == counts["normalised"] == 0
