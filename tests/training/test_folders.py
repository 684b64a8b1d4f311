"""Nothing that is not a run's own is ever deleted, and no other run is taken for this one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hdpo_env import demo
from hdpo_env.commands import compare, train
from hdpo_env.config import TrainConfig
from hdpo_env.errors import CheckpointError, ConfigError, DataError, TrainingError
from hdpo_env.policies.hf import HFPolicy
from hdpo_env.policies.tiny import tiny_policy
from hdpo_env.problems import ChainFamily, Family, LinearFamily
from hdpo_env.trainer import Trainer
from hdpo_env.training import checkpoints, folders, owned
from hdpo_env.training.runs import RunSpec, SourceSpec, check_teachable, execute
from hdpo_env.types import Message, Problem, Prompt


def small_spec(run_dir: Path, **changes: object) -> RunSpec:
    """The demo's strong run, cut to one step on two problems."""
    spec = demo.run_specs(run_dir.parent, steps=1, only=("hdpo-strong",))[0]
    config = replace(
        spec.config,
        rollout=replace(spec.config.rollout, prompts_per_step=2, group_size=2),
        eval=replace(spec.config.eval, problems=2, samples=8),
    )
    return replace(spec, config=config, run_dir=run_dir, **changes)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """--out at a folder with other files is refused; nothing in it is touched."""
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(ConfigError, match=r"not the folder of a run: it holds 'thesis.txt'"):
        folders.state_of(tmp_path, small_spec(tmp_path).describe())
    owned.clear(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years"


def test_overwriting_a_run_deletes_only_what_runs_write(tmp_path: Path) -> None:
    """A note that a person put beside the metrics survives --overwrite."""
    spec = small_spec(tmp_path / "run")
    execute(spec, threads=1)
    notes = [spec.run_dir / "notes.md", spec.run_dir / "model" / "notes.md"]
    for note in notes:
        note.write_text("seen at step 40")
    stale = spec.run_dir / "checkpoints" / "step_000777"
    stale.mkdir()
    (stale / "state.pt").write_bytes(b"old")
    execute(spec, threads=1)
    assert all(note.read_text() == "seen at step 40" for note in notes)
    assert not stale.exists()
    assert folders.state_of(spec.run_dir, spec.describe()) == "finished"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, byte for byte."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("how", ["run", "--overwrite", "execute"])
@pytest.mark.parametrize("place", ["model", "itself", "linked"])
def test_a_model_is_never_deleted_by_the_run_that_starts_from_it(
    how: str, place: str, tmp_path: Path
) -> None:
    """--model in --out, --model as --out, --model behind a link of the run: refused, untouched."""
    out = tmp_path / "out"
    model = {"model": out / "model", "itself": out, "linked": tmp_path / "weights"}[place]
    shutil.copytree(demo.base_model(), model)
    (model / "notes.md").write_text("my own")
    if place == "linked":
        folders.write_json(make_folder(out) / "config.json", small_spec(out).describe())
        (out / "model").symlink_to(model)
    before = contents(tmp_path)
    words = ["--model", str(model), "--data", "chain-table", "--out", str(out)]
    starts = {
        "run": lambda: train.run(train.parse(words)),
        "--overwrite": lambda: train.run(train.parse([*words, how])),
        "execute": lambda: execute(small_spec(out, model=str(model)), threads=1),
    }
    with pytest.raises(ConfigError, match="choose another --out"):
        starts[how]()
    assert contents(tmp_path) == before


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '{"model_type": "gpt2"}'),
        ("config.json", '{"steps": 1, "model": "m", "train": {}}'),
        ("metrics.jsonl", '{"step": 0}\n'),
        ("model/weights.bin", "years of work"),
        ("wandb/settings", "mine"),
    ],
)
def test_a_name_that_runs_use_too_is_no_mark_of_a_run(name: str, text: str, tmp_path: Path) -> None:
    """Another program's config.json, a lone model/ or log: refused, --overwrite or not."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match="is not the folder of a run"):
        execute(small_spec(tmp_path), threads=1)
    words = ["--model", str(demo.base_model()), "--data", "chain-table", "--out", str(tmp_path)]
    with pytest.raises(ConfigError, match="is not the folder of a run"):
        train.run(train.parse([*words, "--overwrite"]))
    assert (tmp_path / name).read_text() == text


def test_the_data_of_a_run_stay_out_of_its_folder(tmp_path: Path) -> None:
    """Training on a run's own groups.jsonl, which it would delete, is refused."""
    spec = small_spec(tmp_path / "run")
    folders.write_json(make_folder(spec.run_dir) / "config.json", spec.describe())
    log = spec.run_dir / "groups.jsonl"
    log.write_text("{}")
    source = SourceSpec(str(log))
    for changes in ({"train": {"train": (source, 1)}}, {"slices": {"eval": source}}):
        with pytest.raises(ConfigError, match=r"groups.jsonl is read and lies in"):
            execute(replace(spec, **changes), threads=1)
    assert log.read_text() == "{}"


