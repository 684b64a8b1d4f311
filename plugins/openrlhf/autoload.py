"""Opt-in: let ``python -m openrlhf.cli.train_ppo_ray ... --plugin hdpo`` work as it stands.

    python -m hdpo_plugins.openrlhf.autoload --install | --remove

writes or removes one ``.pth`` file beside the installed packages. Python reads it at every start;
it does nothing unless the command line is OpenRLHF's and has ``--plugin`` in it.
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
from pathlib import Path

NAME = "hdpo_openrlhf.pth"
# One line, as .pth files want it. It imports us only where "--plugin" is on the command line.
LINE = (
    "import sys; any(a.startswith('--plugin') for a in getattr(sys, 'orig_argv', ())) and "
    "__import__('hdpo_plugins.openrlhf.autoload', fromlist=['hook']).hook()\n"
)


def hook() -> None:
    """Extend OpenRLHF's command line if this process is one."""
    from hdpo_plugins.openrlhf.launch import install, installed_on

    if installed_on(sys.orig_argv):
        install()


def place() -> Path:
    """Where the ``.pth`` file goes: the running environment's site-packages."""
    return Path(sysconfig.get_path("purelib")) / NAME


def main(argv: list[str] | None = None) -> None:
    """Write or remove the ``.pth`` file."""
    parser = argparse.ArgumentParser(description=__doc__, prog="hdpo_plugins.openrlhf.autoload")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--install", action="store_true", help="write the .pth file")
    chosen.add_argument("--remove", action="store_true", help="remove it")
    if parser.parse_args(argv).install:
        place().write_text(LINE, encoding="utf-8")
    else:
        place().unlink(missing_ok=True)


if __name__ == "__main__":
    main()
