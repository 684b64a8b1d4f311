"""Throughput of the torch-free rooms: the cliff ledger, problem streams and problem files.

``python -m benchmarks.rooms [EVENTS]`` prints one JSON line a measurement. Rates depend on the
machine; the ratios to a plain-Python baseline of the same run do not depend on it much.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from hdpo_env.cliffs import LedgerWriter, read_ledger
from hdpo_env.problems import DATASETS, ChainFamily, load_problems


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ledger(num_events: int, writers: int = 4, num_problems: int = 50_000) -> dict[str, float]:
    """Append from several writers, then read, total, classify; the baseline writes JSON lines."""
    rng = Random(0)
    ids = [f"problem-{i}" for i in range(num_problems)]
    successes = [rng.choice((0, 0, 0, 1, 3, 8)) for _ in range(997)]

    def append(folder: str) -> None:
        for writer in range(writers):
            with LedgerWriter(folder, writer=f"rank{writer}") as book:
                for i in range(num_events // writers):
                    c = successes[i % 997]
                    problem = ids[(i * 7919 + writer) % num_problems]
                    book.append(problem, step=i // 512, num_correct=c, num_wrong=8 - c)

    def append_json(path: Path, num: int) -> None:
        with path.open("w") as file:
            for i in range(num):
                row = {"problem": ids[i % num_problems], "step": i, "correct": 0, "wrong": 8}
                file.write(json.dumps(row) + "\n")

    def summarise(folder: str) -> None:
        book = read_ledger(folder)
        book.totals()
        book.transitions().counts()

    with tempfile.TemporaryDirectory() as folder:
        writing = seconds(lambda: append(folder))
        cpu = time.process_time()
        reading = seconds(lambda: summarise(folder))
        cpu = time.process_time() - cpu
        fewer = max(1, num_events // 10)
        lines = seconds(lambda: append_json(Path(folder) / "lines.jsonl", fewer)) / fewer
    return {
        "events": num_events,
        "appends_per_s": num_events / writing,
        "summary_s": reading,
        "summary_cpu_s": cpu,  # what it takes when nothing else wants the processor
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "append_speedup_over_json_lines": lines * num_events / writing,
    }


def problems(num: int = 100_000) -> dict[str, float]:
    """Generate and hash a stream and load it back; load as many rows of real length."""
    source = ChainFamily("#", 6).source("train", 0, num)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problems.jsonl"
        listed: list = []
        making = seconds(lambda: listed.extend(source))
        with path.open("w", encoding="utf-8") as file:
            file.writelines(p.to_json() + "\n" for p in listed)
        cpu = time.process_time()
        loading = seconds(lambda: load_problems(path))
        cpu = time.process_time() - cpu
        rows = DATASETS["sample"].path
        published = [json.loads(line) for line in Path(rows).read_text("utf-8").splitlines()]
        with path.open("w", encoding="utf-8") as file:
            for i in range(num):
                row = published[i % len(published)]
                file.write(json.dumps({**row, "question": f"{i}. {row['question']}"}) + "\n")
        real = seconds(lambda: load_problems(path, field_map="gsm8k", strict=True))
    return {
        "problems": num,
        "generate_s": making,
        "load_s": loading,
        "load_cpu_s": cpu,  # what it takes when nothing else wants the processor
        "load_gsm8k_s": real,
    }


def main() -> None:
    """Print one JSON line a measurement."""
    num_events = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    for bench, found in (("problems", problems()), ("ledger", ledger(num_events))):
        rounded = {name: round(value, 3) for name, value in found.items()}
        print(json.dumps({"bench": bench, **rounded}))


if __name__ == "__main__":
    main()
