"""What of the TRL adapter needs no TRL: lazy imports, the reward, and the survivors' arithmetic."""

from __future__ import annotations

import doctest
import logging
import subprocess
import sys
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.batching import Row
from hdpo_env.errors import DataError, MissingDependencyError
from hdpo_env.types import Completion, Outcome, Problem, Verdict
from hdpo_plugins.trl import VerdictReward, environment_factory
from hdpo_plugins.trl.data import text_of
from hdpo_plugins.trl.survivors import (
    completions_of,
    deal,
    gates,
    judged_groups,
    privileged_metrics,
)

lengths = st.lists(st.integers(1, 9), max_size=12)


@given(lengths, st.integers(1, 4), st.integers(1, 4))
def test_dealing_loses_no_survivor_and_each_step_averages_over_its_own(
    sizes: list[int], steps: int, per_step: int
) -> None:
    """Every survivor is in one micro-batch; the token weights of a step that has any sum to 1."""
    rows = [Row((i + 1,), tuple(range(size))) for i, size in enumerate(sizes)]
    batches: list[dict[str, list[Row]]] = [{} for _ in range(steps * per_step)]
    deal(rows, batches, per_step)
    dealt = [row for batch in batches for row in batch["survivors"]]
    assert sorted(r.prompt_ids for r in dealt) == sorted(r.prompt_ids for r in rows)
    for start in range(0, len(batches), per_step):
        mine = [row for batch in batches[start : start + per_step] for row in batch["survivors"]]
        total = sum(row.distill_weight * row.num_tokens for row in mine)
        assert total == pytest.approx(1.0 if mine else 0.0)
        assert len({row.distill_weight for row in mine}) <= 1  # a token is a token
    counts = [len(batch["survivors"]) for batch in batches]
    assert max(counts) - min(counts) <= 2  # memory: none carries them all


@given(st.lists(st.lists(st.sampled_from([True, False, None]), min_size=1), max_size=4))
def test_the_gate_is_a_verdict_above_its_groups_mean(groups: list[list[bool | None]]) -> None:
    """Against the definition in exact fractions; an abstention is in no mean and never let in."""
    above, judged = [], []
    for group in groups:
        known = [Fraction(correct) for correct in group if correct is not None]
        mean = sum(known) / max(1, len(known))
        above += [correct is not None and correct > mean for correct in group]
        judged += [correct is not None for correct in group]
    assert gates(groups, "positive_advantage") == above
    assert gates(groups, "all") == judged


def test_groups_are_judged_problem_by_problem() -> None:
    """Completions come in the order of the problems; a cut one, even right, is marked as cut."""
    problems = [Problem("a", ("1",)), Problem("b", ("2",))]
    drawn = [[5, 1], [6, 1], [5, 1], [6, 5]]
    texts = ["1", "2", "1", "2"]

    def judge(pairs: list[tuple[Problem, Completion]]) -> list[Verdict]:
        return [Verdict(Outcome.CORRECT if c.text == p.gold else Outcome.WRONG) for p, c in pairs]

    completions = completions_of(drawn, texts, {1})
    groups = judged_groups(problems, completions, judge=judge, template="hdpo@1", view="solution")
    assert [group.correct for group in groups] == [(True, False), (False, True)]
    assert [r.completion.is_truncated for g in groups for r in g.rollouts] == [False] * 3 + [True]
    assert all(r.prompt.is_privileged for g in groups for r in g.rollouts)
    assert completions_of([[]], [""], {1})[0].is_truncated  # nothing at all did not end


def test_the_pass_rate_is_over_verdicts() -> None:
    """Abstentions enter neither side of the pass rate; without verdicts there is none."""
    from hdpo_env.filters import select_teachable

    def judge(pairs: list[tuple[Problem, Completion]]) -> list[Verdict]:
        return [Verdict(Outcome[c.text]) for _, c in pairs]

    texts = ["CORRECT", "WRONG", "TIMEOUT", "CORRECT"]
    groups = judged_groups(
        [Problem("a", ("1",))],
        completions_of([[2, 1], [3, 1], [4, 1], [5, 1]], texts, {1}),
        judge=judge,
        template="hdpo@1",
        view="solution",
    )
    metrics = privileged_metrics(select_teachable(groups), groups, num_cliffs=3)
    assert metrics["privileged/pass_rate"] == pytest.approx(2 / 3)
    assert metrics["privileged/kept"] == 2.0
    assert metrics["privileged/dropped_abstained"] == 1.0
    assert metrics["privileged/cliffs_left_out"] == 2.0
    assert "privileged/pass_rate" not in privileged_metrics(select_teachable([]), [], 0)


