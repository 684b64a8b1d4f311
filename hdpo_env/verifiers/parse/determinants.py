"""Determinants written out: the sum over permutations of signed products of entries."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations

from hdpo_env.verifiers.parse.nodes import Node, Op

_MAX_ROWS = 4  # 24 products


def determinant(rows: Sequence[tuple[Node, ...]]) -> Node | None:
    r"""``sum_s sgn(s) prod_i a[i, s(i)]`` of a square matrix of one to four rows, else None.

    >>> from fractions import Fraction
    >>> from hdpo_env.verifiers.parse.nodes import Num, Sym
    >>> a, b, zero = Sym("a"), Sym("b"), Num(Fraction(0))
    >>> determinant(((a, b),)) is None, determinant(((a,),)) == Op("+", (a,))
    (True, True)
    """
    size = len(rows)
    if size > _MAX_ROWS or any(len(row) != size for row in rows):
        return None
    return Op("+", tuple(_product(rows, columns) for columns in permutations(range(size))))


def _product(rows: Sequence[tuple[Node, ...]], columns: tuple[int, ...]) -> Node:
    first, *others = (row[column] for row, column in zip(rows, columns, strict=True))
    product = first
    for entry in others:
        product = Op("*", (product, entry))
    swaps = sum(left > right for left, right in combinations(columns, 2))
    return Op("neg", (product,)) if swaps % 2 else product
