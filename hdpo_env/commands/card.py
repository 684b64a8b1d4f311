"""The cliff card: what is known about the cliffs of one data set under one model, on one page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hdpo_env.cliffs import Beta, plan_budget
from hdpo_env.cliffs.triage import ABOUT, REMEDY, Cause
from hdpo_env.commands.cliff_facts import told_posterior
from hdpo_env.commands.line_options import printable
from hdpo_env.commands.tally import Tally
from hdpo_env.stats import pass_at_k_over_problems

VERSION = 1
MOST_K = 1024  # of the pass@k on a card
GROUP_SIZES = (4, 8, 16, 32, 64)  # between which the budget lets choose
_MAX_IDS = 20


def card_of(
    tally: Tally,
    facts: Mapping[str, Any],
    *,
    data: str,
    model: str,
    num_rollouts: int,
) -> dict[str, Any]:
    """The card as a JSON-able object; ``facts`` may hold ``causes`` and ``phantom_rate``.

    ``pass_at_k`` is None for rollouts of several steps, which are those of several policies.
    """
    posterior = facts["posterior"]
    budget = []
    if posterior is not None and not posterior["is_bounded"]:
        prior = Beta(posterior["a"], posterior["b"])
        sizes = [k for k in GROUP_SIZES if k <= num_rollouts]
        budget = [
            asdict(row) | {"cost_per_escape": row.cost_per_escape if row.escape_rate else None}
            for row in plan_budget(
                prior,
                num_rollouts=num_rollouts,
                group_sizes=sizes,
                threshold=facts["threshold"],
            )
        ]
    return {
        "version": VERSION,
        "data": data,
        "model": model,
        "facts": {k: v for k, v in facts.items() if k != "causes"},
        "pass_at_k": _pass_at_k(tally),
        "causes": facts.get("causes"),
        "budget": budget,
    }


def write_card(card: Mapping[str, Any], folder: Path) -> None:
    """Write ``card.json`` and ``card.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(card, indent=2, ensure_ascii=False)
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")
    (folder / "card.md").write_text(markdown(card), encoding="utf-8")


def _pass_at_k(tally: Tally) -> dict[str, list[float]] | None:
    if len({step for _, step in tally.groups}) > 1:
        return None
    counts = [(c + w, c) for _, (c, w, _) in tally.counts() if c + w]
    if not counts:
        return None
    least = min(n for n, _ in counts)
    ks = [2**i for i in range(min(least, MOST_K).bit_length())]
    counts.sort()  # sums of floats depend on their order, and lines come in any
    return {str(k): list(pass_at_k_over_problems(counts, k)) for k in ks}


def markdown(card: Mapping[str, Any]) -> str:
    """The card for people."""
    facts = card["facts"]
    parts = [
        f"# Cliff card: {card['data']} x {card['model']}",
        _opening(facts),
        _table(
            ("kind", "groups", "share"),
            [(k, f"{r['groups']:,}", f"{r['rate']:.4f}") for k, r in facts["kinds"].items()],
        ),
    ]
    if not card["pass_at_k"]:
        parts += ["## Coverage", f"pass@k cannot be told: {_why_no_coverage(facts)}."]
    else:
        rows = [
            (f"pass@{k}", f"{v:.4f}", f"{lo:.4f} to {hi:.4f}")
            for k, (v, lo, hi) in card["pass_at_k"].items()
        ]
        parts += ["## Coverage", _table(("", "estimate", "95 % over problems"), rows)]
    if card["causes"]:
        total = sum(card["causes"].values())
        rows = [
            (ABOUT[Cause(name)], f"{n:,}", f"{n / total:.3f}", REMEDY[Cause(name)])
            for name, n in card["causes"].items()
        ]
        parts += ["## Why groups fail", _table(("cause", "groups", "share", "what to do"), rows)]
    if ids := facts.get("suspected_wrong_golds"):
        more = f" and {len(ids) - _MAX_IDS:,} more, in card.json" if len(ids) > _MAX_IDS else ""
        parts.append(f"Suspected wrong gold answers: {printable(', '.join(ids[:_MAX_IDS]))}{more}.")
    if rate := facts.get("phantom_rate"):
        parts.append(
            f"Phantom gradient: in {rate:.3f} of the cliffs failures were rewarded differently, "
            "which trains form or length."
        )
    parts += ["## How sure", told_posterior(facts)]
    if card["budget"]:
        parts += ["## What a step buys", _budget(card["budget"])]
    return "\n\n".join(parts) + "\n"


def counted(number: int, noun: str) -> str:
    """A number and what it counts.

    >>> counted(1, "group"), counted(1200, "group")
    ('1 group', '1,200 groups')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _opening(facts: Mapping[str, Any]) -> str:
    low, high = facts["group_size"]
    size = f"{low}" if low == high else f"{low} to {high}"
    rate = "unknown" if facts["pass_rate"] is None else f"{facts['pass_rate']:.4f}"
    return (
        f"{counted(facts['rollouts'], 'rollout')} of {counted(facts['problems'], 'problem')} in "
        f"groups of {size}; "
        f"pass rate {rate}; {counted(facts['abstentions'], 'abstention')}, "
        f"{counted(facts['malformed_lines'], 'malformed line')}; "
        f"{counted(len(facts['never_solved']), 'problem')} never solved. A cliff is a "
        f"group {_few(facts['threshold'])}: an event, not a property of the problem."
    )


def _why_no_coverage(facts: Mapping[str, Any]) -> str:
    if facts["pass_rate"] is None:
        return "no rollout was judged"
    return "the rollouts are of several steps, so of several policies"


def _few(threshold: int) -> str:
    few = {0: "without a success", 1: "with at most 1 success"}
    return few.get(threshold, f"with at most {threshold} successes")


def _budget(budget: list[Mapping[str, Any]]) -> str:
    rows = [
        (
            str(row["group_size"]),
            str(row["num_prompts"]),
            f"{row['cliff_rate']:.3f}",
            f"{row['num_mixed']:.1f}",
            f"{row['escape_rate']:.3f}",
            _told_cost(row["cost_per_escape"]),
        )
        for row in sorted(budget, key=lambda row: row["group_size"])
    ]
    head = (
        "G",
        "prompts",
        "cliffs",
        "mixed groups",
        "cliff opens when retried",
        "rollouts for one",
    )
    return _table(head, rows)


def _told_cost(rollouts: float | None) -> str:
    if rollouts is None:
        return "none opens"
    return f"{rollouts:,.0f}" if rollouts < 1e6 else "more than a million"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in r)} |" for r in lines)
