"""Flags that would do nothing: those of plugins that were not chosen."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from hdpo_plugins.openrlhf.flags import SPELLED
from hdpo_plugins.openrlhf.methods import PLUGINS, chosen
from hdpo_plugins.openrlhf.plugins import Args

COMMON = ("data.solution_key", "hdpo.ledger")  # read whichever plugins there are
SHARED = ("hdpo.cliff_threshold",)  # HDPO's, and what everybody's metrics call a cliff


def idle_complaints(args: Args) -> Iterator[str]:
    """One sentence for each flag of ours that was set and that nothing would read."""
    names, known = args["plugin"], sorted(PLUGINS)
    for flag in () if names else COMMON:
        if args[flag] is not None:
            yield (
                f"--{flag} is read by plugins alone and none was chosen: add --plugin (one of "
                f"{', '.join(known)}) or drop it"
            )
    used: set[str] = set(SHARED if names else ())
    if any(f"{plugin.name}.template" not in args for plugin in chosen(names)):
        used.add("hdpo.template")  # by it their ledger finds the questions in the prompts
    for name in known:
        for flag, default in _flags_of(name).items():
            if name not in names and flag not in used and args[flag] != default:
                yield (
                    f"--{SPELLED.get(flag, flag)} is a flag of the plugin {name}, which was not "
                    f"chosen, and would do nothing: add --plugin {name} or drop it"
                )


def _flags_of(name: str) -> Args:
    parser = argparse.ArgumentParser(add_help=False)
    PLUGINS[name]().add_flags(parser)
    return vars(parser.parse_args([]))
