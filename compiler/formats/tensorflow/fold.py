"""Tensors whose numbers follow from static shapes, computed with numpy exactly as TensorFlow's kernels do.

Only shape arithmetic is here: integers, booleans, and the elementwise float operators that round correctly by IEEE 754.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats.tensorflow import records
from subcut.compiler.formats.tensorflow.attributes import decode_attributes
from subcut.compiler.formats.tensorflow.flow import flow_of
from subcut.compiler.formats.tensorflow.kernels import KERNELS
from subcut.compiler.ir.graph import Constant, Op, Value
from subcut.compiler.ir.types import TensorType, element_of, numpy_dtype

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SHAPE_OPS = ("Shape", "ShapeN", "Size", "Rank")
LARGEST = 1 << 12
"""Elements in the largest tensor that is taken for shape arithmetic."""
MOST_OPS = 1 << 10
"""Operators in the longest computation that is followed."""


def static_roots(value: Value) -> list[Value]:
    """The tensors whose shapes decide the numbers of `value`; none where more than shapes decides them."""
    ops = _computation(value)
    return list(dict.fromkeys(v for op in ops for v in op.operands if op.type in SHAPE_OPS and v is not None))


def static_value(value: Value) -> Array | None:
    """The numbers of `value`, where all shapes that decide them are known."""
    known: dict[Value, Array] = {}
    for op in _computation(value):
        found = _compute(op, known)
        if found is None or len(found) != len(op.results) or any(a.size > LARGEST for a in found):
            return None
        known.update(zip(op.results, found, strict=True))
    return known.get(value)


def _computation(value: Value) -> list[Op]:
    """The operators that compute `value` from constants and shapes, in order; empty where there is more to it."""
    producer = value.producer
    if producer is None or producer.graph is None or not flow_of(producer.graph).plain(value):
        return []
    order: dict[Op, None] = {}
    stack = [producer]
    started: set[Op] = set()
    while stack:
        op = stack[-1]
        if op in order:
            stack.pop()
            continue
        if op.type not in KERNELS and op.type not in SHAPE_OPS and not _is_small_constant(op):
            return []
        reads = [] if op.type in SHAPE_OPS else [v.producer for v in op.operands if v is not None]
        waiting = [p for p in reads if p not in order] if op not in started else []
        started.add(op)
        if len(started) > MOST_OPS or None in reads:
            return []
        stack += [p for p in waiting if p is not None]
        if not waiting:
            order[stack.pop()] = None
    return list(order) if any(op.type in SHAPE_OPS for op in order) else []


def _is_small_constant(op: Op) -> bool:
    if op.type != "Const":
        return False
    record = records.record_of(op)
    return record.stop - record.start <= records.BIG


def _compute(op: Op, known: Mapping[Value, Array]) -> list[Array] | None:
    import numpy as np

    attributes = decode_attributes(op)
    if op.type in SHAPE_OPS:
        return _shapes(op)
    if op.type == "Const":
        stored = attributes.get("value")
        return [stored.numpy()] if isinstance(stored, Constant) else None
    operands = [known[v] for v in op.operands if v is not None]
    with np.errstate(all="ignore"):
        try:
            found = [np.asarray(array) for array in KERNELS[op.type](np, operands, attributes)]
        except (ValueError, IndexError, TypeError, OverflowError):
            return None  # no kernel for these types, or what would fail when run, and is left to fail there
    types = [r.type.element for r in op.results if isinstance(r.type, TensorType) and r.type.element]
    return found if [element_of(array.dtype) for array in found] == types else None


def _shapes(op: Op) -> list[Array] | None:
    import numpy as np

    found: list[Array] = []
    for value, result in zip(op.operands, op.results, strict=True):
        type = value.type if value is not None else None
        if not isinstance(type, TensorType) or type.shape is None:
            return None
        dtype = numpy_dtype(result.type.element or "i32") if isinstance(result.type, TensorType) else np.dtype("int32")
        if op.type == "Rank":
            found.append(np.array(len(type.shape), dtype))
        elif not type.static:
            return None
        else:
            sizes = [dim for dim in type.shape if isinstance(dim, int)]
            found.append(np.array(math.prod(sizes) if op.type == "Size" else sizes, dtype))
    return found