def test_clearing_unlinks_a_link_and_leaves_what_it_leads_to(tmp_path: Path) -> None:
    """A run's model/ that leads elsewhere is a link of the run, not a folder of it."""
    away, run = make_folder(tmp_path / "away"), make_folder(tmp_path / "run")
    (away / "model.safetensors").write_bytes(b"weights")
    (run / "model").symlink_to(away)
    owned.clear(run)
    assert contents(away) == {"model.safetensors": b"weights"}
    assert not (run / "model").exists()


@pytest.mark.parametrize("name", ["summary.json", "report.html"])
def test_a_comparison_overwrites_no_file_of_something_else(name: str, tmp_path: Path) -> None:
    """It is refused before the first run, not after the last."""
    (tmp_path / name).write_text('{"thesis": "years"}')
    words = ["--preset", "demo", "--algos", "grpo", "--steps", "1", "--out", str(tmp_path)]
    with pytest.raises(ConfigError, match=name):
        compare.run(compare.parse(words))
    assert contents(tmp_path) == {name: b'{"thesis": "years"}'}


def test_a_run_does_not_resume_to_before_where_it_is(tmp_path: Path) -> None:
    """20 steps done and --steps 5: refused, and the record still says what was done."""
    spec = small_spec(tmp_path / "run")
    long = replace(spec, config=replace(spec.config, steps=2000))
    folders.write_json(make_folder(spec.run_dir) / "config.json", long.describe())
    checkpoints.save(spec.run_dir, 20, {"next_step": 20})
    short = replace(spec, config=replace(spec.config, steps=5))
    before = contents(spec.run_dir)
    for resume in (
        lambda: folders.state_of(spec.run_dir, short.describe()),
        lambda: execute(short, resume=True, threads=1),
    ):
        with pytest.raises(
            ConfigError, match=r"--steps is 5, but .* has done 20: choose --steps 20"
        ):
            resume()
    assert contents(spec.run_dir) == before
    enough = replace(spec, config=replace(spec.config, steps=20))
    assert folders.state_of(spec.run_dir, enough.describe()) == "started"


@pytest.mark.parametrize("fault", ["template", "slice", "wandb"])
def test_what_can_be_refused_is_refused_before_anything_is_deleted(
    fault: str, tmp_path: Path
) -> None:
    """A finished run survives a second start that cannot work."""
    spec = small_spec(tmp_path / "run")
    execute(spec, threads=1)
    before = (spec.run_dir / "summary.json").read_bytes()
    if fault == "template":
        rollout = replace(spec.config.rollout, template="bogus")
        spec = replace(spec, config=replace(spec.config, rollout=rollout))
    elif fault == "slice":
        spec = replace(spec, slices={"eval": SourceSpec("chain-add", split="eval", size=0)})
    else:
        spec = replace(spec, wandb_project="x")
    with pytest.raises((ConfigError, DataError, KeyError, ImportError)):
        execute(spec, threads=1)
    assert (spec.run_dir / "summary.json").read_bytes() == before


