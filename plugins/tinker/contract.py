"""tinker-cookbook's ``ProblemEnv`` as its source declares and calls it."""

from __future__ import annotations

from hdpo_env.conformance import Host, Signature
from hdpo_env.hosting import abstentions
from hdpo_env.types import Problem
from hdpo_plugins.tinker.environment import MathProblem

_SOURCE = "thinking-machines-lab/tinker-cookbook tinker_cookbook/rl/problem_env.py"
_COMMIT = "0683034dc7ef7d5dd06b32f970146343b0d7928c"
_METHODS = {
    "get_question": (),
    "check_answer": ("sample_str",),
    "check_format": ("sample_str",),
    "get_reference_answer": (),
}


def answers() -> None:
    """Verdict, format, and a log without the gold; an abstention is counted."""
    problem = Problem("6*7=?", ("42",))
    asked = MathProblem(problem)
    assert "6*7=?" in asked.get_question()
    assert [asked.check_answer(t) for t in (r"\boxed{42}", r"\boxed{41}", "hm")] == [1.0, 0.0, 0.0]
    assert [asked.check_format(t) for t in (r"\boxed{41}", "")] == [True, False]
    assert "42" not in asked.get_reference_answer().replace(problem.id, "")
    assert MathProblem(problem, show_gold=True).get_reference_answer() == "42"
    before = abstentions["tinker-cookbook"]
    assert MathProblem(Problem("q", (" \\frac{1}{",))).check_answer(r"\boxed{1}") == 0.0
    assert abstentions["tinker-cookbook"] == before + 1


HOSTS = (
    Host(
        "tinker-cookbook",
        distribution="tinker-cookbook",
        tested=(),
        abstention="0.0, logged and counted",
        offline={"questions and answers": answers},
        recorded=tuple(
            Signature(
                f"hdpo_plugins.tinker.environment:MathProblem.{name}",
                parameters,
                source=_SOURCE,
                commit=_COMMIT,
            )
            for name, parameters in _METHODS.items()
        ),
    ),
)
