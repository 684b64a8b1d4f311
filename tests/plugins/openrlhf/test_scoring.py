"""One event loop for all steps of an agent's `score`, and what is said when none of them works."""

import asyncio
import logging
from types import SimpleNamespace

import pytest

from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.scoring import Request, Scorer


class Agent:
    """Keeps a session, as a client of a server does: it can be used in its own loop only."""

    session = None

    async def score(self, query, prompt, label):
        loop = asyncio.get_running_loop()
        if self.session is None:
            self.session = loop.create_future()
            loop.call_later(0.001, self.session.set_result, 1.0)
        elif self.session.get_loop() is not loop or loop.is_closed():
            raise RuntimeError("Event loop is closed")
        if query == "broken":
            raise OSError("no route, and here stands the gold")
        return {"rewards": await asyncio.shield(self.session), "scores": None, "extra_logs": {}}


@pytest.fixture
def scorer(monkeypatch):
    monkeypatch.setattr(compat, "reward_executor", lambda args: Agent())
    return Scorer(SimpleNamespace(train=SimpleNamespace(agent_func_path="agent.py")))


def test_a_session_of_the_first_step_serves_the_later_ones(scorer):
    """Three steps, one session, one verdict a request: nobody abstains."""
    for _ in range(3):
        verdicts = scorer.verdicts([Request("q", "p", "1")] * 2)
        assert [v.correct for v in verdicts] == [True, True]


def test_a_step_in_which_every_call_failed_is_an_error_in_the_log(scorer, caplog):
    """Some faults are the reward's business; all of them mean that HDPO learns nothing."""
    fine, broken = Request("q", "p", "1"), Request("broken", "p", "1")
    with caplog.at_level(logging.ERROR):
        assert [v.correct for v in scorer.verdicts([fine, broken])] == [True, None]
        assert scorer.verdicts([]) == []
        assert not caplog.records
        assert [v.correct for v in scorer.verdicts([broken, broken])] == [None, None]
    [record] = caplog.records
    assert "failed on all 2 privileged completions of this step" in record.getMessage()
    assert "gold" not in record.getMessage()
