"""The data sets that people train on: rows in their published columns become the right problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hdpo_env.problems import FIELD_MAPS, load_problems
from hdpo_env.problems.known import DATASETS, find_known
from hdpo_env.problems.rows import RowStream
from hdpo_env.types import Problem, by_id
from hdpo_env.verifiers import MathVerifier

datasets = pytest.importorskip("datasets")

DAPO_WORDS = (
    "Solve the following math problem step by step. The last line of your response should be of "
    "the form Answer: $Answer (without quotes) where $Answer is the answer to the problem.\n\n"
    '{}\n\nRemember to put your answer on its own line after "Answer:".'
)
Q = "What is $3 + 4$?"
BOX = r"We add: $3 + 4 = \boxed{7}$."

# name of the map -> a row in the columns of the data set, and the fields that must come out
ROWS: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "gsm8k": [
        (
            {"question": Q, "answer": "3 plus 4 is 3+4=<<3+4=7>>7.\n#### 7"},
            {"solution": "3 plus 4 is 3+4=7.", "hints": ()},
        )
    ],
    "gsm8k-socratic": [
        (
            {
                "question": Q,
                "answer": "What is added? ** 3 and 4 are added.\n"
                "What is the sum? ** It is 3+4=<<3+4=7>>7.\n#### 7",
            },
            {
                "solution": "3 and 4 are added.\nIt is 3+4=7.",
                "hints": ("What is added?", "What is the sum?"),
            },
        )
    ],
    "math": [
        (
            {"problem": Q, "level": "Level 2", "type": "Algebra", "solution": BOX},
            {"solution": BOX, "subject": "Algebra", "difficulty": 2.0},
        )
    ],
    "math500": [
        (
            {
                "problem": Q,
                "solution": BOX,
                "answer": "7",
                "subject": "Algebra",
                "level": 2,
                "unique_id": "test/algebra/1.json",
            },
            {"solution": BOX, "difficulty": 2.0, "id": "test/algebra/1.json"},
        )
    ],
    "aime24": [
        (
            {"id": 60, "problem": Q, "solution": BOX, "answer": "7", "url": "u", "year": "2024"},
            {"solution": BOX, "id": "aime24-60"},
        ),
        (
            {"ID": "2024-I-1", "Problem": Q, "Solution": BOX, "Answer": 7},
            {"solution": BOX, "id": "2024-I-1"},
        ),
        (
            {"id": 60, "problem": Q, "solution": r"$\boxed{7}$", "url": "u"},
            {"solution": None, "id": "aime24-60"},
        ),
        (
            {"problem": Q, "expected_answer": "7", "reference_solution": BOX},
            {"solution": BOX},
        ),
    ],
    "aime25": [
        ({"problem": Q, "answer": "7", "id": "0"}, {"solution": None, "id": "aime25-0"}),
        ({"question": Q, "answer": "7"}, {}),
        (
            {"problem_idx": 4, "problem": Q, "answer": 7, "problem_type": ["Algebra"]},
            {"id": "aime25-4"},
        ),
    ],
    "amc23": [
        ({"id": 3, "problem": Q, "answer": "7.0", "url": "u"}, {"id": "amc23-3"}),
        ({"id": 3, "problem": Q, "answer": 7.0, "url": "u"}, {"id": "amc23-3"}),
    ],
    "openmathinstruct2": [
        (
            {
                "problem": Q,
                "generated_solution": BOX,
                "expected_answer": "7",
                "problem_source": "augmented_math",
            },
            {"solution": BOX, "subject": "augmented_math"},
        )
    ],
    "deepmath": [
        (
            {
                "question": Q,
                "final_answer": "7",
                "difficulty": 4.5,
                "topic": "Mathematics -> Algebra",
                "r1_solution_1": BOX,
                "r1_solution_2": "other",
                "r1_solution_3": "third",
            },
            {"solution": BOX, "difficulty": 4.5, "subject": "Mathematics -> Algebra"},
        ),
        ({"prompt": [{"role": "user", "content": Q}], "solution": "7"}, {"solution": None}),
    ],
    "numinamath15": [
        (
            {
                "problem": Q,
                "solution": BOX,
                "answer": "7",
                "problem_type": "Algebra",
                "question_type": "math-word-problem",
                "problem_is_valid": "Yes",
                "solution_is_valid": "Yes",
                "source": "olympiads",
                "synthetic": False,
            },
            {"solution": BOX, "subject": "Algebra"},
        )
    ],
    "dapo": [
        (
            {
                "prompt": Q,
                "solution": "7",
                "source_prompt": [{"role": "user", "content": DAPO_WORDS.format(Q)}],
                "data_source": "math_dapo",
                "reward_model": {"ground_truth": "7", "style": "rule-lighteval/MATH_v2"},
                "extra_info": {"index": "a-1"},
            },
            {"id": "a-1"},
        ),
        (
            {
                "data_source": "math_dapo",
                "prompt": [{"role": "user", "content": DAPO_WORDS.format(Q)}],
                "ability": "MATH",
                "reward_model": {"ground_truth": "7", "style": "rule-lighteval/MATH_v2"},
                "extra_info": {"index": "a-1"},
            },
            {"id": "a-1"},
        ),
    ],
    "bigmath": [
        (
            {
                "problem": Q,
                "answer": "7",
                "source": "orca_math",
                "domain": ["Mathematics -> Algebra", "Other"],
                "llama8b_solve_rate": 0.25,
            },
            {"subject": "Mathematics -> Algebra", "difficulty": 0.75},
        ),
        ({"problem": Q, "answer": "7", "domain": [], "llama8b_solve_rate": None}, {}),
    ],
    "deepscaler": [
        ({"problem": Q, "answer": "7", "solution": BOX}, {"solution": BOX}),
        ({"problem": Q, "answer": "7", "solution": ""}, {"solution": None}),
    ],
    "polaris": [({"problem": Q, "answer": "7", "difficulty": "3/8"}, {"difficulty": 0.375})],
}
CASES = [(name, i) for name, rows in ROWS.items() for i in range(len(rows))]


def assert_expected(problem: Problem, fields: dict[str, Any]) -> None:
    """Question and gold are as asked, further fields as listed, and the gold accepts itself."""
    assert (problem.question, problem.answers) == (Q, ("7",))
    assert {name: getattr(problem, name) for name in fields} == fields
    statement = problem.solution if "\\boxed" in (problem.solution or "") else r"\boxed{7}"
    assert MathVerifier().verify(str(statement), problem.answers).correct is True


@pytest.mark.parametrize(("name", "number"), CASES)
def test_rows_in_published_columns(tmp_path: Path, name: str, number: int) -> None:
    """The ready map reads each known form of its data set's rows, from jsonl."""
    row, fields = ROWS[name][number]
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    report = load_problems(tmp_path / "rows.jsonl", field_map=name, strict=True)
    assert_expected(report.problems[0], fields)


