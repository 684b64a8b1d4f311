"""A run that is killed and resumed: the same steps, a ledger without gaps, the same average."""

import re
from collections import Counter

import pytest
import torch

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
        "hdpo.teacher": "ema",
        "hdpo.ema_decay": 0.5,
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
    assert_the_average_went_on(again)


def assert_the_average_went_on(run):
    """From checkpoint 2 to 4 it is a4 = a2 / 4 + w3 / 4 + w4 / 2 for weights w3 in bfloat16.

    Had it begun anew from w2, what the equation makes of w3 would be no bfloat16 numbers.
    """
    (w2, a2), (w4, a4) = (checkpoint(run, step) for step in (2, 4))
    assert "hdpo_env_averages" not in run.log  # OpenRLHF logs what its controller is told
    assert set(a2) == set(a4)
    w3 = torch.cat([(4 * a4[n].double() - a2[n] - 2 * w4[n]).flatten() for n in a2])
    anew = torch.cat([(4 * a4[n].double() - w2[n] - 2 * w4[n]).flatten() for n in a2])
    assert bool(is_bfloat16(w3).all())
    assert float(is_bfloat16(anew).double().mean()) < 0.7


def checkpoint(run, step):
    """The policy's weights and their average, by name."""
    folder = run.folder / "checkpoints" / "_actor" / f"global_step{step}"
    state = torch.load(folder / "mp_rank_00_model_states.pt", weights_only=False)
    return state["module"], state["hdpo_env_averages"][0.5]


def is_bfloat16(values):
    """Up to float32's rounding of terms four times as large."""
    near = values.to(torch.bfloat16).double()
    return (values - near).abs() <= 2**-20 * values.abs() + 1e-7
