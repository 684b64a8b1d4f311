"""The controller's half of HDPO: real rewards, prompts and ledger, with a scripted engine."""

from collections import Counter
from functools import partial
from itertools import islice
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.host
pytest.importorskip("openrlhf")

# Grades what the student would have been graded on, writes down what it was shown.
REWARD = """
import torch

def reward_func(queries, prompts, labels, **_):
    with open({path!r}, "a") as file:
        for query, prompt, label in zip(queries, prompts, labels):
            print(prompt, query, label, sep="|", file=file)
    if "9" in queries[0][len(prompts[0]):]:
        raise RuntimeError("a fault of the checker")
    right = [float(q[len(p):].rstrip(".") == str(x)) for q, p, x in zip(queries, prompts, labels)]
    open_ones = [float("8" in q[len(p):]) for q, p in zip(queries, prompts)]
    rewards = torch.tensor(right)
    return {{"rewards": rewards, "scores": rewards, "extra_logs": {{"abstained": open_ones}}}}
"""


class Engine:
    """Answers each privileged prompt of token ids with scripted completions, one after another."""

    def __init__(self, tokenizer, script):
        self.tokenizer, self.script, self.seen = tokenizer, script, []
        self.generate = SimpleNamespace(remote=self._generate)

    def _generate(self, prompt_ids, params):
        prompt = self.tokenizer.decode(prompt_ids)
        self.seen.append((prompt, params.max_tokens))
        text = self.script[prompt].pop(0)
        output = SimpleNamespace(
            token_ids=self.tokenizer(text)["input_ids"],
            finish_reason="stop" if text.endswith(".") else "length",
        )
        return SimpleNamespace(outputs=[output])


ROWS = [{"input": f"Q1+{i}", "solution": f"1+{i}={1 + i}"} for i in range(5)]