def test_a_resumed_run_may_change_only_what_does_not_change_its_past(tmp_path: Path) -> None:
    """More steps, other evaluation, a lower rate: yes. Another seed or view: no, by name."""
    description = json.loads(json.dumps(small_spec(tmp_path / "run").describe()))
    run_dir = tmp_path / "run"
    checkpoints.save(run_dir, 1, {"next_step": 1})
    folders.write_json(run_dir / "config.json", description)
    later = json.loads(json.dumps(description))
    later["steps"], later["eval"]["every"], later["optim"]["lr"] = 99, 3, 1e-7
    later["algo"]["distill"]["weight"] = 0.01
    assert folders.state_of(run_dir, later) == "started"
    later["seed"], later["algo"]["distill"]["view"] = 4, "answer"
    with pytest.raises(CheckpointError, match=r"algo.distill.view: 'solution'.*seed: 0 there, 4"):
        folders.state_of(run_dir, later)


def test_a_run_from_before_a_setting_existed_goes_on_with_its_default(tmp_path: Path) -> None:
    """Without a word on curriculum and fading it drew epochs and faded nothing; no other way."""
    description = json.loads(json.dumps(small_spec(tmp_path / "run").describe()))
    run_dir, older = tmp_path / "run", json.loads(json.dumps(description))
    del older["curriculum"], older["algo"]["distill"]["fade"]
    checkpoints.save(run_dir, 1, {"next_step": 1})
    folders.write_json(run_dir / "config.json", older)
    assert folders.state_of(run_dir, description) == "started"
    description["curriculum"]["strategy"] = "retry"
    with pytest.raises(CheckpointError, match=r"curriculum.strategy: 'uniform' there, 'retry'"):
        folders.state_of(run_dir, description)


