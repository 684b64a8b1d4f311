"""Your own environment, verifier, problem source or host adapter, checked by its name."""

from __future__ import annotations

from typing import Any

from hdpo_env.conformance import Host, check_host, resolve
from hdpo_env.errors import ConfigError
from hdpo_env.problems.source import PROBLEMS, ProblemSource
from hdpo_env.testing import check_env, check_problem_source, check_verifier
from hdpo_env.verifiers.protocol import VERIFIERS, Verifier

_SEQUENCE = ("__len__", "__getitem__", "__iter__")


def made(target: str) -> Any:
    """What a target names: a Gymnasium id, a source's or a verifier's name, or ``module:name``.

    A name that turns out to be callable is called without arguments.

    Raises:
        ConfigError: nothing has this name.

    >>> type(made("hdpo_env.verifiers:MathVerifier")).__name__
    'MathVerifier'
    """
    if target in PROBLEMS:
        return PROBLEMS[target]()
    if target in VERIFIERS:
        return VERIFIERS[target]()
    module, colon, name = target.partition(":")
    if colon and not (name and all(part.isidentifier() for part in module.split("."))):
        raise ConfigError(
            f"{target!r} is no module:name: for Source in mine.py of this folder give mine:Source"
        )
    if colon and "/" not in name:
        try:
            found = resolve(target)
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"cannot find {target!r}: {error} (looked in this folder, in PYTHONPATH and among "
                "the installed packages)"
            ) from None
        return found() if callable(found) else found
    return _environment(target)


def _environment(name: str) -> Any:
    import gymnasium

    from hdpo_env.env import register_all

    register_all()
    try:
        return gymnasium.make(name).unwrapped
    except gymnasium.error.Error as error:
        raise ConfigError(
            f"{name!r} names no environment ({error}), source or verifier: give a Gymnasium id, "
            "a name of ours, or module:name"
        ) from None


def check_target(target: str) -> str:
    """Check what a target names by the contract of its kind; the kind's name.

    Raises:
        AssertionError: a promise is broken.
        ConfigError: the target is nothing that has a contract.

    >>> check_target("choice"), check_target("linear")
    ('verifier', 'problem source')
    """
    import gymnasium

    thing = made(target)
    if isinstance(thing, gymnasium.Env):
        check_env(thing)
        return "environment"
    if isinstance(thing, Host):
        broken = [f for f in check_host(thing) if f.status == "failed"]
        if broken:
            raise AssertionError("; ".join(f"{f.what}: {f.detail}" for f in broken))
        return "host"
    if isinstance(thing, Verifier):
        _check_named_verifier(thing)
        return "verifier"
    if isinstance(thing, ProblemSource):
        check_problem_source(thing)
        return "problem source"
    raise ConfigError(
        f"{target!r} is a {type(thing).__name__}: give an environment, a verifier, a problem "
        f"source, or a function without arguments that makes one{_lacks(thing)}"
    )


def _lacks(thing: Any) -> str:
    """What keeps a thing from being of the kind that it is nearest to; nothing if it is of none."""
    kinds = {"a verifier": ("name", "version", "verify"), "a problem source": _SEQUENCE}
    lacking = {kind: [m for m in all_ if not hasattr(thing, m)] for kind, all_ in kinds.items()}
    kind = min(lacking, key=lambda kind: len(lacking[kind]))
    if len(lacking[kind]) == len(kinds[kind]) or isinstance(thing, (str, bytes, dict)):
        return ""
    return f"; {kind} it would be with {', '.join(lacking[kind])}"


def _check_named_verifier(verifier: Verifier) -> None:
    """With golds and statements that the shipped verifier of this name reads."""
    if verifier.name == "choice":
        check_verifier(verifier, ("A", "B", "C"), state="({})".format)
    elif verifier.name == "gsm8k":
        check_verifier(verifier, state="#### {}".format)
    elif verifier.name in ("exact", "numeric"):
        check_verifier(verifier, state=str)
    else:
        check_verifier(verifier)


def shipped_targets() -> list[str]:
    """Everything of ours that has a contract, hosts apart: environments, sources, verifiers."""
    from hdpo_env.env import register_all

    return [*register_all(), *PROBLEMS, *VERIFIERS]
