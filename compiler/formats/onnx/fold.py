"""Values that follow from static shapes: what exporters compute with `Shape`, `Gather`, `Concat` and arithmetic.

Numbers are followed element by element: of the shape `?x3x224x224` three are known, and a `Gather` of one of these is
a constant. Anything that is not certain is unknown; an operator that `fold_rules` has no rule for ends the search.
"""

from __future__ import annotations

import numpy as np

from subcut.compiler.formats.onnx.fold_rules import LARGEST, LEAF_RULES, RULES, Array, Known, Operands
from subcut.compiler.ir.graph import Op, Value
from subcut.compiler.ir.types import TensorType

LONGEST = 5_000
"""How many operators one value may depend on."""


def static_value(value: Value) -> Array | None:
    """The numbers of `value` when types alone decide them, else None."""
    found = follow(value)
    return found.array if found is not None and found.complete else None


def static_roots(value: Value) -> list[Value]:
    """The tensors whose shapes decide `value`; none when it does not depend on shapes alone."""
    order = _dependencies(value)
    if order is None:
        return []
    found = [op.operands[0] for op in order if op.type in ("Shape", "Size") and op.operands]
    return list(dict.fromkeys(one for one in found if one is not None))


def _dependencies(value: Value) -> list[Op] | None:
    """The operators that `value` is computed by from shapes and constants, each after what it needs.

    None where it depends on anything else.
    """
    order: dict[Op, None] = {}
    stack = [(value, False)]
    while stack:
        current, ready = stack.pop()
        op = current.producer
        if op is None or len(order) > LONGEST or not (op.type in RULES or _is_leaf(op)) or _is_large(current):
            return None
        if op in order:
            continue
        if ready or _is_leaf(op):
            order[op] = None
            continue
        stack.append((current, True))
        stack += [(operand, False) for operand in op.operands if operand is not None and operand.producer not in order]
    return list(order)


def _is_leaf(op: Op) -> bool:
    return op.type in LEAF_RULES


def _is_large(value: Value) -> bool:
    type = value.type
    if not isinstance(type, TensorType) or type.shape is None:
        return False
    return int(np.prod([dim for dim in type.shape if isinstance(dim, int)], dtype=np.float64)) > LARGEST


def follow(value: Value) -> Known | None:
    """What is known of the numbers of `value`."""
    known: dict[Value, Known | None] = {}
    for op in _dependencies(value) or ():
        operands = [known.get(operand) if operand is not None else None for operand in op.operands]
        for result in op.results:
            known[result] = None
        wanted = [operand for operand in op.operands if operand is not None]
        if not _is_leaf(op) and any(known.get(operand) is None for operand in wanted):
            continue
        found = _apply(op, operands)
        if found is not None and op.results:
            known[op.results[0]] = found if found.array.size <= LARGEST else None
    return known.get(value)


def _apply(op: Op, operands: Operands) -> Known | None:
    """What one operator makes of its operands; None where its parameters make no sense."""
    try:
        with np.errstate(all="raise", under="ignore"):
            return LEAF_RULES[op.type](op) if _is_leaf(op) else RULES[op.type](op, operands)
    except (ValueError, IndexError, TypeError, KeyError, FloatingPointError, OverflowError):
        return None
