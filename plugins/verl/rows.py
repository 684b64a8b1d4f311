"""verl's rows: what its ``RLHFDataset`` reads and its reward managers pass on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hdpo_env.env.parts import prompt_of
from hdpo_env.hosting import require
from hdpo_env.privileged import privileged_prompt
from hdpo_env.types import Problem


def row_of(problem: Problem, index: int, *, view: str = "none") -> dict[str, Any]:
    """One row; a ``view`` other than none adds the teacher's prompt as ``privileged_context``.

    >>> row_of(Problem("1+1=?", ("2",)), 0)["reward_model"]["ground_truth"]
    '2'
    """
    messages = [{"role": m.role, "content": m.content} for m in prompt_of(problem, None).messages]
    teacher = privileged_prompt(problem, view).messages[-1].content if view != "none" else ""
    return {
        "data_source": f"hdpo/{problem.source or 'problems'}",
        "prompt": messages,
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": problem.gold},
        "extra_info": {
            "index": index,
            "split": problem.split,
            "problem_id": problem.id,
            "verifier": problem.verifier,
            "answers": list(problem.answers),
            "privileged_context": teacher,
        },
    }


def write_parquet(problems: Iterable[Problem], path: str | Path, *, view: str = "none") -> int:
    """Write rows for ``data.train_files``; the number written.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    pyarrow = require("pyarrow", "pyarrow")
    parquet = require("pyarrow.parquet", "pyarrow")
    rows = [row_of(problem, i, view=view) for i, problem in enumerate(problems)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return len(rows)
