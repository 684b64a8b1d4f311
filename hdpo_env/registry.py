"""Explicit name -> factory tables that refuse duplicates and list the choices in their error."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.metadata import entry_points
from inspect import Parameter, signature
from typing import Any, Generic, TypeVar

from hdpo_env.errors import RegistryError

T = TypeVar("T")


class Registry(Generic[T]):
    """A table of named factories of one kind, open to third parties through entry points.

    A package adds names by an entry point in the group ``hdpo_env.<kind>``; it is loaded only when
    its name is asked for. ``name:argument`` is the factory of that name with its first argument,
    where the factory takes one.

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
            return self._with_argument(base, argument)
        try:
            return self._table[name]
        except KeyError:
            choices = ", ".join(sorted(self)) or "(none)"
            message = f"unknown {self.words} {name!r}; choose one of: {choices}"
            raise RegistryError(message, name) from None

    def __contains__(self, name: object) -> bool:
        if name in self._table:
            return True
        base, colon, _ = str(name).partition(":")
        if colon and base in self and _takes_argument(self[base]):
            return True
        return name in self._offers()

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._table), **dict.fromkeys(self._offers())})

    def _with_argument(self, base: str, argument: str) -> T:
        factory: Any = self[base]
        if not _takes_argument(factory):
            raise RegistryError(
                f"{self.words} {base!r} takes no argument, and {argument!r} was given: "
                f"leave out {':' + argument!r}"
            )
        return partial(factory, argument)  # pyright: ignore[reportReturnType]

    def _offers(self) -> dict[str, object]:
        return {ep.name: ep for ep in entry_points(group=f"hdpo_env.{self.kind}")}

    def _load_entry_point(self, name: str) -> None:
        for ep in entry_points(group=f"hdpo_env.{self.kind}", name=name):
            self.add(name, ep.load())
            return


def _takes_argument(value: object) -> bool:
    if not callable(value):
        return False
    try:
        first = next(iter(signature(value).parameters.values()), None)
    except ValueError:  # written in C, and silent about it
        return True
    by_name_alone = (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)
    return first is not None and first.kind not in by_name_alone
