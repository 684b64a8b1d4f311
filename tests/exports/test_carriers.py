"""Carriers: each row is read by the rule of the system it is for, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from hdpo_env.errors import ConfigError, DataError, RegistryError, ViewError
from hdpo_env.exports import CARRIERS, TEACHER_CONTEXT, Export, to_openrlhf, to_sdpg, to_trl
from hdpo_env.privileged import privileged_context, privileged_prompt
from hdpo_env.problems import LinearFamily, SystemFamily, load_problems
from hdpo_env.prompts import TEMPLATES, Template, student_prompt
from hdpo_env.types import Completion, Group, Problem, Prompt, Rollout
from hdpo_env.verifiers import VERIFIERS

Row = Mapping[str, Any]
PROBLEMS = [
    *LinearFamily(3).source("train", 0, 5),
    *SystemFamily(2).source("train", 0, 5),
    Problem("Prüfe: ∑ = \\frac{1}{2}?\n\n$x$", ("1/2", "0.5"), solution="½ or {x} ×\n\\boxed{1/2}"),
]
ODD = [  # every field off its default, some of them what a careless reader would replace
    Problem(
        "Which? (A) 1 (B) 2",
        ("B",),
        solution="Told whole: B",
        hints=("h1", "h2"),
        source="bench",
        split="test",
        subject="x",
        difficulty=2.5,
        verifier="choice",
        id="7",
    ),
    Problem("3+7+2", ("02", " 2\n"), verifier="exact", solution="Told whole: 02", split=""),
    Problem("pi", ("3.14",), verifier="numeric", solution="Told whole: pi", hints=("",)),
]
NAMES = [
    *("trl", "verl", "verl-opsd", "openrlhf", "sdpg", "opsd", "sdpo"),
    *("prime-rl", "tinker", "roll", "slime", "nemo-rl"),
]


def read_trl(row: Row) -> tuple[str, str, str]:
    """SDPO and SDFT read ``prompt`` and ``privileged_context``; a reward reads other columns."""
    return row["prompt"][-1]["content"], row["answer"], row["privileged_context"]


def read_verl(row: Row) -> tuple[str, str, str]:
    """RLHFDataset: ``prompt``; the reward manager: ``reward_model.ground_truth``."""
    gold = row["reward_model"]["ground_truth"]
    return row["prompt"][-1]["content"], gold, row["extra_info"]["privileged_context"]


def read_verl_opsd(row: Row) -> tuple[str, str, str]:
    """``privileged_solution_key`` and ``privileged_problem_key`` are dotted paths into the row."""

    def at(key: str) -> Any:
        value: Any = row
        for part in key.split("."):
            value = value[part]
        return value

    assert at("extra_info.problem") == at("extra_info.question")
    gold = at("reward_model.ground_truth")
    return row["prompt"][-1]["content"], gold, at("extra_info.solution")


def read_openrlhf(row: Row) -> tuple[str, str, str]:
    """The label is JSON with the accepted answers alone; the solution is a column."""
    label = json.loads(row["label"])
    assert list(label) == ["answer"]
    return row["input"], label["answer"][0], row["solution"]


def read_sdpg(row: Row) -> tuple[str, str, str]:
    """The first message is split at the sentinel: the actor's half, the teacher's addition."""
    actor, teacher = row["prompt"][0]["content"].split(TEACHER_CONTEXT)
    return actor, row["reward_model"]["ground_truth"], teacher.strip()


def read_opsd(row: Row) -> tuple[str, str, str]:
    """The collator words ``problem`` and ``solution`` itself."""
    return row["problem"], row["answers"][0], row["solution"]


def read_sdpo(row: Row) -> tuple[str, str, str]:
    """The reward function gets ``extra_info`` and returns its feedback."""
    feedback = row["extra_info"]["feedback"]
    assert isinstance(feedback, str)
    assert feedback.strip()
    return row["prompt"][-1]["content"], row["reward_model"]["ground_truth"], feedback


def read_prime_rl(row: Row) -> tuple[str, str, str]:
    """``opsd`` takes ``info[demo_key]`` as it is, a string."""
    return row["prompt"][-1]["content"], row["answer"], row["info"].get("demonstration")


def read_tinker(row: Row) -> tuple[str, str, str]:
    """SDFTDataset: questions from ``prompt``, golden answers from ``golden_response``."""
    return row["prompt"], row["answers"][0], str(row["golden_response"])


def read_roll(row: Row) -> tuple[str, str, str]:
    """``messages`` is JSON; ``opsd_solution_key`` names the reference's column."""
    messages = json.loads(row["messages"])
    assert messages[-1]["content"] == row["prompt"]
    return row["prompt"], row["ground_truth"], row["reference_solution"]


