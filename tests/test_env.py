"""Environments: Gymnasium's contract, episodes by hand, forks and misuse."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.env import FEEDBACK, LAST_FEEDBACK, GroupEnv, MathEnv, UnicodeText, register_all
from hdpo_env.errors import ConfigError, DataError, RegistryError
from hdpo_env.problems import PROBLEMS, ChainFamily
from hdpo_env.types import Outcome, Problem, Verdict

IDS = register_all()
CHAIN = ChainFamily("#", 3).source("train", 0, 20)


class Faulty:
    """A verifier that always abstains."""

    name, version = "faulty", "1"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        return Verdict(Outcome.TIMEOUT)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("max_turns", [1, 3])
def test_gymnasium_accepts_every_registered_id(env_id: str, max_turns: int) -> None:
    """`check_env` passes without a warning, rendering included, and the spec travels as JSON."""
    env = gymnasium.make(env_id, max_turns=max_turns)
    check_env(env.unwrapped)
    assert json.loads(env.spec.to_json())["id"] == env_id  # type: ignore[union-attr]


def test_every_named_source_is_registered_once() -> None:
    """Registering again changes nothing."""
    assert register_all() == IDS == [*(f"hdpo/{name}-v0" for name in PROBLEMS), "hdpo/problems-v0"]


def test_settings_reach_the_source() -> None:
    """`gymnasium.make` passes split, level and so on to the problem source."""
    env = gymnasium.make("hdpo/linear-v0", split="eval", level=4, size=5).unwrapped
    assert isinstance(env, MathEnv)
    assert [p.id for p in env.source] == [
        p.id for p in PROBLEMS["linear"](split="eval", level=4, size=5)
    ]


@pytest.mark.parametrize("mode", ["sync", "async", "spawn"])
def test_vector_environments(mode: str) -> None:
    """Several at once give what each alone gives for its own seed, in fresh processes too."""
    how = {"shared_memory": False, "context": "spawn" if mode == "spawn" else "fork"}
    many = gymnasium.make_vec(
        "hdpo/chain-add-v0",
        num_envs=2,
        vectorization_mode="sync" if mode == "sync" else "async",
        vector_kwargs={} if mode == "sync" else how,
    )
    try:
        observations, infos = many.reset(seed=[3, 4])
        alone = MathEnv("chain-add")
        expected = [alone.reset(seed=seed) for seed in (3, 4)]
        assert list(observations) == [observation for observation, _ in expected]
        assert list(infos["problem_id"]) == [info["problem_id"] for _, info in expected]
        golds = [PROBLEMS["chain-add"]()[0].gold for _ in range(2)]
        _, rewards, terminated, truncated, _ = many.step(tuple(golds))
        assert terminated.all()
        assert not truncated.any()
        assert set(rewards) <= {0.0, 1.0}
    finally:
        many.close()


def test_an_episode_by_hand() -> None:
    """A correct completion earns 1 and ends; a wrong one earns 0 and ends."""
    env = MathEnv(CHAIN)
    observation, info = env.reset(seed=0, options={"index": 4})
    assert (observation, info) == (CHAIN[4].question, {"problem_id": CHAIN[4].id, "turn": 0})
    observation, reward, terminated, truncated, info = env.step(CHAIN[4].gold)
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info == {
        "problem_id": CHAIN[4].id,
        "turn": 1,
        "outcome": "correct",
        "abstained": False,
    }
    env.reset(options={"id": CHAIN[7].id})
    assert env.problem == CHAIN[7]
    assert env.step("no")[1:3] == (0.0, True)
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step("again")


def test_retries_get_feedback_in_words() -> None:
    """Wrong, blank, right: two rounds of feedback, then the reward; else the limit ends it."""
    env = MathEnv(CHAIN, max_turns=3, render_mode="ansi")
    env.reset(options={"index": 0})
    assert env.step("no")[:3] == (FEEDBACK[Outcome.WRONG], 0.0, False)
    assert env.step("")[:3] == (FEEDBACK[Outcome.NO_ANSWER], 0.0, False)
    state = env.get_state()
    assert env.step(CHAIN[0].gold)[:3] == (FEEDBACK[Outcome.CORRECT], 1.0, True)
    env.set_state(state)
    assert env.step("no")[:3] == ("That is not correct. The attempts are used up.", 0.0, True)
    assert str(env.render()).count("[completion]") == 3


@pytest.mark.parametrize("outcome", FEEDBACK)
def test_only_a_failure_with_attempts_left_asks_for_another(outcome: Outcome) -> None:
    """Before the last attempt every failure is followed by advice, after it by none."""
    asks, ends = ("try again" in told[outcome].lower() for told in (FEEDBACK, LAST_FEEDBACK))
    assert (asks, ends) == (outcome is not Outcome.CORRECT, False)
    assert ("used up" in LAST_FEEDBACK[outcome]) == asks


def test_an_abstention_ends_the_episode_unjudged() -> None:
    """A verifier fault is flagged, not scored as a failure to retry."""
    env = MathEnv(CHAIN, max_turns=5, verifier=Faulty())
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step("anything")
    assert (reward, terminated, info["abstained"], info["outcome"]) == (0.0, True, True, "timeout")


def test_problems_follow_the_seed() -> None:
    """Same seed, same episodes; seeds in a row do not share shifted streams."""

    def stream(seed: int) -> list[str]:
        env = MathEnv("chain-table", size=100_000)
        first = env.reset(seed=seed)[0]
        return [first, *(env.reset()[0] for _ in range(50))]

    assert stream(1) == stream(1)
    assert not set(stream(1)) & set(stream(2))


def test_a_fork_goes_its_own_way() -> None:
    """The fork continues from the same state, draws the same next problem, and shares nothing."""
    env = MathEnv(CHAIN, max_turns=3)
    env.reset(seed=5)
    env.step("no")
    twin = env.fork()
    assert twin.get_state() == env.get_state()
    twin.step("no")
    assert env.get_state().turn == 1
    assert twin.get_state().turn == 2
    twin.step("no")
    assert twin.reset()[0] == env.reset()[0]


ACTIONS = st.sampled_from(["no", "", "right", "reset"])


def play(env: MathEnv, actions: Sequence[str]) -> list[object]:
    """What an environment says to a list of actions; ``right`` is the answer of its problem."""
    said: list[object] = []
    for action in actions:
        if action == "reset" or env.get_state().is_over:
            said.append(env.reset())
        elif env.problem is not None:
            said.append(env.step(env.problem.gold if action == "right" else action))
    return [*said, env.render(), env.get_state()]


@given(st.lists(ACTIONS), st.lists(ACTIONS), st.lists(ACTIONS))
def test_forks_are_independent(before: list[str], one: list[str], other: list[str]) -> None:
    """After any history, two branches each go on as if the other had never been played."""

    def fresh() -> MathEnv:
        env = MathEnv(CHAIN, max_turns=3, render_mode="ansi")
        env.reset(seed=5)
        play(env, before)
        return env

    env = fresh()
    saved, twin = env.get_state(), env.fork()
    assert play(twin, other) == play(fresh(), other)
    assert env.get_state() == saved
    assert play(env, one) == play(fresh(), one)
    env.set_state(saved)  # a state that was taken stays what it was
    assert play(env, other) == play(fresh(), other)


def test_states_travel_between_processes() -> None:
    """A state survives pickling, and an environment elsewhere goes on from it."""
    env = MathEnv("linear", max_turns=3)
    env.reset(seed=2)
    env.step("no")
    elsewhere = MathEnv("linear", max_turns=3)
    elsewhere.set_state(pickle.loads(pickle.dumps(env.get_state())))
    assert play(elsewhere, ["no", "reset", "right"]) == play(env, ["no", "reset", "right"])


@pytest.mark.slow
def test_a_fresh_process_makes_an_environment_by_its_name() -> None:
    """``gymnasium.make`` imports the package itself when the id names it."""
    program = (
        "import gymnasium\n"
        "env = gymnasium.make('hdpo_env.env:hdpo/linear-v0', split='eval')\n"
        "print(env.reset(seed=1)[1]['problem_id'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    expected = MathEnv("linear", split="eval").reset(seed=1)[1]["problem_id"]
    assert (done.stdout.strip(), done.stderr) == (expected, "")


@given(st.text(max_size=50))
def test_any_text_is_an_action(text: str) -> None:
    """No completion, however odd, breaks an episode."""
    env = MathEnv(CHAIN)
    env.reset(options={"index": 0})
    assert text in env.action_space
    observation, reward, *_ = env.step(text)
    assert observation in env.observation_space
    assert reward == float(text.strip() == CHAIN[0].gold)


def test_unicode_space_is_a_space() -> None:
    """Samples lie in it and follow the seed; length is its only limit; equality is by length."""
    space = UnicodeText(10, seed=3)
    samples = [space.sample() for _ in range(50)]
    assert all(sample in space for sample in samples)
    assert samples == [UnicodeText(10, seed=3).sample(), *samples[1:]]
    assert len(set(samples)) > 20
    assert "∫√π界" in space
    assert "x" * 11 not in space
    assert 3 not in space
    assert space == UnicodeText(10) != UnicodeText(11)


@pytest.mark.parametrize("template", ["boxed", None])
def test_math_problems_are_asked_to_box_and_exact_ones_are_not(template: str | None) -> None:
    """The prompt asks for the form that the verifier reads."""
    assert r"\boxed{}" in MathEnv("linear", template=template).reset(seed=0)[0]
    assert "boxed" not in MathEnv("chain-add").reset(seed=0)[0]


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: MathEnv(CHAIN, max_turns=0), ConfigError, "max_turns is 0"),
        (lambda: MathEnv(CHAIN, level=3), ConfigError, r"settings \['level'\]"),
        (lambda: MathEnv([]), DataError, "source is empty"),
        (lambda: MathEnv(CHAIN).reset(options={"indx": 3}), ConfigError, r"options \['indx'\]"),
        (
            lambda: MathEnv(CHAIN).reset(options={"index": 1, "id": "x"}),
            ConfigError,
            "one of index, id, problem",
        ),
        (lambda: MathEnv(CHAIN).reset(options={"id": "x"}), DataError, "has id 'x'"),
        (lambda: MathEnv(CHAIN).step("x"), ResetNeeded, "reset"),
        (
            lambda: MathEnv(CHAIN).reset(options={"index": "3"}),
            ConfigError,
            "index '3' is no whole",
        ),
        (lambda: MathEnv(CHAIN).reset(options={"index": 20}), DataError, "outside the 20 problems"),
        (lambda: MathEnv(CHAIN).reset(options={"index": -21}), DataError, "outside the 20"),
        (lambda: MathEnv(CHAIN).reset(options={"problem": "2+2"}), ConfigError, "problem is a str"),
        (lambda: MathEnv(CHAIN, template="nope"), RegistryError, "unknown template 'nope'"),
        (lambda: GroupEnv(CHAIN, group_size=1, template="nope"), RegistryError, "'nope'"),
        (lambda: MathEnv(CHAIN, verifier="nope"), RegistryError, "unknown verifier 'nope'"),
        (lambda: MathEnv("linear", size=-1), ConfigError, "size -1 is negative"),
        (lambda: GroupEnv(CHAIN, group_size=1).reset(num=-1), ConfigError, "num is -1"),
        (lambda: GroupEnv(CHAIN, group_size=1).reset(num=0), ConfigError, "num is 0"),
        (lambda: GroupEnv(CHAIN, group_size=1).reset(num=1.5), ConfigError, "num is 1.5"),
        (lambda: GroupEnv(CHAIN, group_size=0), ConfigError, "group_size is 0"),
        (lambda: GroupEnv(CHAIN, group_size=1).reset(), ConfigError, "give num="),
        (partial(GroupEnv(CHAIN, group_size=1).step, [["a", "b"]]), DataError, r"got \[2\]"),
    ],
)
def test_misuse_is_refused(act: object, error: type[Exception], message: str) -> None:
    """Each error names the value and the remedy."""
    with pytest.raises(error, match=message):
        act()  # type: ignore[operator]


@pytest.mark.parametrize("action", [None, b"4", 4, [{"role": "assistant", "content": "4"}]])
def test_an_action_that_is_no_text_is_refused_and_costs_nothing(action: object) -> None:
    """The kind is named and the episode goes on, instead of ending as an abstention."""
    env = MathEnv(CHAIN)
    env.reset(options={"index": 0})
    before = env.get_state()
    kind = type(action).__name__
    with pytest.raises(DataError, match=f"a completion is a {kind}: give the model's text"):
        env.step(action)  # type: ignore[arg-type]
    assert env.get_state() == before
    assert env.step(CHAIN[0].gold)[1] == 1.0
    groups = GroupEnv(CHAIN, group_size=1)
    groups.reset(num=1)
    with pytest.raises(DataError, match=f"a completion is a {kind}"):
        groups.step([[action]])  # type: ignore[list-item]


class Shaped(MathEnv):
    """Somebody's environment: another reward, an argument of its own."""

    def __init__(self, bonus: float, **settings: Any) -> None:
        super().__init__(CHAIN, **settings)
        self.bonus = bonus

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        text, reward, *rest = super().step(action)
        return text, reward + self.bonus, *rest  # type: ignore[return-value]


def test_a_fork_of_a_subclass_is_one() -> None:
    """Its class, settings and rewards are the original's; its spaces draw by themselves."""
    env = Shaped(0.25, max_turns=3, verifier=Faulty())
    env.reset(seed=1)
    twin = env.fork()
    assert type(twin) is Shaped
    assert (twin.bonus, twin.max_turns, twin.judges) == (0.25, 3, env.judges)
    assert twin.step("no")[1] == env.step("no")[1] == 0.25
    env.action_space.seed(1)
    expected = [env.action_space.sample() for _ in range(3)]
    env.action_space.seed(1)
    twin = env.fork()
    twin.action_space.sample()
    assert [env.action_space.sample() for _ in range(3)] == expected


def test_a_problem_can_be_brought_along() -> None:
    """`options={"problem": ...}` plays a problem that is not in the source."""
    own = Problem("2+2=?", ("4",))
    env = MathEnv(CHAIN)
    env.reset(options={"problem": own})
    assert env.step(r"so it is \boxed{4}")[1] == 1.0
    assert isinstance(env.np_random, np.random.Generator)
