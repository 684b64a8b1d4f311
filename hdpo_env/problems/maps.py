"""The ready field maps: which columns of the well-known data sets hold what."""

from __future__ import annotations

from hdpo_env.problems.fieldmap import FIELD_MAPS, Column, FieldMap
from hdpo_env.problems.transforms import (
    after_hashes,
    bare_question,
    boxed_or_whole,
    derivation,
    failure_share,
    first_text,
    has_final_answer,
    last_boxed,
    last_user_message,
    level_number,
    numbered_in,
    ratio,
    socratic_hints,
    socratic_steps,
    whole,
    without_calculator,
)


def _aime(name: str) -> FieldMap:
    return FieldMap(
        question="problem|Problem|question",
        answer=Column("answer|Answer|expected_answer|solution", boxed_or_whole),
        solution=Column("solution|Solution|reference_solution", derivation),
        id=Column("id|ID|problem_idx|unique_id", numbered_in(name)),
    )


for _name, _map in {
    "plain": FieldMap(
        answer="answers|answer",
        solution="solution",
        id="id",
        subject="subject",
        difficulty="difficulty",
        hints="hints",
        verifier=Column("verifier"),
        source="source",
        split="split",
    ),
    "gsm8k": FieldMap(
        answer=Column("answer", after_hashes), solution=Column("answer", without_calculator)
    ),
    "gsm8k-socratic": FieldMap(
        answer=Column("answer", after_hashes),
        solution=Column("answer", socratic_steps),
        hints=Column("answer", socratic_hints),
    ),
    "math": FieldMap(
        question="problem",
        answer=Column("solution", last_boxed),
        solution="solution",
        subject="type",
        difficulty=Column("level", level_number),
    ),
    "math500": FieldMap(
        question="problem",
        answer="answer",
        solution="solution",
        id="unique_id",
        subject="subject",
        difficulty=Column("level", level_number),
    ),
    "aime24": _aime("aime24"),
    "aime25": _aime("aime25"),
    "amc23": FieldMap(
        question="problem|question",
        answer=Column("answer", whole),
        id=Column("id", numbered_in("amc23")),
    ),
    "openmathinstruct2": FieldMap(
        question="problem",
        answer="expected_answer",
        solution="generated_solution",
        subject="problem_source",
    ),
    "deepmath": FieldMap(
        question=Column("question|prompt", last_user_message),
        answer="final_answer|solution",
        solution="r1_solution_1|r1_solution_2|r1_solution_3",
        subject="topic",
        difficulty="difficulty",
    ),
    "numinamath15": FieldMap(
        question="problem",
        answer="answer",
        solution="solution",
        subject="problem_type",
        keep=has_final_answer,
    ),
    "dapo": FieldMap(
        question=Column("prompt", bare_question),
        answer="reward_model.ground_truth|solution",
        id=Column("extra_info.index", numbered_in("dapo")),
    ),
    # difficulty: the share of failures of the 8B model whose solve rate the data set gives
    "bigmath": FieldMap(
        question="problem",
        answer="answer",
        subject=Column("domain", first_text),
        difficulty=Column("llama8b_solve_rate", failure_share),
    ),
    "deepscaler": FieldMap(
        question="problem", answer="answer", solution=Column("solution", derivation)
    ),
    "polaris": FieldMap(
        question="problem", answer="answer", difficulty=Column("difficulty", ratio)
    ),
}.items():
    FIELD_MAPS.add(_name, _map)
