"""README.md says what the repository holds."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_and_the_maps_are_current() -> None:
    """``python -m benchmarks.readme_tree --write`` would change nothing."""
    import sys

    sys.path.insert(0, str(ROOT))
    try:
        written = runpy.run_path(str(ROOT / "benchmarks" / "readme_tree.py"))
    finally:
        sys.path.remove(str(ROOT))
    readme, remedy = (
        (ROOT / "README.md").read_text(),
        "run: python -m benchmarks.readme_tree --write",
    )
    assert written["filled"](readme) == readme, remedy
    assert (ROOT / "docs" / "map.md").read_text() == written["whole_map"](), remedy
