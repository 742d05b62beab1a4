"""What ONNX's operators make of small arrays of which some elements are known, one rule an operator.

Source: docs/Operators.md of ONNX, all opsets. A rule raises ValueError, TypeError, IndexError or the like where it is
not certain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from subcut.compiler.formats.onnx.types import ELEMENTS
from subcut.compiler.ir.graph import Constant, Op
from subcut.compiler.ir.types import TensorType, numpy_dtype

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST = 1 << 14
"""Arrays of more elements are not worth following: shapes are short."""


@dataclass(frozen=True)
class Known:
    """An array of which some elements are known; the others are 0."""

    array: Array
    mask: Array

    @property
    def complete(self) -> bool:
        """Whether every element is known."""
        return bool(self.mask.all())


def certain(array: Any) -> Known:
    """An array that is known as a whole."""
    array = np.asarray(array)
    return Known(array, np.ones(array.shape, bool))


Operands = Sequence[Known | None]
Rule = Callable[[Op, Operands], Union[Known, None]]


def _shape_of(op: Op) -> Known | None:
    """`Shape`: opset 15 added `start` and `end`, which are clamped."""
    type = op.operands[0].type if op.operands and op.operands[0] is not None else None
    if not isinstance(type, TensorType) or type.shape is None:
        return None
    dims = type.shape[slice(_int(op, "start", 0), _int(op, "end", len(type.shape)))]
    numbers = [dim if isinstance(dim, int) else 0 for dim in dims]
    return Known(np.array(numbers, np.int64), np.array([isinstance(dim, int) for dim in dims], bool))


def _size_of(op: Op) -> Known | None:
    operand = op.operands[0] if op.operands else None
    if operand is not None and operand.producer is not None and operand.producer.type == "Shape":
        dims = _shape_of(operand.producer)
        return certain(np.array(dims.array.size, np.int64)) if dims is not None else None
    type = operand.type if operand is not None else None
    if not isinstance(type, TensorType) or type.shape is None or not type.static:
        return None
    return certain(np.array(np.prod([dim for dim in type.shape if isinstance(dim, int)], dtype=np.int64)))


def _stored(op: Op) -> Known | None:
    attributes = op.attributes
    value = attributes.get("value")
    if isinstance(value, Constant):
        dims = [dim for dim in value.type.shape or () if isinstance(dim, int)]
        return certain(value.numpy()) if np.prod(dims, dtype=np.float64) <= LARGEST else None
    for name, dtype in (("value_int", np.int64), ("value_ints", np.int64), ("value_float", np.float32)):
        if isinstance(attributes.get(name), (int, float, list)):
            return certain(np.array(attributes[name], dtype))
    if isinstance(attributes.get("value_floats"), list):
        return certain(np.array(attributes["value_floats"], np.float32))
    return None


LEAF_RULES: dict[str, Callable[[Op], Known | None]] = {
    "Shape": _shape_of,
    "Size": _size_of,
    "Constant": _stored,
    "initializer": _stored,
}


def _int(op: Op, name: str, default: int) -> int:
    value = op.attributes.get(name, default)
    if not isinstance(value, int):
        raise TypeError(name)
    return value


def _numbers(op: Op, operands: Operands, slot: int, name: str) -> list[int] | None:
    """A list of integers that older opsets have as the attribute `name`, newer ones as an operand; None if neither."""
    if name in op.attributes:
        found = op.attributes[name]
        if not isinstance(found, list):
            raise TypeError(name)
        return [one for one in found if isinstance(one, int)]
    if slot < len(op.operands) and op.operands[slot] is not None:
        return [int(one) for one in np.ravel(whole(operands[slot]))]
    return None


def whole(known: Known | None) -> Array:
    """The array; a ValueError where not all of it is known."""
    if known is None or not known.complete:
        raise ValueError("not known")
    return known.array


def _both(known: Known | None, change: Callable[[Array], Array]) -> Known:
    """Move elements about: the same for the numbers and for what is known of them."""
    if known is None:
        raise ValueError("not known")
    return Known(change(known.array), change(known.mask))


def _gather(op: Op, operands: Operands) -> Known:
    indices, axis = whole(operands[1]), _int(op, "axis", 0)
    return _both(operands[0], lambda a: a.take(_in_range(indices, a.shape[axis]), axis))


def _in_range(indices: Array, size: int) -> Array:
    if ((indices < -size) | (indices >= size)).any():
        raise IndexError
    return indices % size


def _concat(op: Op, operands: Operands) -> Known:
    parts = [one for one in operands if one is not None]
    axis = _int(op, "axis", 1)
    return Known(np.concatenate([p.array for p in parts], axis), np.concatenate([p.mask for p in parts], axis))


def _unsqueeze(op: Op, operands: Operands) -> Known:
    axes = _numbers(op, operands, 1, "axes") or []
    return _both(operands[0], lambda a: np.expand_dims(a, tuple(axes)))


def _squeeze(op: Op, operands: Operands) -> Known:
    axes = _numbers(op, operands, 1, "axes")
    return _both(operands[0], lambda a: np.squeeze(a, None if axes is None else tuple(axes)))


def _reshape(op: Op, operands: Operands) -> Known:
    shape = _numbers(op, operands, 1, "shape")
    if shape is None:
        raise ValueError
    keep = not _int(op, "allowzero", 0)
    return _both(
        operands[0],
        lambda a: np.reshape(a, [a.shape[i] if d == 0 and keep else d for i, d in enumerate(shape)]),
    )


def _slice(op: Op, operands: Operands) -> Known:
    """`starts` and `ends` may lie outside; numpy clamps them as ONNX does."""
    starts, ends = _numbers(op, operands, 1, "starts"), _numbers(op, operands, 2, "ends")
    if starts is None or ends is None:
        raise ValueError
    axes = _numbers(op, operands, 3, "axes") or list(range(len(starts)))
    steps = _numbers(op, operands, 4, "steps") or [1] * len(starts)

    def cut(a: Array) -> Array:
        index: list[slice] = [slice(None)] * a.ndim
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            low = -a.shape[axis] - 1 if step < 0 else -a.shape[axis]
            index[axis] = slice(start, None if step < 0 and end < low + 1 else end, step)
        return a[tuple(index)]

    return _both(operands[0], cut)


def _transpose(op: Op, operands: Operands) -> Known:
    order = _numbers(op, operands, 9, "perm")
    return _both(operands[0], lambda a: np.transpose(a, order))


def _expand(op: Op, operands: Operands) -> Known:
    shape = [int(one) for one in whole(operands[1])]
    return _both(operands[0], lambda a: np.broadcast_to(a, np.broadcast_shapes(a.shape, tuple(shape))))


def _identity(op: Op, operands: Operands) -> Known:
    del op
    return _both(operands[0], lambda a: a)


def _cast(op: Op, operands: Operands) -> Known:
    """Between numbers; text, and floats that fit no integer, are left alone."""
    known = operands[0]
    dtype = numpy_dtype(ELEMENTS[_int(op, "to", 0)])
    if known is None or known.array.dtype.kind not in "iufb" or dtype.kind not in "iufb":
        raise ValueError
    if dtype.kind in "iu" and known.array.dtype.kind == "f":
        bits = dtype.itemsize * 8 - (dtype.kind == "i")
        low, high = -(2.0**bits) if dtype.kind == "i" else -1.0, 2.0**bits
        if not ((known.array > low) & (known.array < high)).all():
            raise ValueError
    return Known(known.array.astype(dtype), known.mask)


def _constant_of_shape(op: Op, operands: Operands) -> Known:
    shape = [int(one) for one in whole(operands[0])]
    value = op.attributes.get("value")
    fill = np.ravel(value.numpy())[0] if isinstance(value, Constant) else np.float32(0)
    if np.prod(shape, dtype=np.float64) > LARGEST:
        raise ValueError
    return certain(np.full(shape, fill))


def _range(op: Op, operands: Operands) -> Known:
    """ONNX: element i is start + i * delta, and there are ceil((limit - start) / delta) of them."""
    del op
    start, limit, delta = (np.ravel(whole(one))[0] for one in operands)
    count = max(int(np.ceil((limit - start) / delta)), 0)
    if start.dtype.kind != "i" or count > LARGEST:
        raise ValueError
    return certain((start + np.arange(count, dtype=start.dtype) * delta).astype(start.dtype))


def _where(op: Op, operands: Operands) -> Known:
    del op
    condition = whole(operands[0])
    yes, no = operands[1], operands[2]
    if yes is None or no is None or yes.array.dtype != no.array.dtype:
        raise ValueError
    return Known(np.where(condition, yes.array, no.array), np.where(condition, yes.mask, no.mask))


def _elementwise(function: Callable[..., Array]) -> Rule:
    def rule(op: Op, operands: Operands) -> Known:
        del op
        given = [one for one in operands if one is not None]
        if len({one.array.dtype for one in given}) != 1:
            raise TypeError
        mask = given[0].mask
        for one in given[1:]:
            mask = mask & one.mask
        safe = [np.where(one.mask, one.array, one.array.dtype.type(1)) for one in given]
        result = np.asarray(function(*safe))
        if result.dtype != safe[0].dtype and result.dtype != np.dtype(bool):
            result = result.astype(safe[0].dtype)
        return Known(result, np.broadcast_to(mask, result.shape))

    return rule


def _divide(a: Array, b: Array) -> Array:
    """Integers are divided towards zero."""
    if a.dtype.kind == "f":
        return np.divide(a, b)
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def _fold_left(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def apply(first: Array, *rest: Array) -> Array:
        for other in rest:
            first = function(first, other)
        return first

    return apply


def _modulo(op: Op, operands: Operands) -> Known | None:
    """`fmod` chooses C's sign instead of Python's."""
    return _elementwise(np.fmod if _int(op, "fmod", 0) else np.mod)(op, operands)


def _reduce(function: Callable[..., Array]) -> Rule:
    def rule(op: Op, operands: Operands) -> Known:
        array = whole(operands[0])
        axes = _numbers(op, operands, 1, "axes")
        if array.dtype.kind not in "iu":
            raise TypeError
        if not axes and _int(op, "noop_with_empty_axes", 0):
            return certain(array)
        chosen = tuple(axes) if axes else None
        reduced = function(array, axis=chosen, keepdims=bool(_int(op, "keepdims", 1)), dtype=array.dtype)
        return certain(np.asarray(reduced))

    return rule


def _extreme(function: Callable[..., Array]) -> Callable[..., Array]:
    def apply(array: Array, axis: tuple[int, ...] | None, keepdims: bool, dtype: np.dtype[Any]) -> Array:
        return np.asarray(function(array, axis=axis, keepdims=keepdims), dtype)

    return apply


RULES: dict[str, Rule] = {
    "Abs": _elementwise(np.abs),
    "Add": _elementwise(np.add),
    "And": _elementwise(np.logical_and),
    "Cast": _cast,
    "Ceil": _elementwise(np.ceil),
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _elementwise(_divide),
    "Equal": _elementwise(np.equal),
    "Expand": _expand,
    "Floor": _elementwise(np.floor),
    "Gather": _gather,
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Identity": _identity,
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "Max": _elementwise(_fold_left(np.maximum)),
    "Min": _elementwise(_fold_left(np.minimum)),
    "Mod": _modulo,
    "Mul": _elementwise(np.multiply),
    "Neg": _elementwise(np.negative),
    "Not": _elementwise(np.logical_not),
    "Or": _elementwise(np.logical_or),
    "Range": _range,
    "ReduceMax": _reduce(_extreme(np.max)),
    "ReduceMin": _reduce(_extreme(np.min)),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _elementwise(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
