"""Runs ordered as an experiment: variants, each with its seeds, judged on slices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hdpo_env.errors import DataError
from hdpo_env.report.records import Run
from hdpo_env.report.seeds import BandPoint, SeedMean, band, seed_mean, thinned

_EVAL = re.compile(r"eval/(.+)/(greedy|pass@(\d+)|cliff_rate)")
_KNOWN_SLICES = ("easy", "cliff", "control", "faint")
_BASELINES = ("grpo", "dr_grpo", "dapo")
_ABLATION = "faint"

#: Curves of training metrics get at most this many points; beyond it, steps are averaged.
MAX_POINTS = 50


@dataclass(frozen=True)
class Study:
    """All runs of a report.

    Raises:
        DataError: there is no run.
    """

    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        if not self.runs:
            raise DataError("there is no run to report on: give at least one run folder")

    @cached_property
    def variants(self) -> dict[str, tuple[Run, ...]]:
        """Variant -> its runs by seed; baselines first, the ablation last."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.variant, []).append(run)

        def rank(variant: str) -> tuple[bool, bool, str]:
            return found[variant][0].algo not in _BASELINES, _is_ablation(variant), variant

        return {v: tuple(sorted(found[v], key=lambda r: r.seed)) for v in sorted(found, key=rank)}

    @cached_property
    def finished(self) -> dict[str, tuple[Run, ...]]:
        """Variant -> its runs that got as far as any of them; only these have a value at the end.

        A seed that stopped early would otherwise be compared with others at another step.
        """
        far = {v: max(run.last_step for run in runs) for v, runs in self.variants.items()}
        return {
            v: tuple(run for run in runs if run.last_step == far[v])
            for v, runs in self.variants.items()
        }

    @cached_property
    def main(self) -> tuple[str, ...]:
        """The variants of the main comparison: all but the divergence ablation."""
        return tuple(v for v in self.variants if not _is_ablation(v)) or tuple(self.variants)

    @cached_property
    def ablation(self) -> tuple[str, ...]:
        """The variants that compare divergences where the student has next to no support."""
        return tuple(v for v in self.variants if _is_ablation(v))

    @cached_property
    def baseline(self) -> str | None:
        """The variant without distillation that the others are compared with."""
        return next((v for v in self.main if self.algo(v) in _BASELINES), None)

    @cached_property
    def slices(self) -> tuple[str, ...]:
        """The slices that were evaluated, the demo's own first."""
        found = {m.group(1) for m in self._eval_keys}
        known = [s for s in _KNOWN_SLICES if s in found]
        return (*known, *sorted(found - set(known)))

    @cached_property
    def ks(self) -> tuple[int, ...]:
        """Every k with a pass@k, in order."""
        return tuple(sorted({int(m.group(3)) for m in self._eval_keys if m.group(3)}))

    @cached_property
    def _eval_keys(self) -> list[re.Match[str]]:
        keys = {key for run in self.runs for key in run.curves}
        return [m for m in map(_EVAL.fullmatch, sorted(keys)) if m]

    @property
    def hard(self) -> str | None:
        """The slice on which the experiment is decided: ``cliff``, or the first there is."""
        return "cliff" if "cliff" in self.slices else next(iter(self.slices), None)

    @property
    def hard_key(self) -> str:
        """The metric on which the experiment is decided: pass@k of the hard slice, largest k."""
        return f"eval/{self.hard}/pass@{self.ks[-1]}" if self.ks else f"eval/{self.hard}/greedy"

    @property
    def num_seeds(self) -> int:
        """The largest number of finished seeds of a variant."""
        return max(len(runs) for runs in self.finished.values())

    @property
    def last_step(self) -> int:
        """The last step of the longest run."""
        return max(run.last_step for run in self.runs)

    def algo(self, variant: str) -> str:
        """The algorithm of a variant."""
        return self.variants[variant][0].algo

    def divergence(self, variant: str) -> str:
        """The divergence of a variant's distillation term; the papers' ``jsd`` if not recorded."""
        run = self.variants[variant][0]
        return str(run.setting("distill", "divergence", default="jsd"))

    def start(self, variant: str, key: str) -> SeedMean | None:
        """The first value of a rate, over seeds; None if the variant never had it."""
        return _over_seeds([r.curves[key].first for r in self.variants[variant] if key in r.curves])

    def end(self, variant: str, key: str) -> SeedMean | None:
        """The last value of a rate, over finished seeds; None if the variant never had it."""
        return _over_seeds([r.curves[key].last for r in self.finished[variant] if key in r.curves])

    def curve(self, variant: str, key: str, *, thin: bool = False) -> tuple[BandPoint, ...]:
        """A metric over steps with its band over seeds; ``thin`` averages consecutive steps."""
        width = self.thinning if thin else 1
        curves = [thinned(r.curves[key], width) for r in self.variants[variant] if key in r.curves]
        return band(curves)

    @property
    def thinning(self) -> int:
        """How many consecutive training steps one point of a thinned curve averages."""
        return -(-self.last_step // MAX_POINTS) or 1


def _is_ablation(variant: str) -> bool:
    return variant.startswith(_ABLATION)


def _over_seeds(values: Sequence[float]) -> SeedMean | None:
    return seed_mean(values) if values else None
