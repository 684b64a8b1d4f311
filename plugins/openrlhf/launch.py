"""How our flags and classes get into OpenRLHF's own command line, which stays as it is."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from hdpo_env.errors import HdpoError, MissingDependencyError
from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.flags import flat
from hdpo_plugins.openrlhf.idle import idle_complaints
from hdpo_plugins.openrlhf.methods import PLUGINS, chosen
from hdpo_plugins.openrlhf.refusals import complaints, model_complaints

MARK = "--actor.model_name_or_path"  # a flag by which the right parser is known
GROUP = "plugins of hdpo_env"


def install() -> None:
    """Extend the parser that OpenRLHF's command line is about to build.

    Its parser lives under ``if __name__ == "__main__"``, so the only seam is ``parse_args``: the
    parser that owns ``--actor.model_name_or_path`` gets our flags, and if ``--plugin`` is among the
    arguments OpenRLHF's classes are replaced by ours. Without ``--plugin`` nothing changes, and
    our other flags are refused: they would do nothing.
    """
    parse_args = argparse.ArgumentParser.parse_args

    def extended(self: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> Any:
        ours = MARK in self._option_string_actions
        if ours and "--plugin" not in self._option_string_actions:
            add_flags(self)
        found = parse_args(self, args, namespace)
        if ours and found.plugin:
            enable(self, found)
        elif ours and (idle := list(idle_complaints(flat(found)))):
            self.error("\n  ".join(["without --plugin there are flags that do nothing:", *idle]))
        return found

    argparse.ArgumentParser.parse_args = extended


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--plugin`` and every registered plugin's flags."""
    group: Any = parser.add_argument_group(GROUP)
    group.add_argument(
        "--plugin",
        action="append",
        default=[],
        choices=sorted(PLUGINS),
        help="may be given several times",
    )
    group.add_argument(
        "--data.solution_key",
        default=None,
        help="column of --data.prompt_dataset with worked solutions; the label column stays the "
        "answer, and only the answer reaches the reward (default: none)",
    )
    group.add_argument(
        "--hdpo.ledger",
        default=None,
        help="folder of the cliff ledger (default: <ckpt.path>/ledger)",
    )
    for name in sorted(PLUGINS):
        PLUGINS[name]().add_flags(group)


def enable(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse what cannot work, then replace OpenRLHF's classes."""
    try:
        compat.check_version()
        given = flat(args)
        faults = [
            *idle_complaints(given),
            *complaints(given, chosen(args.plugin)),
            *model_complaints(given),
        ]
    except HdpoError as error:
        faults = [str(error)]
    if faults:
        parser.error("\n  ".join(["--plugin cannot run like this:", *faults]))
    try:
        _swap()
    except MissingDependencyError as error:
        parser.error(str(error))
    except ModuleNotFoundError as error:
        parser.error(f"--plugin needs the package {error.name}: {compat.INSTALL_ALL}")


def _swap() -> None:
    # Before the swap: the classes derive from those that are about to be replaced.
    from hdpo_plugins.openrlhf.nodes import check_nodes
    from hdpo_plugins.openrlhf.reference import TeacherModelActor
    from hdpo_plugins.openrlhf.trainer import PluginPPOTrainer
    from hdpo_plugins.openrlhf.worker import PluginPolicyModelActor

    compat.swap(PluginPPOTrainer, PluginPolicyModelActor, TeacherModelActor, check_nodes)


def installed_on(argv: list[str]) -> bool:
    """Whether a command line is OpenRLHF's own, called with ``--plugin``.

    >>> installed_on(["python", "-m", "openrlhf.cli.train_ppo_ray", "--plugin", "hdpo"])
    True
    >>> installed_on(["python", "-m", "pytest", "--plugin", "hdpo"])
    False
    """
    names = (compat.CLI, f"{compat.CLI.replace('.', '/')}.py")
    is_cli = any(a == names[0] or a.replace("\\", "/").endswith(names[1]) for a in argv)
    return is_cli and any(a == "--plugin" or a.startswith("--plugin=") for a in argv)


def run() -> None:
    """Run OpenRLHF's command line as ``__main__`` with our flags in it."""
    import runpy

    install()
    sys.argv[0] = compat.CLI
    runpy.run_module(compat.CLI, run_name="__main__", alter_sys=True)
