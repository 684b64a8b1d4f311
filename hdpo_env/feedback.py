"""What a model may be told about a failed attempt: that it failed and in which way, never how."""

from __future__ import annotations

from typing import Final

from hdpo_env.types import Outcome

# Shown to the student after an attempt, so nothing here may depend on the gold answer.
_CORRECT = {Outcome.CORRECT: "That is correct."}
_FAILED = {
    Outcome.WRONG: ("That is not correct.", "Try again."),
    Outcome.NO_ANSWER: ("No final answer was found.", "State it, and try again."),
    Outcome.AMBIGUOUS: (
        "Different final answers were found.",
        "State only your last, and try again.",
    ),
    Outcome.TRUNCATED: ("The answer was cut off.", "Be briefer, and try again."),
}
FEEDBACK: Final = _CORRECT | {o: f"{said} {advice}" for o, (said, advice) in _FAILED.items()}
# After the last attempt: asking for another would be answered by nobody.
LAST_FEEDBACK: Final = _CORRECT | {
    o: f"{said} The attempts are used up." for o, (said, _) in _FAILED.items()
}
ABSTAINED: Final = "The answer could not be judged."
