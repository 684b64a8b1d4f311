"""The curriculum's laws as the logs of real runs show them, and runs that resume under one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log
from pathlib import Path

import pytest
import torch

from hdpo_env.cliffs import Beta
from hdpo_env.commands.train import parse, spec_of
from hdpo_env.config import CurriculumConfig, TrainConfig
from hdpo_env.errors import CheckpointError, ConfigError, DataError, TrainingError
from hdpo_env.policies.tabular import TabularPolicy
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import student_prompt
from hdpo_env.trainer import Trainer
from hdpo_env.training.runs import _stream
from hdpo_env.training.stream import CurriculumStream, EpochStream, MixedStream, make_stream
from hdpo_env.types import Problem

ConfigOf = Callable[..., TrainConfig]
Draw = tuple[int, int, int]  # problem, num_correct, num_wrong
VIEWS = ("solution", "answer")


def world(rates: Sequence[float]) -> tuple[list[Problem], TabularPolicy]:
    """Problems that the student solves at these rates, and the teacher always."""
    problems = [
        Problem(f"q{i}", ("a",), solution=f"s{i}: a", verifier="exact") for i in range(len(rates))
    ]
    asked = [student_prompt(p, "plain") for p in problems]
    told = [privileged_prompt(p, v, "hdpo", student="plain") for v in VIEWS for p in problems]
    policy = TabularPolicy([*asked, *told], "ab.", max_tokens=2)
    with torch.no_grad():
        for prompt, rate in zip([*asked, *told], [*rates, *[1.0] * len(told)], strict=True):
            root = [log(max(rate, 1e-12)), log(max(1 - rate, 1e-12)), -40.0]
            policy.module.logits[policy.row(prompt)] = torch.tensor(root, dtype=torch.float64)
            policy.module.logits[policy.row(prompt, (0,)), policy.eos_id] = 40.0
    return problems, policy


def trainer_of(
    config: TrainConfig, curriculum: CurriculumConfig, rates: Sequence[float], run_dir: Path
) -> Trainer:
    """A trainer on such a world whose stream is the one that `hdpo train` would make."""
    problems, policy = world(rates)
    config = replace(config, curriculum=curriculum)
    stream = make_stream(problems, curriculum, seed=config.seed, threshold=0)
    return Trainer(config, policy, MixedStream({"train": (stream, 1)}), run_dir)


def draws(run_dir: Path) -> list[list[Draw]]:
    """What each step drew and what came of it, from the run's ``groups.jsonl``."""
    rows = [json.loads(line) for line in (run_dir / "groups.jsonl").read_text().splitlines()]
    number = {p.id: i for i, p in enumerate(world([1.0] * 40)[0])}
    steps: list[list[Draw]] = [[] for _ in range(rows[-1]["step"] + 1)]
    for row in rows:
        draw = number[row["problem_id"]], row["num_correct"], row["num_wrong"]
        steps[row["step"]].append(draw)
    return steps


def run(
    config_of: ConfigOf,
    curriculum: CurriculumConfig,
    rates: Sequence[float],
    run_dir: Path,
    *,
    steps: int,
    prompts: int,
    group: int = 4,
) -> list[list[Draw]]:
    """Train without learning anything, so that the rates stay, and read what was drawn."""
    config = config_of("grpo")
    rollout = replace(config.rollout, prompts_per_step=prompts, group_size=group, max_tokens=2)
    config = replace(
        config, rollout=rollout, optim=replace(config.optim, lr=1e-12), steps=steps,
        checkpoint_every=1000,
    )  # fmt: skip
    trainer_of(config, curriculum, rates, run_dir).run()
    return draws(run_dir)


def test_epochs_are_what_they_were() -> None:
    """The order of runs made before there was a curriculum, number by number, and no state."""
    problems = [Problem(f"{i}?", (str(i),)) for i in range(10)]
    stream = make_stream(problems, CurriculumConfig(), seed=0, threshold=0)
    assert isinstance(stream, EpochStream)
    batches = [[int(p.gold) for p in stream.batch(step, 7)] for step in range(3)]
    assert batches == [[7, 3, 1, 2, 0, 8, 5], [4, 6, 9, 1, 7, 9, 5], [3, 4, 0, 6, 2, 8, 1]]
    assert [int(p.gold) for p in stream.batch(2, 7, attempt=1)] == [6, 5, 9, 7, 9, 3, 4]
    assert stream.state_dict() == {}


def test_a_run_without_a_curriculum_draws_epochs(config_of: ConfigOf, tmp_path: Path) -> None:
    """The default run's groups are the epoch stream's batches, in their order."""
    rates = [0.0, 0.5, 1.0, 0.5, 0.5]
    found = run(config_of, CurriculumConfig(), rates, tmp_path, steps=4, prompts=3)
    stream = EpochStream(list(range(5)), seed=0)  # type: ignore[arg-type]
    assert [[i for i, _, _ in step] for step in found] == [stream.batch(k, 3) for k in range(4)]


