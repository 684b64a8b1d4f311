"""Flags, defaults, refusals, third parties and versions, without OpenRLHF."""

import argparse
import importlib.metadata
import sys
from types import SimpleNamespace

import pytest

from hdpo_env.config import preset
from hdpo_env.errors import ConfigError, MissingDependencyError
from hdpo_plugins.openrlhf import autoload, compat, launch
from hdpo_plugins.openrlhf.flags import flat
from hdpo_plugins.openrlhf.methods import PLUGINS, chosen
from hdpo_plugins.openrlhf.plugins import Plugin
from hdpo_plugins.openrlhf.refusals import complaints

# The host's flags that our refusals read, as a supported run sets them.
FINE = {
    "train.async_enable": False,
    "train.dynamic_batch_enable": True,
    "algo.advantage.estimator": "group_norm",
    "ds.ring_attn_size": 1,
    "ds.tensor_parallel_size": 1,
    "ds.deepcompile": False,
    "ds.param_dtype": "bf16",
    "ds.zero_stage": 2,
    "ds.zpg": 1,
    "ds.lora.rank": 0,
    "data.max_images_per_prompt": 0,
    "rollout.n_samples_per_prompt": 4,
    "rollout.batch_size": 8,
    "rollout.temperature": 1.0,
    "vllm.num_engines": 1,
    "reward.remote_url": "reward.py",
    "train.agent_func_path": None,
    "algo.kl.init_coef": 0.01,
    "algo.kl.use_loss": False,
    "ckpt.load_enable": False,
    "ckpt.path": "no/such/folder",
}


def parsed(*argv):
    """Our flags alone, parsed, beside the host's defaults above."""
    parser = argparse.ArgumentParser()
    launch.add_flags(parser)
    return FINE | vars(parser.parse_args(argv))


def test_defaults_are_the_papers():
    """Every default of a flag is that of the preset in config.py."""
    args = parsed()
    hdpo, sdpg, rlsd = (preset(name).algo for name in ("hdpo", "sdpg", "rlsd"))
    plugins = {p.name: p for p in chosen(["hdpo", "sdpg"])}
    assert plugins["hdpo"].config(args) == hdpo.distill
    assert plugins["sdpg"].config(args) == sdpg.distill
    assert (args["rlsd.rlsd_mix"], args["rlsd.rlsd_clip"]) == (
        rlsd.policy.rlsd_mix, rlsd.policy.rlsd_clip,
    )  # fmt: skip
    assert args["hdpo.template"] == preset("hdpo").rollout.teacher_template


def test_flags_reach_the_config():
    """--hdpo.lambda is spelled like the paper's letter and stored where Python can reach it."""
    args = parsed("--hdpo.lambda", "0.3", "--hdpo.top_k", "8", "--no-hdpo.drop_leaks")
    config = chosen(["hdpo"])[0].config(args)
    assert (config.weight, config.top_k, config.drop_leaks) == (0.3, 8, False)


def test_a_supported_run_has_no_complaints():
    """All three plugins together, at their defaults."""
    assert list(complaints(parsed(), chosen(["hdpo", "sdpg", "rlsd"]))) == []


REFUSED = [
    ({"train.async_enable": True}, "--train.async_enable"),
    ({"algo.advantage.estimator": "gae"}, "OpenRLHF's critic keeps only that of an update's last"),
    ({"ds.ring_attn_size": 2}, "--ds.ring_attn_size"),
    ({"ds.tensor_parallel_size": 2}, "--ds.tensor_parallel_size"),
    ({"ds.deepcompile": True}, "--ds.deepcompile"),
    ({"ds.param_dtype": "fp16"}, "--ds.param_dtype fp16 does not go with --plugin"),
    ({"data.max_images_per_prompt": 1}, "--data.max_images_per_prompt"),
    ({"rollout.n_samples_per_prompt": 1}, "--rollout.n_samples_per_prompt"),
    ({"rollout.temperature": 0.0}, "--rollout.temperature"),
    ({"vllm.num_engines": None}, "--vllm.num_engines"),
    ({"reward.remote_url": None}, "--reward.remote_url"),
    ({"hdpo.teacher": "frozen", "algo.kl.init_coef": 0}, "pass --algo.kl.init_coef 1e-9"),
    ({"hdpo.teacher": "ema", "ds.zpg": 8, "ds.zero_stage": 3}, "use --ds.zpg 1"),
    ({"hdpo.teacher": "ema", "hdpo.ema_decay": 1.0}, "ema_decay is 1.0"),
    ({"hdpo.view": "none"}, "view"),
    ({"hdpo.weight": -1.0}, "distill weight"),
    ({"hdpo.reenter_after": -1}, "--hdpo.reenter_after"),
    ({"hdpo.reenter_tries": 0}, "--hdpo.reenter_tries 0: choose at least 1"),
    ({"hdpo.reenter_after": 2, "rollout.batch_size": 1}, "--rollout.batch_size 1 is nothing"),
    ({"hdpo.view": "solutoin"}, "--hdpo.view: unknown view 'solutoin'; choose one of"),
    ({"hdpo.template": "hdop"}, "--hdpo.template: unknown privileged template 'hdop'; choose"),
    ({"hdpo.template": "The answer is {context}."}, "put {prompt} into it"),
]


