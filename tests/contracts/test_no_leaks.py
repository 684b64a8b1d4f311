"""Law 7: no gold and no privileged text in an observation, an info, a repr or a log."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import gymnasium
import pytest

import hdpo_env
from hdpo_env.cli import main
from hdpo_env.cliffs import group_rates
from hdpo_env.env import GroupEnv, MathEnv
from hdpo_env.errors import HdpoError
from hdpo_env.evaluation import report_of
from hdpo_env.exports import CARRIERS
from hdpo_env.filters import select_teachable
from hdpo_env.hosting import judged, number_of
from hdpo_env.privileged import VIEWS, build_pair, mask_answer, privileged_prompt
from hdpo_env.problems import gold_fault, load_problems, open_source
from hdpo_env.prompts import TEMPLATES, student_prompt
from hdpo_env.rollouts import judge, sample_groups
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.testing import check_env, check_problem_source
from hdpo_env.types import Completion, Group, Outcome, Problem, Rollout, Verdict
from hdpo_env.verifiers import VERIFIERS, ExactVerifier

GOLD, SECOND, SOLUTION, HINT = "GOLDTEXT", "SECONDTEXT", "SOLUTIONTEXT", "HINTTEXT"
NUMBER = "90210"
SECRETS = (GOLD, SECOND, SOLUTION, HINT, NUMBER)
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


# Golds that a verifier refuses: contradictory, broken in a box and without, long, of another kind.
UNUSABLE = [
    ("math", ("90210", "8")),
    ("math", (r"\boxed{\frac{90210}{",)),
    ("math", (r"\frac{90210}{",)),
    ("math", (r"\frac{90210}{0}",)),
    ("math", ("90210+" * 2000 + "1",)),
    ("numeric", (f"{GOLD} 90210 {SECOND}",)),
    ("numeric", ("8", f"{GOLD} 90210 {SECOND}")),
    ("gsm8k", (f"so it is\n#### {GOLD} 90210 {SECOND}",)),
    ("choice", (f"{GOLD} 90210",)),
]


@pytest.mark.parametrize(("verifier", "golds"), UNUSABLE)
def test_unusable_golds_are_not_shown(
    verifier: str, golds: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Abstentions say that a gold cannot be used, never what it is, on every surface that tells."""
    caplog.set_level(logging.DEBUG)
    bad = Problem("q", golds, verifier=verifier)
    env = MathEnv([bad], max_turns=2, render_mode="ansi")
    shown = [env.reset(seed=0), env.step(r"\boxed{7}")]
    assert env.reset()[1] == {"problem_id": bad.id, "turn": 0}
    assert shown[1][-1]["outcome"] == "bad_gold"
    made = gymnasium.make("hdpo/problems-v0", problems=[bad])
    many = gymnasium.vector.SyncVectorEnv([lambda: MathEnv([bad])] * 2)
    groups = GroupEnv([bad], group_size=2)
    shown += [env.render(), env.get_state(), env.fork(), made.reset(), made.step("A"), made]
    shown += [many.reset(), many.step(("7", "A")), many]
    shown += [groups.reset(num=1), groups.step([["7", ""]]), groups.get_state(), groups]
    shown += [asyncio.run(groups.astep([["7", ""]])), judged("7", golds, verifier=verifier)]
    shown += [gold_fault(bad), number_of(judged("7", golds, verifier=verifier), "a host")]
    path = tmp_path / "bad.jsonl"
    path.write_text(bad.to_json() + "\n" + PROBLEMS[0].to_json() + "\n")
    shown += [open_source(str(path)), MathEnv(str(path)), load_problems(path, check=gold_fault)]
    for act in (
        lambda: MathEnv(str(path), strict=True),
        lambda: check_problem_source([bad]),
        lambda: check_problem_source([bad], verifier=Quoting()),
        lambda: check_problem_source([bad], verifier=Quoting(raises=True)),
    ):
        with pytest.raises((HdpoError, AssertionError)) as caught:
            act()
        shown += [caught.value, "".join(traceback.format_exception_only(caught.value))]
        assert bad.id in str(caught.value) or "bad.jsonl:1" in str(caught.value)
    shown += [record.getMessage() for record in caplog.records]
    assert any("bad.jsonl:1" in str(thing) for thing in shown)
    assert_clean(*shown)


class Quoting(ExactVerifier):
    """Somebody's verifier, which quotes golds in its reasons and errors."""

    def __init__(self, raises: bool = False) -> None:
        self.raises = raises

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        if self.raises:
            raise ValueError(f"cannot read {gold}")
        return Verdict(Outcome.BAD_GOLD, reason=f"cannot read {', '.join(gold)}")


OWN = """
from hdpo_env.types import Problem
problems = [Problem("q", ("90210", "8"), id="the-bad-one")]
"""


def test_checks_of_your_own_problems_name_the_problem_and_not_its_gold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``hdpo check`` and the pytest plugin, with the locals of the frames shown."""
    (tmp_path / "leaky_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["check", "leaky_parts:problems"]) == 1
    words = ["-p", "no:cacheprovider", "-q", "-rA", "-l", "--hdpo-check=leaky_parts:problems"]
    command = [sys.executable, "-m", "pytest", *words]
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    by_pytest = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    for said in (capsys.readouterr().out, by_pytest):
        assert "problem the-bad-one cannot be used: gold 1 and gold 2 contradict" in said
        assert "90210" not in said


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
