"""What adapters share: imports that explain themselves, verdicts from anywhere, honest numbers."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

from hdpo_env.errors import MissingDependencyError
from hdpo_env.hosting import abstentions, golds, judged, number_of, require
from hdpo_env.types import Outcome, Verdict


def test_a_missing_host_is_named_with_its_remedy() -> None:
    """Whether the host itself or one of its own modules is missing."""
    with pytest.raises(MissingDependencyError, match="needs no_host: pip install 'no-host==1'"):
        require("no_host.part", "no-host==1")
    assert require("json", "json").loads("1") == 1


@pytest.mark.parametrize(
    "gold",
    [
        "0.5",
        ["1/2", "x"],
        ("x", "0.5"),
        np.array(["0.5"], object),
        0.5,
        [None, 0.5],
        np.float64(0.5),
    ],
)
def test_golds_come_in_any_sequence(gold: object) -> None:
    """A string, a number, a list, a tuple, and what parquet readers give."""
    assert judged(r"\boxed{\frac12}", gold).correct is True
    assert judged(r"\boxed{\frac13}", gold).correct is False


@pytest.mark.parametrize("gold", [None, [], [None], float("nan"), np.array([None, np.nan], object)])
def test_without_a_gold_nothing_is_judged(gold: object) -> None:
    """A missing gold is a fault of the data: an abstention, not a wrong answer."""
    assert judged(r"\boxed{4}", gold).outcome is Outcome.BAD_GOLD


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["4", "four"], ("4", "four")),
        (np.array(["4", "four"], object), ("4", "four")),
        ("four", ("four",)),
        (7, ("7",)),
        (None, ("truth",)),
        ([], ("truth",)),
        (np.array([], object), ("truth",)),
        ([None], ("truth",)),
        (float("nan"), ("truth",)),
    ],
)
def test_a_rows_answers_come_before_its_ground_truth(answers: object, expected: tuple) -> None:
    """All accepted answers where the row has any, in any sequence; else its one ground truth."""
    assert golds({"answers": answers}, "truth") == expected
    assert golds({}, "truth") == ("truth",)
    assert golds({}, None) == ()


def test_a_cut_completion_is_no_answer() -> None:
    """The finish reason reaches the verifier."""
    assert judged("so we get", "4", finish_reason="length").outcome is Outcome.TRUNCATED


def test_verdicts_in_many_threads_are_the_verdicts_in_one() -> None:
    """Hosts call from worker threads; nothing depends on the main one."""
    found: dict[int, bool | None] = {}

    def ask(n: int) -> None:
        found[n] = judged(rf"\boxed{{{n}}}", str(n % 3)).correct

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: n < 3 for n in range(12)}


def test_abstentions_are_counted_and_logged_without_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Counts 1, 2, 4 and 8 of nine are logged, with the outcome and never the reason or answer."""
    fault = Verdict(Outcome.ERROR, extracted="CANARY", reason="CANARY")
    before = abstentions["a test"]
    with caplog.at_level(logging.WARNING, logger="hdpo_env.hosting"):
        numbers = [number_of(fault, "a test", abstention=-1.0) for _ in range(9)]
    assert numbers == [-1.0] * 9
    assert abstentions["a test"] - before == 9
    assert [r.getMessage().split()[-3] for r in caplog.records] == ["1", "2", "4", "8"]
    assert "ERROR" in caplog.text
    assert "CANARY" not in caplog.text


def test_verdicts_are_no_abstentions() -> None:
    """What was judged is 1 or 0 and is not counted."""
    before = abstentions["judged"]
    verdicts = [Verdict(o) for o in (Outcome.CORRECT, Outcome.WRONG, Outcome.TRUNCATED)]
    assert [number_of(v, "judged", abstention=float("nan")) for v in verdicts] == [1.0, 0.0, 0.0]
    assert abstentions["judged"] == before


@pytest.mark.parametrize("gold", [b"4", np.array("4"), np.array(4), np.array([b"4"]), [4], ("4",)])
def test_odd_carriers_of_a_gold_are_read(gold: object) -> None:
    """Bytes, arrays of no dimension and lists of either hold the gold 4, not their repr."""
    assert golds({}, gold) == ("4",)
    assert judged(r"\boxed{4}", gold).correct is True


@pytest.mark.parametrize("gold", [True, {"answer": "4"}, [{"answer": "4"}], None, float("nan")])
def test_what_is_no_gold_is_an_abstention(gold: object) -> None:
    """A truth value or a mapping is nobody's answer: no wrong answer, and no false cliff."""
    assert judged(r"\boxed{4}", gold).correct is None
