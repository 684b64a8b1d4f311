"""Law 7: no gold and no privileged text in an observation, an info, a repr or a log."""

from __future__ import annotations

import logging

import pytest

from hdpo_env.cliffs import group_rates
from hdpo_env.env import GroupEnv, MathEnv
from hdpo_env.errors import HdpoError
from hdpo_env.evaluation import report_of
from hdpo_env.filters import select_teachable
from hdpo_env.privileged import VIEWS, privileged_prompt
from hdpo_env.prompts import TEMPLATES, student_prompt
from hdpo_env.rollouts import judge, sample_groups
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.testing import check_env
from hdpo_env.types import Completion, Problem
from hdpo_env.verifiers import VERIFIERS

GOLD, SECOND, SOLUTION, HINT = "GOLDTEXT", "SECONDTEXT", "SOLUTIONTEXT", "HINTTEXT"
SECRETS = (GOLD, SECOND, SOLUTION, HINT)
PROBLEMS = [
    Problem(f"question {i}", (GOLD, SECOND), solution=SOLUTION, hints=(HINT,), verifier="exact")
    for i in range(4)
]


def assert_clean(*shown: object) -> None:
    """No secret in the repr or str of anything."""
    for thing in shown:
        for text in (repr(thing), str(thing)):
            for secret in SECRETS:
                assert secret not in text, f"{type(thing).__name__} shows {secret}"


def test_environments_show_nothing() -> None:
    """Observations, infos, renderings and reprs of whole episodes, retries included."""
    check_env(MathEnv(PROBLEMS, max_turns=4), secrets=SECRETS, episodes=20)
    env = MathEnv(PROBLEMS, max_turns=2)
    assert_clean(env.reset(seed=0), env.step("wrong"), env, env.get_state())
    # A correct completion is the model's own text: it is not repeated either.
    assert_clean(env.step(GOLD), env.get_state())
    groups = GroupEnv(PROBLEMS, group_size=1)
    assert_clean(groups.reset(num=3), groups)


@pytest.mark.parametrize("template", list(TEMPLATES))
def test_student_prompts_hold_nothing(template: str) -> None:
    """Neither the repr nor the messages themselves."""
    for problem in PROBLEMS:
        prompt = student_prompt(problem, template)
        assert_clean(prompt, [m.content for m in prompt.messages])


@pytest.mark.parametrize("view", ["answer", "solution"])
def test_privileged_prompts_hide_their_messages(view: str) -> None:
    """The messages hold the secret, as they must; the repr and the rollouts made of them do not."""
    prompt = privileged_prompt(PROBLEMS[0], view)
    assert GOLD in prompt.messages[-1].content
    assert_clean(prompt)
    assert view in VIEWS


def test_records_and_reports_show_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Problems, groups of privileged rollouts, selections, evaluations and every log line."""
    caplog.set_level(logging.DEBUG)
    policy = SimulatedPolicy(PROBLEMS, 0.0)
    groups = sample_groups(
        policy,
        PROBLEMS,
        num=4,
        max_tokens=50,
        seed=0,
        prompt_of=lambda p: privileged_prompt(p, "solution"),
    )
    report = report_of(groups, ks=(1, 4))
    assert_clean(PROBLEMS, groups, select_teachable(groups), group_rates(groups), policy)
    assert_clean(report, report.rows(), report.metrics())
    assert not [record for record in caplog.records if any(s in record.message for s in SECRETS)]


@pytest.mark.parametrize("name", ["exact", "math"])
def test_verdicts_of_wrong_answers_do_not_quote_the_gold(name: str) -> None:
    """The reason says that the answer differs, not from what."""
    verifier = VERIFIERS[name]()
    for text in ("", "wrong", r"\boxed{8}", r"\boxed{8} \boxed{9}", r"\boxed{"):
        assert_clean(verifier.verify(text, (GOLD, SECOND)))
        assert "31337" not in repr(verifier.verify(text, "31337"))


def test_errors_do_not_quote_the_gold() -> None:
    """What goes wrong with a problem is said without its answers."""
    attempts = [
        lambda: Problem("q", (GOLD,), verifier="nobody") and judge([(nobody, Completion((), ""))]),
        lambda: privileged_prompt(PROBLEMS[0], "no such view"),
        lambda: privileged_prompt(PROBLEMS[0], "answer", "chain"),
        lambda: SimulatedPolicy(PROBLEMS, {}),
        lambda: SimulatedPolicy(PROBLEMS[:1], 0.5).pass_rate(student_prompt(PROBLEMS[1])),
    ]
    nobody = Problem("q", (GOLD,), verifier="nobody")
    for attempt in attempts:
        with pytest.raises(HdpoError) as caught:
            attempt()
        assert_clean(caught.value)
