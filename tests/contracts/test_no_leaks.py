"""Law 7: no gold and no privileged text in an observation, an info, a repr or a log."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

import hdpo_env
from hdpo_env.cli import main
from hdpo_env.cliffs import group_rates
from hdpo_env.env import GroupEnv, MathEnv
from hdpo_env.errors import HdpoError
from hdpo_env.evaluation import report_of
from hdpo_env.exports import CARRIERS
from hdpo_env.filters import select_teachable
from hdpo_env.privileged import VIEWS, build_pair, mask_answer, privileged_prompt
from hdpo_env.prompts import TEMPLATES, student_prompt
from hdpo_env.rollouts import judge, sample_groups
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.testing import check_env
from hdpo_env.types import Completion, Group, Problem, Rollout
from hdpo_env.verifiers import VERIFIERS

GOLD, SECOND, SOLUTION, HINT = "GOLDTEXT", "SECONDTEXT", "SOLUTIONTEXT", "HINTTEXT"
SECRETS = (GOLD, SECOND, SOLUTION, HINT)
PROBLEMS = [
    Problem(f"question {i}", (GOLD, SECOND), solution=SOLUTION, hints=(HINT,), verifier="exact")
    for i in range(4)
]


def attempts(problem: Problem, *texts: str) -> Group:
    """A judged group; its reprs hide nothing that the model itself wrote."""
    completions = [Completion((1,), text) for text in texts]
    verdicts = judge([(problem, completion) for completion in completions])
    prompt = student_prompt(problem, "plain")
    rollouts = (Rollout(prompt, *pair, None) for pair in zip(completions, verdicts, strict=True))
    return Group(problem, tuple(rollouts))


ATTEMPTS = attempts(PROBLEMS[0], GOLD, "31337", f"31337 or {GOLD}", "")


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
    assert_clean(groups.reset(num=3), groups, groups.get_state(), groups.fork())
    assert_clean(groups.step([["wrong"]] * 3))


@pytest.mark.parametrize("template", list(TEMPLATES))
def test_student_prompts_hold_nothing(template: str) -> None:
    """Neither the repr nor the messages themselves."""
    for problem in PROBLEMS:
        # An exact problem is refused a prompt that asks for a box.
        asked = replace(problem, verifier="math") if template == "boxed" else problem
        prompt = student_prompt(asked, template)
        assert_clean(prompt, [m.content for m in prompt.messages])


SHOWN = {
    "answer": GOLD,
    "solution": SOLUTION,
    "reference_only": SOLUTION,
    "masked_solution": SOLUTION,
    "prefix:0.9": SOLUTION[:5],
    "hints:1": HINT,
    "sibling": GOLD,
    "answer+hints": HINT,
}


@pytest.mark.parametrize("view", list(SHOWN))
def test_privileged_prompts_hide_their_messages(view: str) -> None:
    """The messages hold the secret, as they must; the repr and the rollouts made of them do not."""
    prompt = privileged_prompt(PROBLEMS[0], view, group=ATTEMPTS)
    assert SHOWN[view] in prompt.messages[-1].content
    assert_clean(prompt, VIEWS[view](PROBLEMS[0], ATTEMPTS))
    assert VIEWS[view](PROBLEMS[0], ATTEMPTS)


def test_every_view_is_covered() -> None:
    """A view that is added must be added here."""
    names = {part.partition(":")[0] for view in SHOWN for part in view.split("+")}
    assert names | {"none", "feedback", "wrong_answer"} == set(VIEWS)


@pytest.mark.parametrize("view", ["feedback", "wrong_answer", "none"])
@pytest.mark.parametrize("template", ["hdpo", "sdpg", "opsd", "sdpo", "sdft"])
def test_views_without_gold_hold_none(view: str, template: str) -> None:
    """Feedback, the wrong answer and the student's prompt: not even in the messages.

    One attempt is right and one states the gold among others; neither is quoted.
    """
    prompt = privileged_prompt(PROBLEMS[0], view, template, group=ATTEMPTS)
    assert_clean(prompt, [message.content for message in prompt.messages])
    assert view == "none" or "31337" in prompt.messages[-1].content


def test_pairs_hide_their_tokens() -> None:
    """Neither ids nor text of a teacher's prompt in the repr of a pair."""
    tokenizers = pytest.importorskip("transformers")
    folder = Path(hdpo_env.__file__).parent / "assets" / "chain_base"
    tokenizer = tokenizers.AutoTokenizer.from_pretrained(folder)
    problem = Problem("3#7#2", ("02",), solution="984651", verifier="exact")
    pair = build_pair(tokenizer, problem, "solution", "chain")
    assert "984651" in tokenizer.decode(pair.teacher.ids)
    assert "984651" not in repr(pair)
    assert repr(pair.teacher.ids)[1:-1] not in repr(pair)


@pytest.mark.parametrize("name", list(CARRIERS))
def test_exports_hide_their_rows(
    name: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The rows hold the secrets; no repr, log, message or printed line does."""
    caplog.set_level(logging.DEBUG)
    poor = Problem("no solution", (GOLD,), verifier="exact")
    export = CARRIERS[name]([*PROBLEMS, poor])
    assert SOLUTION in str(list(export))
    assert len(export.left_out) == 1
    assert_clean(export, export.left_out, CARRIERS[name])
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(p.to_json() + "\n" for p in [*PROBLEMS, poor]), encoding="utf-8")
    words = [str(path), "--to", name, "--out", str(tmp_path / "rows.jsonl")]
    assert main(["export", *words]) == 1
    assert_clean(capsys.readouterr(), [record.getMessage() for record in caplog.records])


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
    acts = [
        lambda: Problem("q", (GOLD,), verifier="nobody") and judge([(nobody, Completion((), ""))]),
        lambda: privileged_prompt(PROBLEMS[0], "no such view"),
        lambda: privileged_prompt(PROBLEMS[0], "answer", "chain"),
        lambda: privileged_prompt(PROBLEMS[0], "sibling"),
        lambda: privileged_prompt(PROBLEMS[0], "sibling", group=attempts(PROBLEMS[0], "no")),
        lambda: privileged_prompt(PROBLEMS[0], "feedback", group=attempts(PROBLEMS[0], GOLD)),
        lambda: privileged_prompt(PROBLEMS[0], "wrong_answer"),
        lambda: privileged_prompt(PROBLEMS[0], "prefix:0.01"),
        lambda: mask_answer(PROBLEMS[0], GOLD),
        lambda: mask_answer(Problem("q", ("31337", "8"), solution=GOLD), "It is 31337."),
        lambda: privileged_prompt(Problem("q", (GOLD,)), "hints"),
        lambda: SimulatedPolicy(PROBLEMS, {}),
        lambda: SimulatedPolicy(PROBLEMS[:1], 0.5).pass_rate(student_prompt(PROBLEMS[1])),
    ]
    nobody = Problem("q", (GOLD,), verifier="nobody")
    for act in acts:
        with pytest.raises(HdpoError) as caught:
            act()
        assert_clean(caught.value)
        assert "31337" not in str(caught.value)
