r"""A text without its final answer, in any spelling that the verifier would accept.

The verifier itself is the judge: every stretch of the text that it would accept as the answer is
withheld, the shortest such stretches first. That also takes a number that happens to equal the
answer, and an unfinished computation of it (``12*6`` for 72): better too little than the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from hdpo_env.errors import ViewError
from hdpo_env.types import Problem
from hdpo_env.verifiers.compare.regions import EVERYTHING
from hdpo_env.verifiers.compare.wording import SYNONYMS
from hdpo_env.verifiers.forms import stated
from hdpo_env.verifiers.parse.lexer import tokenize
from hdpo_env.verifiers.parse.words import NUMBER_WORDS, SCALES
from hdpo_env.verifiers.protocol import VERIFIERS, check_gold

MASK = "[withheld]"
_MAX_TOKENS = 40  # longest stretch that is looked at; twice the gold's length if that is more

# A number, a LaTeX command, a word, or one other character.
_TOKEN = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+|\\[A-Za-z]+|\\.|[^\W\d_]+|\S")
_OPEN, _CLOSE = {"(", "[", "{", r"\{", r"\(", r"\["}, {")", "]", "}", r"\}", r"\)", r"\]"}
_NEVER_FIRST = _CLOSE | set("=*/^_,;:.!?<>&|'%") | {r"\\", r"\cdot", r"\times", r"\div", r"\right"}
_NEVER_LAST = (
    _OPEN | set("=*/^_,;:.?<>&+-$") | {r"\\", r"\cdot", r"\times", r"\div", r"\left", r"\end"}
)
_PHRASES = sorted(EVERYTHING.union(*SYNONYMS))  # answers in words that are not the gold's own
_PROSE = {"word", "and", "or", "clause"}  # tokens that are no mathematics
_LONGEST_NAME = 12  # the longest name of mathematics is shorter than this
# No answer goes past the end of a sentence or a line, but for displayed formulas of several lines.
_BREAK = re.compile(r"[.?!;:]\s|\n")
_DISPLAY = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}|\\\[.*?\\\]|\$\$.*?\$\$", re.DOTALL)


def mask_answer(problem: Problem, text: str) -> str:
    r"""The text with each statement of the problem's gold answer replaced by ``[withheld]``.

    Raises:
        ViewError: the verifier cannot use the gold answer, so it would find it nowhere; or nothing
            but the answer is in the text.

    >>> problem = Problem("How many eggs are 6 dozen?", ("72",))
    >>> mask_answer(problem, r"A dozen is 12, so 6*12 = 72 eggs: \boxed{72}.")
    'A dozen is 12, so [withheld] = [withheld] eggs: \\boxed{[withheld]}.'
    """
    masked = _masked(problem.verifier, problem.answers, problem.id, text)
    if not re.search(r"[^\W_]", masked.replace(MASK, "").replace(r"\boxed", "")):
        raise ViewError(
            f"the solution of problem {problem.id} is nothing but its answer: nothing is left "
            "when that is withheld; use view='hints' or view='none'"
        )
    return masked


def states_answer(problem: Problem, text: str) -> bool:
    """Whether any stretch of a text would be accepted as the problem's answer.

    >>> states_answer(Problem("6*7?", ("42",)), "41 or 84/2")
    True
    """
    return _masked(problem.verifier, problem.answers, problem.id, text) != text


@lru_cache(maxsize=4096)
def _masked(verifier: str, golds: tuple[str, ...], problem_id: str, text: str) -> str:
    judge = VERIFIERS[verifier]()
    if check_gold(judge, golds):
        raise ViewError(
            f"the answer of problem {problem_id} cannot be withheld from its solution, because "
            "the verifier cannot use it: mend the gold answer (hdpo audit says what is wrong)"
        )

    def states_it(stretch: str) -> bool:
        return judge.verify(stated(verifier, stretch), golds).correct is True

    spoken = {w.lower() for gold in golds for w in _TOKEN.findall(gold)}
    spoken |= {_TOKEN.findall(phrase)[0] for phrase in _PHRASES if states_it(phrase)}
    pieces, at = [], 0
    for start, stop in sorted(_statements(text, golds, spoken, states_it)):
        pieces += [text[at:start], MASK]
        at = stop
    return "".join([*pieces, text[at:]])


def _statements(
    text: str, golds: Sequence[str], spoken: set[str], states_it: Callable[[str], bool]
) -> Iterator[tuple[int, int]]:
    """Where the answer stands: disjoint stretches of characters, shortest first."""
    tokens = [(m.start(), m.end()) for m in _TOKEN.finditer(text)]
    words = [text[a:b] for a, b in tokens]
    longest = max(_MAX_TOKENS, *(2 * len(_TOKEN.findall(gold)) for gold in golds))
    ends = _stretch_ends(text, tokens, words, longest, spoken)
    is_taken = [False] * len(tokens)
    for length in range(1, longest + 1):
        for first, lengths in enumerate(ends):
            last = first + length
            if length in lengths and not any(is_taken[first:last]):
                start, stop = tokens[first][0], tokens[last - 1][1]
                if states_it(text[start:stop]):
                    is_taken[first:last] = [True] * length
                    yield start, stop


def _stretch_ends(
    text: str, tokens: list[tuple[int, int]], words: list[str], longest: int, spoken: set[str]
) -> list[set[int]]:
    """For each first token, the lengths at which a stretch could be an answer by its form."""
    displays = [m.span() for m in _DISPLAY.finditer(text)]
    breaks = [
        at
        for at in (m.start() for m in _BREAK.finditer(text))
        if not any(start <= at < stop for start, stop in displays)
    ]
    breaks.append(len(text) + 1)
    meant = [_is_meant(word, spoken) for word in words]
    ends = []
    for first, (start, _) in enumerate(tokens):
        stop = next(b for b in breaks if b > start)
        within = [w for w, (a, _) in zip(words[first:], tokens[first:], strict=True) if a < stop]
        ends.append(_whole_lengths(within[:longest]) if meant[first] else set())
    return ends


def _whole_lengths(words: Sequence[str]) -> set[int]:
    """Lengths of the beginnings of ``words`` that leave no bracket or operator open."""
    lengths: set[int] = set()
    if not words or words[0] in _NEVER_FIRST:
        return lengths
    depth = environments = 0
    for length, word in enumerate(words, start=1):
        depth += (word in _OPEN) - (word in _CLOSE)
        environments += (word == r"\begin") - (word == r"\end")
        if depth < 0 or environments < 0:
            break
        if not (depth or environments) and word not in _NEVER_LAST:
            lengths.add(length)
    return lengths


def _is_meant(word: str, spoken: set[str]) -> bool:
    """Whether an answer can begin with this: anything but a word of plain prose."""
    if not word.isalpha() or len(word) == 1:
        return True
    low = word.lower()
    if low in spoken or low in NUMBER_WORDS or low in SCALES or not low.isascii():
        return True
    # pi, sqrt, infinity, sinx, ab: what the verifier's parser reads as mathematics
    return len(word) < _LONGEST_NAME and tokenize(word)[0].kind not in _PROSE
