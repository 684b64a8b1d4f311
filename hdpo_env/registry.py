"""Explicit name -> factory tables that refuse duplicates and list the choices in their error."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from hdpo_env.errors import RegistryError

T = TypeVar("T")


class Registry(Generic[T]):
    """A table of named factories of one kind, open to third parties through entry points.

    A package adds names by an entry point in the group ``hdpo_env.<kind>``; it is loaded only when
    its name is asked for. ``name:argument`` is the factory of that name with its first argument.

    >>> verbs = Registry("verb")
    >>> verbs.add("go", lambda: "gone")
    >>> verbs["go"]()
    'gone'
    >>> verbs["gp"]
    Traceback (most recent call last):
    ...
    hdpo_env.errors.RegistryError: unknown verb 'gp'; choose one of: go
    >>> verbs.add("say", lambda words="nothing": f"said {words}")
    >>> verbs["say:hello"]()
    'said hello'
    """

    def __init__(self, kind: str) -> None:
        self.kind, self.words = kind, kind.replace("_", " ")
        self._table: dict[str, T] = {}

    def add(self, name: str, value: T) -> None:
        """Add one name.

        Raises:
            RegistryError: the name is taken.
        """
        if name in self._table:
            raise RegistryError(f"{self.words} {name!r} is already registered; choose another name")
        self._table[name] = value

    def __getitem__(self, name: str) -> T:
        if name not in self._table:
            self._load_entry_point(name)
        base, colon, argument = name.partition(":")
        if colon and name not in self._table and base in self:
            factory: Any = self[base]
            return partial(factory, argument)  # pyright: ignore[reportReturnType]
        try:
            return self._table[name]
        except KeyError:
            choices = ", ".join(sorted(self)) or "(none)"
            message = f"unknown {self.words} {name!r}; choose one of: {choices}"
            raise RegistryError(message, name) from None

    def __contains__(self, name: object) -> bool:
        return name in self._table or name in self._offers()

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._table), **dict.fromkeys(self._offers())})

    def _offers(self) -> dict[str, object]:
        return {ep.name: ep for ep in entry_points(group=f"hdpo_env.{self.kind}")}

    def _load_entry_point(self, name: str) -> None:
        for ep in entry_points(group=f"hdpo_env.{self.kind}", name=name):
            self.add(name, ep.load())
            return
