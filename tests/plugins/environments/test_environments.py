"""OpenEnv, SkyRL-gym, GEM and verifiers 0.4 through their own loaders, servers and vectors."""

from __future__ import annotations

import asyncio
import json
import runpy
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from hdpo_env.conformance import hosts, serves
from hdpo_env.types import Problem
from hdpo_plugins.openenv.contract import running

# Warnings of the hosts and of what they import are not ours to mend.
pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
HERE = ("openenv", "skyrl-gym", "gem", "verifiers-v1")
PROMISES = [(name, what) for name in HERE for what in hosts()[name].exercises]


@pytest.mark.parametrize(("name", "what"), PROMISES)
def test_the_contract(name: str, what: str) -> None:
    """Each promise is kept by the installed version, which is a tested one."""
    host = hosts()[name]
    assert host.installed in host.tested
    assert serves(host, host.installed)
    host.exercises[what]()


def test_nothing_privileged_crosses_the_wire() -> None:
    """Every message that an OpenEnv server sends in an episode is free of planted secrets."""
    from hdpo_env.env import MathEnv
    from hdpo_plugins.openenv.compat import MathAction
    from hdpo_plugins.openenv.serve import MathEnvironment

    secrets = ("CANARY-GOLD", "CANARY-SOLUTION", "CANARY-HINT")
    planted = Problem("q", secrets[:1], solution=secrets[1], hints=secrets[2:], verifier="exact")
    environment = MathEnvironment()
    environment.env = MathEnv([planted], max_turns=3)
    sent = [environment.reset().model_dump_json(), environment.state.model_dump_json()]
    for text in ("wrong", ""):
        sent.append(environment.step(MathAction(completion=text)).model_dump_json())
        sent.append(environment.state.model_dump_json())
    assert not [message for message in sent if "CANARY" in message]


def test_a_reset_by_what_we_do_not_know_is_refused() -> None:
    """``idx`` is not silently a random problem, in the class and over the wire."""
    from hdpo_env.errors import ConfigError
    from hdpo_plugins.openenv.client import MathClient
    from hdpo_plugins.openenv.serve import MathEnvironment, application

    with pytest.raises(ConfigError, match="reset takes no idx: give seed, index or problem_id"):
        MathEnvironment("linear").reset(idx=3)
    with running(application("linear")) as url, MathClient(url).sync() as client:
        with pytest.raises(Exception, match="reset takes no idx"):
            client.reset(idx=3)
        assert client.reset(index=3).observation.text


