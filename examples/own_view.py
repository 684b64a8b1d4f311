"""A privileged view of your own: only the first line of the solution. Is it enough to learn from?

python examples/own_view.py
"""

from __future__ import annotations

from functools import partial

from hdpo_env import (
    PROBLEMS,
    Group,
    Problem,
    SimulatedPolicy,
    privileged_prompt,
    sample_groups,
    select_teachable,
)
from hdpo_env.errors import ViewError
from hdpo_env.privileged import VIEWS, Piece


def first_line(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    """How the solution begins, if there is more to it than that."""
    start, _, rest = (problem.solution or "").partition("\n")
    if not rest.strip():
        raise ViewError(f"problem {problem.id} has no solution of two lines or more")
    return (Piece("solution", start),)


def main(num_problems: int = 30) -> dict[str, int]:
    """Compare how many teachable rollouts the view and the whole solution give on cliffs."""
    if "first_line" not in VIEWS:
        VIEWS.add("first_line", first_line)
    problems = [
        Problem(
            problem.question,
            problem.answers,
            solution=f"Bring the letter to one side.\n{problem.solution}",
        )
        for problem in PROBLEMS["linear"](size=num_problems, level=2)
    ]
    lift = {"first_line": 0.3, "solution": 0.9}  # a simulated truth: what each view is worth
    policy = SimulatedPolicy(problems, 0.0, view_lift=lift)
    kept = {}
    for view in lift:
        prompt_of = partial(privileged_prompt, view=view)
        groups = sample_groups(policy, problems, num=4, max_tokens=64, seed=1, prompt_of=prompt_of)
        kept[view] = len(select_teachable(groups, distinct=False).kept)
        print(f"{view}: {kept[view]} of {4 * num_problems} privileged rollouts may teach")
    return kept


if __name__ == "__main__":
    main()
