"""The rollout files of other systems, told apart by their fields.

A dialect turns one row of a file into rows with our own field names: ``problem_id``, ``step``, and
a ``verdict``, a ``reward``, or a ``completion`` with its ``gold``. ``shaped`` is what that system
trained on, where it differs: within a group in which all failed it should not vary. What a row says
in our own words, the id of its problem and its verdict, stands whatever system wrote the rest.

Written after what these libraries' own code writes: OpenRLHF 0.8 (batch inference), TRL 1.16
(``log_completions``), verl 0.9 (``rollout_data_dir``, ``validation_data_dir``) and
lm-evaluation-harness 0.4 (``--log_samples``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from hdpo_env.types import content_hash

Row = dict[str, Any]
MOST = (1 << 40) - 1  # rollouts of one kind that a group can hold


class Dialect(NamedTuple):
    """One system's way to write rollouts; a row that has all of ``fields`` is recognised."""

    fields: frozenset[str]
    rows: Callable[[Mapping[str, Any]], Iterator[Row]]
    about: str  # what is read as what


def _openrlhf(row: Mapping[str, Any]) -> Iterator[Row]:
    yield {
        "problem_id": content_hash(str(row["input"])),
        "completion": row["output"],
        "reward": row["reward"],
        **_gold(row, "label"),
        **_own(row),
    }


def _verl(row: Mapping[str, Any]) -> Iterator[Row]:
    yield {
        "problem_id": content_hash(str(row["input"])),
        "step": row["step"],
        "completion": row["output"],
        "reward": _verl_verdict(row),
        "shaped": row["score"],
        **_gold(row, "gts"),
        **_own(row),
    }


def _verl_verdict(row: Mapping[str, Any]) -> Any:
    # ``acc`` is the verdict of the scorer; ``score`` may hold bonuses and penalties as well.
    # Our reward function says apart that it abstained: verl knows numbers only.
    if row.get("abstained"):
        return None
    return row["acc"] if row.get("acc") is not None else row["score"]


_TRL_OTHER = {"step", "prompt", "completion", "advantage", "answer", "solution"}


def _trl(row: Mapping[str, Any]) -> Iterator[Row]:
    prompt, said = row["prompt"], row["completion"]
    # One column a reward function, empty where it abstains.
    rewards = [
        name
        for name, v in row.items()
        if name not in _TRL_OTHER
        and (v is None or isinstance(v, (int, float)))
        and not _is_bookkeeping(name)
    ]
    # Of several, the one that is about being right; ``verdict`` is what ours is called.
    told = [n for n in rewards if any(w in n.lower() for w in ("accura", "correct", "verif"))]
    chosen = ["verdict"] if "verdict" in rewards else rewards if len(rewards) == 1 else told
    yield {
        "problem_id": content_hash(prompt if isinstance(prompt, str) else json.dumps(prompt)),
        "step": row["step"],
        "completion": said if isinstance(said, str) else _last_words(said),
        **({"reward": row[chosen[0]]} if len(chosen) == 1 else {}),
        "shaped": row["advantage"],
        **_gold(row, "answer", "solution"),
        **_own(row),
    }


_BOOKKEEPING = frozenset(
    (
        *("id", "ids", "idx", "index", "uid", "uuid", "num", "number", "count", "counts", "n", "k"),
        *("length", "len", "tokens", "token", "seed", "rank", "epoch", "iteration", "group"),
        *("turn", "turns", "level", "difficulty", "time", "date", "seconds"),
        *("truncated", "clipped", "masked"),
    )
)


