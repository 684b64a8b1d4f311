"""The demo's base model with heads that vLLM's CPU build takes, and chain problems as a data set.

python tests/plugins/openrlhf/chain.py model FOLDER
python tests/plugins/openrlhf/chain.py data FILE.jsonl OPERATORS COUNT [SPLIT]
"""

import json
import sys
from pathlib import Path

from hdpo_env.problems import ChainFamily
from hdpo_env.prompts import student_prompt


def write_model(folder: Path) -> None:
    """Pre-train as examples/pretrain_chain.py does; minutes, so a folder that exists is kept."""
    if (folder / "config.json").exists():
        return
    import torch

    from hdpo_env.policies.pretrain import PretrainConfig, pretrain

    torch.set_num_threads(1)
    pretrain(PretrainConfig(heads=3), seed=0).save(folder)


def write_data(path: Path, operators: str, count: int, split: str = "train") -> None:
    """Problems of each operator in turn: question, gold answer and solution."""
    with path.open("w") as file:
        for index in range(count):
            problem = ChainFamily(operators[index % len(operators)]).problem(split, 0, index)
            row = {
                "input": student_prompt(problem, "chain").messages[0].content,
                "label": problem.gold,
                "solution": problem.solution,
                "datasource": problem.subject,
            }
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    kind, path, *rest = sys.argv[1:]
    if kind == "model":
        write_model(Path(path))
    else:
        write_data(Path(path), rest[0], int(rest[1]), *rest[2:])
