"""The scripts of examples/openrlhf: their numbers are the presets', and OpenRLHF reads them."""

import json
import math
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from hdpo_env.config import preset
from hdpo_env.problems.known import DATASETS, find_known

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parents[2] / "examples" / "openrlhf"
PRESET_OF = {
    "hdpo_qwen2.5_math_1.5b.sh": "hdpo",
    "hdpo_one_gpu.sh": "hdpo",
    "sdpg_qwen3.sh": "sdpg",
}


def flags_of(script):
    """The flags with which a script starts OpenRLHF, evaluation included."""
    chosen = {"LAUNCHER": r"printf %s\n", "REWARD": "reward.py", "EVAL": "eval.jsonl"}
    command = ["bash", SCRIPTS / script, "--train.seed", "7"]
    environ = {**os.environ, **chosen}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def settings_of(script):
    """Flag -> value: a float, a tuple of floats, text, or True for a switch."""
    settings, name = {}, ""
    for text in flags_of(script):
        if text.startswith("--"):
            name = text[2:]
            settings[name] = []
        else:
            settings[name].append(text)
    return {name: _value(texts) for name, texts in settings.items()}


def _value(texts):
    try:
        values = tuple(float(text) for text in texts)
    except ValueError:
        return texts[0]
    return True if not values else values[0] if len(values) == 1 else values


def test_every_script_is_held_to_a_preset():
    """No script is left out of these tests."""
    assert {path.name for path in SCRIPTS.glob("*.sh")} == set(PRESET_OF)


@pytest.mark.parametrize("script", PRESET_OF)
def test_a_scripts_numbers_are_its_presets(script):
    """What OpenRLHF has a flag for equals the preset: sampling, optimiser, losses, evaluation."""
    found, config = settings_of(script), preset(PRESET_OF[script])
    algo, rollout, optim = config.algo, config.rollout, config.optim
    assert found["rollout.n_samples_per_prompt"] == rollout.group_size
    assert found["rollout.temperature"] == rollout.temperature
    assert found["rollout.max_new_tokens"] == rollout.max_tokens
    assert found["data.max_len"] == rollout.max_prompt_tokens + rollout.max_tokens
    assert found["actor.adam.lr"] == optim.lr
    assert found["actor.adam.betas"] == optim.betas
    assert found["actor.adam.eps"] == optim.eps
    assert found["actor.adam.weight_decay"] == optim.weight_decay
    assert found["actor.max_norm"] == optim.max_grad_norm
    assert found["actor.lr_scheduler"] == "constant_with_warmup"
    assert found["algo.kl.init_coef"] == algo.reference.weight
    assert found["eval.steps"] == config.eval.every
    assert found["eval.n_samples_per_prompt"] == config.eval.samples
    assert found["eval.temperature"] == config.eval.temperature
    if algo.policy.kind == "clip":
        assert found["actor.eps_clip"] == algo.policy.clip_low == algo.policy.clip_high
    assert not algo.policy.drop_zero_variance
    assert "algo.dynamic_filtering_enable" not in found


@pytest.mark.parametrize("script", PRESET_OF)
def test_a_scripts_steps_are_its_presets(script):
    """OpenRLHF's own count of updates is the preset's, with one update a batch of rollouts."""
    found, config = settings_of(script), preset(PRESET_OF[script])
    rows = found["data.max_samples"] * found["rollout.n_samples_per_prompt"]
    steps = (
        rows // found["train.batch_size"] * found["train.num_episodes"] * found["train.max_epochs"]
    )
    batch = found["rollout.batch_size"] * found["rollout.n_samples_per_prompt"]
    assert steps == config.steps
    assert found["train.batch_size"] == batch
    assert math.ceil(found["actor.lr_warmup_ratio"] * steps) == config.optim.warmup_steps
    if script != "hdpo_one_gpu.sh":
        assert found["rollout.batch_size"] == config.rollout.prompts_per_step


def export_of(script):
    """Words of the `hdpo export` command in a script's comment."""
    text = (SCRIPTS / script).read_text(encoding="utf-8")
    [command] = re.findall(r"#   hdpo export ((?:.*\\\n#)*.*)", text)
    return command.replace("\\\n#", " ").split()


@pytest.mark.parametrize("script", ["hdpo_qwen2.5_math_1.5b.sh", "sdpg_qwen3.sh"])
def test_the_data_are_as_many_as_the_steps_need(script):
    """The export writes as many problems as the run takes, from a set known by name."""
    place, *words = export_of(script)
    options, found = dict(pairwise(words)), settings_of(script)
    assert int(options["--limit"]) == found["data.max_samples"]
    assert options["--out"] == found["data.prompt_dataset"]
    assert options["--to"] == "openrlhf"
    known = find_known(place)
    assert known is not None
    assert options.get("--field-map", known.field_map) == known.field_map
    assert place != DATASETS["dapo-raw"].path  # every problem a hundred times


def test_the_smaller_script_takes_a_part_of_the_larger_ones_data():
    """One file serves both."""
    large, small = (settings_of(s) for s in ("hdpo_qwen2.5_math_1.5b.sh", "hdpo_one_gpu.sh"))
    assert small["data.prompt_dataset"] == large["data.prompt_dataset"]
    assert small["data.max_samples"] <= large["data.max_samples"]


def test_the_distillation_terms_are_the_presets():
    """HDPO's lambda, support and privileged rollouts; SDPG's beta and its schedule."""
    distill = preset("hdpo").algo.distill
    for script in ("hdpo_qwen2.5_math_1.5b.sh", "hdpo_one_gpu.sh"):
        found = settings_of(script)
        assert found["plugin"] == "hdpo"
        assert found["hdpo.lambda"] == distill.weight
        assert found["hdpo.top_k"] == distill.top_k
        assert found["hdpo.rollouts_per_cliff"] == distill.rollouts_per_cliff
        assert found["hdpo.view"] == distill.view
        assert found["hdpo.max_cliff_prompts"] == min(
            distill.max_cliff_prompts, found["rollout.batch_size"]
        )
    found, distill = settings_of("sdpg_qwen3.sh"), preset("sdpg").algo.distill
    assert found["plugin"] == "sdpg"
    assert found["sdpg.beta"] == distill.weight
    assert found["sdpg.warmup_steps"] == distill.warmup_steps
    assert found["sdpg.decay_steps"] == distill.decay_steps
    assert found["sdpg.gate"] == distill.gate
    assert preset("sdpg").algo.reference.kind == "ufkl"  # OpenRLHF's k3 less its constant 1
    assert found["algo.kl.use_loss"] is True
    assert found["algo.kl.estimator"] == "k3"


@pytest.mark.host
def test_openrlhf_and_the_plugins_accept_every_script():
    """The real command line parses and validates each script's flags; no plugin refuses any."""
    pytest.importorskip("openrlhf")
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from ranks import arguments\n"
        "for flags in json.loads(sys.argv[2]):\n"
        "    args = arguments(flags)\n"
        "    print('PARSED', args.plugin, args.train.seed, args.rollout.batch_size)\n"
    )
    flags = json.dumps([flags_of(script) for script in PRESET_OF])
    command = [sys.executable, HERE / "cpu.py", "-c", code, HERE, flags]
    done = subprocess.run(command, capture_output=True, text=True)
    parsed = [line for line in done.stdout.splitlines() if line.startswith("PARSED")]
    assert parsed == ["PARSED ['hdpo'] 7 32", "PARSED ['hdpo'] 7 8", "PARSED ['sdpg'] 7 128"], (
        done.stderr[-3000:]
    )