def trainer_of(tmp_path, script, **changed):
    from hdpo_env.policies.tiny import tiny_tokenizer

    reward = tmp_path / "reward.py"
    reward.write_text(REWARD.format(path=str(tmp_path / "shown.txt")))
    space, tokenizer = SimpleNamespace, tiny_tokenizer()
    prompts = [f"{row['input']}=" for row in ROWS]
    dataset = SimpleNamespace(prompts=prompts, labels=["1", "2", "3", "4", "5"])
    args = space(
        plugin=["hdpo"],
        hdpo=space(
            weight=0.5, template="chain", rollouts_per_cliff=3, max_cliff_prompts=3,
            cliff_threshold=0.0, reenter_after=0, reenter_tries=3, ledger=None, teacher="drifting",
            view="solution",
        ),
        data=space(
            input_key="input", solution_key="solution", apply_chat_template=True,
            input_template=None, max_len=30,
        ),
        rollout=space(max_new_tokens=6, batch_size=4),
        train=space(num_episodes=2, agent_func_path=None, seed=7),
        reward=space(remote_url=[str(reward)]),
        ckpt=space(path=str(tmp_path / "ckpt"), load_enable=False),
        actor=space(model_name_or_path="models/tiny"),
        critic=space(freezing_steps=-1),
        ds=space(lora=space(rank=0)),
    )  # fmt: skip
    for name, value in changed.items():
        group, _, field = name.partition("__")
        setattr(getattr(args, group), field, value)
    return SimpleNamespace(
        args=args,
        strategy=None,
        tokenizer=tokenizer,
        prompts_dataloader=SimpleNamespace(dataset=dataset),
        vllm_engines=[Engine(tokenizer, script), Engine(tokenizer, script)],
    )


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Makes controllers and closes them; no Ray: what an engine returns is there at once."""
    from hdpo_plugins.openrlhf import compat
    from hdpo_plugins.openrlhf.controller import Controller

    monkeypatch.setattr(compat, "get", lambda refs: refs)
    monkeypatch.setattr(compat, "training_rows", lambda strategy: ROWS)
    made = []

    def of(trainer):
        made.append(Controller(trainer))
        return made[-1]

    def make(script, **changed):
        return of(trainer_of(tmp_path, script, **changed))

    make.of, make.trainer = of, partial(trainer_of, tmp_path)
    yield make
    for controller in made:
        controller.close()


def groups_of(*kinds):
    """Group i asks row i; its rollouts came out as given: r(ight), w(rong), a(bstained)."""
    from hdpo_env.policies.tiny import tiny_tokenizer
    from hdpo_plugins.openrlhf.groups import GroupRecord

    known = {"r": True, "w": False, "a": None}
    return [
        GroupRecord(
            f"Q1+{i}=",
            str(i + 1),
            tuple(tiny_tokenizer()(f"Q1+{i}=")["input_ids"]),
            tuple(known[letter] for letter in kind),
        )
        for i, kind in enumerate(kinds)
    ]


def teacher_text(i):
    return f"P1+{i}|1+{i}={1 + i}="


def test_cliffs_become_pairs_and_nothing_else_does(start, tmp_path):
    """Two of five groups are cliffs; right and whole completions survive, on both prompts."""
    script = {
        teacher_text(0): ["1.", "7.", "1"],  # right, wrong, right and cut off
        teacher_text(3): ["9.", "8.", "4."],  # the reward fails, it abstains, right
    }
    controller = start(script)
    trainer = controller.trainer
    controller.saw(groups_of("www", "wrw", "waw", "www", "rrr"), {"temperature": 0.7})
    shares = [message["hdpo"] for message in controller.payloads([], 2)]
    decode = trainer.tokenizer.decode
    found = [tuple(map(decode, pair[:3])) for share in shares for pair in share]
    assert sorted(found) == [
        ("Q1+0=", teacher_text(0), "1."),
        ("Q1+3=", teacher_text(3), "4."),
    ]
    assert [len(share) for share in shares] == [1, 1]
    status = controller.close_step()
    assert status["groups/cliff_rate"] == 2 / 5
    assert status["groups/undecided_rate"] == 1 / 5
    assert status["privileged/pass_rate"] == 3 / 4  # of those that were judged
    assert {k: v for k, v in status.items() if k.startswith("privileged/dropped") and v} == {
        "privileged/dropped_abstained": 2.0,
        "privileged/dropped_incorrect": 1.0,
        "privileged/dropped_truncated": 1.0,
    }
    assert (status["hdpo/pairs"], status["hdpo/pairs_rank0"]) == (2, 1)
    assert "groups/cliff_rate" not in controller.close_step()  # no groups were seen: no rate
    seen = [engine.seen for engine in trainer.vllm_engines]
    assert [len(calls) for calls in seen] == [3, 3]  # dealt out in turn
    assert {limit for calls in seen for _, limit in calls} == {6}


def test_the_reward_sees_the_students_prompt_and_never_the_solution(start, tmp_path):
    """What it is asked about a privileged completion looks as if the student had written it."""
    controller = start({teacher_text(0): ["1.", "2.", "3."]})
    controller.saw(groups_of("ww"), {})
    shown = sorted((tmp_path / "shown.txt").read_text().split())
    assert shown == [f"Q1+0=|Q1+0={text}|1" for text in ("1.", "2.", "3.")]


def test_cliffs_beyond_the_cap_and_prompts_beyond_the_room_are_counted(start, tmp_path):
    """Four cliffs: one is over the cap; in a shorter context none has room, and none is cut."""
    script = {teacher_text(i): ["0."] * 3 for i in range(4)}
    controller = start(script)
    controller.saw(groups_of("w", "w", "w", "w"), {})
    status = controller.close_step()
    counts = [status[f"hdpo/cliffs{end}"] for end in ("", "_tried", "_left_out")]
    assert counts == [4, 3, 1]
    assert controller.payloads([], 2)[0]["hdpo"] == []  # nobody was right

    room = {"data__max_len": len(teacher_text(0)) + 5, "hdpo__ledger": str(tmp_path / "l")}
    controller = start(script, **room)
    controller.saw(groups_of("w"), {})
    assert controller.close_step()["hdpo/cliffs_left_out"] == 1
    assert all(not engine.seen for engine in controller.trainer.vllm_engines)


def test_going_back_to_a_checkpoint_cuts_later_groups_off_the_ledger(start, tmp_path):
    """As after a kill: noted, saved, noted again, resumed; each step's groups are there once."""
    from hdpo_env.cliffs.summary import read_ledger
    from hdpo_env.errors import ConfigError
    from hdpo_env.types import Problem

    script = {teacher_text(i): ["0."] * 30 for i in range(5)}
    first = start(script)

    def step(controller, number):
        controller.step = number
        controller.saw(groups_of("wra", "ww"), {})
        controller.payloads([], 1)
        controller.close_step()

    step(first, 0)
    saved = first.state()
    step(first, 1)
    with pytest.raises(ConfigError, match=r"pass --ckpt\.load_enable .* another --hdpo\.ledger"):
        start(script)
    again = start(script, ckpt__load_enable=True)
    again.load_state(saved)
    step(again, 1)
    again.close()
    events = read_ledger(tmp_path / "ckpt" / "ledger").columns()
    assert Counter(events["step"].tolist()) == {0: 2, 1: 2}
    mixed = events["problem_id"] == Problem("1+0", ("1",)).id
    counts = [events[f"num_{kind}"][mixed].tolist() for kind in ("correct", "wrong", "abstained")]
    assert counts == [[1, 1]] * 3
    assert set(events["policy"]) == {"tiny"}


