"""The exception tree. Every message names the value, the rule and the remedy.

    HdpoError
    ├── ConfigError(ValueError)          a setting or a combination of settings is impossible
    ├── DataError(ValueError)            a problem, row or file cannot be used
    │   └── ViewError                    a view needs something the problem does not have
    ├── RegistryError(KeyError)          an unknown or duplicate name
    ├── MissingDependencyError(ImportError)  an optional package is needed and not installed
    ├── CheckpointError(RuntimeError)    a run cannot be resumed from what is on disk
    └── TrainingError(RuntimeError)      training stopped and the last good checkpoint was kept

Each also inherits the built-in error it refines, so ``except ValueError`` keeps working.
"""

from __future__ import annotations


class HdpoError(Exception):
    """Root of every error this package raises on purpose."""


class ConfigError(HdpoError, ValueError):
    """A setting, or a combination of settings, that cannot mean anything."""


class DataError(HdpoError, ValueError):
    """A problem, row or file that cannot be used."""


class ViewError(DataError):
    """A privileged view that needs something the problem does not have."""


class RegistryError(HdpoError, KeyError):
    """An unknown or duplicate name. ``args`` are the sentence and, if unknown, the name."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""  # KeyError would print the repr


class MissingDependencyError(HdpoError, ImportError):
    """An optional package is needed and not installed."""


class CheckpointError(HdpoError, RuntimeError):
    """A run cannot be resumed from what is on disk."""


class TrainingError(HdpoError, RuntimeError):
    """Training stopped; the last good checkpoint was kept."""
