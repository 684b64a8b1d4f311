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


CORNERS = ("0.001", "1e+04", "10000", "9999", "nan", "inf", "Infinity", "-0.0")


@pytest.mark.parametrize(
    ("counts", "threshold", "limit"),
    [
        ([1, 2, 1, 2], 0, None),
        ([0] * 200, 0, 0.0151),
        ([0] * 200, 3, 0.0151),
        ([0] * 200, 100, 0.0151),
        ([0] * 3, 3, None),
        ([8] * 20, 0, None),
    ],
)
def test_no_number_is_the_corner_of_a_box(
    counts: list[int],
    threshold: int,
    limit: float | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where the counts leave the prior open: a limit if there is one below 1, and no budget.

    200 cliffs of 200: 1 - .05^(1/200) = .0149 of groups may be none, so .0149 / .9851 = .0151.
    """
    path = _write(tmp_path / "r.jsonl", counts)
    words = ["cliffs", str(path), "--threshold", str(threshold), "--card", str(tmp_path / "card")]
    assert main(words) == 0
    screen = " ".join(capsys.readouterr().out.split())
    text = (tmp_path / "card" / "card.md").read_text()
    card = json.loads((tmp_path / "card" / "card.json").read_text())
    assert card["budget"] == []
    assert [card["facts"]["posterior"][n] for n in ("a", "b", "p_not_cliff")] == [None] * 3
    assert "What a step buys" not in text
    for shown in (screen, text):
        assert DOUBT in shown
        assert ("At most" in shown) is (limit is not None)
        if limit is not None:
            assert f"At most {limit:.4f} of the cliffs" in shown
        assert not [corner for corner in CORNERS if corner in shown]


def test_what_the_counts_say_is_on_screen_and_card_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prior with a top is told on both, with a budget and without doubt."""
    path = _write(tmp_path / "r.jsonl", [0, 0, 0, 3, 8])
    assert main(["cliffs", str(path), "--card", str(tmp_path / "card")]) == 0
    screen = " ".join(capsys.readouterr().out.split())
    text = (tmp_path / "card" / "card.md").read_text()
    sentence = text.split("## How sure")[1].split("##")[0].strip()
    assert sentence.startswith("Pass rates look like Beta(")
    assert sentence in screen
    assert DOUBT not in text
    assert "What a step buys" in text


def test_the_order_of_lines_changes_no_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four group sizes once each: any order of the lines gives one card, and the larger size."""
    sizes = {"a": (0, 1), "b": (1, 4), "c": (0, 16), "d": (8, 8)}
    rows = [{"problem_id": p, "verdict": k < c} for p, (c, n) in sizes.items() for k in range(n)]
    cards = []
    for number, order in enumerate((rows, rows[::-1], rows[7:] + rows[:7])):
        path = tmp_path / "r.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in order))
        assert main(["cliffs", str(path), "--card", str(tmp_path / str(number))]) == 0
        card = json.loads((tmp_path / str(number) / "card.json").read_text())
        card["facts"]["never_solved"].sort()
        cards.append(card)
    assert cards[0] == cards[1] == cards[2]
    assert cards[0]["facts"]["posterior"]["group_size"] == 16
    capsys.readouterr()


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"problem_id": 1, "verdict": False}] * 8, "one problem does not say"),
        ([{"problem_id": i, "verdict": False} for i in range(8)], "one rollout a group"),
        ([{"problem_id": i // 4, "verdict": None} for i in range(8)], "no rollout was judged"),
        (
            [{"problem_id": i // 4, "step": i // 2, "verdict": i == 0} for i in range(8)],
            "several steps, so of several policies",
        ),
        (
            [
                {"problem_id": i, "step": 0, "num_correct": 0, "num_wrong": 10**9,
                 "num_abstained": 0}
                for i in range(2)
            ],
            "a group has 1,000,000,000 rollouts",
        ),
    ],
)  # fmt: skip
def test_a_missing_section_says_why(
    rows: list[dict], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a posterior there is a reason on the card and among the facts."""
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["cliffs", str(path), "--json", "--card", str(tmp_path / "card")]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["posterior"] is None
    assert why in facts["no_posterior"]
    assert why in (tmp_path / "card" / "card.md").read_text()


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
        assert f"in the next 8 with probability {facts['p_not_cliff']:.4f}" in " ".join(
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
