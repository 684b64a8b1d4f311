"""What a model may be told about a failed attempt: that it failed and in which way, never how."""

from __future__ import annotations

from typing import Final

from hdpo_env.types import Outcome

# Shown to the student between two attempts, so nothing here may depend on the gold answer.
FEEDBACK: Final = {
    Outcome.CORRECT: "That is correct.",
    Outcome.WRONG: "That is not correct. Try again.",
    Outcome.NO_ANSWER: "No final answer was found. State it, and try again.",
    Outcome.AMBIGUOUS: "Different final answers were found. State only your last, and try again.",
    Outcome.TRUNCATED: "The answer was cut off. Be briefer, and try again.",
}
ABSTAINED: Final = "The answer could not be judged."
