"""What the workers of SDPG and RLSD know of a step: beta, and whom the teacher could not read."""

from types import SimpleNamespace

import pytest

from hdpo_env.config import preset
from hdpo_plugins.openrlhf.methods.sdpg_worker import SdpgWorker
from hdpo_plugins.openrlhf.teachers import Teachers


def worker_of(**args):
    """One rank that has just been told its step."""
    args = {
        "sdpg.reference": None,
        "sdpg.alpha": 0.0,
        "critic.freezing_steps": -1,
        "train.max_epochs": 1,
        "data.max_len": 4,
    } | args
    teachers = Teachers(SimpleNamespace(global_steps=0), has_base=False)
    return SimpleNamespace(
        args=args, step=0, total_steps=400, ranks=1, pad_id=0, is_partitioned=False,
        teachers=teachers,
    )  # fmt: skip


@pytest.mark.parametrize("freezing", [-1, 0, 9])
def test_sdpgs_schedule_counts_the_batches_that_train_the_policy(freezing):
    """OpenRLHF trains the critic alone in batches 0 to freezing_steps; k = 1 is the next one.

    beta(k) = 0.001 min(1, k / 50) min(1, (T - k) / 350), worked by hand with T = 400 - frozen.
    """
    worker, frozen = worker_of(**{"critic.freezing_steps": freezing}), freezing + 1
    part = SdpgWorker(worker, preset("sdpg").algo.distill)

    def beta(step):
        worker.step = step
        part.begin({}, [0])
        return part._beta

    assert beta(frozen) == pytest.approx(0.001 / 50)
    assert beta(frozen + 24) == pytest.approx(0.001 / 2)
    total = 400 - frozen
    assert beta(frozen + 224) == pytest.approx(0.001 * (total - 225) / 350)
    assert beta(399) == 0.0
