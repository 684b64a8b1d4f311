"""The README's table, from the ``summary.json`` of a comparison.

``python -m benchmarks.readme_table [docs/recorded.json]`` prints it; the recorded file is what
``hdpo compare --preset demo --seeds 3 --pretrain --out runs/recorded`` wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

COLUMNS = (("cliff", "pass@8"), ("easy", "pass@1"), ("control", "pass@8"), ("faint", "pass@8"))


def cell(values: Iterable[float]) -> str:
    """Mean over seeds and the half-width of its 95 % Student t interval."""
    from hdpo_env.stats import t_quantile

    numbers = list(values)
    mean = sum(numbers) / len(numbers)
    if len(numbers) < 2:
        return f"{mean:.3f}"
    variance = sum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1)
    half = t_quantile(len(numbers) - 1) * (variance / len(numbers)) ** 0.5
    return f"{mean:.3f} ± {half:.3f}"


def table(summaries: list[dict[str, Any]]) -> str:
    """One row a variant, the base model first."""
    seeds = sorted({s["seed"] for s in summaries})
    firsts = [next(s["start"] for s in summaries if s["seed"] == seed) for seed in seeds]
    rows = [("base model", firsts)]
    rows += [
        (variant, [s for s in summaries if s["variant"] == variant])
        for variant in dict.fromkeys(s["variant"] for s in summaries)
    ]
    lines = [
        "| variant | " + " | ".join(f"{s} {m}" for s, m in COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for name, runs in rows:
        cells = (cell(run[s][m] for run in runs) for s, m in COLUMNS)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of one file."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/recorded.json")
    print(table(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
