"""A run that is killed and resumed: the same steps, and a ledger without gaps or repeats."""

import re
from collections import Counter

import pytest

pytestmark = pytest.mark.host
pytest.importorskip("openrlhf")


@pytest.mark.slow
def test_a_killed_run_resumes_with_the_counts_of_its_checkpoint(stack):
    """Killed after step 3 with a checkpoint of step 2: what step 3 had noted is noted once.

    32 problems in four steps. Former cliffs come back after two steps, from a queue that the
    checkpoint holds; the resumed half must not forget them, nor their place in the run. Each takes
    the place of a new problem: there is no fifth step.
    """
    from hdpo_env.cliffs.summary import read_ledger
    from hdpo_plugins.openrlhf.reward import reward_func

    settings = {
        "plugin": ["hdpo"],
        "reward.remote_url": reward_func.__file__,
        "data.solution_key": "solution",
        "hdpo.template": "chain",
        "hdpo.lambda": 1.0,
        "hdpo.reenter_after": 2,
        "ckpt.save_steps": 2,
    }
    data = stack.data("#+", 32)
    killed = stack.run("resumed", stack.PLUGIN, data, until="Global step 3", **settings)
    assert max(killed.steps) == 3
    ledger = killed.folder / "checkpoints" / "ledger"
    assert Counter(read_ledger(ledger).columns()["step"].tolist())[2] == 8

    again = stack.run("resumed", stack.PLUGIN, data, **{**settings, "ckpt.load_enable": True})
    assert again.code == 0, again.log[-4000:]
    assert min(again.steps) == 3  # it goes on after its checkpoint of step 2
    events = read_ledger(ledger).columns()
    batches = Counter(events["step"].tolist())
    assert max(again.steps) == 4
    assert batches == dict.fromkeys(range(4), 8)
    fresh = {(p, s) for p, s in zip(events["problem_id"], events["step"], strict=True)}
    assert len(fresh) == len(events["step"])  # no group twice
    back = sum(step["hdpo/reentered"] for step in again.steps.values())
    assert len(set(events["problem_id"])) == 32 - back < 32  # the others were all seen
    assert not re.search(r"P\d[\d+#*]*\|", killed.log + again.log)  # what the teacher reads
    assert again.steps[3]["hdpo/reentered"] == killed.steps[3]["hdpo/reentered"]
