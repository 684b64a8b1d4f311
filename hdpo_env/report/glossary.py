"""The words of the report, for a reader who has not read the papers."""

from __future__ import annotations

WORDS: tuple[tuple[str, str], ...] = (
    ("problem", "A question with its gold answer and, often, a worked solution."),
    ("completion", "The text a model produces for a prompt."),
    ("rollout", "A completion together with its log-probabilities, verdict and reward."),
    ("group", "The G rollouts of one prompt, compared with one another."),
    (
        "verdict",
        "What the verifier found: correct, wrong, or an abstention. A fault of the verifier is "
        "never a wrong answer.",
    ),
    (
        "cliff",
        "A group in which every rollout failed. All rewards are equal, so a group-relative method "
        "such as GRPO learns nothing from it.",
    ),
    (
        "escape, relapse",
        "A cliff escapes at the first later group of its problem with a success; a cliff after an "
        "escape is a relapse.",
    ),
    (
        "pass rate",
        "The chance that one completion of a problem is correct. Counts only bound it: eight "
        "failures may hide a fair chance, which is why the page gives intervals.",
    ),
    ("mixed", "A group with successes and failures: the only kind that GRPO learns from."),
    ("saturated", "A group in which every rollout succeeded."),
    ("undecided", "A group whose kind depends on verdicts that the verifier did not give."),
    ("pass@k", "The chance that at least one of k completions is correct."),
    ("greedy", "Accuracy when the most probable token is taken at every step."),
    (
        "privileged context",
        "What only the teacher is shown, such as the worked solution; a view says which pieces.",
    ),
    (
        "teacher, student",
        "The same weights with and without privileged context. A drifting teacher is the current "
        "policy, a frozen teacher the initial one, an EMA teacher a moving average.",
    ),
    (
        "distillation weight",
        "HDPO's λ or SDPG's β: how strongly the student is pulled towards its teacher.",
    ),
    (
        "JSD",
        "Jensen-Shannon divergence, at most ln 2 per token. Where the student gives the teacher's "
        "tokens no mass it sits at that ceiling and its gradient vanishes: saturated mass.",
    ),
    ("KL", "Kullback-Leibler divergence; from teacher to student it has no ceiling."),
    ("slice", "A set of evaluation problems of one kind: easy, cliff, control, faint."),
    ("control", "A slice that is never distilled. It shows that gains come from distillation."),
    ("faint", "A slice on which the student gives the right tokens next to no probability."),
    ("variant, seed", "One setting of an algorithm; one independent repetition of it."),
)
