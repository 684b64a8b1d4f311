"""Matrices of expressions: sums, products and multiples, carried out entry by entry."""

from __future__ import annotations

from hdpo_env.verifiers.parse.nodes import Node, Op, Sym

Rows = tuple[tuple[Node, ...], ...]
_MAX_CELLS = 400


def evaluate(node: Node) -> Rows | None:
    """The rows of a matrix expression, or None if the node is not one."""
    if not isinstance(node, Op):
        return None
    if node.name == "matrix":
        return tuple(row.args for row in node.args if isinstance(row, Op))
    parts = [evaluate(arg) for arg in node.args]
    rows = [part for part in parts if part is not None]
    if not rows or sum(len(r) * len(r[0]) for r in rows) > _MAX_CELLS:
        return None
    if node.name == "neg":
        return _map(rows[0], lambda x: Op("neg", (x,)))
    if node.name == "+" and len(rows) == len(parts) and len({_shape(r) for r in rows}) == 1:
        return tuple(
            tuple(Op("+", cells) for cells in zip(*lines, strict=True))
            for lines in zip(*rows, strict=True)
        )
    if node.name == "*":
        return _product(node, parts)
    if node.name == "^" and parts[0] is not None and node.args[1] == Sym("T"):
        return tuple(zip(*parts[0], strict=True))
    if node.name == "/" and parts[1] is None:
        bottom = node.args[1]
        return _map(rows[0], lambda x: Op("/", (x, bottom)))
    return None


def _shape(rows: Rows) -> tuple[int, int]:
    return len(rows), len(rows[0])


def _map(rows: Rows, rule: object) -> Rows:
    return tuple(tuple(rule(x) for x in row) for row in rows)  # type: ignore[operator]


def _product(node: Op, parts: list[Rows | None]) -> Rows | None:
    left, right = parts
    if left is None or right is None:
        rows, factor = (left, node.args[1]) if left is not None else (right, node.args[0])
        assert rows is not None
        return _map(rows, lambda x: Op("*", (factor, x)))
    if len(left[0]) != len(right):
        return None
    columns = tuple(zip(*right, strict=True))
    return tuple(
        tuple(Op("+", tuple(Op("*", p) for p in zip(row, col, strict=True))) for col in columns)
        for row in left
    )


def entries(rows: Rows | None) -> tuple[Node, ...] | None:
    """The entries of a single row or column, else None."""
    if rows is None or (len(rows) > 1 and len(rows[0]) > 1):
        return None
    return rows[0] if len(rows) == 1 else tuple(row[0] for row in rows)
