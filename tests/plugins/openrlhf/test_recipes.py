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
    """No script is left out of these tests; the others make data or start a run's script."""
    others = {"ray_job.sh", *(made_by for made_by, _, _ in DATA_SCRIPTS.values())}
    assert {path.name for path in SCRIPTS.glob("*.sh")} == set(PRESET_OF) | others


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


DATA_SCRIPTS = {  # script -> its data's script, the set, the evaluation file
    "hdpo_qwen2.5_math_1.5b.sh": ("hdpo_data.sh", "openmathinstruct2", "openmathinstruct2_eval"),
    "sdpg_qwen3.sh": ("sdpg_data.sh", "dapo", "sdpg_eval"),
}


@pytest.mark.parametrize("script", DATA_SCRIPTS)
def test_the_data_are_as_many_as_the_steps_need(script):
    """The data's script writes as many problems as the run takes, from a set known by name."""
    made_by, name, evaluated = DATA_SCRIPTS[script]
    text, found = (SCRIPTS / made_by).read_text(encoding="utf-8"), settings_of(script)
    [place] = re.findall(r"^(?:SOURCE|DAPO)=\${\w+:-(.*)}$", text, re.MULTILINE)
    assert find_known(place) is DATASETS[name]
    assert f"--field-map {DATASETS[name].field_map} " in text
    assert place != DATASETS["dapo-raw"].path  # every problem a hundred times
    [train] = re.findall(r"^TRAIN=\${TRAIN:-(\d+)}$", text, re.MULTILINE)
    assert int(train) == found["data.max_samples"]
    held_out = re.findall(r"^HELD_OUT=\${HELD_OUT:-(\d+)}$", text, re.MULTILINE)
    assert name == "dapo" or [preset("hdpo").eval.problems] == list(map(int, held_out))
    assert f"EVAL=data/{evaluated}.jsonl" in (SCRIPTS / script).read_text(encoding="utf-8")


def made_with(script, folder, **environ):
    """Run a data script in a folder of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", SCRIPTS / script]
    subprocess.run(command, cwd=folder, env={**os.environ, **environ, "PATH": path}, check=True)
    files = (folder / "data").iterdir()
    return {p.stem: [json.loads(line) for line in p.read_text().splitlines()] for p in files}


def test_hdpos_data_are_95_to_5_without_a_question_in_both(tmp_path):
    """Run on a file of 60 questions with two solutions each: 38 to train on, 2 held out."""
    rows = [
        {"problem": f"{i} + 1?", "expected_answer": f"{i + 1}", "generated_solution": f"{s} \\o/"}
        for i in range(60) for s in "ab"
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = made_with("hdpo_data.sh", tmp_path, SOURCE="rows.jsonl", TRAIN="38", HELD_OUT="9")
    train, held_out = made.pop("openmathinstruct2"), made.pop("openmathinstruct2_eval")
    assert not made
    assert (len(train), len(held_out)) == (38, 2)
    assert len({row["question"] for row in train + held_out}) == 40
    assert {row["solution"] for row in train} == {"a \\o/"}
    assert [row["question"] for row in train] != sorted(row["question"] for row in train)


def test_sdpgs_evaluation_names_each_set(tmp_path):
    """One file of three sets, which OpenRLHF tells apart by the column datasource."""
    for name, key in [("dapo", "prompt"), ("aime24", "problem"), ("aime25", "problem")]:
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({key: "1 + 1?", "solution": "2"}) + "\n")
    (tmp_path / "amc23.jsonl").write_text(json.dumps({"problem": "1 + 1?", "answer": "2"}) + "\n")
    files = {name.upper(): f"{name}.jsonl" for name in ("dapo", "aime24", "aime25", "amc23")}
    made = made_with("sdpg_data.sh", tmp_path, **files)
    assert [row["label"] for row in made["dapo_math"]] == ['{"answer": ["2"]}']
    assert [row["datasource"] for row in made["sdpg_eval"]] == ["aime24", "aime25", "amc23"]
    assert {row["label"] for row in made["sdpg_eval"]} == {'{"answer": ["2"]}'}
    assert set(made) == {"dapo_math", "sdpg_eval"}


def test_a_ray_job_gets_the_rewards_settings_and_absolute_paths(tmp_path):
    """A job's shell, folder and disk are not the submitter's: flags and --runtime-env-json go."""
    environ = {
        **{name: text for name, text in os.environ.items() if not name.startswith("HDPO_")},
        "LAUNCHER": f"bash {SCRIPTS / 'ray_job.sh'}", "RAY": r"printf %s\n",
        "PYTHON": sys.executable, "HDPO_REWARD_VERIFIER": "exact",
        "HDPO_REWARD_END_MARKS": "</s> .",
        "REWARD": "/there/reward.py", "EVAL": "data/eval.jsonl", "MODEL": "model",
    }  # fmt: skip
    (tmp_path / "model").mkdir()
    command = ["bash", SCRIPTS / "sdpg_qwen3.sh"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    words = done.stdout.splitlines()
    assert json.loads(words[words.index("--runtime-env-json") + 1]) == {
        "env_vars": {"HDPO_REWARD_VERIFIER": "exact", "HDPO_REWARD_END_MARKS": "</s> ."}
    }
    run = tmp_path / "runs" / "openrlhf" / "sdpg"
    for flag, place in {
        "--actor.model_name_or_path": tmp_path / "model",
        "--data.prompt_dataset": tmp_path / "data" / "dapo_math.jsonl",
        "--eval.dataset": tmp_path / "data" / "eval.jsonl",
        "--ckpt.output_dir": run / "model",
        "--ckpt.path": run / "checkpoints",
        "--logger.tensorboard_dir": run / "tensorboard",
    }.items():
        assert words[words.index(flag) + 1] == str(place)
    at = words.index("--")
    assert words[at + 1 : at + 4] == [sys.executable, "-m", "hdpo_plugins.openrlhf.train_ppo_ray"]


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


def hint_of(script):
    """The flags for a frozen teacher in a script's comment."""
    [flags] = re.findall(
        r"^# A frozen teacher: (.*)$", (SCRIPTS / script).read_text(encoding="utf-8"), re.MULTILINE
    )
    return flags.split()


def test_the_frozen_teacher_has_as_many_gpus_as_the_policy():
    """OpenRLHF takes eight reference GPUs if it is not told, and refuses another number."""
    given = dict(pairwise(hint_of("hdpo_one_gpu.sh")))
    found = settings_of("hdpo_one_gpu.sh")
    assert float(given["--ref.num_gpus_per_node"]) == found["actor.num_gpus_per_node"]
    assert given["--hdpo.teacher"] == "frozen"


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
    lists = [flags_of(script) for script in PRESET_OF]
    lists.append([*flags_of("hdpo_one_gpu.sh"), *hint_of("hdpo_one_gpu.sh")])
    flags = json.dumps(lists)
    command = [sys.executable, HERE / "cpu.py", "-c", code, HERE, flags]
    done = subprocess.run(command, capture_output=True, text=True)
    parsed = [line for line in done.stdout.splitlines() if line.startswith("PARSED")]
    batches = [("hdpo", 32), ("hdpo", 8), ("sdpg", 128), ("hdpo", 8)]
    assert parsed == [f"PARSED ['{plugin}'] 7 {size}" for plugin, size in batches], done.stderr[
        -3000:
    ]
