"""The carriers: how each system in the field wants privileged context.

Read in the systems' own files in November 2026: TRL 1.16.0, verl 0.9.1, OpenRLHF 0.11.2, and the
repositories of SDPG, SDPO, OPSD, prime-rl, ROLL, slime, NeMo-RL and tinker-cookbook.
"""

from __future__ import annotations

import json
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.exports.rows import Carrier, Entry, Row, sentinel_free
from hdpo_env.problems.fieldmap import FieldMap
from hdpo_env.registry import Registry

TEACHER_CONTEXT = "[TEACHER_CONTEXT_TOKEN]"  # SDPG's sentinel


def _fields(at: str = "", *, solution: str | None = None, **other: Any) -> FieldMap:
    """The map that reads the facts of an entry, under a column if ``at`` names one."""
    dot = f"{at}." if at else ""
    columns = {
        "question": f"{dot}question",
        "answer": f"{dot}answers",
        "id": f"{dot}problem_id",
        "subject": f"{dot}subject",
        "difficulty": f"{dot}difficulty",
        "solution": solution,
    }
    return FieldMap(**{**columns, **other})


def _trl(entry: Entry) -> Row:
    answer = entry.problem.gold
    told = {"answer": answer, "privileged_context": entry.context}
    return {"prompt": entry.messages, **told, **entry.facts}


def _verl_row(entry: Entry, prompt: list[dict[str, str]], **extra: Any) -> Row:
    source = entry.problem.source or "problems"
    index = {"index": entry.number, "split": entry.problem.split, "problem": entry.problem.question}
    return {
        "data_source": f"hdpo/{source}",
        "prompt": prompt,
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": entry.problem.gold},
        "extra_info": {**index, **entry.facts, **extra},
    }


def _sdpg(entry: Entry) -> Row:
    asked = sentinel_free(entry.text, TEACHER_CONTEXT)
    told = sentinel_free(entry.context, TEACHER_CONTEXT)
    # The reader splits at the sentinel and gives the teacher both halves, so the blank line that
    # separates them belongs to the second.
    content = f"{asked}{TEACHER_CONTEXT}\n\n{told}" if told else asked
    return _verl_row(entry, [{"role": "user", "content": content}])


def _openrlhf(entry: Entry) -> Row:
    solution = {"solution": entry.context} if entry.context else {}
    label = {"answer": list(entry.problem.answers), **solution}
    prompt = entry.text if len(entry.messages) == 1 else entry.messages
    return {
        "input": prompt,
        "label": json.dumps(label, ensure_ascii=False),
        "solution": entry.context,
        **entry.facts,
    }


def _prime_rl(entry: Entry) -> Row:
    info = {**entry.facts, "demonstration": entry.context}
    return {"prompt": entry.messages, "answer": entry.problem.gold, "info": info}


def _slime(entry: Entry) -> Row:
    metadata = {**entry.facts, "privileged_context": entry.context}
    return {"prompt": entry.messages, "label": entry.problem.gold, "metadata": metadata}


def _nemo_rl(entry: Entry) -> Row:
    # A row with messages keeps its other columns; its second message is the gold answer.
    gold = {"role": "assistant", "content": entry.problem.gold}
    asked = {"role": "user", "content": entry.text}
    return {"messages": [asked, gold], "privileged_context": entry.context, **entry.facts}


def _roll(entry: Entry) -> Row:
    return {
        "id": entry.problem.id,
        "prompt": entry.text,
        "messages": json.dumps(entry.messages, ensure_ascii=False),
        "ground_truth": entry.problem.gold,
        "reference_solution": entry.context,
        "tag": entry.problem.source or "problems",
        **entry.facts,
    }


def _opsd(entry: Entry) -> Row:
    if len(entry.messages) > 1:
        raise ConfigError(
            "OPSD words the student's prompt itself: choose a template without system"
        )
    return {"problem": entry.problem.question, "solution": entry.context, **entry.facts}


CARRIERS: Registry[Carrier] = Registry("carrier")

to_trl = Carrier(
    "trl",
    _trl,
    _fields(),
    "SDPO: include_environment_feedback=True; SDFT reads the column as it is",
    template="hdpo",
    is_whole=True,
)
to_verl = Carrier(
    "verl",
    lambda e: _verl_row(e, e.messages, privileged_context=e.context),
    _fields("extra_info"),
    "data.train_files=FILE.parquet; context in extra_info.privileged_context",
    template="hdpo",
    is_whole=True,
)
to_verl_opsd = Carrier(
    "verl-opsd",
    lambda e: _verl_row(e, e.messages, solution=e.context),
    _fields("extra_info", solution="extra_info.solution"),
    "distillation.privileged_solution_key=extra_info.solution "
    "distillation.privileged_problem_key=extra_info.problem",
    view="reference_only",
)
to_openrlhf = Carrier(
    "openrlhf",
    _openrlhf,
    _fields(solution="solution"),
    "--data.input_key input --data.label_key label --data.solution_key solution",
    view="reference_only",
)
to_sdpg = Carrier(
    "sdpg",
    _sdpg,
    _fields("extra_info"),
    "data.train_files=FILE.parquet actor_rollout_ref.actor.policy_loss.loss_mode=sdpg",
    template="sdpg",
    is_whole=True,
)
to_opsd = Carrier(
    "opsd",
    _opsd,
    _fields(question="problem", solution="solution"),
    "the collator's problem_field and solution_field, as they are",
    view="reference_only",
)
to_sdpo = Carrier(
    "sdpo",
    lambda e: _verl_row(e, e.messages, feedback=e.context),
    _fields("extra_info"),
    "include_environment_feedback: True, and a reward that returns extra_info's feedback",
    template="sdpo",
)
to_prime_rl = Carrier(
    "prime-rl",
    _prime_rl,
    _fields("info", solution="info.demonstration"),
    '[orchestrator.algo] type = "opsd", demo_key = "demonstration"',
    view="reference_only",
)
to_tinker = Carrier(
    "tinker",
    lambda e: {"prompt": e.text, "golden_response": e.context, **e.facts},
    _fields(solution="golden_response"),
    "questions are the column prompt, golden_answers the column golden_response",
    view="reference_only",
)
to_roll = Carrier(
    "roll",
    _roll,
    _fields(solution="reference_solution"),
    "opsd_mode: true, opsd_solution_key: reference_solution",
    view="reference_only",
)
to_slime = Carrier(
    "slime",
    _slime,
    _fields("metadata"),
    "--input-key prompt --label-key label --metadata-key metadata --apply-chat-template",
)
to_nemo_rl = Carrier(
    "nemo-rl",
    _nemo_rl,
    _fields(),
    "data.train.dataset_name=ResponseDataset data.default.processor=math_hf_data_processor",
)

for _carrier in (
    *(to_trl, to_verl, to_verl_opsd, to_openrlhf, to_sdpg, to_opsd, to_sdpo),
    *(to_prime_rl, to_tinker, to_roll, to_slime, to_nemo_rl),
):
    CARRIERS.add(_carrier.name, _carrier)
