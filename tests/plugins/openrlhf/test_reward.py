"""Rewards, through OpenRLHF's own client code."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.host
pytest.importorskip("fastapi")
pytest.importorskip("openrlhf")

PROMPT = "What is 1/2 + 1/4?"
LABELS = ["3/4", '{"answer": ["3/4", "0.75"], "solution": "0.75 since 2/4 + 1/4"}']
COMPLETIONS = {
    r" It is \boxed{0.75}.<|im_end|>": 1.0,
    r" It is \boxed{3}.": 0.0,
    " 3/4, I think": 0.0,
}


def rewards_file():
    from hdpo_plugins.openrlhf.reward import reward_func

    return reward_func.__file__


def executor(url):
    from openrlhf.utils.agent import SingleTurnAgentExecutor

    return SingleTurnAgentExecutor(url)


def experience(reply):
    """What OpenRLHF makes of a reply for one rollout."""
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

    response = {
        "observation_tokens": [1, 2, 3],
        "action_ranges": [(1, 3)],
        "rollout_log_probs": None,
        "prompt": PROMPT,
        "label": "",
        "reward": reply["rewards"],
        "scores": reply["scores"],
        "extra_logs": reply["extra_logs"],
    }
    return SamplesGenerator._process_response_into_experience(None, response)


class Server:
    def __init__(self, *flags):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/get_reward"
        module = "hdpo_plugins.openrlhf.reward.server"
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "--port", str(self.port), *flags]
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.health()
                break
            except OSError:
                assert self.process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def health(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=10) as reply:
            return json.load(reply)

    def post(self, body):
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def server():
    server = Server("--workers", "1", "--max-waiting", "3000", "--max-bytes", str(2**20))
    yield server
    server.end()


def many(count):
    """A request that keeps one worker busy for a second or more; every second answer is right."""
    terms = [(n, n + n % 2) for n in range(count)]
    queries = [rf"{PROMPT}\boxed{{\sqrt{{{n**2}}} + \frac{{0}}{{{n + 1}}}}}" for n, _ in terms]
    labels = [str(n) for _, n in terms]
    return {"query": queries, "prompts": [PROMPT] * count, "labels": labels}


class Asked(threading.Thread):
    """A request under way; ``reply`` is set when it has joined."""

    def __init__(self, server, request):
        super().__init__()
        self.server, self.body, self.reply = server, json.dumps(request).encode(), None
        self.start()
        deadline = time.monotonic() + 30
        while not server.health()["waiting"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def run(self):
        self.status, self.reply = self.server.post(self.body)


@pytest.mark.parametrize("label", LABELS)
def test_a_completion_is_judged_by_the_labels_answers_from_openrlhfs_threads(label):
    """The reward file gives OpenRLHF 1.0 or 0.0 for plain and JSON labels alike."""
    client = executor(rewards_file())
    queries = [PROMPT + text for text in COMPLETIONS]
    replies = asyncio.run(
        client._fetch_rewards_via_func(queries, [PROMPT] * len(queries), [label] * len(queries))
    )
    made = [experience(reply) for reply in replies]
    assert [float(e.rewards[0]) for e in made] == list(COMPLETIONS.values())
    assert [float(e.scores[0]) for e in made] == list(COMPLETIONS.values())
    assert [float(e.info["answered"][0]) for e in made] == [1.0, 1.0, 0.0]
    assert all(float(e.info["abstained"][0]) == 0.0 for e in made)


@pytest.mark.parametrize(
    ("query", "label"), [("another text 3/4", "3/4"), (PROMPT + r"\boxed{1}", "")]
)
def test_what_cannot_be_judged_is_marked_and_never_a_failure_to_fetch(query, label):
    """A query without its prompt and a label without an answer abstain; the reward is a number."""
    client = executor(rewards_file())
    (reply,) = asyncio.run(client._fetch_rewards_via_func([query], [PROMPT], [label]))
    made = experience(reply)
    assert float(made.rewards[0]) == 0.0
    assert float(made.info["abstained"][0]) == 1.0


def test_the_server_and_the_file_say_the_same(server):
    """OpenRLHF's HTTP client and its function client end in the same rewards and metrics."""
    label = LABELS[1]
    for text in COMPLETIONS:
        asked = [PROMPT + text], [PROMPT], [label]
        (local,) = asyncio.run(executor(rewards_file())._fetch_rewards_via_func(*asked))
        (remote,) = asyncio.run(executor(server.url)._fetch_rewards_via_http(*asked))
        ours, theirs = experience(local), experience(remote)
        assert ours.rewards.flatten().tolist() == theirs.rewards.flatten().tolist()
        assert ours.scores.flatten().tolist() == theirs.scores.flatten().tolist()
        for key in ("abstained", "answered"):
            assert ours.info[key].flatten().tolist() == theirs.info[key].flatten().tolist()