def test_resuming_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A mistyped --out with --resume does not start a new run in its place."""
    words = ["--model", str(demo.base_model()), "--data", "chain-add", "--resume"]
    with pytest.raises(CheckpointError, match="no run to resume"):
        train.run(train.parse([*words, "--out", str(tmp_path / "typo")]))
    assert not (tmp_path / "typo").exists()


def test_completions_with_odd_line_ends_survive_a_resume(tmp_path: Path) -> None:
    """Model text may hold U+2028 or U+0085, which are line ends to Python but not to JSON lines."""
    path = tmp_path / "completions.jsonl"
    rows = [
        {"step": 0, "text": "a\u2028b\x85c"},
        {"step": 1, "text": "d"},
        {"step": 2, "text": "e"},
    ]
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    checkpoints.drop_lines_from(path, 2)
    assert [json.loads(x) for x in path.read_text().split("\n") if x] == rows[:2]


def test_garbage_in_a_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    """Whatever is wrong with the newest file, the older one is tried."""
    for step in (1, 2):
        checkpoints.save(tmp_path, step, {"next_step": step})
    for junk in (b"hello world, no zip at all", b"", b"\0" * 99):
        (tmp_path / "checkpoints" / "step_000002" / "state.pt").write_bytes(junk)
        assert checkpoints.load_latest(tmp_path)["next_step"] == 1


def test_weights_that_diverged_are_not_saved_over_good_ones(
    make_trainer: Callable[..., Trainer],
) -> None:
    """If sampling itself fails on NaN weights, the last good checkpoint stays the newest."""
    policy = tiny_policy(seed=0)
    trainer = make_trainer("grpo", policy=policy)
    trainer.save()
    with torch.no_grad():
        policy.module.get_output_embeddings().weight.fill_(float("nan"))
    trainer.next_step = 5
    with pytest.raises(TrainingError, match="logits are not finite"):
        trainer.run()
    assert checkpoints.load_latest(trainer.run_dir)["next_step"] == 0


def test_a_teacher_that_could_never_teach_is_refused(config_of: Callable[..., TrainConfig]) -> None:
    """HDPO, RLSD and the imitation of solutions each need at least one problem with a solution."""
    bare = [Problem(f"{i}?", ("1",)) for i in range(300)]
    for name in ("hdpo", "sdpg", "rlsd"):
        with pytest.raises(ConfigError, match="view 'solution'"):
            check_teachable(config_of(name), bare)
    with pytest.raises(ConfigError, match="no training problem has a solution"):
        check_teachable(config_of("sft-cliffs"), bare)
    rich = [*bare, Problem("x?", ("1",), solution="one")]
    for name in ("hdpo", "rlsd", "sft-cliffs", "grpo"):
        check_teachable(config_of(name), rich)


def test_prompts_that_do_not_fit_the_models_context_are_left_out(tmp_path: Path) -> None:
    """128 positions: 3,072 new tokens are refused with the remedy, a long solution is not shown."""
    spec = small_spec(tmp_path / "run")
    rollout = replace(spec.config.rollout, max_tokens=3072)
    with pytest.raises(DataError, match=r"the shortest has \d+; .*context of 128 .*is 3072"):
        execute(replace(spec, config=replace(spec.config, rollout=rollout)), threads=1)
    policy = HFPolicy.load(demo.base_model())
    trainer = Trainer(spec.config, policy, stream=None, run_dir=tmp_path / "t")  # type: ignore[arg-type]
    short = ChainFamily("#", 6).problem("train", 0, 0)
    long = replace(short, solution="0" * 130)
    assert trainer.collector.teacher_prompt_or_none(short) is not None
    assert trainer.collector.teacher_prompt_or_none(long) is None


def test_every_end_that_the_model_names_ends_a_completion() -> None:
    """A chat model whose turns end with another token than the tokenizer's eos stops there too."""
    policy = tiny_policy(seed=0)
    model = policy.module
    model.generation_config.eos_token_id = [1, 7, 9]
    policy = HFPolicy(model, policy.tokenizer)
    prompt = Prompt("p", (Message("user", "Q3#7"),))
    (group,) = policy.sample([prompt], num=40, temperature=1.0, max_tokens=12, seed=0)
    ends = {c.token_ids[-1] for c in group if c.finish_reason == "stop"}
    assert ends == {1, 7, 9}
    assert all(t not in (1, 7, 9) for c in group for t in c.token_ids[:-1])


def test_held_out_problems_are_those_that_were_named() -> None:
    """--eval-data counts for families too, and --eval-split reaches a hub's data set."""
    base = ["--model", "m", "--out", "o"]
    spec = train.spec_of(train.parse([*base, "--data", "chain-add", "--eval-data", "chain-table"]))
    assert (spec.slices["eval"].name, spec.slices["eval"].split) == ("chain-table", "eval")
    hub = ["--data", "a/b", "--eval-data", "c/d", "--eval-split", "validation"]
    assert train.spec_of(train.parse([*base, *hub])).slices["eval"].split == "validation"
    parts = train.spec_of(train.parse([*base, "--data", "x.jsonl"]))
    assert (parts.train["train"][0].part, parts.slices["eval"].part) == ("train", "eval")


@pytest.mark.parametrize(
    ("data", "family"), [("chain#4", ChainFamily("#", 4)), ("linear:level=3", LinearFamily(3))]
)
def test_a_family_is_trained_on_with_its_settings(data: str, family: Family) -> None:
    """--data and --eval-data read families as every command does: train split here, eval there."""
    words = ["--model", "m", "--out", "o", "--data", data]
    for more in ([], ["--eval-data", data]):
        spec = train.spec_of(train.parse([*words, *more]))
        trained, held_out = spec.train["train"][0].problems(), spec.slices["eval"].problems()
        assert [trained[i] for i in range(3)] == family.source("train", size=3)[:]
        assert list(held_out)[:3] == family.source("eval", size=3)[:]
