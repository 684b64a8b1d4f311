"""What the report knows of a run: typed, frozen, already cleaned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hdpo_env.cliffs import Ledger
from hdpo_env.cliffs.triage import Finding


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric over steps, in increasing order of steps."""

    steps: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def first(self) -> float:
        """The earliest value."""
        return self.values[0]

    @property
    def last(self) -> float:
        """The latest value."""
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A piece of a file that was not used, and why."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class GroupRow:
    """How one training group came out."""

    step: int
    problem_id: str
    slice: str
    kind: str
    counts: tuple[int, int, int] | None = None  # correct, wrong, abstained
    evidence: Mapping[str, Any] | None = field(default=None, repr=False)

    def triaged(self) -> dict[str, Any]:
        """What `triage_rows` reads of it."""
        return {"problem_id": self.problem_id, "step": self.step, "evidence": self.evidence}


@dataclass(frozen=True, slots=True)
class EvalRow:
    """One problem's verdict counts in one evaluation."""

    step: int
    slice: str
    problem_id: str
    num_samples: int
    num_correct: int


@dataclass(frozen=True, slots=True)
class CompletionRow:
    """A completion kept for reading. Its text is a model's: never trust it."""

    step: int
    role: str
    problem_id: str
    text: str = field(repr=False)
    outcome: str
    extracted: str | None


@dataclass(frozen=True)
class Run:
    """One training run as found on disk.

    ``completions`` are those of its first and its last step, ``texts`` the latest of each role by
    problem, ``findings`` the causes of groups without a success.
    """

    name: str
    algo: str
    variant: str
    seed: int
    config: Mapping[str, Any] = field(repr=False)
    curves: Mapping[str, Curve] = field(repr=False)
    groups: tuple[GroupRow, ...] = field(default=(), repr=False)
    evals: tuple[EvalRow, ...] = field(default=(), repr=False)
    completions: tuple[CompletionRow, ...] = field(default=(), repr=False)
    texts: Mapping[str, tuple[CompletionRow, ...]] = field(default_factory=dict, repr=False)
    ledger: Ledger | None = field(default=None, repr=False)
    findings: tuple[Finding, ...] = field(default=(), repr=False)
    seconds: float = 0.0
    skipped: tuple[Skipped, ...] = ()

    @property
    def last_step(self) -> int:
        """The last step that left a metric; 0 if none did."""
        return max((c.steps[-1] for c in self.curves.values()), default=0)

    @property
    def cliff_threshold(self) -> float:
        """The number of successes up to which a group is a cliff; 0 if the run does not say."""
        return float(self.setting("distill", "cliff_threshold", default=0.0))

    def setting(self, *path: str, default: Any) -> Any:
        """A setting of the algorithm, such as ``setting("distill", "weight", default=0.0)``."""
        found: Any = self.config.get("algo")
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return default if found is None else found

    @property
    def planned_steps(self) -> int | None:
        """How many steps the configuration asked for."""
        steps = self.config.get("steps")
        return steps if isinstance(steps, int) else None