def test_a_ledger_on_another_node_is_named_as_a_cause(start):
    """The checkpoint knows of a group that is not in the ledger which this node sees."""
    from hdpo_env.errors import CheckpointError

    controller = start({teacher_text(0): ["0."] * 3})
    controller.saw(groups_of("ww"), {})
    controller.close_step()
    saved = controller.state()
    saved["ledger"] = {"num_events": 2}
    with pytest.raises(CheckpointError, match=r"lost events: .* a folder that every node sees"):
        controller.load_state(saved)


def test_the_ledgers_ids_follow_the_template_of_a_plugin_that_is_on(start, tmp_path):
    """With SDPG alone the question stands in SDPG's template, whatever HDPO's would be."""
    from hdpo_env.cliffs.summary import read_ledger
    from hdpo_env.types import Problem

    sdpg = SimpleNamespace(
        weight=0.1, view="solution", template="chain", teacher="drifting", warmup_steps=0,
        decay_steps=0, gate="positive_advantage",
    )  # fmt: skip
    trainer = start.trainer({}, hdpo__template="hdpo")
    trainer.args.plugin, trainer.args.sdpg = ["sdpg"], sdpg
    controller = start.of(trainer)
    controller.saw(groups_of("ww"), {})
    controller.close_step()
    [found] = read_ledger(tmp_path / "ckpt" / "ledger").columns()["problem_id"]
    assert found == Problem("1+0", ("1",)).id


