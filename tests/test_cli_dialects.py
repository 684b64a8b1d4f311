"""Rollout files of other systems, written here the way those systems' own code writes them."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hdpo_env.commands.cliff_facts import summarize
from hdpo_env.commands.details import GroupDetail, read_details
from hdpo_env.commands.dialects import DIALECTS, recognise
from hdpo_env.commands.rollout_lines import LineFormat
from hdpo_env.commands.tally import Tally, tally_file
from hdpo_env.errors import DataError
from hdpo_plugins.verl.reward import compute_score

# Three problems: a cliff, a mixed one and a saturated one, four rollouts each.
GOLDS = {"2+2?": "4", "3*3?": "9", "8-1?": "7"}
RIGHT = {"2+2?": 0, "3*3?": 2, "8-1?": 4}


def rollouts() -> list[tuple[str, str, bool]]:
    """Question, completion, whether it is right."""
    return [
        (q, rf"so \boxed{{{gold if i < RIGHT[q] else 55}}}", i < RIGHT[q])
        for q, gold in GOLDS.items()
        for i in range(4)
    ]


def write_verl(folder: Path) -> Path:
    """Verl 0.9.1, RayPPOTrainer._write_generations with a scorer's extra ``acc``."""
    rows = rollouts()
    base: dict[str, list[Any]] = {
        "input": [f"user\n{q}\nassistant\n" for q, _, _ in rows],
        "output": [text for _, text, _ in rows],
        "gts": [GOLDS[q] for q, _, _ in rows],
        "score": [1.0 if ok else -0.5 for _, _, ok in rows],  # an overlong penalty, say
        "step": [40] * len(rows),
        "acc": [ok for _, _, ok in rows],
        "request_id": [f"r{i}" for i in range(len(rows))],
    }
    path = folder / "40.jsonl"
    with path.open("w") as f:
        for i in range(len(rows)):
            entry = {k: v[i] for k, v in base.items()}
            f.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")
    return path


def write_openrlhf(folder: Path) -> Path:
    """OpenRLHF 0.8, batch_inference --eval_task rm: input, output, reward."""
    path = folder / "output.jsonl"
    with path.open("w") as f:
        for q, text, ok in rollouts():
            f.write(json.dumps({"input": q, "output": text, "reward": float(ok)}) + "\n")
    return path


def trl_table() -> dict[str, list[Any]]:
    """The columns of TRL 1.16's GRPOTrainer.log with conversational prompts and two rewards."""
    rows = rollouts()
    return {
        "step": [7] * len(rows),
        "prompt": [[{"role": "user", "content": q}] for q, _, _ in rows],
        "completion": [[{"role": "assistant", "content": text}] for _, text, _ in rows],
        "accuracy_reward": [float(ok) for _, _, ok in rows],
        "format_reward": [0.1] * len(rows),
        "solution": [GOLDS[q] for q, _, _ in rows],
        "advantage": [0.0] * len(rows),
    }


def write_trl(folder: Path) -> Path:
    """The parquet file that TRL leaves in ``completions/``."""
    pandas = pytest.importorskip("pandas")
    path = folder / "completions_00007.parquet"
    pandas.DataFrame(trl_table()).to_parquet(path)
    return path


def write_lm_eval(folder: Path) -> Path:
    """lm-evaluation-harness 0.4.13, --log_samples of gsm8k: two filters, a line for each."""

    def hashed(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    path = folder / "samples_gsm8k_2026-11-20.jsonl"
    with path.open("w") as f:
        for name in ("strict-match", "flexible-extract"):
            for number, (q, text, ok) in enumerate(rollouts()):
                doc = {"question": q, "answer": f"#### {GOLDS[q]}"}
                ok = ok and name == "strict-match"
                row = {
                    "doc_id": number // 4,
                    "doc": doc,
                    "target": doc["answer"],
                    "arguments": {"gen_args_0": {"arg_0": q, "arg_1": {"until": ["\n\n"]}}},
                    "resps": [[text]],
                    "filtered_resps": [text[-3:-1]],
                    "filter": name,
                    "metrics": ["exact_match"],
                    "doc_hash": hashed(json.dumps(doc)),
                    "prompt_hash": hashed(q),
                    "target_hash": hashed(doc["answer"]),
                    "exact_match": float(ok),
                }
                f.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "verl": write_verl,
    "openrlhf": write_openrlhf,
    "trl": write_trl,
    "lm-eval": write_lm_eval,
}


