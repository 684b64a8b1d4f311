"""Problems by a name: a source in ``PROBLEMS``, a file, a folder, or a data set."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hdpo_env.errors import ConfigError, DataError, RegistryError
from hdpo_env.problems.family import check_whole
from hdpo_env.problems.files import READERS
from hdpo_env.problems.golds import gold_fault
from hdpo_env.problems.known import DATASETS
from hdpo_env.problems.rows import load_problems
from hdpo_env.problems.source import PROBLEMS, ProblemSource

log = logging.getLogger(__name__)

_SETTINGS = ("split", "size", "field_map", "config", "strict")


def open_source(name: str, **settings: Any) -> ProblemSource:
    """The problems that a name stands for, wherever an environment or an adapter takes one.

    A name in ``PROBLEMS`` comes first, with that source's settings. Anything else is read by
    `load_problems`: a ``.jsonl``, ``.json``, ``.csv`` or ``.parquet`` file, a folder, a name in
    ``DATASETS`` or a hub id, with the settings ``split``, ``size`` (at most this many),
    ``field_map``, ``config`` and ``strict``. Rows that cannot be problems, for their golds too, are
    left out and logged as a warning.

    Raises:
        ConfigError: an unknown setting, or a size below 1.
        DataError: nothing is there, no row can be a problem, or ``strict`` and one cannot.
        RegistryError: it is no path and no known name.

    >>> len(open_source("linear", level=2, size=5)), len(open_source("sample-socratic", size=3))
    (5, 3)
    """
    if name in PROBLEMS:
        return PROBLEMS[name](**settings)
    _check_place(name)
    if unknown := [setting for setting in settings if setting not in _SETTINGS]:
        raise ConfigError(
            f"unknown setting {unknown[0]}={settings[unknown[0]]!r} of {name!r}; "
            f"choose one of: {', '.join(_SETTINGS)}"
        )
    report = load_problems(name, limit=_limit(settings), check=gold_fault, **settings)
    if not report.problems:
        raise DataError(f"{name!r} holds no usable problem: {report.listing()}")
    if report.bad_rows:
        log.warning("%s: %s", name, report.listing())
    return report.problems


def _limit(settings: dict[str, Any]) -> int | None:
    size = settings.pop("size", None)
    if size is not None:
        check_whole("size", size)
        if size < 1:
            raise ConfigError(f"size {size}: ask for at least one problem, or leave it out")
    return size


def _check_place(name: str) -> None:
    """Refuse what is neither a known name nor written as a path or a hub id."""
    is_path = "/" in name or Path(name).suffix in READERS or Path(name).exists()
    if is_path or name in DATASETS:
        return
    try:
        PROBLEMS[name]
    except RegistryError as error:
        sets = ", ".join(data for data in sorted(DATASETS) if data not in PROBLEMS)
        raise RegistryError(
            f"{error}; a data set: {sets}; or an existing file ({', '.join(READERS)}), a folder or "
            "a hub id owner/name",
            name,
        ) from None
