"""Which answer of a completion counts, and what is said when none does."""

from __future__ import annotations

import pytest

from hdpo_env.types import Outcome
from hdpo_env.verifiers import MathVerifier
from hdpo_env.verifiers.extract.boxes import last_boxes

LENIENT, BOXED = MathVerifier(), MathVerifier(policy="boxed_only")

# completion, gold, finish_reason, outcome if lenient, outcome if boxed_only
CASES = [
    (r"\boxed{7}. Wait, actually it is \boxed{5}", "5", None, "CORRECT", "CORRECT"),
    (r"\boxed{7}. Wait, actually it is \boxed{5}", "7", None, "WRONG", "WRONG"),
    (r"\boxed{4} or \boxed{5}", "5", None, "AMBIGUOUS", "AMBIGUOUS"),
    (r"\boxed{4} or \boxed{5}", "4, 5", None, "CORRECT", "CORRECT"),
    (r"\boxed{1} \boxed{2} \boxed{3} \boxed{4}", "4", None, "AMBIGUOUS", "AMBIGUOUS"),
    (r"The answer is \boxed{5}. The answer is \boxed{6}.", "6", None, "AMBIGUOUS", "AMBIGUOUS"),
    (r"\boxed{5}. So the answer is \boxed{5}.", "5", None, "CORRECT", "CORRECT"),
    (r"$x=\boxed{1}$ and $y=\boxed{2}$", "(1,2)", None, "CORRECT", "CORRECT"),
    (r"<think>\boxed{9}</think> The answer is \boxed{5}", "5", None, "CORRECT", "CORRECT"),
    (r"<think>\boxed{5}</think> The answer is 9", "9", None, "CORRECT", "NO_ANSWER"),
    (r"<think>\boxed{5}</think> The answer is 9", "5", None, "WRONG", "NO_ANSWER"),
    (r"<think>\boxed{5}</think>", "5", None, "NO_ANSWER", "NO_ANSWER"),
    (r"<think> so \boxed{5}", "5", None, "CORRECT", "NO_ANSWER"),
    ("<think> It is 5.", "5", None, "NO_ANSWER", "NO_ANSWER"),
    ("We add 3.\nThere were **14** guests, as $14+77=91$.", "14", None, "CORRECT", "NO_ANSWER"),
    ("We add 3.\nThere were **14** guests, as $14+77=91$.", "91", None, "WRONG", "NO_ANSWER"),
    ("Less 20 that is $36-20=16$; 4 more leave **12** eggs.", "16", None, "WRONG", "NO_ANSWER"),
    ("Two days after Sunday is **Tuesday**.", "Tuesday", None, "CORRECT", "NO_ANSWER"),
    ("That is the **first** day of four.", "first", None, "NO_ANSWER", "NO_ANSWER"),
    ("**Step 2:** 3 is the number of sides.", "2", None, "NO_ANSWER", "NO_ANSWER"),
    ("Perhaps **14** guests.", "14", None, "WRONG", "NO_ANSWER"),
    ("So 5.\nThe smallest such is **23**. $\\blacksquare$", "23", None, "CORRECT", "NO_ANSWER"),
    ("We add 3 and 20.\nThe smallest such number is 23.", "23", None, "CORRECT", "NO_ANSWER"),
    ("We add 3 and 20.\nThe numbers are 20 and 23.", "23", None, "WRONG", "NO_ANSWER"),
    ("We add 3 and 20.\nLet us assume it is 23.", "23", None, "NO_ANSWER", "NO_ANSWER"),
    ("We add 3 and 20.\nIs it 23?", "23", None, "NO_ANSWER", "NO_ANSWER"),
    ("A.\nSo 2 + 1 = 3 bolts are needed.", "3", None, "CORRECT", "NO_ANSWER"),
    ("A.\nPay for the week = $400 + $60 = $460", "460", None, "CORRECT", "NO_ANSWER"),
    ("A.\nPaying with $40, Nina gets $11 back.", "11", None, "CORRECT", "NO_ANSWER"),
    ("A.\nThe odds are 3/9, which reduces to 1/3.", "1/3", None, "CORRECT", "NO_ANSWER"),
    ("A.\nThus the odds are 0.3, i.e. 30 %.", "0.3", None, "CORRECT", "NO_ANSWER"),
    ("A.\nHence the minimum is $9$, attained at $a=1$.", "9", None, "CORRECT", "NO_ANSWER"),
    ("A.\nHence the minimum is $9$, attained at $a=1$.", "1", None, "WRONG", "NO_ANSWER"),
    ("A.\nThe prime divisors are 2, 3 and 5.", "2,3,5", None, "CORRECT", "NO_ANSWER"),
    ("A.\nThe prime divisors are 2, 3 and 5.", "5", None, "WRONG", "NO_ANSWER"),
    ("A.\nThe film ends at 3:45 PM.", "3:45 PM", None, "CORRECT", "NO_ANSWER"),
    ("A.\nSo the triangle is obtuse.", "obtuse", None, "CORRECT", "NO_ANSWER"),
    ("A.\nSo in 100 days it will be Friday.", "Friday", None, "CORRECT", "NO_ANSWER"),
    ("A.\nSo no, he does not have 20 dollars.", "No", None, "CORRECT", "NO_ANSWER"),
    ("A.\nSo D is the right answer.", "D", None, "CORRECT", "NO_ANSWER"),
    ("A.\nThat leaves only A.", "A", None, "CORRECT", "NO_ANSWER"),
    ("A.\nEither option B or option C.", "C", None, "NO_ANSWER", "NO_ANSWER"),
    ("x = 15.\nCheck: 5 * 15 = 75", "15", None, "CORRECT", "NO_ANSWER"),
    ("x = 15.\nCheck: 5 * 15 = 75", "75", None, "WRONG", "NO_ANSWER"),
    ("x = 15.\nCheck: 5 * 15 = 80, wrong. So x = 16.", "16", None, "CORRECT", "NO_ANSWER"),
    ("The answer is 8.\n\nQ: What is 2 + 2?\nA: 4", "4", None, "WRONG", "NO_ANSWER"),
    ("The answer is 8.\n\nQ: What is 2 + 2?\nA: 4", "8", None, "CORRECT", "NO_ANSWER"),
    ("A.\nTotal: $42\n\nLet me know if you need more help!", "42", None, "CORRECT", "NO_ANSWER"),
    ("A.\nIt costs $36. Would you like the 20 coupons?", "36", None, "CORRECT", "NO_ANSWER"),
    ("Answer: The hat costs **$15** on sale.", "15", None, "CORRECT", "NO_ANSWER"),
    ("A.\nThe answer isn't 12.", "12", None, "NO_ANSWER", "NO_ANSWER"),
    ("\\begin{align*}I &= 2\\cdot 3\\\\\n&= 6.\n\\end{align*}", "6", None, "CORRECT", "NO_ANSWER"),
    ("$4\\cdot7=28$\n\nThe answer is thus $28.$", "28", None, "CORRECT", "NO_ANSWER"),
    ("The solution set is [0, 1] \u222a {3}.", "[0,1]\\cup\\{3\\}", None, "CORRECT", "NO_ANSWER"),
    ("Solution: **x \u2264 3**", "x\\le 3", None, "CORRECT", "NO_ANSWER"),
    ("<think> so we", "5", "length", "TRUNCATED", "TRUNCATED"),
    ("so we compute 3+", "5", "length", "TRUNCATED", "TRUNCATED"),
    (r"so \boxed{5", "5", "length", "TRUNCATED", "TRUNCATED"),
    (r"so \boxed{5", "5", "stop", "NO_ANSWER", "NO_ANSWER"),
    (r"so \boxed{5} and so", "5", "length", "CORRECT", "CORRECT"),
    ("The answer is 5", "5", "length", "TRUNCATED", "TRUNCATED"),
    (r"\boxed{5} The final answer is 9.", "5", None, "AMBIGUOUS", "CORRECT"),
    (r"\boxed{5} The final answer is 5.", "5", None, "CORRECT", "CORRECT"),
    ("<answer>7</answer>", "7", None, "CORRECT", "NO_ANSWER"),
    ("<answer>8</answer> is my answer, not 7", "7", None, "WRONG", "NO_ANSWER"),
    ("<answer>The answer is 7.</answer>", "7", None, "CORRECT", "NO_ANSWER"),
    ('{"steps": "6 times 7", "answer": "42"}', "42", None, "CORRECT", "NO_ANSWER"),
    ('{"answer": "42", "guess": "41"}', "41", None, "WRONG", "NO_ANSWER"),
    ('{"answer": "41", "answer": "42"}', "41", None, "WRONG", "NO_ANSWER"),
    ('{"answer": ["41", "42"]}', "42", None, "WRONG", "NO_ANSWER"),
    ('So.\n```json\n{"answer": 4.50}\n```', "9/2", None, "CORRECT", "NO_ANSWER"),
    ('{"answer": "42"} but \\boxed{41}', "42", None, "WRONG", "WRONG"),
    ("The result is\n\n**73**", "73", None, "CORRECT", "NO_ANSWER"),
    ("The result is\n\n**not 73 but more than it**", "73", None, "NO_ANSWER", "NO_ANSWER"),
    ("She has 3+4=7.\n#### 7", "7", None, "CORRECT", "NO_ANSWER"),
    ("A: 18", "18", None, "CORRECT", "NO_ANSWER"),
    ("The final answer is $28\\%$. I hope it is correct.", "28\\%", None, "CORRECT", "NO_ANSWER"),
    ("**Answer:** 5", "5", None, "CORRECT", "NO_ANSWER"),
    ("**Final Answer**\n\\[ 5 \\]", "5", None, "CORRECT", "NO_ANSWER"),
    ("The answer is (B).", "B", None, "CORRECT", "NO_ANSWER"),
    ("The correct option is B", "B", None, "CORRECT", "NO_ANSWER"),
    ("Therefore, x = 5.", "5", None, "CORRECT", "NO_ANSWER"),
    ("Thus the total is 3 + 4 = 7 dollars.", "7", None, "CORRECT", "NO_ANSWER"),
    ("So she has 18 apples left.", "18", None, "CORRECT", "NO_ANSWER"),
    ("So the answer is $x=3$ or $x=5$.", "3,5", None, "CORRECT", "NO_ANSWER"),
    ("Therefore $x \\geq 5$ is the solution.", "x \\ge 5", None, "CORRECT", "NO_ANSWER"),
    ("I cannot solve this. 42", "42", None, "NO_ANSWER", "NO_ANSWER"),
    ("I am sorry, I do not know question 42.", "42", None, "NO_ANSWER", "NO_ANSWER"),
    ("42", "42", None, "CORRECT", "NO_ANSWER"),
    ("$\\frac{1}{2}$", "0.5", None, "CORRECT", "NO_ANSWER"),
    ("", "42", None, "NO_ANSWER", "NO_ANSWER"),
    (r"\boxed{}", "42", None, "NO_ANSWER", "NO_ANSWER"),
    (r"\boxed{ }", "42", None, "NO_ANSWER", "NO_ANSWER"),
    (r"\fbox{42}", "42", None, "CORRECT", "CORRECT"),
    (r"\boxed 5", "5", None, "CORRECT", "CORRECT"),
    (r"\boxed{\boxed{5}}", "5", None, "CORRECT", "CORRECT"),
    ("\\[\\boxed{\n\\begin{pmatrix}0\\\\3\\end{pmatrix}}\\]", "(0,3)", None, "CORRECT", "CORRECT"),
    ("Step 1: \\boxed{3}. " + "word " * 60 + "Step 2: \\boxed{7}", "7", None, "CORRECT", "CORRECT"),
    ("final answer: $\\boxed{5}$ units", "5", None, "CORRECT", "CORRECT"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "gold", "finish", "lenient", "boxed"), CASES)