def read_slime(row: Row) -> tuple[str, str, str]:
    """Sample(prompt, label, metadata) by the three keys."""
    return row["prompt"][-1]["content"], row["label"], row["metadata"]["privileged_context"]


def read_nemo_rl(row: Row) -> tuple[str, str, str]:
    """``math_hf_data_processor``: first message the question, second the ground truth."""
    user, assistant = row["messages"]
    assert (user["role"], assistant["role"]) == ("user", "assistant")
    return user["content"], assistant["content"], row["privileged_context"]


READERS: dict[str, Callable[[Row], tuple[str, str, str]]] = {
    name: globals()[f"read_{name.replace('-', '_')}"] for name in NAMES
}


def rows_of(path: Path) -> list[dict[str, Any]]:
    """What a file holds, by another library than the one that wrote it."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    datasets = pytest.importorskip("datasets")
    return datasets.load_dataset("parquet", data_files=str(path), split="train").to_list()


def test_every_carrier_is_tested() -> None:
    """The table holds these and no others."""
    assert sorted(CARRIERS) == sorted(NAMES)
    with pytest.raises(RegistryError, match="unknown carrier 'tlr'; choose one of: nemo-rl"):
        CARRIERS["tlr"]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("name", NAMES)
def test_the_systems_own_rule_reads_what_was_meant(name: str, suffix: str, tmp_path: Path) -> None:
    """Prompt, gold answer and privileged text arrive unchanged through a file."""
    carrier = CARRIERS[name]
    export = carrier(PROBLEMS)
    export.save(tmp_path / f"rows{suffix}")
    rows = rows_of(tmp_path / f"rows{suffix}")
    assert len(rows) == len(PROBLEMS) == len(export)
    for problem, row in zip(PROBLEMS, rows, strict=True):
        asked, gold, told = READERS[name](row)
        prompt = student_prompt(problem, "boxed").messages[-1].content
        assert asked == (problem.question if name == "opsd" else prompt)
        assert gold == problem.gold
        if carrier.is_whole:
            teacher = privileged_prompt(problem, carrier.view, carrier.template)
            assert teacher.messages[-1].content == f"{prompt}\n\n{told}"
        else:
            assert told == privileged_context(problem, carrier.view, carrier.template)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("name", NAMES)
def test_the_same_problems_come_back(name: str, suffix: str, tmp_path: Path) -> None:
    """``load_problems`` with the carrier's field map gives equal problems, field by field."""
    carrier, path = CARRIERS[name], tmp_path / f"rows{suffix}"
    problems = [*PROBLEMS, *ODD]
    carrier(problems).save(path)
    report = load_problems(path, field_map=carrier.fields, strict=True)
    assert list(map(asdict, report.problems)) == list(map(asdict, problems))


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("name", NAMES)
def test_poor_problems_come_back(name: str, suffix: str, tmp_path: Path) -> None:
    """No row has a hint, a difficulty or a solution: parquet's columns of nulls read as such."""
    carrier, path = CARRIERS[name], tmp_path / f"rows{suffix}"
    poor = [Problem("3+7+2", ("02",), verifier="exact", source="", split="")]
    carrier(poor, view="answer").save(path)
    assert list(load_problems(path, field_map=carrier.fields, strict=True).problems) == poor


@pytest.mark.parametrize("name", NAMES)
def test_without_a_view_neither_hints_nor_solution_leave(name: str, tmp_path: Path) -> None:
    """A row for students holds no privileged text; everything else comes back."""
    carrier, path = CARRIERS[name], tmp_path / "rows.jsonl"
    carrier(ODD, view="none").save(path)
    bare = [replace(problem, solution=None, hints=()) for problem in ODD]
    assert list(load_problems(path, field_map=carrier.fields, strict=True).problems) == bare
    for problem in ODD:
        assert json.dumps(problem.solution)[1:-1] not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_facts_for_the_reward_ride_along(name: str) -> None:
    """Id, verifier and every accepted answer stand where the system hands them to a reward."""
    row = CARRIERS[name](PROBLEMS)[-1]
    places = [row, *(row.get(k) for k in ("extra_info", "info", "metadata"))]
    [facts] = [place for place in places if place and "problem_id" in place]
    assert facts["problem_id"] == PROBLEMS[-1].id
    assert facts["answers"] == ["1/2", "0.5"]
    assert facts["verifier"] == "math"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("view", ["answer", "masked_solution", "prefix:0.5", "hints:1", "none"])
def test_every_view_can_be_exported(name: str, view: str) -> None:
    """The privileged column follows the view; none leaves it empty and holds no solution."""
    problems = PROBLEMS[:2]
    for problem, row in zip(problems, CARRIERS[name](problems, view=view), strict=True):
        everything = json.dumps(row, ensure_ascii=False)
        if view == "none":
            assert "Collect" not in everything
            continue
        *_, told = READERS[name](row)
        words = CARRIERS[name].template
        assert privileged_context(problem, view, words) in told