def test_each_problem_is_judged_by_its_own_verifier() -> None:
    """The order is kept when the verifiers are mixed: exact text beside mathematics."""
    exact, math = Problem("x", ("0.50",), verifier="exact"), Problem("y", ("0.5",))
    reward = VerdictReward([exact, math], workers=0)
    said = [r"\boxed{1/2}", "0.50", r"\boxed{1/2}", "0.50"]
    assert reward(said, [exact.id, math.id, math.id, exact.id]) == [0.0, 1.0, 1.0, 1.0]
    assert reward.__name__ == "verdict"
    with pytest.raises(DataError, match="no column problem_id"):
        reward(said, prompts=said)


def test_the_text_of_a_completion() -> None:
    """A string, the last message, or the texts of its parts; a message may have no content."""
    assert text_of("4") == "4"
    assert text_of([{"role": "tool", "content": "3"}, {"role": "assistant", "content": "4"}]) == "4"
    parts = [{"type": "text", "text": "4"}, {"type": "image"}, {"type": "text", "text": "2"}]
    assert text_of([{"role": "assistant", "content": parts}]) == "42"
    assert text_of([{"role": "assistant", "content": None}]) == ""


def test_trls_warning_loses_its_row_and_no_other_message_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The one message that quotes dataset rows is replaced; twice the filter is once the filter."""
    VerdictReward([], workers=0)
    VerdictReward([], workers=0)
    log = logging.getLogger("trl.trainer.grpo_trainer")
    log.warning(
        "[RANK 0] All reward functions returned None for the following kwargs:\n{'a': 'gold'}"
    )
    log.warning("another gold %s", "standard")
    assert "gold'" not in caplog.text
    assert "every verifier abstained" in caplog.text
    assert "another gold standard" in caplog.text
    assert len(log.filters) == 1


def test_the_environment_closes_and_shows_no_gold() -> None:
    """Attempts run out, an abstention is None, and neither answer nor repr names the gold."""
    good = Problem("1+1=?", ("2",))
    bad = Problem("broken", ("gold?",), verifier="numeric")
    task = environment_factory([good, bad], max_attempts=2)()
    task.reset(problem_id=good.id, prompt=[])
    heard = [task.submit(answer) for answer in ("7", "8", "2")]
    assert heard[-1] == "The problem is closed."
    assert task.get_reward() == 0.0
    assert not any("2" in text for text in heard)
    task.reset(problem_id=bad.id)
    task.submit("1")
    assert task.get_reward() is None
    assert "gold?" not in repr(task)
    with pytest.raises(DataError, match="build it and the dataset"):
        task.reset(prompt=[])


@pytest.mark.skipif(find_spec("trl") is not None, reason="TRL is installed here")
@pytest.mark.parametrize("name", ["HDPOConfig", "HDPOTrainer", "SDPGConfig", "SDPGTrainer"])
def test_without_trl_a_sentence_says_what_to_install(name: str) -> None:
    """Configs and trainers need TRL, and say which."""
    import hdpo_plugins.trl as plugin

    with pytest.raises(MissingDependencyError, match=r"pip install 'trl==1\.16\.0'"):
        getattr(plugin, name)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        getattr(plugin, "Nothing")  # noqa: B009


@pytest.mark.parametrize("module", ["data", "environment", "rewards", "survivors"])
def test_docstring_examples_run(module: str) -> None:
    """What the docstrings of the modules without TRL show is what happens."""
    found = doctest.testmod(import_module(f"hdpo_plugins.trl.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


def test_importing_the_adapter_imports_neither_torch_nor_a_host() -> None:
    """Everything heavy waits until it is used."""
    code = (
        "import sys, hdpo_plugins.trl as t; t.VerdictReward, t.to_dataset, t.environment_factory;"
        "print([m for m in ('torch', 'trl', 'datasets', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
