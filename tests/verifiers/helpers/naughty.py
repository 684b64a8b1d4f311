"""A verifier that does what its completion says: the pool must survive all of it."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hdpo_env.types import Outcome, Verdict

_calls = itertools.count(1)


@dataclass(frozen=True)
class Naughty:
    """Obeys "sleep 3", "bigint", "exit", "die-once FILE", "hog", "raise", "print", "write FILE"."""

    name: str = "naughty"
    version: str = "1"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        word, _, rest = completion.partition(" ")
        getattr(self, f"_{word.replace('-', '_')}", lambda _: None)(rest)
        same = completion == gold
        count = f"call {next(_calls)}"
        return Verdict(Outcome.CORRECT if same else Outcome.WRONG, completion, count)

    def _sleep(self, seconds: str) -> None:
        time.sleep(float(seconds))

    def _bigint(self, _: str) -> None:
        _ = 9 ** (9**9)  # one operation that holds the GIL: no signal handler can run

    def _exit(self, _: str) -> None:
        os._exit(7)

    def _die_once(self, path: str) -> None:
        if not Path(path).exists():
            Path(path).touch()  # a file of size zero needs no file-size budget
            os.kill(os.getpid(), signal.SIGKILL)

    def _hog(self, _: str) -> None:
        _ = bytearray(4 << 30)

    def _raise(self, _: str) -> None:
        raise ValueError("as asked")

    def _print(self, _: str) -> None:
        print("noise on standard output")  # noqa: T201

    def _write(self, path: str) -> None:
        Path(path).write_text("escaped", encoding="utf-8")


@dataclass(frozen=True)
class Unbuildable:
    """Cannot be rebuilt in another process."""

    name: str = "unbuildable"
    version: str = "1"

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse, ()

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        raise NotImplementedError


class Floating(float):
    """A float that only its own class can carry."""


@dataclass(frozen=True)
class Odd:
    """Returns what no verifier should: "nothing", "number", "subclass", or leaves the process."""

    name: str = "odd"
    version: str = "1"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        if completion == "nothing":
            return None  # type: ignore[return-value]
        if completion == "number":
            return Verdict(Outcome.CORRECT, 5)  # type: ignore[arg-type]
        if completion == "subclass":
            return Verdict(Outcome.CORRECT, type("Text", (str,), {})("5"), ms=Floating(1.0))
        if completion == "leave":
            raise SystemExit(3)
        if completion == "quote":
            raise ValueError(f"cannot read {gold!r}")
        return Verdict(Outcome.CORRECT)


def _refuse() -> None:
    raise RuntimeError("this verifier refuses to be rebuilt")