def test_the_stated_rule_decides(
    text: str, gold: str, finish: str | None, lenient: str, boxed: str
) -> None:
    """Each clause of the rule in `extract.final` on a case worked by hand, for both policies."""
    got = [v.verify(text, gold, finish_reason=finish).outcome.name for v in (LENIENT, BOXED)]
    assert got == [lenient, boxed]


@pytest.mark.parametrize(
    "gold",
    [
        "",
        "  ",
        "$$",
        "\\boxed{}",
        "\\frac{",
        "((",
        ["", " "],
        ["3", "4"],
        ["yes", "no"],
        ["A", "B"],
    ],
)
def test_a_bad_gold_is_an_abstention_with_a_reason(gold: str | list[str]) -> None:
    """Blank, broken or contradictory golds are BAD_GOLD, even for an answer that looks the same."""
    for completion in (r"\boxed{42}", r"\boxed{}", ""):
        verdict = LENIENT.verify(completion, gold)
        assert verdict.outcome is Outcome.BAD_GOLD
        assert verdict.reason


def test_several_golds_are_forms_of_one_answer() -> None:
    """Any of several forms is accepted, and forms that agree do not contradict each other."""
    for gold in (["42.0", "42"], ["forty-two", "42"], ["\\frac12", "0.5", "50\\%"]):
        assert LENIENT.verify(f"\\boxed{{{gold[-1]}}}", gold).correct is True
    assert LENIENT.verify("\\boxed{43}", ["42", "42.0"]).outcome is Outcome.WRONG


