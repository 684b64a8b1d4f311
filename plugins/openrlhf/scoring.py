"""Scores for privileged completions, from the run's own reward, which never sees the solution."""

from __future__ import annotations

import ast
import asyncio
import logging
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hdpo_env.errors import ConfigError
from hdpo_env.types import Verdict
from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.groups import verdict_of

log = logging.getLogger(__name__)

AT_ONCE = 64  # requests to the reward at one time


class Request(NamedTuple):
    """The student's prompt and a completion, as if the student had written it."""

    query: str  # prompt and completion, decoded from their token ids
    prompt: str
    label: Any


def agent_complaints(path: str | None) -> Iterator[str]:
    """Why an agent file cannot serve HDPO, where that can be seen without running it."""
    file = Path(path or "")
    if file.is_file() and lacks_score(file.read_text(encoding="utf-8")):
        yield _no_score(str(path))


def lacks_score(source: str) -> bool:
    """Whether an agent file's ``AgentExecutor`` certainly has no ``score``.

    False wherever a class it derives from is neither in the file nor OpenRLHF's, and where the file
    is no Python: `Scorer` looks at the executor itself.

    >>> base = "from openrlhf.utils.agent import MultiTurnAgentExecutor as Base"
    >>> lacks_score(base + chr(10) + "class AgentExecutor(Base): pass")
    True
    >>> lacks_score("import theirs" + chr(10) + "class AgentExecutor(theirs.Base): pass")
    False
    """
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    found = [node for node in body if isinstance(node, ast.ImportFrom)]
    host = [node for node in found if (node.module or "").split(".")[0] == "openrlhf"]
    known = {alias.asname or alias.name for node in host for alias in node.names}
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    names = ["AgentExecutor"]
    for name in names:  # grows
        if name in known:
            continue
        if name not in classes or _speaks_of_score(classes[name]):
            return False
        known.add(name)
        names += [base.id if isinstance(base, ast.Name) else "" for base in classes[name].bases]
    return True


def _speaks_of_score(node: ast.ClassDef) -> bool:
    names = (getattr(part, "name", None) or getattr(part, "id", None) for part in ast.walk(node))
    return "score" in names


def _no_score(path: str) -> str:
    return (
        f"--train.agent_func_path {path}: for --plugin hdpo its AgentExecutor needs `async def "
        "score(self, query, prompt, label)` that returns rewards, scores and extra_logs of one "
        "completion; add it, or use --reward.remote_url"
    )


class Scorer:
    """Asks the reward that ``--reward.remote_url`` or the agent file names.

    Raises:
        ConfigError: an agent's executor has no ``score``: running its conversation again with a
            privileged prompt would show the solution to whatever it talks to.
    """

    def __init__(self, args: Any) -> None:
        self._executor = compat.reward_executor(args)
        self._num_faults = 0
        # One loop for good: an executor may keep a client's session, which belongs to its loop.
        self._loop = asyncio.new_event_loop()
        weakref.finalize(self, self._loop.close)
        if args.train.agent_func_path:
            self._ask: Any = getattr(self._executor, "score", None)
            if self._ask is None:
                raise ConfigError(_no_score(args.train.agent_func_path))
        else:
            self._ask = self._ask_reward

    def verdicts(self, requests: Sequence[Request]) -> list[Verdict]:
        """One verdict a request, in order; a reward that fails abstains."""
        before = self._num_faults
        found = self._loop.run_until_complete(self._all(requests))
        if requests and self._num_faults - before == len(requests):
            log.error(
                "the reward failed on all %d privileged completions of this step, and none of them "
                "can teach: call it by hand on one prompt, completion and label",
                len(requests),
            )
        return found

    async def _all(self, requests: Sequence[Request]) -> list[Verdict]:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(request: Request) -> Verdict:
            async with turn:
                try:
                    found = await self._ask(*request)
                except Exception as error:  # a fault of the reward says nothing of the completion
                    self._tell(error)
                    return verdict_of(None, {})
            score = found.get("scores")
            score = found.get("rewards") if score is None else score
            return verdict_of(score, found.get("extra_logs") or {})

        return list(await asyncio.gather(*map(one, requests)))

    def _tell(self, error: Exception) -> None:
        """Log the kind of a fault at counts 1, 2, 4 and so on; its text may quote the gold."""
        self._num_faults += 1
        if self._num_faults & (self._num_faults - 1) == 0:
            name, count = type(error).__name__, self._num_faults
            log.warning("the reward failed on a privileged completion (%s); %d so far", name, count)

    async def _ask_reward(self, query: str, prompt: str, label: Any) -> dict[str, Any]:
        ask = self._executor._fetch_rewards_via_http
        if self._executor.reward_func:
            ask = self._executor._fetch_rewards_via_func
        return (await ask([query], [prompt], [label]))[0]
