"""Before anything is loaded: can every node of the Ray cluster run our workers?"""

from __future__ import annotations

import json
import logging
from importlib.metadata import version

from hdpo_env.errors import ConfigError
from hdpo_plugins.openrlhf import compat

log = logging.getLogger(__name__)

SECONDS = 300  # a node whose workers do not start in this time is reported


def _probe() -> str:
    """Runs on a node: the installed version of hdpo_env, or why its workers cannot be imported."""
    from importlib import import_module
    from importlib.metadata import version

    try:
        for module in ("trainer", "worker", "reference"):
            import_module(f"hdpo_plugins.openrlhf.{module}")
        import_module("vllm")
        return version("hdpo_env")
    except Exception as error:  # whatever it is, the driver has to hear it
        return f"{type(error).__name__}: {error}"


def _settings() -> str:
    """Runs on a node: the reward's settings in its workers' environment, as JSON."""
    import json
    import os

    return json.dumps({k: v for k, v in os.environ.items() if k.startswith("HDPO_REWARD_")})


# Pickled by value: a reference to this module is what a node without it could not resolve.
_probe.__module__ = _settings.__module__ = "__main__"


def check_nodes() -> None:
    """Refuse to start if a node lacks this package or its hosts, or has another version of it.

    Raises:
        ConfigError: names the nodes, what they answered, and the remedy.
    """
    here = version("hdpo_env")
    answers = compat.on_every_node(_probe, SECONDS)
    faults = [f"{node}: {answer}" for node, answer in answers.items() if answer != here]
    if faults:
        raise ConfigError(
            f"hdpo_env {here} runs here, but not on every node of the Ray cluster ("
            + "; ".join(faults)
            + "): install the same version on each node, and what its workers import: "
            + compat.INSTALL_ALL
        )
    _compare_settings()


def _compare_settings() -> None:
    """Warn of the reward's settings in this shell that its workers, which judge, do not have."""
    here: dict[str, str] = json.loads(_settings())
    for node, answer in compat.on_every_node(_settings, SECONDS).items() if here else ():
        there = json.loads(answer) if answer.startswith("{") else {}
        if lost := [name for name, text in here.items() if there.get(name) != text]:
            log.warning(
                "%s: not as in this shell on node %s, whose workers judge by their own: set it "
                "where `ray start` is called, or submit a job with --runtime-env-json",
                ", ".join(lost),
                node,
            )
