"""What views are made of: pieces of privileged text and the table of views."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hdpo_env.errors import ConfigError
from hdpo_env.registry import Registry
from hdpo_env.types import Group, Problem


class Piece(NamedTuple):
    """One kind of privileged text, such as ("answer", "72"). Its repr does not show the text."""

    kind: str
    text: str

    def __repr__(self) -> str:
        return f"Piece({self.kind!r}, {len(self.text)} characters)"


View = Callable[[Problem, "Group | None"], "tuple[Piece, ...]"]


class ViewTable(Registry[View]):
    """Views by name, with arguments (``prefix:0.5``) and in combination (``answer+feedback``).

    >>> from hdpo_env.privileged import VIEWS
    >>> problem = Problem("q", ("4",), solution="1 2 3 4")
    >>> [piece.text for piece in VIEWS["prefix:0.5+answer"](problem, None)]
    ['1 2', '4']
    """

    def __init__(self) -> None:
        super().__init__("view")
        self._makers: dict[str, Callable[[str], View]] = {}

    def add_with_argument(self, name: str, make: Callable[[str], View], default: str) -> None:
        """Add a view whose name may be followed by a colon and an argument.

        Raises:
            RegistryError: the name is taken.
        """
        self.add(name, make(default))
        self._makers[name] = make

    def __getitem__(self, name: str) -> View:
        if "+" in name:
            return _composed([self._part(part, name) for part in name.split("+")])
        base, colon, argument = name.partition(":")
        if not colon:
            return super().__getitem__(name)
        if base not in self._makers:
            super().__getitem__(base)  # an unknown name lists the choices
            takers = ", ".join(sorted(self._makers))
            raise ConfigError(f"view {name!r}: {base} takes no argument; these do: {takers}")
        return self._makers[base](argument)

    def __contains__(self, name: object) -> bool:
        try:
            return bool(self[str(name)])
        except (KeyError, ConfigError):
            return False

    def _part(self, part: str, name: str) -> View:
        if part == "none":
            raise ConfigError(f"view {name!r}: 'none' shows nothing and composes with nothing")
        return self[part]


def _composed(views: list[View]) -> View:
    """The pieces of several views in order, each only once."""

    def view(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
        pieces = (piece for view in views for piece in view(problem, group))
        return tuple(dict.fromkeys(pieces))

    return view
