"""``python -m benchmarks [name ...]``: run the named bench modules, or all of them, in order.

A bench module is a file here with a ``main()`` that prints a table or JSON lines.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def bench_names() -> list[str]:
    """Every module of this folder that can be run; names with an underscore inside help others."""
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(m.name for m in modules if "_" not in m.name)


def main(arguments: list[str]) -> None:
    """Run the benches."""
    known = bench_names()
    unknown = [name for name in arguments if name not in known]
    if unknown:
        raise SystemExit(f"no bench named {', '.join(unknown)}: there are {', '.join(known)}")
    for name in arguments or known:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
