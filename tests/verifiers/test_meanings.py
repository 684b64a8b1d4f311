"""Families, functions by cases, dotted sums, systems, dates and times: pairs worked by hand."""

from __future__ import annotations

import pytest

from hdpo_env.verifiers import MathVerifier

_K, _M = r", k \in \mathbb{Z}", r", m \in \mathbb{Z}"
_MODULUS = r"\begin{cases} %s & \text{if } %s \\ %s & \text{if } %s \end{cases}"


def _cases(*parts: str) -> str:
    return _MODULUS % parts


# gold, answers that mean it, neighbours that do not
_TABLE: dict[str, list[tuple[str, list[str], list[str]]]] = {
    "determinants": [
        (
            r"\begin{vmatrix} 1 & 2 & 3 \\ 0 & 1 & 4 \\ 5 & 6 & 0 \end{vmatrix}",
            ["1", r"\begin{vmatrix} 2 & 1 \\ 1 & 1 \end{vmatrix}"],
            ["-1", "49", r"\begin{pmatrix} 1 & 2 & 3 \\ 0 & 1 & 4 \\ 5 & 6 & 0 \end{pmatrix}"],
        ),
        (
            r"\begin{vmatrix} \cos t & -\sin t \\ \sin t & \cos t \end{vmatrix}",
            ["1"],
            [r"\cos 2t", "0"],
        ),
        (r"\begin{vmatrix} a & b \\ c & d \end{vmatrix}", ["ad-bc"], ["ad+bc", "bc-ad"]),
        (
            r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}^T",
            [r"\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}"],
            [r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "-2"],
        ),
    ],
    "families": [
        (
            "2k+1" + _K,
            ["2m-1" + _M, r"\{2m+7 : m \in \mathbb{Z}\}", "1-2m" + _M],
            ["2m" + _M, "4m+1" + _M, "2m-1", r"2m+3, m \in \mathbb{N}", "k+1" + _K],
        ),
        (
            r"x \equiv 3 \pmod 7",
            ["x = 7k+3" + _K, "7k-4" + _K, r"x = 7k+3 \text{ for some integer } k"],
            ["x = 7k+4" + _K, "x = 14k+3" + _K, "x = 7k+3", r"x=7k+3, k \in \mathbb{N}"],
        ),
        (
            r"\frac{\pi}{4}+k\pi" + _K,
            [r"-\frac{3\pi}{4}+m\pi" + _M, r"\frac{5\pi}{4}-m\pi", r"\frac{\pi}{4}+k\pi"],
            [r"\frac{3\pi}{4}+m\pi" + _M, r"\frac{\pi}{4}+2m\pi" + _M, r"\frac{\pi}{4}+m"],
        ),
        (
            r"x=\frac{\pi}{2}+k\pi" + _K,
            [r"x=\frac{\pi}{2}+2k\pi, x=\frac{3\pi}{2}+2k\pi" + _K],
            [r"x=\frac{\pi}{2}+2k\pi, x=\frac{5\pi}{2}+2k\pi" + _K, r"y=-\frac{\pi}{2}+k\pi" + _K],
        ),
        (
            r"x=\pm\frac{\pi}{3}+2k\pi" + _K,
            [r"x=\frac{\pi}{3}+2k\pi, x=\frac{5\pi}{3}+2k\pi" + _K],
            [r"x=\frac{\pi}{3}+2k\pi" + _K, r"x=\pm\frac{2\pi}{3}+2k\pi" + _K],
        ),
        (
            r"x\equiv 1,5\pmod 6",
            [r"x\equiv 5,1\pmod 6", r"x\equiv\pm1\pmod 6", r"6k\pm1, k\in\mathbb{Z}"],
            [r"x\equiv 1,4\pmod 6", r"x\equiv 1,5\pmod{12}", r"x\equiv 1\pmod 6"],
        ),
        (
            r"\text{all odd integers}",
            ["2k+1" + _K, r"\{2m-1 : m\in\mathbb{Z}\}", r"n \equiv 1 \pmod 2"],
            ["2k" + _K, "4k+1" + _K, "1", r"\text{all even integers}", r"2k+1, k \in \mathbb{N}"],
        ),
        ("2k+1", [], ["2m-1", "2k-1", "2m-1" + _M]),  # a formula of the question's k
        (r"\frac{\pi}{4}+k\pi", [], [r"-\frac{3\pi}{4}+m\pi"]),  # neither says that k is whole
    ],
    "cases": [
        (
            "|x|",
            [
                _cases("x", r"x\geq 0", "-x", "x<0"),
                _cases("x", "x>0", "-x", r"x\le 0"),
                r"\begin{cases} -x & x < 0 \\ x & \text{otherwise}\end{cases}",
                r"x \text{ if } x\ge 0, -x \text{ if } x<0",
            ],
            [
                _cases("-x", r"x\geq 0", "x", "x<0"),
                _cases("x", r"x\geq 1", "-x", "x<1"),
                _cases("x", "x>0", "-x", "x<0"),  # nothing is said at 0
                _cases("x", r"x\geq 0", "x", "x<0"),
                _cases("x", r"x\geq 0", "-x", "x<1"),  # two things are said on [0, 1)
                r"x \text{ if } x\ge 0, x \text{ if } x<0",
            ],
        ),
        (
            "f(x)=|x-2|",
            ["f(x)=" + _cases("x-2", r"x\geq 2", "2-x", "x<2")],
            ["f(x)=" + _cases("x-2", r"x\geq 0", "2-x", "x<0")],
        ),
        (
            _cases("2x", r"x\geq 0", "0", "x<0"),
            ["x+|x|"],
            ["x-|x|", "2|x|", "2x"],
        ),
        (
            _cases("x", r"x\geq 0", "5", "x<0"),
            [_cases("5", "x<0", "x", r"0 \le x")],
            [_cases("x", "x>0", "5", r"x\le 0")],  # differs at 0 alone
        ),
    ],
    "dots": [
        (
            r"\frac{n(n+1)}{2}",
            [r"1+2+\dots+n", r"n+(n-1)+\cdots+1", r"1+2+\cdots+(n-1)+n"],
            [r"1+2+\dots+(n-1)", r"1+3+\dots+n", r"2+3+\dots+n", r"1+2+\dots+n^2"],
        ),
        ("n^2", [r"1+3+5+\cdots+(2n-1)"], [r"1+3+5+\cdots+(2n+1)", r"1+2+\cdots+(2n-1)"]),
        (
            r"\frac{n(n+1)(2n+1)}{6}",
            [r"1^2+2^2+\cdots+n^2"],
            [r"1^3+2^3+\cdots+n^3", r"1^2+3^2+\cdots+n^2"],
        ),
        (r"2^{n-1}(2^n+1)", [], [r"1+2+\cdots+2^n"]),  # by ones, or by doubling?
        (r"\{1,2,3,4,5\}", [r"\{1,\ldots,5\}"], [r"\{1,\ldots,6\}", r"\{2,\ldots,5\}"]),
    ],
    "systems": [
        (
            "x=1, y=2",
            [
                r"\begin{array}{l} x=1 \\ y=2 \end{array}",
                r"\begin{aligned} y&=2 \\ x&=1 \end{aligned}",
                r"\begin{array}{rcl} x&=&1 \\ y&=&2 \end{array}",
            ],
            [r"\begin{array}{l} x=2 \\ y=1 \end{array}", r"\begin{array}{l} x=1 \end{array}"],
        ),
        (
            "(1,2)",
            [r"\begin{cases} y=2 \\ x=1 \end{cases}", "a=1, b=2", "a_2=2, a_1=1"],
            [r"\begin{cases} y=1 \\ x=2 \end{cases}", "y=1, x=2", "x=1", "a_1=2, a_2=1"],
        ),
        ("(3,1)", ["n=3, k=1"], ["n=1, k=3"]),  # no neighbours in the alphabet: as stated
        ("x=1+2t, y=3-t", ["x=1+2s, y=3-s"], ["x=1-2s, y=3-s", "x=1+2s, y=3-t"]),
        (r"\langle 2,-1 \rangle", [r"2\mathbf{i}-\mathbf{j}", r"-\hat{j}+2\hat{i}"],
         [r"2\mathbf{i}+\mathbf{j}", r"2\mathbf{j}-\mathbf{i}", r"2\mathbf{i}-\mathbf{k}"]),
        ("(1,0,3)", [r"\hat{i}+3\hat{k}"], [r"\hat{i}+3\hat{j}", r"\hat{i}+3\hat{k}+1"]),
    ],
    "decimal comma of TeX": [
        ("0.5", ["0{,}5", "0{,}50"], ["0{,}05", "5"]),
        ("0{,}5", ["0.5", r"\frac12"], ["5", "0,6"]),
        ("1{,}000", ["1000"], ["1", "1.0"]),
        ("1234.5", ["1234{,}5", "1{,}234.5"], ["12345"]),
        ("1", [], ["1{,}000", "1{,}0{,}0"]),
    ],
    "dates": [
        (
            "July 4, 1776",
            ["4 July 1776", "July 4th, 1776", r"4 \text{ July } 1776", "the 4th of July, 1776",
             "Jul. 4, 1776"],
            ["July 5, 1776", "June 4, 1776", "July 4, 1777", "July 4", "4/7/1776", "Jul 4, 177"],
        ),
        ("March 14", ["14th of March", r"\text{Mar 14}"], ["May 14", "March 15", "Ma 14"]),
    ],
    "clock": [
        ("3:30", [], ["3:30 PM", "3:30 AM"]),  # nobody knows which
        ("15:30", ["3:30 PM"], ["3:30 AM", "3:30"]),
        ("3:30 PM", ["15:30", r"3:30\text{ p.m.}"], ["3:30", "3:30 AM", "3:31 PM"]),
        ("12:30 AM", ["0:30"], ["12:30", "12:30 PM"]),
        ("12:00 PM", ["12 PM"], ["0:00", "12 AM"]),
    ],
    "words": [
        (
            r"\text{odd primes}",
            [r"\text{odd prime numbers}", r"\text{prime odd numbers}", r"\text{all odd primes}",
             r"\text{the set of odd primes}"],
            [r"\text{even primes}", r"\text{odd non-prime numbers}", r"\text{primes}",
             r"\text{odd numbers that are not prime}", r"\text{no odd primes}",
             r"\text{sums of odd primes}"],
        ),
        (r"\text{positive even integers}", [r"\text{even positive integers}"],
         [r"\text{even integers}", r"\text{negative even integers}"]),
        (r"\text{isosceles right triangle}", [r"\text{right isosceles triangle}"],
         [r"\text{right triangle}", r"\text{right isosceles trapezoid}"]),
        (r"\text{even or prime}", [r"\text{prime or even}"],
         [r"\text{prime and even}", r"\text{even prime}"]),
        (r"\text{dog bites man}", [], [r"\text{man bites dog}"]),
        (r"21^{\text{st}}", ["21", "21st"], ["22", "2^{1}"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("topic", sorted(_TABLE))
def test_answers_are_paid_for_what_they_mean(topic: str) -> None:
    """Every right form is CORRECT and every neighbour WRONG, never an abstention."""
    verifier = MathVerifier()
    judged = [
        (gold, answer, wanted, verifier.verify(rf"So $\boxed{{{answer}}}$.", gold).correct)
        for gold, right, wrong in _TABLE[topic]
        for wanted, answers in ((True, right), (False, wrong))
        for answer in answers
    ]
    assert [row for row in judged if row[2] is not row[3]] == []
