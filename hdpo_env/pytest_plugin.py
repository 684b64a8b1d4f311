"""A pytest plugin: ``pytest --hdpo-check TARGET`` makes each target's contract a test.

A target is a Gymnasium id, a source or verifier of ours, ``module:name`` of your own environment,
verifier or problem source (or of a function that makes one), or ``host:NAME`` for the adapter of a
library. Without the option the plugin does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option."""
    parser.getgroup("hdpo").addoption(
        "--hdpo-check",
        action="append",
        default=[],
        metavar="TARGET",
        help="check a target's contract: ID, NAME, module:name or host:NAME (repeatable)",
    )


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add one test for each target."""
    for target in config.getoption("--hdpo-check") or ():
        items.extend(_tests(session, target))


def _tests(session: pytest.Session, target: str) -> Iterator[pytest.Item]:
    if not target.startswith("host:"):
        yield TargetTest.from_parent(session, name=target, target=target)
        return
    from hdpo_env.conformance import host_named

    name = target.removeprefix("host:")
    for what in host_named(name).promises:
        yield HostTest.from_parent(session, name=f"{name}: {what}", host=name, what=what)


class _Test(pytest.Item):
    def reportinfo(self) -> tuple[Any, int | None, str]:
        """The target stands where a file's test has its place."""
        return self.config.rootpath, None, f"hdpo-check {self.name}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A broken promise is one sentence; anything else keeps its traceback."""
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class TargetTest(_Test):
    """The contract of an environment, a verifier or a problem source."""

    def __init__(self, *, target: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target = target

    def runtest(self) -> None:
        """Check the target by its kind."""
        from hdpo_env.targets import check_target

        check_target(self.target)


class HostTest(_Test):
    """One promise to a library, skipped where the library cannot keep it company."""

    def __init__(self, *, host: str, what: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.host = host
        self.what = what

    def runtest(self) -> None:
        """Keep the promise, or say why nobody could tell."""
        from hdpo_env.conformance import check_promise, host_named

        finding = check_promise(host_named(self.host), self.what)
        if finding.status == "not exercised":
            pytest.skip(finding.detail)
        assert finding.status == "ok", finding.detail
