"""Rewards, through OpenRLHF's own client code."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.host
pytest.importorskip("fastapi")
pytest.importorskip("openrlhf")

SERVER = "hdpo_plugins.openrlhf.reward.server"
FILES = Path(__file__).resolve().parent / "files"
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
    def __init__(self, *flags, poison=None):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/get_reward"
        script, env = ["-m", SERVER], None
        if poison:  # judged by the verifier of files/odd_server.py
            script, flags = [FILES / "odd_server.py"], ("--verifier", "odd", *flags)
            env = {**os.environ, "PYTHONPATH": str(FILES), "ODD_POISON": str(poison)}
        command = [sys.executable, *script, "--port", self.port, *flags]
        self.process = subprocess.Popen([str(word) for word in command], env=env)
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

    def connected(self, announced=None):
        """A connection, of a sender that announces a body and sends only its beginning."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        if announced:
            head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {announced}\r\n\r\n"
            connection.sendall(head.encode() + b'{"query"')
        return connection

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


def test_a_full_server_holds_openrlhfs_client_until_there_is_room(server):
    """While the limit is reached a request waits in line; nobody is refused, nothing is lost."""
    before = server.health()["refused"]
    busy = Asked(server, many(3000))
    small = {"query": [PROMPT + r"\boxed{3/4}"], "prompts": [PROMPT], "labels": ["3/4"]}
    (reply,) = asyncio.run(executor(server.url)._fetch_rewards_via_http(*small.values()))
    assert not server.health()["waiting"]  # it was judged after the others
    busy.join()
    assert reply["rewards"] == [1.0]
    assert busy.reply["rewards"] == [1.0, 0.0] * 1500
    assert server.health()["refused"] == before


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


def test_more_completions_than_the_server_ever_takes_are_refused_with_the_numbers(server):
    """They would wait in line for ever."""
    code, reply = server.post(json.dumps(many(3001)).encode())
    assert code == 413
    assert reply["detail"] == "3001 completions are more than 3000: send fewer at once"


def test_a_body_that_announces_no_length_is_counted_as_it_comes(server):
    """Two MiB in chunks, where one is allowed: refused, and what is refused is not kept."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/", iter([b" " * 2**16] * 32), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


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


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """One worker that sleeps as long as a completion says, room for three, three seconds each."""
    poison = tmp_path_factory.mktemp("odd") / "poison"
    server = Server(
        "--workers", 1, "--max-waiting", 3, "--max-bytes", 2**20, "--max-memory", 2**21,
        "--answer-s", 3, "--max-connections", 70, poison=poison,
    )  # fmt: skip
    server.poison = poison
    yield server
    server.end()


def ask(server, words):
    """OpenRLHF's client, once for each completion, all at the same time."""

    async def all_of_them():
        ask = executor(server.url)._fetch_rewards_via_http
        found = await asyncio.gather(*(ask([PROMPT + word], [PROMPT], ["1"]) for word in words))
        return [reply for (reply,) in found]

    return asyncio.run(all_of_them())


def test_twenty_times_more_requests_than_the_limit_are_all_answered(slow):
    """60 rollouts at once, room for three: every one is judged at its first request."""
    before, seen, is_over = slow.health(), [], threading.Event()

    def watch():
        while not is_over.wait(0.02):
            seen.append(slow.health())

    watching = threading.Thread(target=watch)
    watching.start()
    replies = ask(slow, ["0.02s"] * 60)
    is_over.set()
    watching.join()
    assert [reply["rewards"] for reply in replies] == [[1.0]] * 60
    after = slow.health()
    assert after["judged"] == before["judged"] + 60
    assert after["refused"] == before["refused"]
    assert max(health["waiting"] for health in seen) <= 3
    assert max(health["held"] for health in seen) > 3


def test_what_cannot_be_judged_in_time_is_refused_before_the_client_gives_up(slow):
    """Four seconds of work where an answer has three: a sentence, and nothing stays behind."""
    request = {"query": [PROMPT + "4s"], "prompts": [PROMPT], "labels": ["1"]}
    code, reply = slow.post(json.dumps(request).encode())
    assert code == 503
    assert reply["detail"].startswith("not judged within 3 s")
    health = slow.health()
    assert (health["held"], health["waiting"]) == (0, 0)


def test_senders_that_stop_amid_their_bodies_keep_nobody_else_out_for_long(slow):
    """They hold all the memory there is for bodies; who comes next waits, and is answered."""
    stalled = [slow.connected(announced=2**20) for _ in range(2)]
    while slow.health()["held"] < 2:
        time.sleep(0.01)
    start = time.monotonic()
    (reply,) = ask(slow, ["0s"])
    assert reply["rewards"] == [1.0]
    assert time.monotonic() - start > 1  # they are refused after three seconds
    for connection in stalled:
        assert b" 503 " in connection.recv(99)
        connection.close()


