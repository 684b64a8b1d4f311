"""Fuzz the mathematical verifier: random LaTeX, mutated answers, towers and byte soup.

    python -m benchmarks.verifier_fuzz --items 1000000 --seed 0

Runs every input through a pool and exits 1 if any verdict is a fault of the verifier (an exception,
a dead worker) or took longer than its limit. Inputs are a function of the seed alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from random import Random
from time import perf_counter

from hdpo_env.types import Outcome, Verdict, derive_seed
from hdpo_env.verifiers import MathVerifier, VerifierPool

ATOMS = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "10",
    "12",
    "0.5",
    ".25",
    "1e9",
    "-1",
    "100",
    "999999999999",
    "x",
    "y",
    "n",
    "k",
    "\\pi",
    "e",
    "i",
    "\\infty",
    "\\alpha",
    "x_1",
    "a_{n}",
    "f(x)",
    "\\theta",
    "A",
    "B",
    "AB",
    "\\emptyset",
    "\\mathbb{R}",
    "\\text{cm}",
    "\\text{yes}",
    "\\%",
    "^\\circ",
    "\\$",
    "\\ldots",
    "0.333...",
    "C(5,2)",
    "AC_{16}",
    "4 July",
    "10:00 AM",
    "k \\in \\mathbb{Z}",
    "\\text{all real numbers}",
    "\\text{ for all } x",
    "n(n-1)\\cdots 1",
    "t(1,2)",
    "0{,}5",
    "July 4, 1776",
    "\\mathbf{i}",
    "\\,dx",
    "^+",
    "1,\\ldots,5",
    "21^{\\text{st}}",
    "\\text{odd primes}",
]
UNARY = (
    "\\sqrt{%s}",
    "\\sqrt[3]{%s}",
    "\\left(%s\\right)",
    "-%s",
    "%s!",
    "|%s|",
    "\\sin %s",
    "\\ln{%s}",
    "e^{%s}",
    "\\{%s\\}",
    "\\lfloor %s\\rfloor",
    "\\overline{%s}",
    "\\text{%s}",
    "%s'",
    "\\boxed{%s}",
    "\\arcsin(%s)",
    "\\pm %s",
    "[%s,%s)",
    "%s\\%%",
    "\\tan^{-1}(%s)",
    "10^{%s}",
    "\\log_{2}(%s)",
    "\\begin{aligned}%s\\end{aligned}",
    "\\text{all except }%s",
    "%s \\text{ and permutations}",
)
BINARY = (
    "%s+%s",
    "%s-%s",
    "%s %s",
    "%s\\cdot %s",
    "%s/%s",
    "\\frac{%s}{%s}",
    "%s^{%s}",
    "\\binom{%s}{%s}",
    "(%s,%s)",
    "%s,%s",
    "%s=%s",
    "%s<%s",
    "%s\\cup %s",
    "%s \\text{ or } %s",
    "\\begin{pmatrix}%s&%s\\end{pmatrix}",
    "%s_{%s}",
    "%s:%s",
    "%s\\pm %s",
    "\\sum_{k=1}^{%s}%s",
    "\\log_{%s}{%s}",
    "%s \\in %s",
    "%s \\pmod{%s}",
    "\\max(%s,%s)",
    "\\{%s \\mid %s\\}",
    "\\sqrt[%s]{%s}",
    "%s \\text{ for } %s",
    "\\mathbb{R} \\setminus [%s,%s]",
    "%s \\equiv %s",
    "%s+\\cdots+%s",
    "1+2+\\cdots+%s+%s",
    "\\int_0^{%s}%s\\,dx",
    "\\int_{%s}^1\\frac{dx}{%s}",
    "\\lim_{x\\to %s}%s",
    "\\sum_{n=%s}^\\infty %s",
    "\\begin{cases}%s & x<0\\\\ %s & x\\ge 0\\end{cases}",
    "%s k+%s, k\\in\\mathbb{Z}",
    "\\begin{array}{l}x=%s\\\\y=%s\\end{array}",
)
BLANKS = (" ", "} ", "{ ", "\\ ", ", ", "\n")
LONGEST = 1_900  # characters: about the longest answer that is read at all
SOUP = "{}[]()\\^_$&%#~|!<>=+-*/.,;:'\" \n\t09azAZ\x00\u0301√∞½²\ud800𝔸"


def expression(rng: Random, depth: int) -> str:
    """Random LaTeX that is nearly well formed."""
    if depth <= 0 or rng.random() < 0.2:
        return rng.choice(ATOMS)
    if rng.random() < 0.45:
        form = rng.choice(UNARY)
        return form.replace("%%", "%") if "%s" not in form else _fill(form, rng, depth)
    return _fill(rng.choice(BINARY), rng, depth)


def _fill(form: str, rng: Random, depth: int) -> str:
    holes = form.count("%s")
    return form % tuple(expression(rng, depth - 1) for _ in range(holes))


def mutate(text: str, rng: Random) -> str:
    """Characters dropped, doubled, swapped for soup, or a slice moved."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:at] + text[at + 1 :]
        elif kind == 1:
            text = text[:at] + rng.choice(SOUP) + text[at:]
        elif kind == 2:
            text = text[:at] + text[at : at + 5] * 2 + text[at + 5 :]
        else:
            text = text[at:] + text[:at]
    return text


