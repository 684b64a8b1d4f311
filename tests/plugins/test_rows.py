"""Rows of data sets as they reach the adapters whose hosts need not be there."""

from __future__ import annotations

import asyncio

import numpy as np

from hdpo_plugins.nemo_rl.environment import judge_batch
from hdpo_plugins.slime.contract import Sample
from hdpo_plugins.slime.rewards import reward_func
from hdpo_plugins.verl.reward import compute_score


def test_golds_in_arrays_reach_every_adapter() -> None:
    """Parquet through pandas gives numpy arrays of golds: the second of two is accepted too."""
    info, text = {"answers": np.array(["x", "4"], dtype=object)}, r"\boxed{4}"
    log = [{"role": "assistant", "content": text}]
    assert compute_score("a source", text, "x", info)["acc"] == 1.0
    assert asyncio.run(reward_func(None, Sample(text, "x", info))) == 1.0
    assert [v.correct for v in judge_batch([log], [info])] == [True]


def test_a_missing_gold_is_an_abstention_everywhere() -> None:
    """None as the label is a fault of the data: nothing is judged by the word "None"."""
    text, sample = r"\boxed{None}", Sample(r"\boxed{None}", None)
    log = [{"role": "assistant", "content": text}]
    assert compute_score("a source", text, None)["abstained"] == 1.0
    assert asyncio.run(reward_func(None, sample)) == 0.0
    assert (sample.metadata["acc"], sample.remove_sample) == (None, True)
    assert [v.correct for v in judge_batch([log], [{"ground_truth": None}])] == [None]
