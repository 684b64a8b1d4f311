"""Sentences of the report are chosen by comparisons of the data."""

from __future__ import annotations

import pytest

from hdpo_env.errors import DataError
from hdpo_env.report.findings import algo_name, best_variant, context, failures, headline, margin
from hdpo_env.report.records import Curve, EvalRow, Run
from hdpo_env.report.study import Study

KEY = "eval/cliff/pass@8"


def _run(
    variant: str, values: list[float], seed: int = 0, others: dict[str, list[float]] | None = None
) -> Run:
    curves = {KEY: values, "eval/easy/pass@1": [0.7, 0.95]} | (others or {})
    return Run(
        name=f"{variant}-seed{seed}",
        algo=variant.split("-")[0] if variant.split("-")[0] != "faint" else "hdpo",
        variant=variant,
        seed=seed,
        config={},
        curves={k: Curve(tuple(range(len(v))), tuple(v)) for k, v in curves.items()},
    )


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        (
            [_run("grpo", [0.008, 0.0]), _run("hdpo-strong", [0.008, 1.0])],
            "HDPO lifts cliff pass@8 from .008 to 1.000; GRPO ends at .000",
        ),
        (
            [_run("grpo", [0.5, 0.1]), _run("hdpo", [0.5, 0.2])],
            "HDPO lowers cliff pass@8 from .500 to .200; GRPO ends at .100",
        ),
        (
            [_run("grpo", [0.0, 0.6]), _run("hdpo", [0.0, 0.61])],
            "HDPO lifts cliff pass@8 from .000 to .610, no further than the baseline; "
            "GRPO ends at .600",
        ),
        (
            [_run("grpo", [0.0, 0.0]), _run("sdpg", [0.0, 0.01])],
            "SDPG leaves cliff pass@8 within noise of its start, from .000 to .010; "
            "GRPO ends at .000",
        ),
        ([_run("hdpo", [0.1, 0.9])], "HDPO lifts cliff pass@8 from .100 to .900"),
        ([_run("grpo", [0.1, 0.1])], "GRPO leaves cliff pass@8 within noise of its start, "
         "from .100 to .100"),
    ],
)  # fmt: skip
def test_headline_says_what_happened(runs: list[Run], sentence: str) -> None:
    """Lifts, lowers, noise, no gain over the baseline, no baseline: five different sentences."""
    assert headline(Study(tuple(runs))) == sentence


def test_staying_put_is_not_called_behind_the_baseline() -> None:
    """A variant that does not move is within noise, whatever the baseline reached."""
    runs = (_run("grpo", [0.5, 0.6]), _run("sdpg", [0.5, 0.51]))
    assert headline(Study(runs)) == (
        "SDPG leaves cliff pass@8 within noise of its start, from .500 to .510; GRPO ends at .600"
    )


def test_the_headline_is_about_the_variant_that_ends_highest() -> None:
    """Of two variants the better end is named, whichever comes first."""
    for ends in ((0.9, 0.4), (0.4, 0.9)):
        runs = (_run("hdpo-a", [0.0, ends[0]]), _run("hdpo-b", [0.0, ends[1]]))
        assert best_variant(Study(runs)) == ("hdpo-a" if ends[0] > ends[1] else "hdpo-b")
        assert headline(Study(runs)).endswith("to .900")


def test_variants_are_listed_baseline_first_and_ablation_last() -> None:
    """The order of tables and legends does not depend on the order of folders."""
    names = ["faint-jsd", "sdpg", "grpo", "hdpo", "hdpo-frozen"]
    for order in (names, names[::-1]):
        study = Study(tuple(_run(v, [0.0, 0.1]) for v in order))
        assert list(study.variants) == ["grpo", "hdpo", "hdpo-frozen", "sdpg", "faint-jsd"]
        assert study.main == ("grpo", "hdpo", "hdpo-frozen", "sdpg")
        assert (study.baseline, study.ablation) == ("grpo", ("faint-jsd",))