@pytest.mark.parametrize(("changed", "named"), REFUSED)
def test_each_refusal_is_one_sentence_that_names_the_flag(changed, named):
    """One cause, one sentence, with the flag to change."""
    [sentence] = complaints(parsed() | changed, chosen(["hdpo"]))
    assert named in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"sdpg.reference": "fkl"}, "pass --algo.kl.use_loss --algo.kl.init_coef 1e-9"),
        ({"sdpg.reference": "fkl", "algo.kl.use_loss": True}, "--algo.kl.init_coef 1e-9"),
        ({"sdpg.reference": "fkl", "algo.kl.init_coef": 1e-9}, "pass --algo.kl.use_loss"),
        ({"sdpg.alpha": -1.0, "sdpg.reference": "rkl", "algo.kl.use_loss": True,
          "algo.kl.init_coef": 1e-9}, "--sdpg.alpha is -1.0"),
        ({"sdpg.alpha": 0.5}, "--sdpg.alpha does nothing without --sdpg.reference"),
    ],
)  # fmt: skip
def test_a_reference_term_needs_the_reference_model_and_no_second_term(changed, named):
    """One cause, one sentence; with what they ask for there is none left."""
    [sentence] = complaints(parsed() | changed, chosen(["sdpg"]))
    assert named in sentence
    fine = {"sdpg.reference": "fkl", "algo.kl.use_loss": True, "algo.kl.init_coef": 1e-9}
    assert list(complaints(parsed() | fine, chosen(["sdpg"]))) == []


def test_a_reference_term_alone_is_a_reason_to_be_on():
    """With beta 0 SDPG is off; with a term towards the reference it is not."""
    [sdpg] = chosen(["sdpg"])
    assert not sdpg.is_on(parsed("--sdpg.beta", "0"))
    assert sdpg.is_on(parsed("--sdpg.beta", "0", "--sdpg.reference", "ufkl"))
    assert parsed()["sdpg.alpha"] == preset("sdpg").algo.reference.weight


def test_teachers_of_whole_distributions_need_their_head_at_hand():
    """SDPG's frozen teacher is LoRA's base; its average is at hand at every stage."""
    frozen = parsed() | {"sdpg.teacher": "frozen"}
    [sentence] = complaints(frozen, chosen(["sdpg"]))
    assert "--ds.lora.rank" in sentence
    assert list(complaints(frozen | {"ds.lora.rank": 8}, chosen(["sdpg"]))) == []
    ema = parsed("--sdpg.teacher", "ema") | {"ckpt.load_enable": True}
    for also in ({}, {"ds.zero_stage": 3}, {"ds.lora.rank": 8}, {"ds.zpg": 8}):
        assert list(complaints(ema | also, chosen(["sdpg"]))) == []


def test_a_ledger_of_another_run_is_told_before_anything_starts(tmp_path):
    """Resuming it is fine, and so is a ledger without a group; looking changes no file."""
    from hdpo_env.cliffs.ledger import LedgerWriter

    ours = chosen(["hdpo"])
    args = parsed() | {"ckpt.path": str(tmp_path)}
    with LedgerWriter(tmp_path / "ledger", writer="trainer") as ledger:
        assert list(complaints(args, ours)) == []
        ledger.append("p", step=0, num_correct=0, num_wrong=1)
    held = sorted((f.name, f.read_bytes()) for f in (tmp_path / "ledger").iterdir())
    [sentence] = complaints(args, ours)
    assert "pass --ckpt.load_enable to go on with it, or choose another --hdpo.ledger" in sentence
    assert list(complaints(args | {"ckpt.load_enable": True}, ours)) == []
    named = parsed("--hdpo.ledger", str(tmp_path / "ledger"))
    assert list(complaints(named, ours)) == [sentence]
    assert held == sorted((f.name, f.read_bytes()) for f in (tmp_path / "ledger").iterdir())
    assert list(complaints(args | {"hdpo.ledger": str(tmp_path / "new")}, ours)) == []
    assert not (tmp_path / "new").exists()


def test_a_ray_job_may_not_leave_its_files_in_rays_copy_of_the_folder(tmp_path, monkeypatch):
    """There relative places are refused, each by name; absolute ones and other folders are fine."""
    ours, args = chosen(["hdpo"]), parsed("--hdpo.ledger", "seen") | {"ckpt.output_dir": "./ckpt"}
    assert list(complaints(args, ours)) == []
    (tmp_path / "working_dir_files" / "_ray_pkg_0a1b" / "src").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "working_dir_files" / "_ray_pkg_0a1b" / "src")
    found = list(complaints(args, ours))
    assert [text.split()[0] for text in found] == [
        "--ckpt.path", "--ckpt.output_dir", "--hdpo.ledger",
    ]  # fmt: skip
    assert all("give an absolute path" in text for text in found)
    there = {name: str(tmp_path / "a") for name in ("ckpt.path", "ckpt.output_dir", "hdpo.ledger")}
    assert list(complaints(args | there, ours)) == []


