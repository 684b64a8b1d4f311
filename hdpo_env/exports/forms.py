"""The form of a row in each system.

Read in the systems' own files in November 2026: TRL 1.16.0, verl 0.9.1, OpenRLHF 0.11.2, and the
repositories of SDPG, SDPO, OPSD, prime-rl, ROLL, slime, NeMo-RL and tinker-cookbook.
"""

from __future__ import annotations

import json
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.exports.export import Row
from hdpo_env.exports.rows import Entry, sentinel_free

TEACHER_CONTEXT = "[TEACHER_CONTEXT_TOKEN]"  # SDPG's sentinel


def trl(entry: Entry) -> Row:
    """TRL: a conversational ``prompt``; SDPO and SDFT read ``privileged_context``."""
    told = {"answer": entry.problem.gold, "privileged_context": entry.context}
    return {"prompt": entry.messages, **told, **entry.facts}


def verl(entry: Entry) -> Row:
    """verl, for readers of ``extra_info.privileged_context``."""
    return _verl_row(entry, entry.messages, privileged_context=entry.context)


def verl_opsd(entry: Entry) -> Row:
    """The self-distillation of verl, which finds problem and solution by dotted keys."""
    return _verl_row(entry, entry.messages, solution=entry.context)


def sdpo(entry: Entry) -> Row:
    """SDPO: the reward function finds ``extra_info.feedback`` and returns it as ``feedback``."""
    return _verl_row(entry, entry.messages, feedback=entry.context)


def sdpg(entry: Entry) -> Row:
    """SDPG: the first message is split at a sentinel; the student gets the first half.

    The teacher gets both halves, so the blank line between them belongs to the second.
    """
    asked = sentinel_free(entry.text, TEACHER_CONTEXT)
    told = sentinel_free(entry.context, TEACHER_CONTEXT)
    content = f"{asked}{TEACHER_CONTEXT}\n\n{told}" if told else asked
    return _verl_row(entry, [{"role": "user", "content": content}])


def _verl_row(entry: Entry, prompt: list[dict[str, str]], **extra: Any) -> Row:
    problem = entry.problem
    place = {"index": entry.number, "problem": problem.question}
    return {
        "data_source": f"hdpo/{problem.source or 'problems'}",
        "prompt": prompt,
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": problem.gold},
        "extra_info": {**place, **entry.facts, **extra},
    }


def openrlhf(entry: Entry) -> Row:
    """OpenRLHF: the label is JSON with every accepted answer; rewards see it, so it has no more.

    The solution has a column of its own, for ``--data.solution_key``.
    """
    label = {"answer": list(entry.problem.answers)}
    return {
        "input": entry.text if len(entry.messages) == 1 else entry.messages,
        "label": json.dumps(label, ensure_ascii=False),
        "solution": entry.context,
        **entry.facts,
    }


def prime_rl(entry: Entry) -> Row:
    """prime-rl: ``opsd`` looks for ``info[demo_key]``."""
    info = {**entry.facts, "demonstration": entry.context}
    return {"prompt": entry.messages, "answer": entry.problem.gold, "info": info}


def slime(entry: Entry) -> Row:
    """slime: prompt, label and metadata become one Sample."""
    metadata = {**entry.facts, "privileged_context": entry.context}
    return {"prompt": entry.messages, "label": entry.problem.gold, "metadata": metadata}


def nemo_rl(entry: Entry) -> Row:
    """NeMo-RL: the second message is the gold; a row with ``messages`` keeps its other columns."""
    gold = {"role": "assistant", "content": entry.problem.gold}
    asked = {"role": "user", "content": entry.text}
    return {"messages": [asked, gold], "privileged_context": entry.context, **entry.facts}


def tinker(entry: Entry) -> Row:
    """tinker-cookbook's SDFT: questions and golden answers."""
    return {"prompt": entry.text, "golden_response": entry.context, **entry.facts}


def roll(entry: Entry) -> Row:
    """ROLL: messages as JSON, and the reference under ``opsd_solution_key``."""
    return {
        "id": entry.problem.id,
        "prompt": entry.text,
        "messages": json.dumps(entry.messages, ensure_ascii=False),
        "ground_truth": entry.problem.gold,
        "reference_solution": entry.context,
        "tag": entry.problem.source or "problems",
        **entry.facts,
    }


def opsd(entry: Entry) -> Row:
    """OPSD: the collator words ``problem`` and ``solution`` itself.

    Raises:
        ConfigError: the student's template has a system message, which OPSD would not use.
    """
    if len(entry.messages) > 1:
        raise ConfigError(
            "OPSD words the student's prompt itself: choose a student template without a system "
            "message"
        )
    return {"problem": entry.problem.question, "solution": entry.context, **entry.facts}
