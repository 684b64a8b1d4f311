"""Problems as environments: one problem at a time (Gymnasium), or whole groups at once.

Importing this package registers ``hdpo/<name>-v0`` with Gymnasium for every named problem source,
and ``hdpo/problems-v0`` for files and data sets, named by ``problems="mine.jsonl"``.
``gymnasium.make("hdpo_env.env:hdpo/<name>-v0")`` imports it first: Gymnasium 1 loads no plugins.
Observations, infos and renderings hold no gold answer, solution or hint, and never repeat what the
verifier extracted or said.
"""

from __future__ import annotations

import gymnasium

from hdpo_env.env.group_env import GroupEnv, GroupState
from hdpo_env.env.math_env import EnvState, MathEnv
from hdpo_env.env.text import UnicodeText
from hdpo_env.feedback import FEEDBACK, LAST_FEEDBACK
from hdpo_env.problems.source import PROBLEMS

__all__ = [
    "MathEnv",
    "GroupEnv",
    "EnvState",
    "GroupState",
    "UnicodeText",
    "FEEDBACK",
    "LAST_FEEDBACK",
    "register_all",
]


def register_all() -> list[str]:
    """Register ``hdpo/<name>-v0`` for every named problem source; ids that exist are left alone.

    ``hdpo/problems-v0`` has the bundled sample, or what ``problems=`` says.
    """
    ids = {f"hdpo/{name}-v0": name for name in PROBLEMS} | {"hdpo/problems-v0": "sample"}
    for env_id, name in ids.items():
        if env_id not in gymnasium.registry:
            # A string entry point keeps the spec JSON-able.
            gymnasium.register(
                env_id, entry_point="hdpo_env.env:MathEnv", kwargs={"problems": name}
            )
    return list(ids)


register_all()
