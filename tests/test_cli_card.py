"""What a cliff card says, and what it must not claim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hdpo_env.cli import main
from hdpo_env.cliffs import Beta, Retry

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


def test_a_threshold_reaches_every_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a cliff of at most one success becomes is not what a cliff of none becomes."""
    path = _write(tmp_path / "r.jsonl", [0, 0, 0, 1, 1, 3, 8])
    printed, cards = [], []
    for threshold in ("0", "1"):
        folder = tmp_path / threshold
        words = ["--threshold", threshold, "--card", str(folder)]
        assert main(["cliffs", str(path), *words]) == 0
        printed.append(capsys.readouterr().out)
        cards.append(json.loads((folder / "card.json").read_text()))
    strict, loose = (card["facts"]["posterior"] for card in cards)
    assert (strict["a"], strict["b"]) == (loose["a"], loose["b"])  # the pass rates are as they are
    prior = Beta(strict["a"], strict["b"])
    assert strict["p_not_cliff"] == pytest.approx(prior.updated(0, 8).p_not_cliff(8))
    assert loose["p_not_cliff"] == pytest.approx(Retry(prior, 8, 1).escape_rate)
    for text, facts in zip(printed, (strict, loose), strict=True):
        assert f"in the next 8 with probability {facts['p_not_cliff']:.2f}" in " ".join(
            text.split()
        )
    [few], [many] = ([r for r in c["budget"] if r["group_size"] == 8] for c in cards)
    assert few["cliff_rate"] == pytest.approx(prior.p_all_fail(8))
    assert many["cliff_rate"] == pytest.approx(prior.p_at_most(1, 8))
    assert "group without a success: an event" in (tmp_path / "0/card.md").read_text()
    assert "group with at most 1 success: an event" in (tmp_path / "1/card.md").read_text()


def test_a_success_under_the_threshold_is_no_phantom(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One right of eight is rewarded differently from the rest, as it should be."""
    path = tmp_path / "r.jsonl"
    rows = [{"problem_id": i, "reward": int(k < i % 2)} for i in range(4) for k in range(8)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["cliffs", str(path), "--threshold", "1", "--causes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["phantom_rate"] == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["cliffs", "FILE", "--budget", "0"], "--budget is 0"),
        (["cliffs", "FILE", "--card", "CARD", "--budget", "-5"], "--budget is -5"),
        (["cliffs", "FILE", "--threshold", "-1"], "--threshold is -1"),
        (["doctor", "FILE", "--threshold", "-1"], "--threshold is -1"),
    ],
)
def test_impossible_numbers_are_refused(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence that names the value, and nothing printed or written."""
    places = {"FILE": _write(tmp_path / "r.jsonl", [0, 3]), "CARD": tmp_path / "card"}
    assert main([str(places.get(word, word)) for word in words]) == 2
    told = capsys.readouterr()
    assert complaint in told.err
    assert not told.out
    assert not (tmp_path / "card").exists()


def test_one_is_no_plural(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line is one group of one rollout of one problem."""
    path = tmp_path / "r.jsonl"
    path.write_text('{"problem_id": "a", "reward": 0}\n')
    assert main(["cliffs", str(path), "--card", str(tmp_path / "card")]) == 0
    told = capsys.readouterr().out
    assert told.split("\n")[0].strip() == "1 group of 1 rollout"
    assert "1 rollout of 1 problem, pass rate 0.0000, 0 abstentions, 0 malformed lines" in told
    assert "1 rollout of 1 problem in groups of 1;" in (tmp_path / "card/card.md").read_text()
