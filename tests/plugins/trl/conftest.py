"""A model small enough for a laptop that knows some answers and believes wrong ones.

Six problems of two lengths, so that prompts are padded. On the *easy* ones the student's prompt
leads to the right answer about half of the time; on the *hard* ones practically never. With the
solution in the prompt the model gives it nearly always. All of it is taught here, by next-token
prediction on a Qwen2 of two layers, in a few seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import student_prompt
from hdpo_env.types import Problem, Prompt

QUESTIONS = {"3+1": "47", "5+8+2": "35", "1+1": "28", "9#9": "61", "7#2#5": "90", "4#6": "13"}
NUM_EASY = 3


@pytest.fixture(scope="session")
def problems() -> list[Problem]:
    """Three easy problems, then three hard ones."""
    return [
        Problem(question, (answer,), solution=answer, verifier="exact")
        for question, answer in QUESTIONS.items()
    ]


@pytest.fixture(scope="session")
def hard(problems: list[Problem]) -> list[Problem]:
    """The problems that every rollout fails."""
    return problems[NUM_EASY:]


@pytest.fixture(scope="session")
def easy(problems: list[Problem]) -> list[Problem]:
    """The problems that about half of the rollouts solve."""
    return problems[:NUM_EASY]


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory, problems: list[Problem]) -> Path:
    """The folder of the taught model and its tokenizer."""
    pytest.importorskip("trl")
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from hdpo_env.policies.tiny import tiny_tokenizer

    tokenizer = tiny_tokenizer()
    config = Qwen2Config(
        vocab_size=20, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=64,
        pad_token_id=0, bos_token_id=None, eos_token_id=1, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = Qwen2ForCausalLM(config)
    _teach(model, tokenizer, problems)
    path = tmp_path_factory.mktemp("model")
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def _teach(model: Any, tokenizer: Any, problems: list[Problem]) -> None:
    """Each prompt with what should follow it: two answers after an easy student prompt."""

    def ids(prompt: Prompt) -> list[int]:
        return tokenizer(prompt.messages[0].content + "=")["input_ids"]

    rows = []
    for i, problem in enumerate(problems):
        wrong = "00" if i >= NUM_EASY else "77"
        said = [wrong, wrong] if i >= NUM_EASY else [wrong, problem.gold]
        asked = ids(student_prompt(problem, "chain"))
        told = ids(privileged_prompt(problem, "solution", "chain"))
        rows += [(asked, answer) for answer in said] + [(told, problem.gold)] * 2
    width = max(len(p) for p, _ in rows) + 3
    sequences = [p + tokenizer(a + ".")["input_ids"] for p, a in rows]
    tokens = torch.tensor([s + [0] * (width - len(s)) for s in sequences])
    labels = torch.full_like(tokens, -100)
    for i, (prompt, _) in enumerate(rows):
        labels[i, len(prompt) : len(sequences[i])] = tokens[i, len(prompt) : len(sequences[i])]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(150):
        loss = model(input_ids=tokens, attention_mask=tokens != 0, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Any]:
    """``config(kind, **changes)``: a TRL config of 4 x 4 completions a step for this model."""

    def make(kind: Any, **changes: Any) -> Any:
        settings = {
            "output_dir": str(tmp_path / "out"),
            "use_cpu": True,
            "bf16": False,
            "report_to": [],
            "save_strategy": "no",
            "logging_steps": 1,
            "disable_tqdm": True,
            "max_steps": 2,
            "seed": 5,
            "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 2,
            "num_generations": 4,
            "max_completion_length": 4,
            "learning_rate": 1e-2,
            "warmup_steps": 0,
            "lr_scheduler_type": "constant",
        }
        if "template" in kind.__dataclass_fields__:
            settings |= {"template": "chain", "teacher_template": "chain"}
        return kind(**settings | changes)

    return make