def test_one_connection_too_many_is_refused_and_the_next_after_one_has_gone_is_not(slow):
    """Seventy are allowed."""
    held = [slow.connected() for _ in range(70)]
    request = json.dumps({"query": [PROMPT], "prompts": [PROMPT], "labels": ["1"]}).encode()
    with pytest.raises(urllib.error.HTTPError) as refusal:
        slow.health()
    with refusal.value:
        assert refusal.value.code == 503
    for connection in held:
        connection.close()
    assert slow.post(request)[0] == 200


def test_the_health_check_asks_the_workers(slow):
    """While every worker dies of what it judges it says 503 and why, and ok when that is over."""
    assert slow.health()["status"] == "ok"
    slow.poison.touch()
    with pytest.raises(urllib.error.HTTPError) as refusal:
        slow.health()
    with refusal.value:
        assert refusal.value.code == 503
        assert "worker process died" in json.load(refusal.value)["status"]
    slow.poison.unlink()
    assert slow.health()["status"] == "ok"


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--verifier", "nonsense"], "'nonsense'"),
        (["--port", "70000"], "--port 70000"),
        (["--host", "192.0.2.1", "--port", "0"], "--host 192.0.2.1"),
        (["--workers", "-1", "--port", "0"], "workers=-1"),
        (["--max-waiting", "0"], "max_waiting is 0"),
        (["--max-memory", "5"], "max_memory is 5"),
        (["--answer-s", "0"], "answer_s is 0"),
    ],
)
def test_a_server_that_cannot_be_had_says_so_in_a_sentence(flags, part, capsys):
    """Exit code 2, one line, and no traceback."""
    from hdpo_plugins.openrlhf.reward.server import main

    with pytest.raises(SystemExit) as end:
        main(flags)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert part in line


def test_a_port_that_is_taken_and_a_verifier_that_cannot_judge_are_told(slow, tmp_path):
    """As a process: nothing but a sentence on standard error, and exit code 2."""
    poison = tmp_path / "poison"
    poison.touch()
    env = {**os.environ, "PYTHONPATH": str(FILES), "ODD_POISON": str(poison)}
    for words, part in (
        (["-m", SERVER, "--port", str(slow.port)], "in use"),
        ([str(FILES / "odd_server.py"), "--verifier", "odd", "--port", "0"], "cannot judge"),
    ):
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, env=env, check=False
        )
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert part in line


def response(reward, logs):
    """An engine's, with what the reward's client made of it."""
    return {
        "observation_tokens": [1, 2, 3],
        "action_ranges": [(1, 3)],
        "rollout_log_probs": None,
        "prompt": PROMPT,
        "label": "1",
        "reward": reward,
        "scores": reward,
        "extra_logs": logs,
    }


def as_file(number):
    import torch

    return torch.tensor([number])


@pytest.mark.parametrize("shaped", [float, lambda number: [number], as_file])
@pytest.mark.parametrize("given", [[1.0, None, 0.0], [None, 1.0, 0.0], [None, None, None]])
@pytest.mark.parametrize("logs", [{}, {"abstained": [0.0], "answered": [1.0]}])
def test_a_rollout_without_a_reward_is_an_abstention_and_costs_no_other(given, shaped, logs):
    """Numbers, lists and tensors as rewards: OpenRLHF joins and divides the batch as any other."""
    from types import SimpleNamespace

    from openrlhf.trainer.ppo_utils.experience import Experience, split_experience_batch

    from hdpo_plugins.openrlhf.generator import PluginSamplesGenerator

    generator = object.__new__(PluginSamplesGenerator)
    rollout = SimpleNamespace(batch_size=1, n_samples_per_prompt=3)
    reward = SimpleNamespace(remote_url=["http://unused"])
    generator.args = SimpleNamespace(rollout=rollout, reward=reward)
    generator.watch(None)
    generator._is_training, generator._seen = True, []
    made = [
        generator._process_response_into_experience(
            response(*((None, {}) if number is None else (shaped(number), logs)))
        )
        for number in given
    ]
    verdicts = [None if number is None else number >= 1 for number in given]
    assert [record.correct for record in generator._seen] == [(verdict,) for verdict in verdicts]
    generator._sample_buffer, generator._dataloader_iter = made, None
    samples, *_ = generator.generate_samples()
    rows = split_experience_batch(Experience.concat_experiences(samples, 0))
    assert [float(row.rewards) for row in rows] == [number or 0.0 for number in given]
    assert [float(row.scores) for row in rows] == [number or 0.0 for number in given]
    assert [float(row.info["reward"]) for row in rows] == [number or 0.0 for number in given]
    if logs or None in given:
        found = [float(row.info["abstained"]) for row in rows]
        assert found == [float(number is None) for number in given]


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
