"""The run's cliff ledger: training groups and held-out groups, kept in step with checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hdpo_env.cliffs import LedgerWriter
from hdpo_env.evaluation import ProblemResult
from hdpo_env.types import Group

FOLDER = "ledger"
WRITERS = ("train", "eval")


class RunLedger:
    """Two writers of ``<run>/ledger``: one for what a step samples, one for what evaluations do.

    Events wait in memory until `flush` or `mark`. A checkpoint keeps the last mark; `load` cuts off
    what came after it, so that no group is lost or counted twice whenever the run is killed. What
    is flushed only (the last evaluation) is noted anew by a resumed run that goes on longer.
    """

    def __init__(self, run_dir: Path, policy: str) -> None:
        folder = run_dir / FOLDER
        self._writers = {w: LedgerWriter(folder, writer=w, policy=policy) for w in WRITERS}
        self._marks = self._places()

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

    def mark(self) -> None:
        """Flush, and take this for the place that the next checkpoint goes back to."""
        self._marks = self._places()

    def _places(self) -> dict[str, dict[str, int]]:
        return {name: writer.state_dict() for name, writer in self._writers.items()}

    def state(self) -> dict[str, dict[str, int]]:
        """The last mark, once the disk has everything."""
        for writer in self._writers.values():
            writer.sync()
        return self._marks

    def load(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Go back to where a checkpoint stood.

        Raises:
            CheckpointError: the ledger has lost events that the checkpoint has seen.
        """
        for name, writer in self._writers.items():
            writer.load_state_dict(state[name])
        self._marks = self._places()

    def close(self) -> None:
        """Write what is buffered and close the files."""
        for writer in self._writers.values():
            writer.close()

    def __del__(self) -> None:
        # A trainer that is stepped by hand and dropped leaves no file open.
        for writer in getattr(self, "_writers", {}).values():
            writer.close()
