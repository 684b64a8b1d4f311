"""verifiers <= 0.3.1: ``load_environment``, so that this module is an environment id.

    vf.load_environment("hdpo_plugins.verifiers.v0", problems="linear", level=2)

An abstention of the verifier sets the rollout's ``state["error"]``, which trainers leave out; the
reward is then 0.0 because the host sums floats, logged and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hdpo_env.errors import ConfigError, MissingDependencyError
from hdpo_env.exports import to_prime_rl
from hdpo_env.hosting import judged, number_of, require
from hdpo_env.problems import PROBLEMS, open_source
from hdpo_env.types import Problem

TESTED = ("0.3.1",)


def library() -> Any:
    """verifiers, of the line that has the first API.

    Raises:
        MissingDependencyError: verifiers is missing, or is of the 0.4 line.
    """
    vf = require("verifiers", f"verifiers=={TESTED[0]}")
    if not hasattr(vf, "SingleTurnEnv"):
        raise MissingDependencyError(
            "this needs the 0.3 line of verifiers: pip install 'verifiers==0.3.1', "
            "or use hdpo_plugins.verifiers.v1 with the 0.4 line"
        )
    return vf


def _dataset(problems: list[Problem], view: str) -> Any:
    exact = all(problem.verifier == "exact" for problem in problems)
    rows = to_prime_rl(problems, view=view, student="plain" if exact else None, strict=True)
    return require("datasets", "datasets").Dataset.from_list(list(rows))


def load_environment(
    problems: str | Iterable[Problem] = "linear",
    *,
    view: str = "none",
    size: int | None = None,
    eval_size: int = 100,
    **settings: Any,
) -> Any:
    """A single-turn environment with the verdict as its only reward.

    ``settings`` go to problems given by a name. Training and evaluation take the splits of a source
    of ours; all of a file or data set is both, and its first ``eval_size`` are evaluated. A
    ``view`` other than none adds the teacher's text as ``info["demonstration"]``.

    Raises:
        MissingDependencyError: verifiers is missing, or is of the 0.4 line.
        ConfigError: settings beside problems that are not given by a name.
    """
    vf = library()
    settings |= {} if size is None else {"size": size}
    if isinstance(problems, str) and problems in PROBLEMS:
        train = list(open_source(problems, split="train", **settings))
        settings["size"] = eval_size
        test = list(open_source(problems, split="eval", **settings))
    else:
        train = list(_given(problems, settings))
        test = train[:eval_size]
    return vf.SingleTurnEnv(
        dataset=_dataset(train, view),
        eval_dataset=_dataset(test, view),
        rubric=vf.Rubric(funcs=[correct], weights=[1.0]),
    )


def _given(problems: str | Iterable[Problem], settings: dict[str, Any]) -> Iterable[Problem]:
    if isinstance(problems, str):
        return open_source(problems, **settings)
    if settings:
        raise ConfigError(f"settings {sorted(settings)} only apply to problems given by a name")
    return problems


def correct(completion: Any, info: dict[str, Any], state: Any) -> float:
    """1.0 if the final answer is right; the host fills the arguments by name."""
    verdict = judged(_text(completion), info["answers"], verifier=info["verifier"])
    if verdict.is_abstention:
        state["error"] = library().Error(f"the verifier abstained: {verdict.outcome.name}")
    return number_of(verdict, "verifiers")


def _text(completion: Any) -> str:
    """The last message's text, empty if it has none; messages come as mappings or objects."""
    if isinstance(completion, str):
        return completion
    last = completion[-1] if completion else {}
    content = (last.get("content") if isinstance(last, dict) else last.content) or ""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)
