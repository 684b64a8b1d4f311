"""What an export gives: rows, and the problems that could not become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, overload

from hdpo_env.exports.write import write_rows

Row = dict[str, Any]


class LeftOut(NamedTuple):
    """A problem that could not be exported, and why."""

    problem_id: str
    reason: str


@dataclass(frozen=True)
class Export(Sequence[Row]):
    """Rows in a carrier's form. Its repr shows none of them: they hold golds and solutions."""

    carrier: str
    rows: tuple[Row, ...] = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self.rows[index]

    def __repr__(self) -> str:
        return f"Export({self.carrier!r}, {len(self)} rows, {len(self.left_out)} left out)"

    def save(self, path: str | Path) -> None:
        """Write the rows as ``.jsonl`` or ``.parquet``.

        Raises:
            ConfigError: the file's name ends in neither.
            MissingDependencyError: parquet needs pyarrow, which is not installed.
        """
        write_rows(self.rows, Path(path))