def counts(tally: Tally) -> list[tuple[int, int, int]]:
    """The counts of the groups, sorted."""
    return sorted(c for _, c in tally.counts())


@pytest.mark.parametrize("name", WRITERS)
def test_files_of_other_systems_are_recognised(name: str, tmp_path: Path) -> None:
    """Without a word about fields: the same three groups, 0, 2 and 4 of 4 right."""
    path = WRITERS[name](tmp_path)
    tally = tally_file(path, LineFormat())
    assert tally.formats[str(path)].dialect == name
    assert counts(tally) == [(0, 4, 0), (2, 2, 0), (4, 0, 0)]
    assert tally.num_malformed == 0
    assert tally.num_left_out == (12 if name == "lm-eval" else 0)


def test_the_other_filter_counts_when_it_is_named(tmp_path: Path) -> None:
    """lm-evaluation-harness judges a completion once per filter; it is one rollout all the same."""
    tally = tally_file(write_lm_eval(tmp_path), LineFormat(filter="flexible-extract"))
    assert counts(tally) == [(0, 4, 0)] * 3
    assert tally.num_left_out == 12


def test_a_filter_that_no_line_has_is_refused(tmp_path: Path) -> None:
    """A misspelt filter leaves nothing to count: the sentence lists those of the file."""
    tally = tally_file(write_lm_eval(tmp_path), LineFormat(filter="strict_match"), part_bytes=9000)
    with pytest.raises(DataError, match=r"24 lines.*: flexible-extract, strict-match$"):
        summarize(tally)


def test_repeats_are_rollouts(tmp_path: Path) -> None:
    """One document with four completions and one metric: each completion is judged by itself."""
    row = {
        "doc_id": 3,
        "target": "#### 9",
        "resps": [["#### 9", "#### 9", "#### 8", "I do not know"]],
        "filtered_resps": ["9"],
        "filter": "take_first",
        "exact_match": 1.0,
    }
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(row) + "\n")
    assert counts(tally_file(path, LineFormat(verifier="gsm8k"))) == [(2, 2, 0)]


def test_a_reward_column_can_be_named(tmp_path: Path) -> None:
    """Of TRL's reward columns the reader's choice counts; where none fits, none is guessed."""
    table = trl_table()
    table["r1"], table["r2"] = table.pop("accuracy_reward"), table.pop("format_reward")
    path = tmp_path / "completions.jsonl"
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    del rows[0]["solution"]  # the others are judged by their gold answers
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    guessed = tally_file(path, LineFormat())
    assert guessed.num_malformed == 1
    assert "has neither 'verdict' nor 'reward'" in guessed.faults[0].reason
    assert counts(guessed) == [(0, 3, 0), (2, 2, 0), (4, 0, 0)]
    named = tally_file(path, LineFormat(reward="r1"))
    assert counts(named) == [(0, 4, 0), (2, 2, 0), (4, 0, 0)]


@pytest.mark.parametrize("abstention", [0.0, math.nan])
def test_what_our_verl_reward_abstains_from_is_no_failure(
    abstention: float, tmp_path: Path
) -> None:
    """A gold answer that cannot be used, scored 0 or NaN: an undecided group, no cliff."""
    path = tmp_path / "1.jsonl"
    # 4 and 9 are no two forms of one answer
    judged = [("2+2?", "4", 5), ("2+2?", ["4", "9"], 5), ("3+4?", "7", 5), ("3+4?", "7", 7)]
    with path.open("w") as f:
        for question, gold, answer in judged:
            text = rf"\boxed{{{answer}}}"
            told = compute_score("x", text, gold, abstention=abstention)
            row = {"input": question, "output": text, "gts": gold, "step": 1, **told}
            f.write(json.dumps(row) + "\n")
    tally = tally_file(path, LineFormat())
    assert counts(tally) == [(0, 1, 1), (1, 1, 0)]
    assert tally.num_malformed == 0
    details = read_details({path: tally.formats[str(path)]})
    assert (details.kinds.num_undecided, details.kinds.num_mixed) == (1, 1)