def test_gold_in_any_form_is_the_same_gold() -> None:
    """Bare, in dollars, boxed, after ####, as a solution that ends in a box."""
    forms = ["7", "$7$", "\\boxed{7}", "3+4=7\n#### 7", "We add: $3+4=\\boxed{7}$.", "\\(7\\)"]
    assert all(LENIENT.verify("\\boxed{7}", form).correct for form in forms)
    assert not any(LENIENT.verify("\\boxed{8}", form).correct for form in forms)


HOSTILE = {
    "digits": "1" * 1_000_000,
    "open braces": "{" * 1_000_000,
    "nested boxes": "\\boxed{" * 140_000,
    "closed boxes": "\\boxed{1}" * 110_000,
    "parentheses": "(" * 1_000_000,
    "inline math": "\\(" * 500_000,
    "dollars": "$" * 1_000_000,
    "prose": "the answer is what we want. " * 35_000,
    "lines": "\n" * 1_000_000,
    "spaces in a box": "\\boxed{" + " " * 1_000_000 + "5}",
    "answers": "answer: " * 125_000,
    "blanks": " " * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_junk_states_no_right_answer(name: str) -> None:
    """Every blow-up of the text itself gets a verdict, and never CORRECT (times: benchmarks)."""
    for verifier in (LENIENT, BOXED):
        verdict = verifier.verify(HOSTILE[name], "5")
        assert verdict.correct is False
        assert verdict.stage != "fault"


def test_a_box_after_a_megabyte_is_found() -> None:
    """Length before the box changes nothing."""
    for text in HOSTILE.values():
        found = last_boxes(text + " so \\boxed{5} done")
        assert found[-1].content == "5"


def test_boxes_are_matched_by_braces_not_by_hope() -> None:
    """Escaped braces do not count, nested ones do; worked by hand."""
    assert last_boxes(r"\boxed{\{1,2\}}")[-1].content == r"\{1,2\}"
    assert last_boxes(r"\boxed{\frac{1}{2}} }")[-1].content == r"\frac{1}{2}"
    assert last_boxes(r"\boxed{a{b}")[-1].content is None
    assert last_boxes("no box") == []
