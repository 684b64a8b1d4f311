"""Speed of the mathematical verifier beside math-verify, on one core and one run.

    python -m benchmarks verifier

Two sets: *responses* (a paragraph of reasoning that ends in a box, golds mostly numbers as in
GSM8K and MATH) and *benchmark* (every gold of the test data rewritten and perturbed). Times are
CPU seconds of this process, caches cleared before each timed pass; both judges see the same pairs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import mean, median
from time import process_time

from benchmarks.verifier_rewrites import PERTURBATIONS, REWRITES, variants
from hdpo_env.types import derive_seed
from hdpo_env.verifiers import MathVerifier, VerifierPool
from hdpo_env.verifiers import golds as golds_module
from hdpo_env.verifiers import verify as verify_module
from hdpo_env.verifiers.compare import units
from hdpo_env.verifiers.extract.final import final_answer
from hdpo_env.verifiers.parse import answer as answer_module

GOLDS = Path(__file__).parent.parent / "tests" / "verifiers" / "data" / "golds.txt"
PROSE = (
    "First we write down what is given and choose a name for the unknown, so that $2x + 3 = {n}$. "
    "Subtracting $3$ from both sides gives $2x = {m}$, and dividing by two we find the value. "
    "We check the result by putting it back into the equation: both sides agree. "
) * 4
Pair = tuple[str, str]


def responses(count: int) -> list[Pair]:
    """Completions of about a kilobyte with numeric golds, nine in ten right."""
    rng = Random(derive_seed("bench.verifier", "responses"))
    pairs = []
    for _ in range(count):
        kind = rng.random()
        n = rng.randrange(1, 2_000)
        gold, forms = str(n), [str(n), f"{n}.0", f"{n}\\text{{ dollars}}", f"x = {n}"]
        if kind > 0.8:
            d = rng.randrange(2, 60)
            gold = f"\\frac{{{n}}}{{{d}}}"
            forms = [gold, f"\\dfrac{{{n}}}{{{d}}}", f"{n}/{d}", f"\\frac{{{3 * n}}}{{{3 * d}}}"]
        elif kind > 0.7:
            gold, forms = f"{n}\\sqrt{{3}}", [f"{n}\\sqrt{{3}}", f"{n} \\sqrt 3"]
        answer = rng.choice(forms) if rng.random() < 0.9 else str(n + 1)
        text = PROSE.format(n=n, m=n - 3) + f"Therefore the answer is $\\boxed{{{answer}}}$."
        pairs.append((text, gold))
    return pairs


def benchmark() -> list[Pair]:
    """Every gold of the test data, rewritten and perturbed."""
    rng = Random(derive_seed("bench.verifier", "benchmark"))
    golds = GOLDS.read_text(encoding="utf-8").splitlines()
    return [
        (f"So we obtain $\\boxed{{{text}}}$.", gold)
        for gold in golds
        for table in (REWRITES, PERTURBATIONS)
        for _, text in variants(gold, table, rng)
    ]


def clear() -> None:
    """Forget everything a cache might have kept."""
    verify_module._cache.clear()
    for cached in (answer_module.parse_answer, golds_module.prepare_golds, units.parse_unit):
        cached.cache_clear()


def time_each(judge: Callable[[str, str], object], pairs: list[Pair]) -> list[float]:
    """CPU seconds of every pair."""
    times = []
    for completion, gold in pairs:
        start = process_time()
        judge(completion, gold)
        times.append(process_time() - start)
    return times


def ours() -> Callable[[str, str], object]:
    """Our verdict."""
    verifier = MathVerifier()
    return lambda completion, gold: verifier.verify(completion, gold)


def peer() -> Callable[[str, str], object]:
    """math-verify's verdict."""
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    return lambda completion, gold: verify(parse(f"\\boxed{{{gold}}}"), parse(completion))


def row(name: str, judge: str, times: list[float]) -> float:
    """Print one line; returns pairs per CPU second."""
    ordered = sorted(times)
    rate = 1 / mean(times)
    p99 = ordered[int(0.99 * len(ordered))]
    print(
        f"{name:<10} {judge:<12} {len(times):>6} {rate:>10,.0f} {1e3 * median(times):>10.3f} "
        f"{1e3 * p99:>10.2f} {1e3 * ordered[-1]:>10.1f}"
    )
    return rate


MEGABYTE = {
    "prose": "the answer is what we want. " * 37_500,
    "digits": "1" * 1_000_000,
    "open braces": "{" * 1_000_000,
    "nested boxes": "\\boxed{" * 142_000,
    "boxes": "\\boxed{1}" * 111_000,
    "brackets": "\\(" * 500_000,
    "dollars": "$" * 1_000_000,
    "newlines": "\n" * 1_000_000,
}


def megabytes() -> None:
    """CPU milliseconds to find the final answer in a megabyte of this and that."""
    for name, text in MEGABYTE.items():
        for ending in ("", " so \\boxed{5}."):
            best = min(
                time_each(lambda c, _: final_answer(c, "lenient", None), [(text + ending, "")] * 3)
            )
            print(f"1 MB of {name + (' and a box' if ending else ''):<24} {1e3 * best:>8.2f} ms")


def pool_scaling(pairs: list[Pair]) -> None:
    """Wall-clock throughput of one and of two workers on the same items."""
    from time import perf_counter

    rates = []
    for workers in (1, 2):
        with VerifierPool(MathVerifier(), workers) as pool:
            pool.map(pairs[:8])
            start = perf_counter()
            pool.map(pairs)
            rates.append(len(pairs) / (perf_counter() - start))
    print(
        f"pool: 1 worker {rates[0]:,.0f}/s, 2 workers {rates[1]:,.0f}/s: {rates[1] / rates[0]:.2f}x"
    )


def main() -> None:
    """Print the table."""
    header = ("set", "judge", "pairs", "pairs/CPU s", "median ms", "p99 ms", "max ms")
    print("{:<10} {:<12} {:>6} {:>10} {:>10} {:>10} {:>10}".format(*header))
    judge = ours()
    sets = {"responses": responses(4_000), "benchmark": benchmark()}
    for pairs in sets.values():
        time_each(judge, pairs[:300])  # imports and compiled patterns
    for name, pairs in sets.items():
        clear()
        rate = row(name, "hdpo_env", time_each(judge, pairs))
        sample = Random(0).sample(pairs, min(600, len(pairs)))
        other = row(name, "math-verify", time_each(peer(), sample))
        print(f"{'':<10} {rate / other:.1f} times as many pairs per CPU second")
    megabytes()
    clear()
    pool_scaling(responses(30_000))


if __name__ == "__main__":
    main()