@pytest.mark.parametrize("others", [{}, {"format": 0.1}, {"accuracy_reward": 1.0, "hint": None}])
@pytest.mark.parametrize("empty", [None, math.nan])
def test_the_verdicts_of_our_trl_reward_count(
    empty: float | None, others: dict[str, Any], tmp_path: Path
) -> None:
    """The column is called ``verdict``, beside whatever others; where it is empty, it abstains."""
    path = tmp_path / "completions.jsonl"
    row = {"step": 1, "prompt": "2+2?", "completion": "5", "answer": 4, "advantage": 0.0, **others}
    rows = [{**row, "verdict": v} for v in (0.0, 0.0, empty)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tally = tally_file(path, LineFormat())
    assert (counts(tally), tally.num_malformed) == ([(0, 2, 1)], 0)


def test_a_line_that_falls_out_of_its_dialect_is_malformed(tmp_path: Path) -> None:
    """Torn lines, lines of another system and rows of the wrong types are named and counted."""
    path = write_verl(tmp_path)
    lines = path.read_text().splitlines()
    lines[2] = '{"input": "x"}'
    lines[5] = lines[5][:30]
    lines[7] = json.dumps({**json.loads(lines[7]), "acc": "yes"})
    path.write_text("\n".join(lines))
    tally = tally_file(path, LineFormat())
    assert [(f.line, f.reason.split(":")[0]) for f in tally.faults] == [
        (3, "is no verl line"),
        (6, "is not JSON"),
        (8, "'reward' is 'yes'"),
    ]
    assert tally.num_malformed == 3


def test_a_described_file_is_read_as_described(tmp_path: Path) -> None:
    """Naming the problem's field switches recognition off."""
    path = write_openrlhf(tmp_path)
    tally = tally_file(path, LineFormat(problem_id="input"))
    assert {problem for problem, _ in tally.groups} == set(GOLDS)


def test_every_dialect_knows_itself() -> None:
    """A row with just a dialect's own fields is recognised as that dialect and no other."""
    for name, dialect in DIALECTS.items():
        assert recognise(dict.fromkeys(dialect.fields)) == name


def test_the_card(tmp_path: Path) -> None:
    """Markdown and JSON agree with the counts; causes and names are on it, and no gold answer."""
    path = write_verl(tmp_path)
    words = ["cliffs", str(path), "--card", str(tmp_path / "card"), "--model", "tiny", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "hdpo_env.cli", *words], capture_output=True, text=True, check=True
    )
    assert "is read as verl" in done.stderr
    assert json.loads(done.stdout)["causes"] == {"hard": 1}
    refused = subprocess.run(
        [sys.executable, "-m", "hdpo_env.cli", "cliffs", "-", "--causes"],
        capture_output=True,
        text=True,
    )
    assert "give a file instead of -" in refused.stderr
    card = json.loads((tmp_path / "card" / "card.json").read_text())
    assert card["facts"]["kinds"]["cliff"]["groups"] == 1
    assert card["pass_at_k"]["1"][0] == pytest.approx(6 / 12)
    assert card["pass_at_k"]["4"][0] == pytest.approx(2 / 3)
    assert card["pass_at_k"]["2"][0] == pytest.approx((0 + 5 / 6 + 1) / 3)
    assert sum(card["causes"].values()) == 1
    text = (tmp_path / "card" / "card.md").read_text()
    assert text.startswith("# Cliff card: 40.jsonl x tiny")
    assert "| pass@4 | 0.6667 |" in text


def test_phantom_gradients_are_gauged(tmp_path: Path) -> None:
    """Verl's score and TRL's advantage may vary among failures; equal rewards are no phantom."""
    verl, trl = write_verl(tmp_path), tmp_path / "trl.jsonl"
    table = trl_table()
    table["advantage"][0] = 0.7  # a rollout of the cliff
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    trl.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for path, rate in ((verl, 0.0), (trl, 1.0)):
        settled = tally_file(path, LineFormat()).formats[str(path)]
        assert read_details({path: settled}).phantom_rate == rate
    lines = [json.loads(line) for line in verl.read_text().splitlines()]
    lines[1]["score"] = -0.4
    verl.write_text("".join(json.dumps(line) + "\n" for line in lines))
    settled = tally_file(verl, LineFormat()).formats[str(verl)]
    assert read_details({verl: settled}).phantom_rate == 1.0


def test_an_abstention_does_not_hide_a_phantom_gradient() -> None:
    """NaN compares with nothing: the range is that of the other rewards, wherever it stands."""
    detail = GroupDetail()
    for reward in (math.nan, 0.5, None, 0.0):
        detail.note_reward(reward)
    assert detail.rewards == (0.0, 0.5)
