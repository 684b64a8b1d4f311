"""One event loop for all steps of an agent's `score`, and what is said when none of them works."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from hdpo_plugins.openrlhf import compat
from hdpo_plugins.openrlhf.scoring import Request, Scorer, agent_complaints


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


BASE = "from openrlhf.utils.agent import MultiTurnAgentExecutor\n"


@pytest.mark.parametrize(
    ("source", "is_refused"),
    [
        (BASE + "class AgentExecutor(MultiTurnAgentExecutor):\n    pass\n", True),
        (BASE + "class A(MultiTurnAgentExecutor): pass\nclass AgentExecutor(A): pass\n", True),
        (BASE + "class AgentExecutor(MultiTurnAgentExecutor):\n    score = None\n", False),
        (BASE + "class A:\n    async def score(self): 1\nclass AgentExecutor(A): 1\n", False),
        ("from mine import Base\nclass AgentExecutor(Base): pass\n", False),
        ("from mine import AgentExecutor\n", False),
        ("class AgentExecutor(:\n", False),
    ],
)
def test_an_agent_without_score_is_told_before_anything_starts(tmp_path, source, is_refused):
    """Refused where the file alone decides it; a class from elsewhere may have one."""
    file = tmp_path / "agent.py"
    file.write_text(source)
    found = list(agent_complaints(str(file)))
    assert len(found) == is_refused
    assert all(f"--train.agent_func_path {file}: for --plugin hdpo" in text for text in found)


def test_agent_files_with_score_and_places_elsewhere_are_left_alone():
    """Ours has one, the tests' have one; no file, or one that this machine does not see."""
    import hdpo_plugins.openrlhf.reward as ours

    folders = [*map(Path, ours.__path__), Path(__file__).parent / "files"]
    files = [path for folder in folders for path in folder.glob("*agent*.py")]
    assert len(files) == 3
    for path in [None, "/there/agent.py", *map(str, files)]:
        assert list(agent_complaints(path)) == []
