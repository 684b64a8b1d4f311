"""The run's cliff ledger: training groups and held-out groups, kept in step with checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hdpo_env.cliffs import LedgerWriter
from hdpo_env.evaluation import ProblemResult
from hdpo_env.types import Group

FOLDER = "ledger"
WRITERS = ("train", "eval")


class RunLedger:
    """Two writers of ``<run>/ledger``: one for what a step samples, one for what evaluations do.

    A resumed run forgets the steps that it will take again, so that no group is lost or counted
    twice whenever the run is killed.
    """

    def __init__(self, run_dir: Path, policy: str) -> None:
        folder = run_dir / FOLDER
        self._writers = {w: LedgerWriter(folder, writer=w, policy=policy) for w in WRITERS}

    def note_groups(self, groups: Iterable[Group], step: int) -> None:
        """What the step's training groups came to."""
        for group in groups:
            self._writers["train"].append_group(group, step=step)

    def note_results(self, results: Sequence[ProblemResult], step: int) -> None:
        """What an evaluation's groups came to."""
        for result in results:
            self._writers["eval"].append(
                result.problem_id,
                step=step,
                num_correct=result.correct,
                num_wrong=result.n - result.correct,
                num_abstained=result.abstained,
            )

    def flush(self) -> None:
        """Hand the events to the operating system: readers see them, a crash of ours keeps them."""
        for writer in self._writers.values():
            writer.flush()

    def sync(self) -> None:
        """Wait until the disk has everything that a checkpoint is about to count on."""
        for writer in self._writers.values():
            writer.sync()

    def forget_from(self, step: int) -> None:
        """Drop what was noted at ``step`` and later."""
        for writer in self._writers.values():
            writer.forget_from(step)

    def close(self) -> None:
        """Write what is buffered and close the files."""
        for writer in self._writers.values():
            writer.close()

    def __del__(self) -> None:
        # A trainer that is stepped by hand and dropped leaves no file open.
        for writer in getattr(self, "_writers", {}).values():
            writer.close()
