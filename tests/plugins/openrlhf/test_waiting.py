"""Pairs between their generation and their step: how many may wait, and when a cliff counts."""

from collections import Counter
from itertools import islice
from types import SimpleNamespace

import pytest

from hdpo_env.config import preset
from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.groups import GroupRecord
from hdpo_plugins.openrlhf.methods.hdpo import Hdpo
from hdpo_plugins.openrlhf.methods.hdpo_controller import HdpoController
from hdpo_plugins.openrlhf.sharpen import Reentry
from hdpo_plugins.openrlhf.source import ProblemSource

PROMPTS = [f"{i}+1?" for i in range(9)]


class Right:
    """A reward server that nothing fails, or everything."""

    reward_func, reward = None, 1.0

    async def _fetch_rewards_via_http(self, queries, prompts, labels):
        return [{"rewards": self.reward, "scores": None, "extra_logs": {}} for _ in queries]


@pytest.fixture
def part(monkeypatch):
    """HDPO's part with two cliffs a step, one privileged rollout each, always right."""
    said = SimpleNamespace(token_ids=[5, 6], finish_reason="stop")
    judge = Right()
    monkeypatch.setattr(compat, "reward_executor", lambda args: judge)
    monkeypatch.setattr(compat, "sampling_params", lambda room, generate: None)
    monkeypatch.setattr(compat, "generate", lambda engines, ids, params: [said] * len(ids))
    paper = preset("hdpo").algo.distill
    args = {f"hdpo.{name}": getattr(paper, name) for name in vars(paper)} | {
        "hdpo.template": "hdpo", "hdpo.max_cliff_prompts": 2, "hdpo.rollouts_per_cliff": 1,
        "critic.freezing_steps": -1, "train.seed": 7, "ds.lora.rank": 0, "data.max_len": 9,
        "rollout.max_new_tokens": 4,
    }  # fmt: skip
    rows = [{"input": prompt, "solution": "so"} for prompt in PROMPTS]
    source = ProblemSource(
        rows, PROMPTS, ["1"] * 9, input_key="input", solution_key="solution",
        render=lambda chat, in_template=True: chat,
    )  # fmt: skip
    hub = SimpleNamespace(
        args=args, source=source, reentry=Reentry(1, tries=3, rows=99), step=0, generate={},
        teacher_ids=lambda group, view, template: ((1, 2), "hdpo@1"),
        trainer=SimpleNamespace(
            args=SimpleNamespace(train=SimpleNamespace(agent_func_path=None)),
            vllm_engines=[], tokenizer=SimpleNamespace(decode=lambda ids, **_: "Two."),
        ),
    )  # fmt: skip
    found = HdpoController(hub, Hdpo().config(args))
    found.said, found.judge = said, judge
    return found


def cliffs(*rows):
    """These rows as groups in which everybody failed."""
    return [GroupRecord(PROMPTS[row], "1", (3,), (False, False)) for row in rows]


def back(part, step):
    """Rows that come back in a step, in a batch of eight."""
    queue = part._hub.reentry
    batch = islice(queue.stream(iter(["fresh"] * 8), step, 8, lambda row: row), 8)
    return [row for row in batch if row != "fresh"]


def test_generations_without_a_step_share_its_cap(part):
    """Three generations that OpenRLHF filtered away: two cliffs wait, not six."""
    for rows in ((0, 1, 2), (3, 4, 5), (6, 7, 8)):
        part.after_generation(cliffs(*rows))
    assert part.status()["hdpo/cliffs_left_out"] == 7
    shares = part.payloads([], 2)
    assert [len(share) for share in shares] == [1, 1]
    part.after_generation(cliffs(3))  # and the next step has room again
    assert len(part.payloads([], 1)[0]) == 1


def test_a_cliff_is_a_former_one_when_it_is_distilled_and_not_before(part):
    """While the critic learns alone pairs are dropped: their prompts are no former cliffs."""
    part._hub.args["critic.freezing_steps"] = 0
    part.after_generation(cliffs(0))
    assert part.payloads([], 1) == [[]]
    assert back(part, 1) == []
    part._hub.step = 1
    part.after_generation(cliffs(1))
    assert len(part.payloads([], 1)[0]) == 1
    assert back(part, 2) == [1]


def tried(part, *rows):
    """Whose cliffs get the step's room of two, if they come in this order."""
    return {PROMPTS.index(c.group.prompt) for c in part._tried(cliffs(*rows))}


def test_the_room_for_cliffs_does_not_go_to_those_that_are_done_first(part):
    """Two of six, in whatever order they come; over 300 steps each of them 100 times, +- 41.

    That is five standard deviations of sqrt(300 / 3 * 2 / 3). Another seed chooses otherwise.
    """
    counts, differ = Counter(), 0
    for step in range(300):
        part._hub.step = step
        chosen = tried(part, 0, 1, 2, 3, 4, 5)
        assert chosen == tried(part, 5, 3, 1, 0, 2, 4)
        counts.update(chosen)
        part._hub.args["train.seed"] = 8
        differ += chosen != tried(part, 0, 1, 2, 3, 4, 5)
        part._hub.args["train.seed"] = 7
    assert sum(counts.values()) == 600
    assert all(abs(counts[row] - 100) <= 41 for row in range(6))
    assert differ > 200  # by chance 14 of 15


def test_the_pass_rate_is_that_of_the_whole_step(part):
    """Two generations for one step: all privileged rollouts of the first are right, then none."""
    part.after_generation(cliffs(0))
    part.judge.reward = 0.0
    part.after_generation(cliffs(1))
    assert part.status()["privileged/pass_rate"] == 1 / 2
    part.after_generation(cliffs(2))
    assert part.status()["privileged/pass_rate"] == 0.0  # of its own step alone
    assert "privileged/pass_rate" not in part.status()


@pytest.mark.parametrize("reason", ["abort", "error", None])
def test_a_completion_that_the_engine_gave_up_teaches_nothing_and_counts_as_abstained(part, reason):
    """What is there of it may even be right; it is neither a success nor a failure."""
    part.said.finish_reason = reason
    part.after_generation(cliffs(0))
    status = part.status()
    assert status["privileged/dropped_abstained"] == 1
    assert "privileged/pass_rate" not in status
    assert part.payloads([], 1) == [[]]
