"""Classification by verdicts: by hand, against enumeration of what abstentions could have been."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cliffs import (
    GroupRates,
    classify,
    classify_correct,
    group_rates,
    phantom_gradient_rate,
)
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.prompts import student_prompt
from hdpo_env.types import Completion, Group, GroupKind, Outcome, Problem, Rollout, Verdict

PROBLEM = Problem("q", ("1",))
OUTCOME = {True: Outcome.CORRECT, False: Outcome.WRONG, None: Outcome.TIMEOUT}
correct_lists = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=7)


def group_of(*correct: bool | None, texts: tuple[str, ...] = ()) -> Group:
    """A group with these verdicts."""
    texts = texts or ("",) * len(correct)
    return Group(
        PROBLEM,
        tuple(
            Rollout(student_prompt(PROBLEM), Completion((), text), Verdict(OUTCOME[c]), None)
            for c, text in zip(correct, texts, strict=True)
        ),
    )


def kind_by_definition(correct: tuple[bool, ...], threshold: float) -> GroupKind:
    """The three decided kinds, as the glossary words them."""
    if all(correct):
        return GroupKind.SATURATED
    return GroupKind.CLIFF if sum(correct) <= threshold else GroupKind.MIXED


@pytest.mark.parametrize(
    ("correct", "kind"),
    [
        ((False,), GroupKind.CLIFF),
        ((False, False), GroupKind.CLIFF),
        ((True, False), GroupKind.MIXED),
        ((True, True), GroupKind.SATURATED),
        ((None,), GroupKind.UNDECIDED),
        ((None, None), GroupKind.UNDECIDED),
        ((False, None), GroupKind.UNDECIDED),
        ((True, None), GroupKind.UNDECIDED),
        ((True, False, None), GroupKind.MIXED),
    ],
)
def test_kinds_by_hand(correct: tuple[bool | None, ...], kind: GroupKind) -> None:
    """The table of law 1."""
    assert classify(group_of(*correct)) is kind


@given(correct_lists, st.integers(0, 3))
def test_undecided_iff_abstentions_could_change_it(
    correct: list[bool | None], threshold: int
) -> None:
    """Fill every abstention in every way: one kind among all fillings, or undecided."""
    options = [(True, False) if c is None else (c,) for c in correct]
    kinds = {kind_by_definition(filled, threshold) for filled in product(*options)}
    expected = kinds.pop() if len(kinds) == 1 else GroupKind.UNDECIDED
    assert classify_correct(correct, threshold=threshold) is expected


@given(correct_lists, st.randoms())
def test_order_does_not_matter(correct: list[bool | None], rng: object) -> None:
    """A group is a set of rollouts."""
    shuffled = list(correct)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert classify_correct(shuffled) is classify_correct(correct)


def test_a_shaped_reward_does_not_hide_a_cliff() -> None:
    """Rewards for format leave the kind alone: it is read from verdicts."""
    bonus = tuple(
        Rollout(r.prompt, r.completion, r.verdict, reward=0.1 * i)
        for i, r in enumerate(group_of(False, False, False).rollouts)
    )
    assert classify(Group(PROBLEM, bonus)) is GroupKind.CLIFF


def test_rates_by_hand() -> None:
    """Two cliffs, one of each other kind: rates over all five, summing to 1."""
    groups = [
        group_of(False, False),
        group_of(False, False),
        group_of(True, False),
        group_of(True, True),
        group_of(None, False),
    ]
    rates = group_rates(groups)
    assert rates == GroupRates(num_cliff=2, num_mixed=1, num_saturated=1, num_undecided=1)
    assert rates.metrics() == {
        "groups/cliff_rate": 0.4,
        "groups/mixed_rate": 0.2,
        "groups/saturated_rate": 0.2,
        "groups/undecided_rate": 0.2,
    }
    assert group_rates([]).rate(GroupKind.CLIFF) == 0.0
    for kind in GroupKind:
        assert group_rates(groups[:1]).rate(kind) == float(kind is GroupKind.CLIFF)


def test_phantom_gradients_by_hand() -> None:
    """A bonus for boxes splits one of two cliffs; the mixed group is not counted."""
    groups = [
        group_of(False, False, texts=("[]", "")),
        group_of(False, False, texts=("", "")),
        group_of(True, False, texts=("[]", "")),
    ]

    def bonus(rollout: Rollout) -> float:
        return 0.1 * ("[]" in rollout.completion.text)

    assert phantom_gradient_rate(groups, bonus) == 0.5
    assert phantom_gradient_rate(groups, lambda rollout: 0.1) == 0.0
    assert phantom_gradient_rate([group_of(True)], bonus) is None
    assert phantom_gradient_rate(groups, bonus, threshold=1) == pytest.approx(1 / 3)


def test_what_cannot_be_classified_is_refused() -> None:
    """An empty group and a negative threshold."""
    with pytest.raises(DataError, match="without rollouts"):
        classify(Group(PROBLEM, ()))
    with pytest.raises(ConfigError, match="threshold -1"):
        classify_correct([True], threshold=-1)
