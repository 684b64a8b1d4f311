"""The real command line: our flags in it, our refusals, the literal command, every node checked."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = pytest.mark.host
pytest.importorskip("openrlhf")
HERE = Path(__file__).resolve().parent
LAUNCHER = ("-m", "hdpo_plugins.openrlhf.train_ppo_ray")
LITERAL = ("-m", "openrlhf.cli.train_ppo_ray")


def command(*argv):
    done = subprocess.run(
        [sys.executable, str(HERE / "cpu.py"), *argv],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, " ".join(done.stderr.split())


@pytest.mark.slow
def test_help_shows_openrlhfs_flags_and_ours():
    """One help for both, with our defaults in it."""
    code, out, _ = command(*LAUNCHER, "--help")
    text = " ".join(out.split())
    assert code == 0
    assert "--actor.model_name_or_path" in text
    for flag in ("--plugin {hdpo,rlsd,sdpg}", "--data.solution_key", "--hdpo.lambda"):
        assert flag in text
    assert "exactly as it is (default: 0.01)" in text  # HDPO's lambda
    assert "exactly as it is (default: 0.001)" in text  # SDPG's beta


@pytest.mark.slow
def test_every_refusal_of_a_command_is_told_at_once_before_anything_starts(tmp_path):
    """Exit code 2, as argparse does, and one sentence for each cause, the checkpoint's too."""
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    code, _, err = command(
        *LAUNCHER, "--plugin", "hdpo", "--plugin", "sdpg", "--train.async_enable",
        "--rollout.n_samples_per_prompt", "4",
        "--vllm.num_engines", "1", "--hdpo.teacher", "ema", "--sdpg.teacher", "frozen",
        "--ds.zero_stage", "3", "--ds.zpg", "8",
        "--sdpg.view", "none", "--rlsd.mix", "0.3", "--actor.model_name_or_path", str(tmp_path),
    )  # fmt: skip
    assert code == 2
    for named in (
        "--train.async_enable does not go with --plugin",
        "--plugin hdpo needs a verdict on every rollout",
        "--hdpo.teacher ema does not go with --ds.zpg 8",
        "--rlsd.mix is a flag of the plugin rlsd, which was not chosen, and would do nothing",
        "--sdpg.*: distill weight is 0.001 but view is 'none'",
        f"--actor.model_name_or_path {tmp_path} reads images, and OpenRLHF then has a processor",
    ):
        assert err.count(named) == 1, (named, err[-3000:])


@pytest.mark.slow
def test_the_literal_command_is_opt_in():
    """OpenRLHF's own command knows --plugin after autoload --install and no more after --remove."""
    flags = ("--plugin", "hdpo", "--ds.ring_attn_size", "2")
    try:
        assert command("-m", "hdpo_plugins.openrlhf.autoload", "--install")[0] == 0
        code, _, err = command(*LITERAL, *flags)
        assert code == 2
        assert "--ds.ring_attn_size does not go with --plugin" in err
    finally:
        assert command("-m", "hdpo_plugins.openrlhf.autoload", "--remove")[0] == 0
    code, _, err = command(*LITERAL, *flags)
    assert code == 2
    assert "unrecognized arguments: --plugin hdpo" in err


CHECK = """
import os
import sys
import ray
from ray import cloudpickle
from hdpo_plugins.openrlhf import nodes

ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20)
os.environ["HDPO_REWARD_END_MARKS"] = "."  # too late for the workers
nodes.check_nodes()
print("same version everywhere")
probe = cloudpickle.dumps(nodes._probe)
for missing in ("jaxtyping", "vllm"):  # a node that has this package, and not what it needs
    for name in [m for m in sys.modules if m.split(".")[0] in ("hdpo_plugins", "hdpo_env")]:
        del sys.modules[name]
    held, sys.modules[missing] = sys.modules.get(missing), None
    print("without", missing, cloudpickle.loads(probe)())
    sys.modules[missing] = held
for name in [m for m in sys.modules if m.split(".")[0] == "hdpo_plugins"]:
    del sys.modules[name]
sys.modules["hdpo_plugins"] = None  # a node on which it is not installed
print(cloudpickle.loads(probe)())
"""


@pytest.mark.slow
def test_a_node_without_the_package_answers_with_its_reason():
    """The check runs on a real Ray; its task itself needs nothing of ours to be importable."""
    code, out, err = command("-c", CHECK)
    assert code == 0, err[-3000:]
    assert "same version everywhere" in out
    assert err.count("HDPO_REWARD_END_MARKS: not as in this shell on node") == 1
    assert "without jaxtyping ModuleNotFoundError" in out
    assert "without vllm ModuleNotFoundError" in out
    assert "ModuleNotFoundError: No module named 'hdpo_plugins" in out


def test_nodes_that_differ_are_named_with_the_remedy(monkeypatch):
    """Another version is as bad as none."""
    from hdpo_env.errors import ConfigError
    from hdpo_plugins.openrlhf import compat, nodes

    here = version("hdpo_env")
    answers = {"10.0.0.1": here, "10.0.0.2": "0.0.1", "10.0.0.3": "ModuleNotFoundError: hdpo"}
    monkeypatch.setattr(compat, "on_every_node", lambda function, seconds: answers)
    with pytest.raises(ConfigError) as refused:
        nodes.check_nodes()
    assert "10.0.0.1" not in str(refused.value)
    assert "10.0.0.2: 0.0.1; 10.0.0.3: ModuleNotFoundError" in str(refused.value)
    assert "install the same version" in str(refused.value)
    assert f"sources, pip install '.[train]' '{compat.INSTALL}'" in str(refused.value)
    nodes_without = {"10.0.0.1": "ModuleNotFoundError: No module named 'vllm'"}
    monkeypatch.setattr(compat, "on_every_node", lambda function, seconds: nodes_without)
    with pytest.raises(ConfigError, match=r"10\.0\.0\.1: ModuleNotFoundError: .* 'vllm'"):
        nodes.check_nodes()  # although this machine is no better


def test_settings_of_the_reward_that_do_not_reach_a_node_are_told(monkeypatch, caplog):
    """Ray's workers have the environment of `ray start`, or of the job: not that of a shell."""
    from hdpo_plugins.openrlhf import compat, nodes

    monkeypatch.setenv("HDPO_REWARD_VERIFIER", "exact")
    monkeypatch.setenv("HDPO_REWARD_WORKERS", "8")
    there = {"10.0.0.1": nodes._settings(), "10.0.0.2": '{"HDPO_REWARD_WORKERS": "8"}'}
    here = dict.fromkeys(there, version("hdpo_env"))
    answers = {nodes._probe: here, nodes._settings: there}
    monkeypatch.setattr(compat, "on_every_node", lambda function, seconds: answers[function])
    nodes.check_nodes()
    [record] = caplog.records
    told = record.getMessage()
    assert told.startswith("HDPO_REWARD_VERIFIER: not as in this shell on node 10.0.0.2")