def test_a_former_cliff_comes_back_in_a_new_prompts_place_until_it_is_solved(start):
    """Five rows in batches of four, two episodes: four steps, as planned, and what each logs.

    Row 0 is distilled at step 0 and due at 1, where the episode has one place left: too few for
    half a batch. At step 2 it comes back and is solved, so row 4 is left out of the episode.
    """
    controller = start({teacher_text(0): ["1.", "1.", "1."]}, hdpo__reenter_after=1)
    assert controller.total_steps == 4
    controller._item = lambda row: row
    outcomes = [("ww", "wr", "wr", "wr"), (), ("rw", "wr", "wr"), ()]
    prompts, numbers, loaders = [], [], [iter(range(5)), iter(range(5))]
    for step, kinds in enumerate(outcomes):
        controller.step, loader = step, loaders[step // 2]
        prompts.append(list(islice(controller.stream(loader, 4), 4)))
        controller.saw(groups_of(*kinds), {})
        controller.payloads([], 1)
        numbers.append(controller.close_step())
    assert prompts == [[0, 1, 2, 3], [4], [0, 0, 1, 2], [3]]
    assert [n["hdpo/reentered"] for n in numbers] == [0, 0, 1, 0]
    assert [n["hdpo/reentered_solved"] for n in numbers] == [0, 0, 1, 0]
    assert list(loaders[1]) == []  # row 4 was taken from it all the same


def test_a_run_that_began_without_plugins_ends_its_episode_where_it_was_planned(start):
    """Seven prompts were sampled, so two of the second episode's five: three are left of it."""
    controller = start({}, hdpo__reenter_after=1, ckpt__load_enable=True)
    controller.begin_anew(0, 7)
    assert list(controller.stream(iter([2, 3, 4, 5]), 9)) == [2, 3, 4]


def test_an_agent_without_a_score_is_refused_with_its_signature(start, tmp_path):
    """Its conversation cannot be held again with a privileged prompt."""
    from hdpo_env.errors import ConfigError

    agent = tmp_path / "agent.py"
    agent.write_text(
        "from openrlhf.utils.agent import SingleTurnAgentExecutor\n"
        "class AgentExecutor(SingleTurnAgentExecutor):\n    pass\n"
    )
    with pytest.raises(ConfigError, match=r"async def score\(self, query, prompt, label\)"):
        start({}, train__agent_func_path=str(agent))


@pytest.mark.parametrize("template", ["hdpo", "{prompt} Known: {context}"])
@pytest.mark.parametrize("drops", [True, False])
def test_leaks_are_dropped_whoever_wrote_the_template(start, template, drops):
    """Words of one's own are registered nowhere, and are held to the same telltale phrases."""
    from hdpo_env.types import Completion, Outcome, Verdict
    from hdpo_plugins.openrlhf.methods.hdpo_controller import Cliff, rollout_of

    controller = start({}, hdpo__template=template, hdpo__drop_leaks=drops)
    [group] = groups_of("www")
    name = template if template == "hdpo" else "literal"
    cliff = Cliff(group, (1, 2), f"{name}@1")
    texts = ["As provided, it is 1.", "1+0 is 1."]
    rollouts = [
        rollout_of(cliff, Completion((i,), text, "stop"), Verdict(Outcome.CORRECT))
        for i, text in enumerate(texts)
    ]
    kept = controller.parts["hdpo"]._selection([cliff], [rollouts]).kept
    assert [r.completion.text for r in kept] == (texts[1:] if drops else texts)


def test_a_ledger_of_unknown_origin_is_not_cut(start, tmp_path):
    """Resuming without a state of ours: an own ledger is begun anew, one named by hand is kept."""
    from hdpo_env.cliffs.summary import read_ledger
    from hdpo_env.errors import ConfigError

    named = str(tmp_path / "shared")
    script = {teacher_text(0): ["0."] * 30}
    for ledger in (None, named):
        first = start(script, hdpo__ledger=ledger)
        first.saw(groups_of("ww"), {})
        first.close_step()
        first.close()
    again = start(script, ckpt__load_enable=True)
    again.begin_anew(0)
    again.close()
    assert len(read_ledger(tmp_path / "ckpt" / "ledger").events) == 0
    other = start(script, ckpt__load_enable=True, hdpo__ledger=named)
    with pytest.raises(ConfigError, match=r"choose another --hdpo\.ledger"):
        other.begin_anew(0)
    plain = start(script, ckpt__load_enable=True, ckpt__path=str(tmp_path / "ckpt"))
    plain.ledger.append("p", step=0, num_correct=0, num_wrong=1)
    with pytest.raises(ConfigError, match="no checkpoint"):
        plain.begin_anew(7)
    assert len(read_ledger(named).events) == 1


def test_gates_ask_the_verdict_and_not_the_number_beside_it():
    """Three right and one abstained: nobody is above the mean of what was judged."""
    import torch

    from hdpo_plugins.openrlhf.methods.own_rollouts import gates, judged_reward

    def sample(reward, abstained):
        info = {"abstained": torch.tensor([abstained])}
        return SimpleNamespace(rewards=torch.tensor([reward]), info=info)

    rewards = [judged_reward(sample(*s)) for s in [(1.0, 0.0)] * 3 + [(0.0, 1.0)]]
    assert rewards == [1.0, 1.0, 1.0, None]
    assert gates(rewards, "positive_advantage") == gates(rewards, "any_advantage") == [False] * 4