def test_headline_averages_seeds() -> None:
    """Two seeds at .8 and 1.0 end at .900."""
    runs = (_run("hdpo", [0.0, 0.8]), _run("hdpo", [0.0, 1.0], 1))
    assert headline(Study(runs)).endswith("from .000 to .900")


def test_a_seed_that_stopped_early_does_not_count_at_the_end() -> None:
    """A seed at step 1 of 2 is not averaged with one at step 2; the others stand alone."""
    runs = (_run("hdpo", [0.0, 0.3, 0.9]), _run("hdpo", [0.0, 0.3], 1))
    study = Study(runs)
    assert [run.seed for run in study.finished["hdpo"]] == [0]
    assert study.end("hdpo", KEY) == (0.9, None, None, 1)
    assert study.start("hdpo", KEY).num_seeds == 2


def test_a_run_without_evaluation_says_so() -> None:
    """Nothing is claimed of a run that was not evaluated."""
    run = Run("x", "hdpo", "hdpo", 0, {}, {"losses/total": Curve((0, 3), (1.0, 0.5))})
    assert headline(Study((run,))) == "hdpo, one seed, 3 steps: none evaluated yet"


@pytest.mark.parametrize(
    ("seeds", "says"),
    [
        ({"hdpo": 1}, "hdpo, one seed, 1 step. One seed shows no spread"),
        ({"hdpo": 3}, "hdpo, 3 seeds, 1 step. Intervals are 95 %"),
        ({"grpo": 2, "hdpo": 2}, "2 variants, 2 seeds each, 1 step. The headline is about hdpo"),
        ({"grpo": 1, "hdpo": 2}, "2 variants, up to 2 seeds each, 1 step."),
        ({"grpo": 3, "hdpo": 1}, "2 variants, up to 3 seeds each, 1 step."),
    ],
)
def test_the_context_counts_what_was_run(seeds: dict[str, int], says: str) -> None:
    """Variants, seeds and steps are counted, and one seed is said to show no spread."""
    runs = tuple(_run(v, [0.0, 0.5], seed) for v, n in seeds.items() for seed in range(n))
    assert context(Study(runs)).startswith(says)


def test_the_context_reaches_as_far_as_the_longest_run() -> None:
    """Steps are those of the longest run, minutes those of all runs together."""
    runs = (_run("grpo", [0.0, 0.1, 0.1]), _run("hdpo", [0.0, 0.5]))
    for run in runs:
        object.__setattr__(run, "seconds", 90.0)
    assert context(Study(runs)).startswith("2 variants, one seed each, 2 steps, 3 minutes of")


def test_noise_is_two_problems_of_a_small_slice() -> None:
    """With 20 problems a difference of .1 is noise; with 1,000, .02 is."""
    for number, expected in ((20, 0.1), (1000, 0.02)):
        run = _run("hdpo", [0.0, 0.5])
        evals = tuple(EvalRow(0, "cliff", str(i), 8, 0) for i in range(number))
        object.__setattr__(run, "evals", evals)
        assert margin(Study((run,))) == pytest.approx(expected)


def test_no_run_is_refused() -> None:
    """A study of nothing cannot be made."""
    with pytest.raises(DataError, match="no run to report on"):
        Study(())