@pytest.mark.parametrize(
    ("verifier", "golds"),
    [
        ("math", ("90210", "8")),
        ("math", (r"\boxed{\frac{90210}{",)),
        ("math", ("90210+" * 3000 + "1",)),
        ("numeric", ("90210 or x",)),
        ("choice", ("90210",)),
    ],
)
def test_unusable_golds_stay_unsaid(
    verifier: str, golds: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Each environment abstains from a gold that its verifier refuses, and says nothing of it."""
    import skyrl_gym

    from hdpo_plugins.gem.environment import MathGemEnv
    from hdpo_plugins.openenv.compat import MathAction
    from hdpo_plugins.openenv.serve import MathEnvironment
    from hdpo_plugins.skyrl.environment import register, row_of
    from hdpo_plugins.verifiers.v1 import HdpoTask, data_of

    bad = Problem("q", golds, verifier=verifier)
    gem, served, task = MathGemEnv([bad]), MathEnvironment([bad]), HdpoTask(data_of(bad))
    text = skyrl_gym.make(register(), env_config={}, extras=row_of(bad))
    shown = [gem.reset(), gem.step("7"), gem.get_state(), gem.spawn(), gem, text, task]
    assert shown[1][-1]["abstained"] is True
    told = [served.reset(), served.step(MathAction(completion="7")), served.state]
    assert told[1].correct is None
    shown += [served, *told, *(message.model_dump_json() for message in told)]
    shown += [text.step("7"), text.get_metrics(), task.judge("7")]
    assert text.get_metrics()["abstained"] == 1.0
    assert task.judge("7").is_abstention
    assert asyncio.run(task.validate()) is False
    shown += [caplog.text]
    assert not [thing for thing in shown if "90210" in f"{thing!r}{thing}"]


def own_problems(path: Path) -> list[Problem]:
    """Three problems, also in a file."""
    problems = [
        Problem(f"{i}+{i}=?", (f"0{2 * i}",), solution="Double it.", verifier=verifier)
        for i, verifier in enumerate(("exact", "math", "math"))
    ]
    path.write_text("".join(problem.to_json() + "\n" for problem in problems))
    return problems


def test_gem_plays_a_file(tmp_path: Path) -> None:
    """``gem.make`` and ``make_vec`` take its path; what is spawned plays it too, read once."""
    from hdpo_plugins.gem.environment import gem, register_all

    register_all()
    path = tmp_path / "mine.jsonl"
    golds = {p.id: p.gold for p in own_problems(path)}
    env = gem.make("hdpo:problems", problems=str(path))
    vector = gem.make_vec(["hdpo:problems"] * 2, problems=str(path))
    path.unlink()
    for one in (env, env.spawn(), env.spawn(seed=4), *vector.envs):
        _, info = one.reset()
        gold = golds[info["problem_id"]]
        assert one.step(gold if gold == "00" else rf"\boxed{{{gold}}}")[1] == 1.0


def test_a_v1_taskset_reads_files_and_what_export_writes(tmp_path: Path) -> None:
    """Our own rows, and those of ``hdpo export --to prime-rl``, each with its own verifier."""
    from hdpo_env.exports import to_prime_rl
    from hdpo_plugins.verifiers.contract import taskset

    problems = own_problems(tmp_path / "mine.jsonl")
    to_prime_rl(problems, view="solution").save(tmp_path / "rows.jsonl")
    for settings in (
        {"problems": str(tmp_path / "mine.jsonl")},
        {"problems": str(tmp_path / "rows.jsonl"), "settings": {"field_map": "prime-rl"}},
    ):
        tasks = list(taskset(**settings, size=2))
        assert [task.key for task in tasks] == [p.id for p in problems[:2]]
        assert [task.judge("00").correct for task in tasks] == [True, False]
        assert [task.judge(reply).correct for task, reply in zip(tasks, "02", strict=True)] == [
            False,
            True,
        ]


def post(url: str, **body: object) -> tuple[int, dict]:
    """Status and JSON of a POST request."""
    data = json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=30) as found:
            return found.status, json.load(found)
    except HTTPError as refusal:
        return refusal.code, json.load(refusal)


def test_the_verifier_over_http() -> None:
    """Three verdicts, and requests that cannot be judged are refused, not guessed."""
    from hdpo_plugins.openenv.serve import add_verifier, application

    app = application("linear", size=5)
    with add_verifier(app, workers=1), running(app) as url:
        ask = f"{url}/verify"
        assert post(ask, completion=r"\boxed{1/2}", gold="0.5")[1]["correct"] is True
        assert post(ask, completion=r"\boxed{1/3}", gold=["0.5", "2/4"])[1]["correct"] is False
        fault = post(ask, completion=r"\boxed{1}", gold=" ")[1]
        assert (fault["correct"], fault["outcome"]) == (None, "bad_gold")
        assert post(ask, completion="x" * 1_000_001, gold="1")[0] == 422
        assert post(ask, completion="x")[0] == 422


def test_a_v1_task_validates_every_problem_of_a_family() -> None:
    """The host's gold check passes for each shipped source."""
    from hdpo_plugins.verifiers.contract import taskset

    for name in ("arithmetic", "fractions", "linear", "system", "chain-add"):
        for task in taskset(problems=name, size=5):
            assert asyncio.run(task.validate(None)) is True


EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("openenv/play.py", [False, False]),
        ("skyrl/episode.py", 1.0),
        ("gem/vectors.py", [0.0, 0.0]),
        ("verifiers/my_hdpo_math.py", [True] * 8),
    ],
)
def test_the_examples_run(example: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example's main does what it says."""
    path = EXAMPLES / example
    monkeypatch.syspath_prepend(path.parent)
    assert runpy.run_path(str(path))["main"]() == expected