@pytest.mark.parametrize("name", ROWS)
def test_a_copy_of_the_hub_folder_streams(tmp_path: Path, name: str) -> None:
    """The same row out of parquet files that are laid out as on the hub, opened by `datasets`."""
    row, fields = ROWS[name][0]
    known = DATASETS[name]
    split = known.split("train")
    folder = tmp_path / "copy" / "data"
    folder.mkdir(parents=True)
    datasets.Dataset.from_list([row]).to_parquet(folder / f"{split}-00000-of-00001.parquet")
    stream = RowStream(folder.parent, field_map=name, split=split, strict=True)
    [problem] = stream
    assert_expected(problem, fields)
    assert problem.split == split


def test_every_known_data_set_has_a_map_that_exists_and_was_tried() -> None:
    """Each name in the table of data sets is read by a map that a row above exercises."""
    maps = {DATASETS[name].field_map for name in DATASETS}
    assert maps <= set(FIELD_MAPS)
    assert maps <= {*ROWS, "plain"}
    assert set(ROWS) <= set(FIELD_MAPS)
    assert find_known("nvidia/OpenMathInstruct-2") is DATASETS["openmathinstruct2"]


def test_data_sets_that_number_their_rows_alike_share_no_id(tmp_path: Path) -> None:
    """AIME and AMC rows with the ids 0 and 1 are six problems, here and read back from our file."""
    problems: list[Problem] = []
    for name in ("aime24", "aime25", "amc23"):
        rows = [{"id": i, "problem": f"{name}, {i}?", "answer": str(i)} for i in range(2)]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        problems += load_problems(path, field_map=name, strict=True).problems
    assert list(by_id(problems)) == [
        f"{name}-{i}" for name in ("aime24", "aime25", "amc23") for i in range(2)
    ]
    path = tmp_path / "ours.jsonl"
    path.write_text("".join(problem.to_json() + "\n" for problem in problems))
    assert list(load_problems(path, strict=True).problems) == problems


def test_numina_rows_without_a_checkable_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    """Proofs and missing answers are no problems: counted, not reported as bad."""
    row = ROWS["numinamath15"][0][0]
    rows = [row, *({**row, "problem": f"{a}?", "answer": a} for a in ("proof", "notfound"))]
    (tmp_path / "n.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    report = load_problems(tmp_path / "n.jsonl", field_map="numinamath15")
    assert (len(report.problems), report.num_skipped, report.bad_rows) == (1, 2, ())


def test_dapo_words_are_taken_off_and_other_words_are_not(tmp_path: Path) -> None:
    """A question that merely begins alike stays whole."""
    row = ROWS["dapo"][1][0]
    other = "Solve the following math problem step by step. What is 3 + 4?"
    rows = [{**row, "prompt": [{"role": "user", "content": other}]}]
    (tmp_path / "d.jsonl").write_text(json.dumps(rows[0]))
    [problem] = load_problems(tmp_path / "d.jsonl", field_map="dapo").problems
    assert problem.question == other


def test_unparsable_golds_are_bad_rows_when_checked(tmp_path: Path) -> None:
    """A verifier's own gold check, passed to the load, names the rows whose gold cannot be used."""
    from hdpo_env.verifiers import check_gold

    verifier = MathVerifier()
    lines = [
        {"problem": "a?", "answer": "7"},
        {"problem": "b?", "answer": "$$"},
        {"problem": "c?", "answer": r"\frac{1}{"},
    ]
    (tmp_path / "g.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines))
    report = load_problems(
        tmp_path / "g.jsonl",
        field_map="polaris",
        check=lambda problem: check_gold(verifier, problem.answers),
    )
    assert [p.question for p in report.problems] == ["a?"]
    assert [(b.line, b.field) for b in report.bad_rows] == [(2, "answer"), (3, "answer")]
    assert report.bad_rows[0].fault == "the gold answer cannot be used: it is punctuation only"
    assert not any(gold in str(report) for gold in ("$$", r"\frac"))


def test_streams_read_no_further_than_they_are_asked(tmp_path: Path) -> None:
    """The first problems come out although a strict stream would stop at a later line."""
    good = {"question": "a?", "answer": "1"}
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(good) + "\nbroken\n")
    stream = RowStream(path, strict=True)
    assert next(iter(stream)).question == "a?"
    lenient = RowStream(path)
    assert [p.question for p in lenient] == [p.question for p in lenient] == ["a?"]
    assert len(lenient.bad_rows) == 1  # of the second pass alone
