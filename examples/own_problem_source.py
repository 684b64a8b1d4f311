"""A source of problems of your own: endless in spirit, a pure function of the index in fact.

python examples/own_problem_source.py
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from hdpo_env import PROBLEMS, GroupEnv, Problem, classify
from hdpo_env.testing import check_problem_source
from hdpo_env.types import derive_seed


@dataclass(frozen=True)
class Triangles:
    """Right triangles with whole sides: what is the longest side?"""

    size: int = 100
    seed: int = 0
    split: str = "train"

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Problem:
        if not 0 <= index < self.size:
            raise IndexError(index)
        rng = random.Random(derive_seed("triangles", self.split, self.seed, index))
        m = rng.randint(2, 30)
        n = rng.randint(1, m - 1)
        a, b, c = m * m - n * n, 2 * m * n, m * m + n * n
        return Problem(
            f"A right triangle has legs {a} and {b}. How long is its hypotenuse?",
            (str(c),),
            solution=f"{a}^2 + {b}^2 = {a * a} + {b * b} = {c * c}, whose root is {c}.",
            source="triangles",
            split=self.split,
        )

    def __iter__(self) -> Iterator[Problem]:
        return (self[i] for i in range(self.size))


def main() -> list[str]:
    """Check the source's contract, register it, and judge two groups."""
    check_problem_source(Triangles(size=50))
    if "triangles" not in PROBLEMS:
        PROBLEMS.add("triangles", Triangles)
    env = GroupEnv("triangles", group_size=2, size=10)
    prompts = env.reset(num=2)
    print(prompts[0].messages[-1].content)
    gold = env.problems[0].gold
    groups = env.step([[rf"\boxed{{{gold}}}", "about ten"], ["I pass", "no"]])
    kinds = [classify(group).value for group in groups]
    print("groups:", *kinds)
    return kinds


if __name__ == "__main__":
    main()
