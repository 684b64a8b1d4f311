"""reasoning-gym by its own factory and scorers: streams apart, scores honest, faults abstain."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import pytest

from hdpo_env.env import MathEnv
from hdpo_env.errors import DataError
from hdpo_env.rollouts import sample_groups
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.testing import check_problem_source
from hdpo_env.types import Outcome, Problem
from hdpo_env.verifiers import VERIFIERS

# Warnings of the library and of what it imports are not ours to mend.
pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]

TASKS = [
    "chain_sum",
    "polynomial_equations",
    "gsm_symbolic",
    "gcd",
    "prime_factorization",
    "simple_equations",
    "countdown",
    "fraction_simplification",
    "letter_counting",
    "basic_arithmetic",
]


def family(task: str, **settings: object):
    from hdpo_plugins.reasoning_gym.source import ReasoningGymFamily

    return ReasoningGymFamily(task, **settings)


def verdict(problem: Problem, completion: str, **options: str):
    return VERIFIERS[problem.verifier]().verify(completion, problem.answers, **options)


@pytest.mark.parametrize("task", TASKS)
def test_problems_keep_the_contract_of_sources(task: str) -> None:
    """Indexing equals iterating, JSON is lossless, and every gold is accepted by its own scorer."""
    source = family(task).source("train", seed=3, size=12)
    check_problem_source(
        source, state=lambda problem: f"So the answer is \\boxed{{{problem.gold}}}."
    )


def test_the_librarys_seeds_overlap_and_ours_do_not() -> None:
    """Its seed 1 from item 1 on is its seed 0 shifted; two of our seeds or splits share nothing."""
    import reasoning_gym

    zero, one = (reasoning_gym.create_dataset("chain_sum", seed=s, size=20) for s in (0, 1))
    assert [e["question"] for e in list(zero)[1:]] == [e["question"] for e in list(one)[:-1]]
    ours = family("chain_sum", min_digits=4, max_digits=4)
    streams = [
        {p.question for p in ours.source(split, seed, 60)}
        for split, seed in (("train", 0), ("train", 1), ("eval", 0))
    ]
    assert not streams[0] & streams[1]
    assert not streams[0] & streams[2]


def test_the_same_place_gives_the_same_problem_in_another_process() -> None:
    """A problem is a pure function of (task, settings, split, seed, index)."""
    code = (
        "from hdpo_plugins.reasoning_gym.source import ReasoningGymFamily\n"
        "for task in ('chain_sum', 'gsm_symbolic', 'countdown'):\n"
        "    print(ReasoningGymFamily(task).problem('eval', 5, 7).to_json())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    theirs = [Problem.from_dict(json.loads(line)) for line in ran.stdout.splitlines()]
    assert theirs == [
        family(task).problem("eval", 5, 7) for task in ("chain_sum", "gsm_symbolic", "countdown")
    ]


def test_answers_are_extracted_before_they_are_scored() -> None:
    """The library gives a boxed answer in a sentence a fraction of a point; it is simply right."""
    import reasoning_gym

    problem = family("chain_sum").problem("train", 0, 0)
    where = json.loads(problem.verifier.partition(":")[2])
    dataset = reasoning_gym.create_dataset("chain_sum", seed=where["seed"], size=1)
    said = f"After some thought the answer is \\boxed{{{problem.gold}}}."
    assert 0 < dataset.score_answer(said, dataset[0]) < 1
    assert verdict(problem, said).outcome is Outcome.CORRECT


def test_a_part_of_a_point_is_wrong() -> None:
    """An answer that only contains the right one gets a part of a point there and none here."""
    problem = family("chain_sum").problem("train", 0, 0)
    padded = f"\\boxed{{{problem.gold} or {int(problem.gold) + 1}}}"
    assert verdict(problem, padded).correct is False
    assert verdict(problem, f"\\boxed{{{int(problem.gold) + 1}}}").outcome is Outcome.WRONG


def test_other_right_answers_are_right() -> None:
    """Tasks with many right answers are judged by their scorer, not by comparing with the gold."""
    problem = family("countdown", min_numbers=3, max_numbers=3).problem("train", 0, 1)
    assert verdict(problem, f"\\boxed{{({problem.gold})}}").outcome is Outcome.CORRECT
    assert verdict(problem, "\\boxed{1}").outcome is Outcome.WRONG


def test_a_scorer_that_raises_is_an_abstention() -> None:
    """`prime_factorization` raises on free text: the checker's fault, not the model's."""
    problem = family("prime_factorization").problem("train", 0, 0)
    found = verdict(problem, "\\boxed{seven times eleven}")
    assert (found.outcome, found.correct) == (Outcome.ERROR, None)
    assert "scorer failed" in found.reason
    assert verdict(problem, f"\\boxed{{{problem.gold}}}").correct is True


def test_nothing_stated_and_cut_completions_are_told_apart() -> None:
    """No answer is NO_ANSWER, a completion cut by the token limit is TRUNCATED."""
    problem = family("gcd").problem("train", 0, 0)
    assert verdict(problem, "I cannot tell.").outcome is Outcome.NO_ANSWER
    assert verdict(problem, "Let us", finish_reason="length").outcome is Outcome.TRUNCATED


def test_environments_and_groups_judge_by_the_entry() -> None:
    """Problems carry their verifier through our environment, rollouts and pickles."""
    problems = list(family("gsm_symbolic").source("train", 1, 3))
    assert all(p.solution for p in problems)
    env = MathEnv(pickle.loads(pickle.dumps(problems)))
    env.reset(options={"index": 1})
    _, reward, *_ = env.step(f"The answer is \\boxed{{{problems[1].gold}}}.")
    assert reward == 1.0
    policy = SimulatedPolicy(
        problems, {problems[0].id: 1.0, problems[1].id: 0.0, problems[2].id: 1.0}
    )
    groups = sample_groups(policy, problems, num=2, max_tokens=200, seed=0)
    assert [g.correct for g in groups] == [(True, True), (False, False), (True, True)]


def test_settings_are_part_of_the_stream() -> None:
    """Other settings give another name, other problems, and are kept by the verifier."""
    plain, long = family("chain_sum"), family("chain_sum", min_terms=6, max_terms=6)
    assert plain.name != long.name
    problem = long.problem("train", 0, 0)
    assert problem.question.count("+") + problem.question.count(" - ") >= 5
    assert verdict(problem, f"\\boxed{{{problem.gold}}}").correct is True


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        ("no_such_task", {}, "refuses task 'no_such_task'"),
        ("chain_sum", {"min_terms": -1}, "refuses task 'chain_sum'"),
        ("chain_sum", {"no_such_setting": 1}, "refuses task"),
        ("chain_sum", {"seed": 1}, r"settings \['seed'\] are decided by the source"),
    ],
)
def test_impossible_tasks_are_refused(task: str, settings: dict, message: str) -> None:
    """Unknown tasks and settings are named when the source is made."""
    with pytest.raises(DataError, match=message):
        family(task, **settings)


def test_a_task_without_gold_answers_is_refused() -> None:
    """`graph_color` has a scorer and no answer: nothing could be shown to a teacher."""
    with pytest.raises(DataError, match="'graph_color' gives no gold answer"):
        family("graph_color").problem("train", 0, 0)