def test_a_plugin_that_is_off_asks_for_nothing():
    """Lambda 0 runs with a reward model too: there is nothing to distil."""
    off = parsed() | {"hdpo.weight": 0.0, "reward.remote_url": None, "hdpo.teacher": "ema"}
    assert list(complaints(off, chosen(["hdpo"]))) == []


def test_nested_arguments_are_flattened_to_their_names():
    """OpenRLHF hands its workers nested namespaces; we read both forms by one name."""
    nested = SimpleNamespace(plugin=["hdpo"], ds=SimpleNamespace(lora=SimpleNamespace(rank=2), z=3))
    assert flat(nested) == {"plugin": ["hdpo"], "ds.lora.rank": 2, "ds.z": 3}


class Theirs(Plugin):
    """A third party's plugin with a flag of its own."""

    name = "theirs"

    def add_flags(self, parser):
        parser.add_argument("--theirs.size", type=int, default=3)

    def complaints(self, args):
        if args["theirs.size"] > 5:
            yield "--theirs.size is too large: choose at most 5"


def test_third_parties_add_plugins_by_an_entry_point(monkeypatch):
    """An entry point is a choice of --plugin, has its flags, and is asked for refusals."""
    point = importlib.metadata.EntryPoint("theirs", "unused:Theirs", "hdpo_env.openrlhf_plugins")
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda self: Theirs)
    monkeypatch.setattr(
        "hdpo_env.registry.entry_points",
        lambda group, name=None: [point] if "openrlhf_plugins" in group else [],
    )
    table = dict(PLUGINS._table)
    try:
        args = parsed("--plugin", "theirs", "--theirs.size", "9")
        assert args["plugin"] == ["theirs"]
        assert list(complaints(args, chosen(["theirs"]))) == [
            "--theirs.size is too large: choose at most 5"
        ]
    finally:
        PLUGINS._table.clear()
        PLUGINS._table.update(table)


@pytest.mark.parametrize("found", ["0.10.9", "0.12.0", "1.0"])
def test_untested_versions_are_refused_with_what_to_install(monkeypatch, found):
    """Nobody has tried the adapter on them; the sentence says which ones were tried."""
    monkeypatch.setattr(compat, "version", lambda name: found)
    with pytest.raises(
        ConfigError, match=rf"openrlhf {found} .* install openrlhf\[vllm\]==0\.11\.2"
    ):
        compat.check_version()


@pytest.mark.parametrize(("found", "says"), [("0.11.2", []), ("0.11.0", ["0.11.0"])])
def test_other_versions_of_the_tested_series_run_with_a_warning(monkeypatch, caplog, found, says):
    """Only one version is run by the tests; what is said of another names both."""
    monkeypatch.setattr(compat, "version", lambda name: found)
    compat.check_version()
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        f"openrlhf {v}: the plugins were tested on openrlhf[vllm]==0.11.2; install that"
        for v in says
    ]


def test_without_openrlhf_the_sentence_says_what_to_install(monkeypatch):
    """At the launcher and wherever a base class is needed."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(compat, "version", missing)
    with pytest.raises(MissingDependencyError, match=r"pip install 'openrlhf\[vllm\]==0\.11\.2'"):
        compat.check_version()
    monkeypatch.setitem(sys.modules, "openrlhf", None)
    for name in [m for m in sys.modules if m.startswith("openrlhf.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'openrlhf\[vllm\]==0\.11\.2'"):
        _ = compat.PPOTrainer
    monkeypatch.setitem(sys.modules, "vllm", None)  # OpenRLHF installs without it
    with pytest.raises(
        MissingDependencyError, match=r"needs vllm: .* 'openrlhf\[vllm\]==0\.11\.2'"
    ):
        compat.sampling_params(3, {})


def test_the_pth_line_does_nothing_elsewhere(monkeypatch, tmp_path):
    """Installing writes one line and removing deletes it; the line only acts on --plugin."""
    monkeypatch.setattr(autoload, "place", lambda: tmp_path / autoload.NAME)
    autoload.main(["--install"])
    line = (tmp_path / autoload.NAME).read_text()
    assert line.count("\n") == 1
    called = []
    monkeypatch.setattr(launch, "install", lambda: called.append(True))
    for argv, acts in [
        (["python", "x.py"], False),
        (["python", "-m", "pytest", "--plugin", "hdpo"], False),
        (["python", "-m", compat.CLI], False),
        (["python", "-m", compat.CLI, "--plugin", "hdpo"], True),
        (["python", "/a/openrlhf/cli/train_ppo_ray.py", "--plugin=hdpo"], True),
    ]:
        called.clear()
        monkeypatch.setattr(sys, "orig_argv", argv)
        exec(line)
        assert bool(called) is acts, argv
    autoload.main(["--remove"])
    assert not (tmp_path / autoload.NAME).exists()
