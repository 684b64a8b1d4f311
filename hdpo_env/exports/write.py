"""Rows to a file, as JSON lines or parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hdpo_env.errors import ConfigError, MissingDependencyError


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write ``.jsonl`` or ``.parquet``, by the file's name.

    Raises:
        ConfigError: the file's name ends in neither, or parquet rows of which there are none.
        MissingDependencyError: parquet needs pyarrow, which is not installed.
    """
    if path.suffix == ".jsonl":
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        with path.open("w", encoding="utf-8") as file:
            file.writelines(lines)
    elif path.suffix == ".parquet":
        _write_parquet(rows, path)
    else:
        raise ConfigError(f"cannot write {path.name!r}: let it end in .jsonl or .parquet")


def _write_parquet(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    if not rows:
        raise ConfigError(f"there are no rows for {path.name!r}, and parquet needs their columns")
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError(
            f"writing {path.name!r} needs pyarrow: pip install 'hdpo_env[data]'"
        ) from None
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)
