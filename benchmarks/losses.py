"""The losses against the matrix products they cannot avoid, and against the peers.

``python -m benchmarks losses`` runs every variant in a process of its own on one thread and divides
its process CPU time by that of the bare products, measured in the same run: 3 student and 1 teacher
product of the gated rows for KL, 3 for top-k JSD, 3 + p for the joint operator with a share p
gated. Memory is the peak above the inputs without the gradients, in MB and in buffers of
chunk x V x 4 bytes. Peers that are not installed are skipped by name; to have them, in another
environment or folder:

    pip install --no-deps --target peers liger-kernel==0.8.5 trl==1.16.0 accelerate psutil
    PYTHONPATH=peers python -m benchmarks losses

Rows go to ``benchmarks/results/losses.jsonl``. CPU ratios say nothing about a GPU; where there is
one, `benchmarks.losses_gpu` runs too.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import torch

from benchmarks import losses_gpu
from benchmarks.losses_variants import VARIANTS

RESULTS = Path(__file__).parent / "results" / "losses.jsonl"
SHAPES = [(2048, 32768, 512, 256), (1024, 151936, 256, 128)]  # rows, vocabulary, width, chunk
SHARES = {"kl": 1.0, "topk": 0.0, "joint": 0.3}
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "2"))  # processes a variant, interleaved
REPEATS = 2  # passes in each; the best of all counts
LENGTHS = (1024, 2048, 4096)  # memory must not grow with them


def measured(group: str, variant: str, shape: tuple[int, ...], share: float) -> dict:
    """One process of `benchmarks.losses_variants`."""
    numbers = [str(x) for x in (*shape, REPEATS, share)]
    command = [sys.executable, "-m", "benchmarks.losses_variants", group, variant, *numbers]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def compare(group: str, variants: list[str], shape: tuple[int, ...], share: float) -> list[dict]:
    """Rows of all variants at one shape, the best of the rounds, interleaved."""
    seen: dict[str, list[dict]] = defaultdict(list)
    for _ in range(ROUNDS):
        for variant in variants:
            if not (seen[variant] and "skipped" in seen[variant][0]):
                seen[variant].append(measured(group, variant, shape, share))
    floor = min(line["cpu_s"] for line in seen["products"])
    rows = []
    for variant, lines in seen.items():
        row = dict(zip(("rows", "vocabulary", "width", "chunk"), shape, strict=True))
        row = {"bench": f"losses/{group}", "variant": variant, **row, "share": share}
        best = min(lines, key=lambda line: line.get("cpu_s", 0.0))
        if "cpu_s" in best:
            buffer = shape[3] * shape[1] * 4 / 2**20
            row["ratio"] = round(best["cpu_s"] / floor, 3)
            row["chunk_buffers"] = round(best["extra_mb"] / buffer, 2)
        rows.append(row | {k: float(f"{v:.6g}") if k != "skipped" else v for k, v in best.items()})
    return rows


def show(rows: list[dict]) -> None:
    """A table of the rows."""
    first = rows[0]
    size = "x".join(str(first[k]) for k in ("rows", "vocabulary", "width"))
    print(f"\n{first['bench']} {size} chunk {first['chunk']}, gated share {first['share']}")
    print(f"{'variant':<26}{'ratio':>8}{'cpu s':>9}{'MB':>9}{'buffers':>9}  {'loss':>12}")
    for row in rows:
        if "skipped" in row:
            print(f"{row['variant']:<26} skipped: {row['skipped']}")
            continue
        loss = f"{row['loss']:12.6g}" if "loss" in row else " " * 12
        print(
            f"{row['variant']:<26}{row['ratio']:>8.2f}{row['cpu_s']:>9.2f}"
            f"{row['extra_mb']:>9.0f}{row['chunk_buffers']:>9.2f}  {loss}"
        )


def main() -> None:
    """Everything, printed and written down."""
    jobs: list[tuple[str, list[str], tuple[int, ...], float]] = []
    for shape in SHAPES:
        for group, share in SHARES.items():
            jobs.append((group, [name for g, name in VARIANTS if g == group], shape, share))
        jobs += [("kl", ["products", "ours"], shape, share) for share in (0.25, 0.5)]
    jobs += [("kl", ["products", "ours"], (n, *SHAPES[0][1:]), 1.0) for n in LENGTHS]
    machine = {"torch": torch.__version__, "cpu": platform.machine(), "threads": 1}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("")
    for job in jobs:
        rows = compare(*job)
        show(rows)
        with RESULTS.open("a") as file:
            file.writelines(json.dumps({**row, **machine}) + "\n" for row in rows)
    if torch.cuda.is_available():
        losses_gpu.main()
    else:
        print("\nno GPU here: the rows of benchmarks.losses_gpu were not measured")


if __name__ == "__main__":
    main()