def test_every_failure_has_its_sentence_with_numbers() -> None:
    """Unmoved cliffs, easy accuracy lost, saturation, a lost teacher, a moved control are named."""
    runs = (
        _run("grpo", [0.0, 0.01]),
        _run(
            "hdpo-strong",
            [0.0, 0.9],
            others={"privileged/pass_rate": [0.8, 0.3], "eval/easy/pass@1": [0.7, 0.9]},
        ),
        _run(
            "faint-jsd",
            [0.0, 0.0],
            others={"distill/saturated_mass": [0.93, 0.92], "eval/faint/pass@8": [0.0, 0.0]},
        ),
        _run("hdpo-wild", [0.0, 0.9], others={"eval/control/pass@8": [0.0, 0.4]}),
    )
    found = "\n".join(failures(Study(runs)))
    assert "Cliff pass@8 does not rise beyond noise under grpo (.000 to .010)." in found
    assert "easy pass@1 ends at .900 (one seed), 5.0 points below grpo" in found
    assert "faint-jsd starts with 93 % of its distilled tokens at the ceiling" in found
    assert "It ends at faint pass@8 .000 (one seed)." in found
    assert "falls from .800 to .300" in found
    assert "hdpo-wild moves the control slice" in found


def test_failures_over_seeds_carry_their_interval() -> None:
    """Costs are means over seeds with Student t intervals, or the one value all seeds share."""

    def runs(*easy: float) -> tuple[Run, ...]:
        ended = [
            _run("hdpo", [0.0, 0.9], i, {"eval/easy/pass@1": [0.7, e]}) for i, e in enumerate(easy)
        ]
        return (_run("grpo", [0.0, 0.9]), *ended)

    (cost,) = failures(Study(runs(0.7, 0.8, 0.9)))
    assert "easy pass@1 ends at .800 (.552 to 1.000), 15.0 points below grpo" in cost
    (cost,) = failures(Study(runs(0.8, 0.8)))
    assert "easy pass@1 ends at .800 in every seed, 15.0 points below grpo" in cost
    assert failures(Study(runs(0.94, 0.94))) == []


def test_small_changes_are_no_failures() -> None:
    """High but steady values are not costs, lost teachers or moved controls."""
    steady = {
        "eval/easy/pass@1": [0.9, 0.95],
        "privileged/pass_rate": [0.8, 0.75],
        "eval/control/pass@8": [0.5, 0.5],
    }
    runs = (_run("grpo", [0.0, 0.9]), _run("hdpo", [0.0, 0.9], others=steady))
    assert failures(Study(runs)) == []


def test_a_cliff_slice_that_stays_high_has_not_moved() -> None:
    """Movement is the difference of end and start, not their size."""
    (sentence,) = failures(Study((_run("hdpo", [0.5, 0.5]),)))
    assert sentence == "Cliff pass@8 does not rise beyond noise under hdpo (.500 to .500)."


@pytest.mark.parametrize(
    ("ends", "headed"), [([0.5, 0.5], "leaves"), ([0.5, 0.2], "lowers"), ([0.5, 0.9], "lifts")]
)
def test_the_failures_agree_with_the_headline(ends: list[float], headed: str) -> None:
    """On a slice of any name: whatever the headline does not call a gain is named as a failure."""
    curves = {"eval/eval/pass@8": Curve((0, 1), tuple(ends))}
    study = Study((Run("r", "hdpo", "hdpo", 0, {}, curves),))
    assert headline(study).startswith(f"HDPO {headed} eval pass@8")
    sentence = "Eval pass@8 does not rise beyond noise under hdpo (.500 to .{:.0f}00)."
    expected = [] if headed == "lifts" else [sentence.format(10 * ends[1])]
    assert failures(study) == expected


def test_nothing_is_called_a_failure_without_cause() -> None:
    """A study in which everything works has no failures, and KL cannot saturate JSD."""
    kl = _run("faint-kl", [0.0, 0.0], others={"distill/saturated_mass": [0.93, 0.05]})
    object.__setattr__(kl, "config", {"algo": {"distill": {"divergence": "kl_teacher_student"}}})
    assert failures(Study((_run("hdpo", [0.0, 0.9]), kl))) == []


def test_algorithms_are_written_as_in_papers() -> None:
    """The family in capitals, its kind as it is."""
    assert [algo_name(a) for a in ("grpo", "sdpg-code", "sft-cliffs")] == [
        "GRPO", "SDPG-code", "SFT-cliffs",
    ]  # fmt: skip
