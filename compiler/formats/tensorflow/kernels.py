"""What TensorFlow's operators of shape arithmetic compute, in numpy, which the caller hands in.

Source: the operators' documentation in tensorflow/core/api_def and their shape-independent kernels. A kernel raises
ValueError for what it does not cover, so that nothing is folded there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats.tensorflow.elements import DATA_TYPES
from subcut.compiler.ir.graph import Attribute
from subcut.compiler.ir.types import numpy_dtype

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Attributes = Mapping[str, Attribute]
Kernel = Callable[[Any, "list[Array]", Attributes], "Sequence[Any]"]


def _elementwise(name: str, kinds: str = "iuf") -> Kernel:
    """The numpy function of this name, for operands whose dtypes are all of these kinds."""

    def kernel(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
        _need(all(x.dtype.kind in kinds for x in operands))
        return [getattr(np, name)(*operands)]

    return kernel


def _division(name: str) -> Kernel:
    """Integer division, by no zero."""

    def kernel(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
        _need(all(x.dtype.kind in "iu" for x in operands) and bool(np.all(operands[1] != 0)))
        return [getattr(np, name)(*operands)]

    return kernel


def _reduction(name: str, kinds: str = "iu") -> Kernel:
    def kernel(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
        x, axes = operands
        _need(x.dtype.kind in kinds)
        reduce = getattr(np, name)
        options = {} if name in ("all", "any", "amax", "amin") else {"dtype": x.dtype}
        over = tuple(int(a) for a in axes.ravel())
        return [reduce(x, axis=over, keepdims=bool(attributes.get("keep_dims", False)), **options)]

    return kernel


def _identity(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    return operands


def _strided_slice(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    x, begin, end, strides = operands
    masks = [_int(attributes, f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")]
    index: list[Any] = []
    for i in range(len(begin)):
        no_begin, no_end, ellipsis, new_axis, shrink = (bool(mask >> i & 1) for mask in masks)
        if ellipsis:
            index.append(Ellipsis)
        elif new_axis:
            index.append(np.newaxis)
        elif shrink:
            _need(not no_begin)
            index.append(int(begin[i]))
        else:
            start, stop = None if no_begin else int(begin[i]), None if no_end else int(end[i])
            index.append(slice(start, stop, int(strides[i])))
    return [x[tuple(index)]]


def _slice(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    x, begin, size = operands
    index = tuple(slice(int(b), d if s < 0 else int(b + s)) for b, s, d in zip(begin, size, x.shape, strict=True))
    return [x[index]]


def _pack(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    return [np.stack(operands, _int(attributes, "axis"))]


def _unpack(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    axis = _int(attributes, "axis")
    return [np.take(operands[0], i, axis) for i in range(operands[0].shape[axis])]


def _concat(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    return [np.concatenate(operands[:-1], int(operands[-1]))]


def _concat_first(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    return [np.concatenate(operands[1:], int(operands[0]))]


def _cast(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    to = {f"DT_{name}": element for name, _, element in (line.partition(" ") for line in DATA_TYPES)}
    x, dtype = operands[0], numpy_dtype(to[str(attributes["DstT"])])
    _need(x.dtype.kind in "iubf" and dtype.kind in "iubf")
    if x.dtype.kind == "f" and dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        _need(bool(np.all(np.isfinite(x) & (x >= bounds.min) & (x < float(bounds.max)))))
    return [x.astype(dtype)]


def _truncated_division(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    x, y = operands
    if x.dtype.kind == "f":
        return [np.true_divide(x, y)]
    quotient = _division("floor_divide")(np, [np.abs(x), np.abs(y)], attributes)[0]
    return [(quotient * np.sign(x) * np.sign(y)).astype(x.dtype)]


def _gather(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    x, indices, *axis = operands
    _need(_int(attributes, "batch_dims") == 0 and bool(np.all(indices >= 0)))
    return [np.take(x, indices, int(axis[0]) if axis else 0)]


def _expand_dims(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    return [np.expand_dims(operands[0], int(operands[1]))]


def _squeeze(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    axes = attributes.get("squeeze_dims")
    listed = tuple(a for a in axes if isinstance(a, int)) if isinstance(axes, list) else ()
    return [np.squeeze(operands[0], listed or None)]


def _reshape(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    return [np.reshape(operands[0], tuple(int(d) for d in operands[1]))]


def _fill(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    shape = tuple(int(d) for d in operands[0])
    _need(int(np.prod(shape, dtype=object)) <= 1 << 12)
    return [np.full(shape, operands[1])]


def _range(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    _need(all(x.dtype.kind in "iu" for x in operands))
    found = range(*(int(x) for x in operands))
    _need(len(found) <= 1 << 12)
    return [np.array(found, operands[0].dtype)]


def _filled_with(number: int) -> Kernel:
    def kernel(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
        return [np.full_like(operands[0], number)]

    return kernel


def _select(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    condition, x, y = operands
    _need(condition.shape in ((), x.shape) and x.shape == y.shape)
    return [np.where(condition, x, y)]


def _broadcast_shapes(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    shapes = (tuple(int(d) for d in shape) for shape in operands)
    return [np.array(np.broadcast_shapes(*shapes), operands[0].dtype)]


def _split(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    return np.split(operands[1], _int(attributes, "num_split"), int(operands[0]))  # type: ignore[no-any-return]


def _tile(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    x, times = operands
    _need(x.size * int(np.prod(times, dtype=object)) <= 1 << 12)
    return [np.tile(x, tuple(int(t) for t in times))]


def _transpose(np: Any, operands: list[Array], attributes: Attributes) -> Sequence[Any]:
    return [np.transpose(operands[0], tuple(int(a) for a in operands[1]))]


def _int(attributes: Attributes, name: str) -> int:
    value = attributes.get(name, 0)
    return value if isinstance(value, int) else 0


def _need(holds: bool) -> None:
    if not holds:
        raise ValueError("no kernel for this")


KERNELS: Mapping[str, Kernel] = {
    "Identity": _identity, "StopGradient": _identity, "Snapshot": _identity,
    "StridedSlice": _strided_slice, "Slice": _slice, "Pack": _pack, "Unpack": _unpack,
    "ConcatV2": _concat, "Concat": _concat_first, "Cast": _cast,
    "Gather": _gather, "GatherV2": _gather, "ExpandDims": _expand_dims, "Squeeze": _squeeze, "Reshape": _reshape,
    "Fill": _fill, "Range": _range, "ZerosLike": _filled_with(0), "OnesLike": _filled_with(1),
    "Select": _select, "SelectV2": _elementwise("where", "biuf"), "BroadcastArgs": _broadcast_shapes,
    "Split": _split, "Tile": _tile, "Transpose": _transpose,
    "Add": _elementwise("add"), "AddV2": _elementwise("add"), "Sub": _elementwise("subtract"),
    "Mul": _elementwise("multiply"), "RealDiv": _elementwise("true_divide", "f"), "Div": _truncated_division,
    "FloorDiv": _division("floor_divide"), "FloorMod": _division("mod"), "Mod": _division("fmod"),
    "Maximum": _elementwise("maximum", "iu"), "Minimum": _elementwise("minimum", "iu"),
    "Neg": _elementwise("negative"), "Abs": _elementwise("abs"), "Floor": _elementwise("floor", "f"),
    "Ceil": _elementwise("ceil", "f"), "Equal": _elementwise("equal", "biuf"),
    "NotEqual": _elementwise("not_equal", "biuf"), "Less": _elementwise("less"),
    "LessEqual": _elementwise("less_equal"), "Greater": _elementwise("greater"),
    "GreaterEqual": _elementwise("greater_equal"), "LogicalAnd": _elementwise("logical_and", "b"),
    "LogicalOr": _elementwise("logical_or", "b"), "LogicalNot": _elementwise("logical_not", "b"),
    "Prod": _reduction("prod"), "Sum": _reduction("sum"), "Max": _reduction("amax"), "Min": _reduction("amin"),
    "All": _reduction("all", "b"), "Any": _reduction("any", "b"),
}  # fmt: skip
"""By operator: numpy, the operands and the attributes to the results."""