def test_problems_without_what_the_view_needs_are_left_out_by_name() -> None:
    """They are counted with a reason, or raised when strict."""
    poor = Problem("Who?", ("me",))
    export = to_trl([PROBLEMS[0], poor, PROBLEMS[1]])
    assert [row["problem_id"] for row in export] == [PROBLEMS[0].id, PROBLEMS[1].id]
    [(problem_id, reason)] = export.left_out
    assert problem_id == poor.id
    assert "has no solution" in reason
    verl = CARRIERS["verl"]([PROBLEMS[0], poor, PROBLEMS[1]])
    assert [row["extra_info"]["index"] for row in verl] == [0, 1]
    assert repr(export) == "Export('trl', 2 rows, 1 left out)"
    with pytest.raises(ViewError, match="has no solution"):
        to_trl([poor], strict=True)


def test_views_of_groups_are_exported_with_their_groups() -> None:
    """Feedback quotes the wrong answers of the problem's own rollouts."""
    problem = PROBLEMS[0]
    text = r"\boxed{-31337}"
    verdict = VERIFIERS["math"]().verify(text, problem.answers)
    rollout = Rollout(Prompt(problem.id, ()), Completion((1,), text), verdict, 0.0)
    groups = {problem.id: Group(problem, (rollout,))}
    export = CARRIERS["sdpo"](PROBLEMS[:2], view="feedback", groups=groups)
    assert "-31337" in export[0]["extra_info"]["feedback"]
    assert [left.problem_id for left in export.left_out] == [PROBLEMS[1].id]


def test_openrlhf_labels_are_what_its_plugin_reads() -> None:
    """The plugin's own reader finds every accepted answer; a reward is shown nothing else."""
    labels = pytest.importorskip("hdpo_plugins.openrlhf.labels")
    for problem, row in zip(PROBLEMS, to_openrlhf(PROBLEMS), strict=True):
        label = labels.read_label(row["label"])
        assert label.answers == problem.answers
        assert row["solution"] == problem.solution
        assert label.solution is None
        assert str(problem.solution) not in row["label"]
    old = json.dumps({"answer": ["4"], "solution": "2 + 2"})  # as it was written before
    assert labels.read_label(old) == (("4",), "2 + 2")


def test_rows_that_would_be_split_elsewhere_are_refused() -> None:
    """A question or solution with SDPG's sentinel in it would end in the wrong half."""
    for problem in (
        Problem(f"What is {TEACHER_CONTEXT}?", ("1",), solution="s"),
        Problem("q", ("1",), solution=f"s {TEACHER_CONTEXT}"),
    ):
        with pytest.raises(DataError, match="at which the rows are split"):
            to_sdpg([problem])


def test_sdpgs_teacher_reads_the_whole_message() -> None:
    """Without its sentinel the first message is the teacher's prompt of the template."""
    for problem, row in zip(PROBLEMS, to_sdpg(PROBLEMS), strict=True):
        whole = row["prompt"][0]["content"].replace(TEACHER_CONTEXT, "")
        assert whole == privileged_prompt(problem, "solution", "sdpg").messages[-1].content


def test_system_messages_go_where_there_is_room() -> None:
    """Carriers of one text refuse a template with a system message; chat carriers keep it."""
    TEMPLATES.add("terse", Template("terse", 1, system="Be terse.", user="{question}"))
    try:
        for name in ("sdpg", "tinker", "nemo-rl", "roll", "opsd"):
            with pytest.raises(ConfigError, match="system"):
                CARRIERS[name](PROBLEMS[:1], student="terse")
        for name in ("trl", "verl", "slime", "prime-rl"):
            [row] = CARRIERS[name](PROBLEMS[:1], student="terse")
            assert [m["role"] for m in row["prompt"]] == ["system", "user"]
        [row] = to_openrlhf(PROBLEMS[:1], student="terse")
        assert [m["role"] for m in row["input"]] == ["system", "user"]
    finally:
        del TEMPLATES._table["terse"]


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    """The message says which kinds there are."""
    with pytest.raises(ConfigError, match=r"let it end in \.jsonl or \.parquet"):
        to_trl(PROBLEMS[:1]).save(tmp_path / "rows.csv")
    with pytest.raises(ConfigError, match="no rows"):
        Export("trl", ()).save(tmp_path / "rows.parquet")
    Export("trl", ()).save(tmp_path / "rows.jsonl")
    assert (tmp_path / "rows.jsonl").read_text(encoding="utf-8") == ""
    assert to_trl(PROBLEMS)[:2] == tuple(to_trl(PROBLEMS))[:2]
