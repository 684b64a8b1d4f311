"""What a cliff card says, and what it must not claim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hdpo_env.cli import main

DOUBT = "do not pin"


def _write(path: Path, counts: list[int]) -> Path:
    """Groups of eight with so many successes each."""
    rows = [{"problem_id": i, "verdict": k < c} for i, c in enumerate(counts) for k in range(8)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(("counts", "doubtful"), [([1, 2, 1, 2], True), ([0, 0, 0, 3, 8], False)])
def test_the_card_doubts_what_the_screen_doubts(
    counts: list[int], doubtful: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prior at the edge of its box is called unsure on both, above the budget made of it too."""
    path = _write(tmp_path / "r.jsonl", counts)
    assert main(["cliffs", str(path), "--card", str(tmp_path / "card")]) == 0
    assert (DOUBT in capsys.readouterr().out) is doubtful
    sure, bought = (tmp_path / "card" / "card.md").read_text().split("## How sure")[1].split("## ")
    assert (DOUBT in sure, DOUBT in bought) == (doubtful, doubtful)
