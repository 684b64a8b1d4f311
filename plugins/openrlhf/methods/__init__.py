"""The table of plugins: HDPO, SDPG, RLSD, and what third parties add through entry points."""

from __future__ import annotations

from collections.abc import Sequence

from hdpo_env.registry import Registry
from hdpo_plugins.openrlhf.methods.hdpo import Hdpo
from hdpo_plugins.openrlhf.methods.rlsd import Rlsd
from hdpo_plugins.openrlhf.methods.sdpg import Sdpg
from hdpo_plugins.openrlhf.plugins import Plugin

PLUGINS: Registry[type[Plugin]] = Registry("openrlhf_plugins")
PLUGINS.add("hdpo", Hdpo)
PLUGINS.add("sdpg", Sdpg)
PLUGINS.add("rlsd", Rlsd)


def chosen(names: Sequence[str]) -> list[Plugin]:
    """The plugins of these names, each once, in the order given.

    >>> [plugin.name for plugin in chosen(["sdpg", "hdpo", "sdpg"])]
    ['sdpg', 'hdpo']
    """
    return [PLUGINS[name]() for name in dict.fromkeys(names)]
