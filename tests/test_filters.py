"""Who may teach: every reason by hand, and the counts add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.filters import REASONS, find_telltale, select_teachable, telltales_of
from hdpo_env.privileged import TELLTALES, privileged_prompt
from hdpo_env.types import Completion, Group, Outcome, Problem, Rollout, Verdict

PROBLEM = Problem("q", ("1",), solution="1")


def rollout(
    text: str = "fine",
    outcome: Outcome = Outcome.CORRECT,
    finish: str = "stop",
    template: str = "hdpo",
) -> Rollout:
    """A privileged rollout whose token ids are the bytes of its text."""
    prompt = privileged_prompt(PROBLEM, "solution", template)
    completion = Completion(tuple(text.encode()), text, finish_reason=finish)
    return Rollout(prompt, completion, Verdict(outcome), None)


def group(*rollouts: Rollout) -> Group:
    """The rollouts of one problem."""
    return Group(PROBLEM, rollouts)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (rollout(outcome=Outcome.TIMEOUT), "abstained"),
        (rollout(outcome=Outcome.BAD_GOLD), "abstained"),
        (rollout(outcome=Outcome.WRONG), "incorrect"),
        (rollout(outcome=Outcome.NO_ANSWER), "incorrect"),
        (rollout(outcome=Outcome.TRUNCATED, finish="length"), "incorrect"),
        (rollout(finish="length"), "truncated"),
        (rollout(text=""), "empty"),
        (rollout(text="By the\nREFERENCE solution, 1."), "leaked"),
    ],
)
def test_each_reason_by_hand(bad: Rollout, reason: str) -> None:
    """One unfit rollout is dropped for its own reason; the fit one beside it is kept."""
    good = rollout("good")
    selection = select_teachable([group(bad, good)])
    assert selection.kept == (good,)
    assert dict(selection.dropped) == {reason: 1}


def test_repeats_within_a_group_teach_once() -> None:
    """Same token ids are one teacher; another problem's same text is another."""
    groups = [group(rollout("a"), rollout("a"), rollout("b")), group(rollout("a"))]
    selection = select_teachable(groups)
    assert [r.completion.text for r in selection.kept] == ["a", "b", "a"]
    assert selection.dropped == {"duplicate": 1}
    assert len(select_teachable(groups, distinct=False).kept) == 4


def test_at_most_so_many_a_problem() -> None:
    """The first ones are kept."""
    selection = select_teachable(
        [group(*map(rollout, "abc")), group(rollout("d"))], max_per_problem=2
    )
    assert [r.completion.text for r in selection.kept] == ["a", "b", "d"]
    assert selection.dropped == {"surplus": 1}


def test_telltales_belong_to_the_template() -> None:
    """A phrase that gives a worded template away is innocent under the chain's."""
    text = "by the reference solution"
    assert select_teachable([group(rollout(text))]).dropped == {"leaked": 1}
    assert select_teachable([group(rollout(text, template="chain"))]).dropped == {}
    assert select_teachable([group(rollout(text))], telltales=()).dropped == {}
    assert select_teachable([group(rollout("psst"))], telltales=["psst"]).dropped == {"leaked": 1}
    assert telltales_of("unknown@1") == ()


reasons = st.lists(
    st.builds(
        rollout,
        text=st.sampled_from(["a", "b", "", "the hint says"]),
        outcome=st.sampled_from(list(Outcome)),
        finish=st.sampled_from(["stop", "length"]),
    ),
    max_size=8,
)


@given(st.lists(reasons, max_size=4), st.sampled_from([None, 1, 2]))
def test_every_rollout_is_kept_or_counted_once(
    groups: list[list[Rollout]], most: int | None
) -> None:
    """Kept plus dropped is all; whatever is kept is correct, whole, unleaked and distinct."""
    made = [group(*rows) for rows in groups]
    selection = select_teachable(made, max_per_problem=most)
    assert selection.num_seen == sum(len(rows) for rows in groups)
    assert set(selection.dropped) <= set(REASONS)
    for kept in selection.kept:
        assert kept.verdict.correct is True
        assert not kept.completion.is_truncated
        assert kept.completion.token_ids
        assert find_telltale(kept.completion.text, TELLTALES) is None
    assert selection.metrics()["privileged/kept"] == len(selection.kept)


def test_telltales_are_whole_words() -> None:
    """Ordinary mathematical prose does not trip the filter."""
    innocent = (
        "Given the equation, the solution set is {1}. The answer is 4. We are given that x = 2. "
        "The reference angle is 30 degrees. The hints of symmetry are clear."
    )
    assert find_telltale(innocent, TELLTALES) is None
    assert find_telltale("As  provided,\n x = 1", TELLTALES) == "as provided"