def test_a_cliff_is_retried_exactly_when_it_is_due(config_of: ConfigOf, tmp_path: Path) -> None:
    """Its draw comes 10, then 20, then 40 draws after the end of the step that saw it fail."""
    curriculum = CurriculumConfig("retry", delay=10)
    found = run(config_of, curriculum, [0.0] + [1.0] * 11, tmp_path, steps=40, prompts=4)
    order = [i for step in found for i, _, _ in step]
    places = [place for place, i in enumerate(order) if i == 0]
    ends = [4 * (place // 4 + 1) for place in places]
    assert [b - end for end, b in zip(ends, places[1:], strict=False)] == [10, 20, 40]
    others = Counter(order[:48])
    assert max(others.values()) - min(others[i] for i in range(1, 12)) <= 1, "the rest take turns"


@pytest.mark.parametrize("rest", [1, 3])
def test_what_is_dropped_stays_away(rest: int, config_of: ConfigOf, tmp_path: Path) -> None:
    """No saturated problem or cliff before its rest is over, though steps straddle epochs."""
    size, prompts = 12, 5
    rates = [0.0] * 3 + [1.0] * 5 + [0.5] * 4
    curriculum = CurriculumConfig("drop", rest=rest)
    found = run(config_of, curriculum, rates, tmp_path, steps=30, prompts=prompts, group=12)
    free: dict[int, int] = {}  # problem -> the epoch in which it may come again
    returned = 0
    for step, drawn in enumerate(found):
        for place, (i, _, _) in enumerate(drawn, start=step * prompts):
            assert place // size >= free.get(i, 0), (step, i)
            returned += i in free
        epoch = ((step + 1) * prompts - 1) // size  # in which the step ended
        for i, correct, wrong in drawn:
            if not (correct and wrong):
                free[i] = epoch + 1 + rest
            else:
                free.pop(i, None)
    assert returned >= 8, "none came back, so nothing of the rest's length was tested"


def expected_shares(curriculum: CurriculumConfig, counts: dict[int, list[int]]) -> list[float]:
    """The chance of each problem in the next draw, from the counts of all steps before."""
    beliefs = {i: Beta(1.0, 1.0).updated(*c) for i, c in counts.items()}
    if curriculum.strategy == "frontier":
        weights = {i: b.a * b.b / ((b.a + b.b) * (b.a + b.b + 1)) for i, b in beliefs.items()}
    else:
        kinds = {(False, False): 0, (False, True): 1, (True, True): 2, (True, False): 3}
        pool = {i: kinds[c > 0, w > 0] for i, (c, w) in counts.items()}
        sizes = Counter(pool.values())
        weights = {i: curriculum.pool_shares[k] / sizes[k] for i, k in pool.items()}
    return [weights[i] / sum(weights.values()) for i in sorted(weights)]


@pytest.mark.parametrize(
    "curriculum",
    [CurriculumConfig("frontier"), CurriculumConfig("pools", pool_shares=(1.0, 2.0, 5.0, 1.0))],
    ids=["frontier", "pools"],
)
def test_draws_follow_what_was_seen(
    curriculum: CurriculumConfig, config_of: ConfigOf, tmp_path: Path
) -> None:
    """Each problem's draws over 80 steps match the sum of its chances, step by step (4 sigma).

    The chances are computed here from the logged counts of the steps before; the differences sum
    to a martingale, so their variances add.
    """
    rates = [0.0] * 3 + [1.0] * 3 + [0.5] * 4
    found = run(config_of, curriculum, rates, tmp_path, steps=80, prompts=8)
    counts: dict[int, list[int]] = {i: [0, 0] for i in range(len(rates))}
    surplus, variance = [0.0] * len(rates), [0.0] * len(rates)
    for drawn in found:
        for i, share in enumerate(expected_shares(curriculum, counts)):
            surplus[i] += sum(j == i for j, _, _ in drawn) - share * len(drawn)
            variance[i] += share * (1 - share) * len(drawn)
        for i, correct, wrong in drawn:
            counts[i][0] += correct
            counts[i][1] += wrong
    assert all(abs(s) < 4 * v**0.5 for s, v in zip(surplus, variance, strict=True)), surplus
    mixed = sum(i >= 6 for drawn in found for i, _, _ in drawn)
    assert mixed > 0.45 * 80 * 8, "the strategy made no difference"


def hdpo(config_of: ConfigOf) -> TrainConfig:
    """HDPO with fading, checkpoints every 3 of 8 steps."""
    config = config_of("hdpo", weight=0.5, fade=("answer",))
    rollout = replace(config.rollout, prompts_per_step=3, max_tokens=2)
    return replace(config, rollout=rollout)


def choices_of(trainer: Trainer) -> dict[str, object]:
    """The state of stream and ladder."""
    assert trainer.collector.ladder is not None
    ladder = trainer.collector.ladder.state_dict()
    return {"stream": trainer.stream.state_dict(), "ladder": ladder}


RATES = [0.0, 0.0, 0.05, 0.3, 0.5, 0.9, 1.0]


@pytest.mark.parametrize("strategy", ["frontier", "retry", "drop", "pools"])
def test_a_resumed_curriculum_equals_an_uninterrupted_one(
    strategy: str, config_of: ConfigOf, tmp_path: Path
) -> None:
    """Killed between checkpoints: the same draws, views, weights and state in the end."""
    config = hdpo(config_of)
    curriculum = CurriculumConfig(strategy, delay=4, rest=1)  # type: ignore[arg-type]
    whole = trainer_of(config, curriculum, RATES, tmp_path / "whole")
    whole.run()
    first = trainer_of(config, curriculum, RATES, tmp_path / "cut")
    for step in range(5):  # dies after step 4; the newest checkpoint is of step 3
        first._turn(step)
        if first.next_step % config.checkpoint_every == 0:
            first.save()
    first.writer.close()
    second = trainer_of(config, curriculum, RATES, tmp_path / "cut")
    second.run(resume=True)
    assert torch.equal(whole.policy.module.logits, second.policy.module.logits)
    assert draws(tmp_path / "whole") == draws(tmp_path / "cut")
    assert choices_of(whole) == choices_of(second)
    rungs = choices_of(whole)["ladder"]["rungs"]  # type: ignore[index]
    assert rungs, "no view faded, so nothing of that was tested"
    told = [(tmp_path / name / "completions.jsonl").read_bytes() for name in ("whole", "cut")]
    assert told[0] == told[1]


def test_a_step_that_fails_is_taken_again_on_the_same_problems(
    config_of: ConfigOf, tmp_path: Path
) -> None:
    """After a loss that is NaN the checkpoint knows nothing of that step's draws and groups."""
    trainer = trainer_of(hdpo(config_of), CurriculumConfig("retry", delay=4), RATES, tmp_path)
    trainer._turn(0)
    before = choices_of(trainer)
    table = trainer.policy.module.logits
    handle = table.register_hook(lambda grad: grad * float("nan"))
    with pytest.raises(TrainingError):
        trainer.run()
    handle.remove()
    assert choices_of(trainer) == before
    failed = draws(tmp_path)[1]
    again = trainer_of(hdpo(config_of), CurriculumConfig("retry", delay=4), RATES, tmp_path)
    again.run(resume=True)
    assert draws(tmp_path)[1] == failed


def test_streams_side_by_side_learn_from_their_own_problems(config_of: ConfigOf) -> None:
    """Each of two curricula hears of its own problems only; both are in the mixture's state."""
    problems, _ = world([0.5] * 6)
    parts = {
        name: CurriculumStream(half, CurriculumConfig("frontier"), seed=1)
        for name, half in (("a", problems[:3]), ("b", problems[3:]))
    }
    mixed = MixedStream({name: (stream, 1) for name, stream in parts.items()})
    assert {p.question for p in mixed.batch(0, 6)[:3]} <= {"q0", "q1", "q2"}
    states = json.loads(json.dumps(mixed.state_dict()))
    assert {name: state["drawn"] % 3 for name, state in states.items()} == {"a": 0, "b": 0}
    after = [p.question for p in mixed.batch(1, 6)]
    mixed.load_state_dict(states)
    assert [p.question for p in mixed.batch(1, 6)] == after


def test_flags_make_the_stream(tmp_path: Path) -> None:
    """``--curriculum retry --curriculum.delay 7`` is what the run's stream is made with."""
    words = ["--model", "m", "--data", "linear", "--out", str(tmp_path), "--curriculum", "retry"]
    words += ["--curriculum.delay", "7", "--algo.distill.fade", "answer", "hints:1"]
    spec = spec_of(parse(words))
    config = spec.config
    assert config.curriculum == CurriculumConfig("retry", delay=7)
    assert config.algo.distill.fade == ("answer", "hints:1")
    problems, _ = world([0.0] * 3)
    stream = _stream(spec, {"train": problems}).streams["train"][0]
    assert isinstance(stream, CurriculumStream)
    assert (stream.sampler.strategy, stream.sampler.delay) == ("retry", 7)


def test_a_foreign_state_and_impossible_settings_are_refused() -> None:
    """No problems, another data set's state, and each setting that cannot be."""
    with pytest.raises(DataError, match="no training problems"):
        CurriculumStream([], CurriculumConfig("retry"))
    problems, _ = world([0.5] * 6)
    state = CurriculumStream(problems, CurriculumConfig("retry")).state_dict()
    with pytest.raises(CheckpointError, match="size is 5 and the checkpoint's 6"):
        CurriculumStream(problems[:5], CurriculumConfig("retry")).load_state_dict(state)
    with pytest.raises(ConfigError, match="delay=0, rest=2"):
        CurriculumConfig("retry", delay=0)
    with pytest.raises(ConfigError, match="not all of them 0"):
        CurriculumConfig("pools", pool_shares=(0.0, 0.0, 0.0, 0.0))
