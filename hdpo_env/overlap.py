"""Overlap of training and evaluation problems: the same text, the same words, or a shared 13-gram.

A benchmark measures little once its questions were trained on. Three tests, from sure to likely:
*exact*, the same question; *normalised*, the same but for case, spacing, sentence marks and TeX;
*ngram*, a run of 13 words or symbols in common (Brown et al. 2020, appendix C).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hdpo_env.errors import ConfigError
from hdpo_env.types import Problem
from hdpo_env.verifiers.questions import question_key

KINDS = ("exact", "normalised", "ngram")

Gram = tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """One pair of problems that share more than chance, and the surest test that says so."""

    train_id: str
    held_out_id: str
    kind: str


@dataclass(frozen=True)
class OverlapReport:
    """All overlapping pairs of two sets, each once.

    >>> print(find_overlaps([Problem("1 + 1 = ?", ("2",))], [Problem("1+1=?", ("2",))]))
    1 of 1 training problems overlap with 1 of 1 held-out problems (exact 0, normalised 1, ngram 0)
    """

    pairs: tuple[Overlap, ...] = field(repr=False)
    num_train: int
    num_held_out: int
    num_boilerplate: int = 0  # runs of words that so many held-out problems share, left aside

    @property
    def train_ids(self) -> frozenset[str]:
        """Training problems that overlap with any held-out one."""
        return frozenset(pair.train_id for pair in self.pairs)

    @property
    def held_out_ids(self) -> frozenset[str]:
        """Held-out problems that overlap with any training one."""
        return frozenset(pair.held_out_id for pair in self.pairs)

    @property
    def counts(self) -> dict[str, int]:
        """Pairs of each kind."""
        found = Counter(pair.kind for pair in self.pairs)
        return {kind: found[kind] for kind in KINDS}

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.counts.items())
        return (
            f"{len(self.train_ids)} of {self.num_train} training problems overlap with "
            f"{len(self.held_out_ids)} of {self.num_held_out} held-out problems ({kinds})"
        )


def words(text: str) -> list[str]:
    r"""Words, numbers and operators in lower case, however the formula was set.

    >>> words(r"Find $\frac{1}{2} + X$.") == words(r"find \(\frac 1 2+x\)")
    True
    """
    return re.findall(r"[^\W\d_]+|\d+|[+\-*/=<>^]", text.casefold())


def find_overlaps(
    train: Iterable[Problem],
    held_out: Sequence[Problem],
    *,
    n: int = 13,
    boilerplate: int = 3,
    kinds: Collection[str] = KINDS,
) -> OverlapReport:
    """Every pair of a training and a held-out problem that overlap, with the surest kind.

    Args:
        train: training problems; read once, so a stream will do.
        held_out: evaluation problems; their runs of words are held in memory.
        n: length of the runs in words and symbols. Shorter questions have none.
        boilerplate: a run that more held-out problems than this share is a phrase ("where m and n
            are relatively prime positive integers. Find m + n."), and no sign of overlap.
        kinds: the tests that count. Questions made from a template share runs of words with each
            other: leave ``ngram`` out for them.

    Raises:
        ConfigError: ``n`` or ``boilerplate`` is below 1, or a kind is unknown.
    """
    if n < 1 or boilerplate < 1:
        raise ConfigError(f"n is {n} and boilerplate is {boilerplate}: both must be at least 1")
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise ConfigError(f"kinds {unknown} are unknown: choose from {', '.join(KINDS)}")
    index = _Index(held_out, n, boilerplate)
    num_train, pairs = 0, []
    for problem in train:
        num_train += 1
        found = index.find(problem, kinds).items()
        pairs += [Overlap(problem.id, other, kind) for other, kind in found]
    return OverlapReport(tuple(pairs), num_train, len(held_out), index.num_boilerplate)


def without_overlaps(
    train: Sequence[Problem],
    held_out: Sequence[Problem],
    *,
    n: int = 13,
    boilerplate: int = 3,
    kinds: Collection[str] = KINDS,
) -> tuple[list[Problem], OverlapReport]:
    """The training problems that overlap with no held-out one, and what was found.

    >>> problems = [Problem("1+1=?", ("2",)), Problem("2+2=?", ("4",))]
    >>> kept, report = without_overlaps(problems, problems[:1])
    >>> [p.question for p in kept], report.counts["exact"]
    (['2+2=?'], 1)
    """
    report = find_overlaps(train, held_out, n=n, boilerplate=boilerplate, kinds=kinds)
    overlapping = report.train_ids
    return [problem for problem in train if problem.id not in overlapping], report


class _Index:
    """Held-out problems by their text, by their normalised text, and by their runs of words."""

    def __init__(self, held_out: Sequence[Problem], n: int, boilerplate: int) -> None:
        self.n = n
        self.exact: dict[str, list[str]] = defaultdict(list)
        self.normalised: dict[str, list[str]] = defaultdict(list)
        grams: dict[Gram, list[str]] = defaultdict(list)
        for problem in held_out:
            self.exact[problem.question].append(problem.id)
            self.normalised[question_key(problem.question)].append(problem.id)
            for gram in set(_grams(problem.question, n)):
                grams[gram].append(problem.id)
        self.grams = {gram: ids for gram, ids in grams.items() if len(ids) <= boilerplate}
        self.num_boilerplate = len(grams) - len(self.grams)

    def find(self, problem: Problem, kinds: Collection[str]) -> dict[str, str]:
        """Ids of held-out problems that overlap with this one, each with the surest kind."""
        question, found = problem.question, dict[str, str]()
        if "ngram" in kinds:
            for gram in _grams(question, self.n):
                found.update(dict.fromkeys(self.grams.get(gram, ()), "ngram"))
        if "normalised" in kinds:
            same = self.normalised.get(question_key(question), ())
            found.update(dict.fromkeys(same, "normalised"))
        if "exact" in kinds:
            found.update(dict.fromkeys(self.exact.get(question, ()), "exact"))
        return found


def _grams(question: str, n: int) -> Iterator[Gram]:
    tokens = words(question)
    return (tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
