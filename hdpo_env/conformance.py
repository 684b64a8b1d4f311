"""The contract with other people's libraries: what each adapter promises, and who has checked it.

Each folder of ``hdpo_plugins`` with a module ``contract`` describes its host in one `Host`. Its
exercises drive the real library through the library's own entry points; where a library is never
installed beside ours, recorded signatures of its source stand in, and are reported as such.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import Any

from hdpo_env.errors import RegistryError


@dataclass(frozen=True)
class Signature:
    """How a host calls a function of ours, as its source says.

    ``ours`` is ``module:name`` or ``module:class.name``; ``parameters`` are the names the host
    passes, in order; ``takes_more`` says that it may pass further keywords.
    """

    ours: str
    parameters: tuple[str, ...]
    source: str
    commit: str
    is_async: bool = False
    takes_more: bool = False

    def __str__(self) -> str:
        return f"{self.ours.partition(':')[2]} as {self.source} calls it"

    def check(self) -> None:
        """Compare with our function.

        Raises:
            AssertionError: the host's call would not fit.
        """
        function = resolve(self.ours)
        mine = list(inspect.signature(function).parameters.values())
        names = tuple(p.name for p in mine if p.name != "self" and p.kind in _NAMED)
        given = len(self.parameters)
        if names[:given] != self.parameters:
            raise AssertionError(
                f"{self.ours} takes {names}; {self.source} passes {self.parameters}"
            )
        needed = [p.name for p in mine if p.kind in _NAMED and p.default is p.empty]
        if extra := [name for name in needed if name not in ("self", *self.parameters)]:
            raise AssertionError(f"{self.ours} needs {extra}, which {self.source} does not pass")
        if self.takes_more and not any(p.kind is p.VAR_KEYWORD for p in mine):
            raise AssertionError(f"{self.ours} must accept further keywords of {self.source}")
        if inspect.iscoroutinefunction(function) is not self.is_async:
            word = "async" if self.is_async else "plain"
            raise AssertionError(f"{self.ours} must be a {word} function for {self.source}")


_NAMED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


@dataclass(frozen=True)
class Host:
    """One library that an adapter serves.

    Args:
        name: as people say it.
        distribution: its name on the package index.
        tested: versions the exercises ran on; empty if only signatures were recorded.
        abstention: what a verifier's fault becomes there, in words.
        exercises: what is driven through the real library, each raising on a broken promise.
        offline: promises that need no library.
        recorded: signatures of its source.
    """

    name: str
    distribution: str
    tested: tuple[str, ...]
    abstention: str
    exercises: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    offline: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    recorded: tuple[Signature, ...] = ()

    @property
    def promises(self) -> tuple[str, ...]:
        """What is promised, recorded calls first and what needs the library last."""
        return (*map(str, self.recorded), *self.offline, *self.exercises)

    @property
    def installed(self) -> str | None:
        """The installed version, or None."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return None


@dataclass(frozen=True)
class Finding:
    """One promise: kept (``ok``), broken (``failed``) or ``not exercised``, and why."""

    host: str
    what: str
    status: str
    detail: str = ""


def resolve(place: str) -> Any:
    """The object at ``module:name`` or ``module:name.name``.

    >>> resolve("math:tau") > 6
    True
    """
    module, _, path = place.partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def hosts() -> dict[str, Host]:
    """Every host that an installed adapter describes, by the name of its folder."""
    package = import_module("hdpo_plugins")
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        place = f"hdpo_plugins.{module.name}"
        if module.ispkg and any(
            m.name == "contract" for m in pkgutil.iter_modules(import_module(place).__path__)
        ):
            for host in resolve(f"{place}.contract:HOSTS"):
                found[host.name] = host
    return found


def host_named(name: str) -> Host:
    """The host of this name.

    Raises:
        RegistryError: no adapter describes it.
    """
    known = hosts()
    if name not in known:
        raise RegistryError(f"unknown host {name!r}; choose one of: {', '.join(sorted(known))}")
    return known[name]


def check_host(host: Host) -> Iterator[Finding]:
    """Keep or break each promise to a host, one finding at a time."""
    return (check_promise(host, what) for what in host.promises)


def check_promise(host: Host, what: str) -> Finding:
    """Keep or break one of a host's ``promises``.

    Raises:
        RegistryError: the host was not promised this.
    """
    recorded = {str(signature): signature for signature in host.recorded}
    if what in recorded:
        commit = recorded[what].commit[:7]
        return _finding(host, what, recorded[what].check, f"recorded at {commit}")
    if what in host.offline:
        return _finding(host, what, host.offline[what], "without the library")
    if what not in host.exercises:
        raise RegistryError(f"{host.name} has no promise {what!r}; it has {list(host.promises)}")
    version = host.installed
    if serves(host, version):
        return _finding(host, what, host.exercises[what], f"{host.distribution} {version}")
    why = f"{host.distribution} is not installed"
    if version:
        why = f"{host.distribution} {version} is another line than {host.tested[0]}"
    return Finding(host.name, what, "not exercised", why)


def serves(host: Host, version: str | None) -> bool:
    """Whether an adapter is meant for a version: one of the same major.minor line as tested."""
    lines = {tuple(tested.split(".")[:2]) for tested in host.tested}
    return version is not None and tuple(version.split(".")[:2]) in lines


def _finding(host: Host, what: str, promise: Callable[[], None], detail: str) -> Finding:
    try:
        promise()
    except Exception as error:
        return Finding(host.name, what, "failed", f"{type(error).__name__}: {error}")
    return Finding(host.name, what, "ok", detail)
