"""The console script ``hdpo``: find the command, parse its options, run it, say what went wrong.

Nothing heavy is imported before a command needs it: ``hdpo --help`` loads no third-party package,
``hdpo verify`` no torch. Exit codes: 0 done, 1 done with failures, 2 refused, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

COMMANDS = {
    "train": "train one model with GRPO, HDPO, SDPG or a relative",
    "compare": "run several algorithms and seeds, and report on them together",
    "eval": "measure pass@k of a model on problems, with intervals",
    "verify": "judge completions against gold answers",
    "audit": "check that a problem file can be verified and taught from",
    "cliffs": "find the problems that every rollout failed, in rollouts of any system",
    "doctor": "say why a run stalls or rollouts fail, and what to do",
    "report": "write one offline HTML page about runs",
    "watch": "follow a run in the terminal while it goes on",
    "show": "show a problem as student, teacher and verifier see it",
    "check": "hold our parts, yours and every installed library to the same contracts",
    "serve": "serve an environment and its verifier over HTTP and WebSockets",
    "export": "write problems with privileged context as other trainers read them",
}

# Which extra brings a package that a command may miss.
_EXTRAS = {
    "tyro": "cli",
    "rich": "cli",
    "torch": "train",
    "transformers": "train",
    "tokenizers": "train",
    "safetensors": "train",
    "jaxtyping": "train",
    "datasets": "data",
    "pyarrow": "data",
    "wandb": "wandb",
    "vllm": "vllm",
}

# What the writing of a file or of standard output fails with, without naming it.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit code."""
    words = list(sys.argv[1:] if args is None else args)
    is_debugging = "--debug" in words or os.environ.get("HDPO_DEBUG", "") not in ("", "0")
    words = [word for word in words if word != "--debug"]
    _write_every_character()
    try:
        code = _dispatch(words)
        sys.stdout.flush()  # a full disk shows here, and not after the last word
        return code
    except KeyboardInterrupt as stop:
        return _stop(130, f"interrupted; {stop}" if str(stop) else "interrupted")
    except BrokenPipeError:
        _flush()  # its reader went away (``| head``)
        return 0
    except Exception as error:
        sentence = _sentence(error)
        if is_debugging or sentence is None:
            raise
        _flush()
        return _stop(2, _option(words, error) + sentence)


def _write_every_character() -> None:
    """Let a terminal that lacks a character show its number, where Python would stop."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Write what is buffered, or drop it if that fails: Python would complain again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):  # a stream without a file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _option(words: Sequence[str], error: Exception) -> str:
    """The option that an unknown name was given to, for it may be called otherwise than its kind.

    >>> from hdpo_env.errors import RegistryError
    >>> _option(["export", "linear", "--to", "tlr"], RegistryError("unknown carrier 'tlr'", "tlr"))
    '--to: '
    """
    from hdpo_env.errors import RegistryError

    option = ""
    for word in words if isinstance(error, RegistryError) else ():
        if word.startswith("--"):
            option, _, word = word.partition("=")
        if {*error.args[1:]} & {*re.split(r"[+:]", word)}:
            return f"{option}: " if option else ""
    return ""


def _dispatch(words: Sequence[str]) -> int:
    if len(words) > 1 and words[0] == "help":
        words = [words[1], "--help"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if words else 2
    name, *rest = words
    if name in ("-V", "--version"):
        print(f"hdpo_env {version('hdpo_env')}")
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        advice = f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(COMMANDS)}"
        return _stop(2, f"unknown command {name!r}; {advice}")
    command = import_module(f"hdpo_env.commands.{name}")
    if hasattr(command, "parse"):
        return command.run(command.parse(rest))
    import tyro

    return command.run(tyro.cli(command.Options, args=rest, prog=f"hdpo {name}"))


def _usage() -> str:
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {about}" for name, about in COMMANDS.items())
    return (
        "usage: hdpo COMMAND [OPTIONS]\n\n"
        "Find the problems a language model cannot solve at all, and distil them back.\n\n"
        f"{rows}\n\n"
        "hdpo COMMAND --help lists a command's options; --debug shows tracebacks, --version the "
        "version."
    )


def _sentence(error: Exception) -> str | None:
    """What a user can do about an error, in a line; None for a fault of ours."""
    from hdpo_env.errors import HdpoError

    if isinstance(error, HdpoError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in _EXTRAS:
            extra = _EXTRAS[package]
            return f"this needs the package {package}: pip install 'hdpo_env[{extra}]'"
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot use {error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return f"cannot write all of the output: {error.strerror}"
    return None


def _stop(code: int, sentence: str) -> int:
    print(f"hdpo: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