def repeated(rng: Random) -> str:
    """One or two atoms over and over, as far as is read: slow patterns and deep trees show."""
    atoms = (*ATOMS, *BLANKS)
    head, middle, tail = (rng.choice(atoms) + rng.choice(("", *atoms)) for _ in range(3))
    return head + middle * (LONGEST // len(middle)) + tail


def item(index: int, seed: int) -> tuple[str, str]:
    """The completion and gold number ``index``: half of the pairs share most of their text."""
    rng = Random(derive_seed("verifier.fuzz", seed, index))
    gold = expression(rng, rng.randint(0, 4))
    kind = rng.randrange(100)
    if kind == 0:
        answer = repeated(rng)
    elif kind < 20:
        answer = "".join(rng.choice(SOUP) for _ in range(rng.randint(0, 60)))
    elif kind < 40:
        answer = mutate(gold, rng)
    elif kind < 60:
        answer = expression(rng, 6)
    elif kind < 80:
        answer = rng.choice(ATOMS) + "".join(
            rng.choice(["^{", "^", "!", "_{"]) + rng.choice(ATOMS) for _ in range(12)
        )
    else:
        answer = expression(rng, 3)
    frame = rng.choice(["$\\boxed{%s}$", "The answer is %s.", "%s", "\\boxed{%s", "%s}"])
    return frame.replace("%s", answer), gold


def batches(count: int, seed: int, size: int = 5_000) -> Iterator[list[tuple[str, str]]]:
    """All inputs, some thousands at a time."""
    for start in range(0, count, size):
        yield [item(i, seed) for i in range(start, min(count, start + size))]


def is_defect(verdict: Verdict, limit_s: float) -> bool:
    """Whether a verdict shows an exception, a dead worker, or a limit that did not hold."""
    failed = verdict.outcome is Outcome.ERROR and verdict.stage in ("fault", "pool")
    return failed or verdict.ms > 1e3 * (limit_s + 1)


def main(argv: list[str] | None = None) -> int:
    """Run the fuzzer; 0 if no defect was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=5.0)
    options = parser.parse_args(argv)
    outcomes: Counter[str] = Counter()
    slowest: tuple[float, tuple[str, str]] = (0.0, ("", ""))
    defects = 0
    start = perf_counter()
    with VerifierPool(MathVerifier(), options.workers, options.timeout) as pool:
        for batch in batches(options.items, options.seed):
            for pair, verdict in zip(batch, pool.map(batch), strict=True):
                outcomes[verdict.outcome.name] += 1
                slowest = max(slowest, (verdict.ms, pair))
                if is_defect(verdict, options.timeout):
                    defects += 1
                    print(f"DEFECT {pair!r}: {verdict.outcome.name} {verdict.reason}")
    seconds = perf_counter() - start
    print(f"{options.items} inputs in {seconds:.1f} s; {dict(outcomes)}")
    print(f"slowest {slowest[0]:.0f} ms: {slowest[1]!r}")
    print(f"defects: {defects}")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