def _is_bookkeeping(name: str) -> bool:
    """Whether a column's name says that it numbers, counts or times something.

    >>> [_is_bookkeeping(n) for n in ("problem_id", "numTokens", "reward_len", "accuracy")]
    [True, True, False, False]
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    tells = "reward" in words or "score" in words
    return not tells and not _BOOKKEEPING.isdisjoint(re.split(r"[^a-z0-9]+", words))


def _own(row: Mapping[str, Any]) -> Row:
    # A number called ``verdict`` is a reward function's column, which the dialect has looked at.
    told = row.get("verdict")
    said = isinstance(told, (str, bool))
    return {
        **({"problem_id": row["problem_id"]} if row.get("problem_id") is not None else {}),
        **({"verdict": told} if said else {}),
    }


def _last_words(messages: Any) -> str:
    last = messages[-1] if isinstance(messages, list) and messages else {}
    return str(last.get("content") or "") if isinstance(last, Mapping) else ""


_METRICS = ("exact_match", "math_verify", "acc")


def _lm_eval(row: Mapping[str, Any]) -> Iterator[Row]:
    name = str(row.get("doc_hash") or row["doc_id"])
    said, target = _repeats(row["resps"]), row["target"]
    gold = {"gold": target} if golds_of(target) is not None else {"verdict": "bad_gold"}
    if len(said) > 1:  # one metric for several completions: each is judged on its own
        yield from ({"problem_id": name, "completion": text, **gold} for text in said)
        return
    known = [m for m in (*_METRICS, *(row.get("metrics") or ())) if m in row]
    yield {
        "problem_id": name,
        **({"completion": said[0]} if said else {}),
        **({"reward": row[known[0]], "gold": target} if known else gold),
    }


def _repeats(responses: Any) -> list[str]:
    # One request a document, repeated: [["first", "second"]]. Choices are several requests.
    if isinstance(responses, list) and len(responses) == 1 and isinstance(responses[0], list):
        return [text for text in responses[0] if isinstance(text, str)]
    return []


def _groups(row: Mapping[str, Any]) -> Iterator[Row]:
    key = {"problem_id": row["problem_id"], "step": row["step"]}
    names = {True: "num_correct", False: "num_wrong", None: "num_abstained"}
    counts = {verdict: row[name] for verdict, name in names.items()}
    if any(type(n) is not int or not 0 <= n <= MOST for n in counts.values()):
        raise ValueError("a count is no whole number of 0 or more")
    if not any(counts.values()):
        raise ValueError("no rollout is counted")
    yield from ({**key, "verdict": verdict, "times": n} for verdict, n in counts.items() if n)


def _run(row: Mapping[str, Any]) -> Iterator[Row]:
    outcome = row["outcome"]
    yield {
        "problem_id": row["problem_id"],
        "step": row.get("step"),
        "completion": row["text"],
        "verdict": outcome,
        "privileged": row["role"] != "student",
        **({"finish_reason": "length"} if outcome == "truncated" else {}),
        "extracted": row.get("extracted"),
        **({"shaped": row["reward"]} if "reward" in row else {}),
    }


def golds_of(gold: object) -> tuple[str, ...] | None:
    """The accepted forms of a gold answer; None if it is not one, as null, NaN, true and {}."""
    golds = gold if isinstance(gold, list) else [gold]
    if not golds or not all(isinstance(g, (str, int, float)) and g == g for g in golds):
        return None
    if any(isinstance(g, bool) for g in golds):
        return None
    return tuple(map(str, golds))


def _gold(row: Mapping[str, Any], *names: str) -> Row:
    # Data sets bring their gold answers along under several names, or not at all.
    return next(({"gold": row[name]} for name in names if row.get(name) is not None), {})


DIALECTS = {
    "run": Dialect(
        frozenset({"problem_id", "role", "text", "outcome"}),
        _run,
        "a line is one of the completions that a run keeps, a few of each step (groups.jsonl "
        "counts them all); those that saw privileged context are told apart",
    ),
    "lm-eval": Dialect(
        frozenset({"doc_id", "resps", "filtered_resps", "target"}),
        _lm_eval,
        "a problem is a document, a verdict its metric; repeated completions are judged here",
    ),
    "verl": Dialect(
        frozenset({"input", "output", "score", "step"}),  # gts, the golds, where there are any
        _verl,
        "a problem is an input, a verdict acc or else score",
    ),
    "trl": Dialect(
        frozenset({"step", "prompt", "completion", "advantage"}),
        _trl,
        "a problem is a prompt, a verdict the reward column about correctness",
    ),
    "openrlhf": Dialect(
        frozenset({"input", "output", "reward"}), _openrlhf, "a problem is an input"
    ),
    "groups": Dialect(
        frozenset({"problem_id", "step", "num_correct", "num_wrong", "num_abstained"}),
        _groups,
        "a line is a whole group, as in a run's groups.jsonl",
    ),
}


_LIKELY = {  # our name -> what others call such a field
    "problem_id": ("uid", "id", "question_id", "prompt", "input", "question", "problem"),
    "verdict": ("correct", "is_correct", "passed"),
    "reward": ("reward", "score", "acc"),
    "completion": ("response", "output", "generation"),
    "gold": ("label", "answer", "target", "gts", "solution", "ground_truth"),
}


def likely_options(fields: Collection[str], dialect: str = "own") -> list[str]:
    """Options that would name the fields of a file which could not be used, as far as they show.

    The names are those of the file. What a dialect finds by itself is left out.

    >>> likely_options(["prompt", "response", "reward"])
    ['--problem-id-field prompt']
    >>> likely_options(["step", "prompt", "completion", "format_reward", "advantage"], "trl")
    ['--reward-field format_reward']
    """
    found = {name: _first_like(name, fields) for name in _LIKELY}
    ways = (("verdict",), ("reward",), ("completion", "gold"))
    way = next((way for way in ways if all(found[name] for name in way)), ())
    fits = dialect in DIALECTS and DIALECTS[dialect].fields <= set(fields)
    return [
        *(["--dialect own"] if dialect in DIALECTS and not fits else []),
        *(
            f"--{name.replace('_', '-')}-field {found[name]}"
            for name in (way if fits else ("problem_id", *way))
            if found[name] not in (None, name)
        ),
    ]


def _first_like(name: str, fields: Collection[str]) -> str | None:
    like = [known for known in (name, *_LIKELY[name]) if known in fields]
    if name == "reward":
        like += [field for field in fields if "reward" in field or "score" in field]
    return next(iter(like), None)


def recognise(row: Mapping[str, Any]) -> str:
    """The name of the dialect that a row is written in; "own" if it is none of them.

    >>> recognise({"input": "1+1?", "output": "2", "reward": 1.0, "extra": None})
    'openrlhf'
    >>> recognise({"problem_id": 1, "input": "1+1?", "output": "2", "reward": 1.0})
    'own'
    """
    fields = row.keys()
    if DIALECTS["run"].fields <= fields:
        return "run"
    if "problem_id" in fields and not fields.isdisjoint(("verdict", "reward")):
        return "own"
    return next((name for name, d in DIALECTS.items() if d.fields <= fields), "own")