def test_a_full_server_makes_openrlhfs_client_wait(server):
    """While the limit is reached a request gets 429; OpenRLHF's client tries again and succeeds."""
    busy = Asked(server, many(3000))
    small = {"query": [PROMPT + r"\boxed{3/4}"], "prompts": [PROMPT], "labels": ["3/4"]}
    assert server.post(json.dumps(small).encode())[0] == 429
    (reply,) = asyncio.run(executor(server.url)._fetch_rewards_via_http(*small.values()))
    busy.join()
    assert reply["rewards"] == [1.0]
    assert busy.reply["rewards"] == [1.0, 0.0] * 1500


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"x" * (2**20 + 1), 413),
        (b"not json", 422),
        (b"[1]", 422),
        (b'{"query": ["a"], "prompts": ["a", "b"], "labels": ["1"]}', 422),
        (b'{"query": [1], "prompts": ["a"], "labels": ["1"]}', 422),
    ],
)
def test_a_request_that_is_too_long_or_malformed_is_refused(server, body, code):
    """Bodies over the limit get 413, bodies of another form 422, and the server goes on."""
    assert server.post(body)[0] == code
    assert server.health()["status"] == "ok"


def test_a_killed_worker_costs_no_rollout(server):
    """Kill the judging process amid 3000 completions: every one still gets its verdict."""
    import psutil

    before = server.health()["abstained"]
    busy = Asked(server, many(3000))
    workers = psutil.Process(server.process.pid).children(recursive=True)
    assert workers
    for worker in workers:
        worker.kill()
    busy.join()
    assert busy.reply["rewards"] == [1.0, 0.0] * 1500
    assert server.health()["abstained"] == before


def test_a_server_that_is_told_to_end_finishes_what_it_has():
    """SIGTERM amid a request: its reply is complete, and the process ends, workers and all."""
    import psutil

    server = Server("--workers", "1")
    busy = Asked(server, many(2000))
    workers = psutil.Process(server.process.pid).children(recursive=True)
    server.process.send_signal(signal.SIGTERM)
    busy.join()
    assert busy.reply["rewards"] == [1.0, 0.0] * 1000
    server.process.wait(60)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


def test_the_agent_scores_like_the_reward_file():
    """One turn of the agent ends the conversation with the verdict on its own words."""
    from openrlhf.utils.agent import AgentExecutorBase

    from hdpo_plugins.openrlhf.reward.agent_func import AgentExecutor

    agent = AgentExecutor()
    assert isinstance(agent, AgentExecutorBase)
    for text, reward in COMPLETIONS.items():
        states = {"action_text": text, "label": LABELS[0], "sampling_params": None}
        result = asyncio.run(agent.agent_instance_cls().step(states))
        assert result["done"]
        assert result["rewards"].item() == reward
        scored = asyncio.run(agent.score(PROMPT + text, PROMPT, LABELS[0]))
        assert scored["scores"].item() == reward
