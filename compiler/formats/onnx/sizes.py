"""Sizes that ONNX's shape inference does not compare, and that make an operator fail when it runs.

Creating a session of onnxruntime finds what strict inference finds, for it runs the same functions; everything here is
only found when the kernel runs. Source: the operators' specifications, and the checks of onnxruntime's CPU kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats.onnx import fold
from subcut.compiler.ir.graph import Op, Value
from subcut.compiler.ir.types import Dim, TensorType

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, Any]
Shape = Sequence[Dim]
Rule = Callable[[Op], None]
"""Raises ValueError where the sizes that are known of the operands do not fit each other."""


def check(op: Op) -> None:
    """Raise ValueError, saying why, where `op` cannot run on operands of these sizes, as far as they are known."""
    for result in op.results:
        shape = _shape(result)
        if shape is not None and any(isinstance(d, int) and d < 0 for d in shape):
            raise ValueError(f"nothing would be left of its result: {_text(shape)}")
    rule = RULES.get(op.type)
    if rule is not None:
        rule(op)


def pass_on(op: Op) -> None:
    """Type what `op` makes, without a framework: as its first operand, but for what a window changes."""
    type = op.operands[0].type if op.operands and op.operands[0] is not None else None
    if op.type in _ALIKE:
        op.results[0].type = type
    elif op.type in _WINDOWS and isinstance(type, TensorType) and type.shape is not None and len(type.shape) > 2:
        channels = _dim(_at(op, 1), 0) if op.type == "Conv" else type.shape[1]
        op.results[0].type = TensorType(type.element, (type.shape[0], channels, *[None] * (len(type.shape) - 2)))


def _shape(value: Value | None) -> Shape | None:
    return value.type.shape if value is not None and isinstance(value.type, TensorType) else None


def _at(op: Op, slot: int) -> Shape | None:
    """What is known of the shape of an operand."""
    return _shape(op.operands[slot]) if slot < len(op.operands) else None


def _integer(op: Op, name: str, default: int) -> int:
    value = op.attributes.get(name, default)
    return value if isinstance(value, int) else default


def _text(shape: Shape) -> str:
    return "x".join("?" if d is None else str(d) for d in shape) or "scalar"


def _same(what: str, have: Dim, want: Dim) -> None:
    if isinstance(have, int) and isinstance(want, int) and have != want:
        raise ValueError(f"{what} must be {want}, not {have}")


def _dim(shape: Shape | None, axis: int) -> Dim:
    return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None


def _convolution(weights: int, bias: int) -> Rule:
    """Channels of the input: those of the weights, times the groups. A kernel must fit into the padded input."""

    def rule(op: Op) -> None:
        group, w = _integer(op, "group", 1), _at(op, weights)
        inner, outer = _dim(w, 1), _dim(w, 0)
        _same("the channels of its input", _dim(_at(op, 0), 1), inner * group if isinstance(inner, int) else None)
        _same("the size of its bias", _dim(_at(op, bias), 0), outer)
        _kernel(op, w)
        _fit(op, _at(op, 0), w)

    return rule


def _kernel(op: Op, weights: Shape | None) -> None:
    """The weights must have the window that the operator says."""
    stated = op.attributes.get("kernel_shape")
    for have, want in zip((weights or ())[2:], stated if isinstance(stated, list) else (), strict=False):
        _same("the window of its weights", have, want if isinstance(want, int) else None)


def _fit(op: Op, x: Shape | None, weights: Shape | None) -> None:
    """The kernel must fit into the padded input."""
    if x is None or weights is None or op.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return
    axes = len(x) - 2
    pads, dilations = _integers(op, "pads", 0, 2 * axes), _integers(op, "dilations", 1, axes)
    for i, (size, kernel) in enumerate(zip(x[2:], weights[2:], strict=False)):
        if not isinstance(size, int) or not isinstance(kernel, int):
            continue
        room, extent = size + pads[i] + pads[i + axes], dilations[i] * (kernel - 1) + 1
        if room < extent:
            raise ValueError(f"its kernel spans {extent}, and of {_text(x)} there are {room}, padding included")


def _integers(op: Op, name: str, default: int, count: int) -> list[int]:
    """An attribute of so many numbers."""
    value = op.attributes.get(name)
    found = [one for one in value if isinstance(one, int)] if isinstance(value, list) else []
    return found if len(found) == count else [default] * count


def _transposed_convolution(op: Op) -> None:
    _same("the channels of its input", _dim(_at(op, 0), 1), _dim(_at(op, 1), 0))
    _kernel(op, _at(op, 1))


def _per_channel(op: Op) -> None:
    """Scale, offset and whatever else there is one number a channel of."""
    for slot in range(1, len(op.operands)):
        _same("the channels of its input", _dim(_at(op, 0), 1), _dim(_at(op, slot), 0))


def _group_normalization(op: Op) -> None:
    channels, groups = _dim(_at(op, 0), 1), _integer(op, "num_groups", 1)
    if isinstance(channels, int) and groups > 0 and channels % groups:
        raise ValueError(f"{channels} channels do not divide into {groups} groups")


def _layer_normalization(op: Op) -> None:
    x, axis = _at(op, 0), _integer(op, "axis", -1)
    if x is None:
        return
    for slot in (1, 2):
        _broadcast(_at(op, slot), x[axis % len(x) :] if x else x, "its scale or bias")


def _broadcast(shape: Shape | None, onto: Shape, what: str) -> None:
    """`shape` must be broadcast to `onto` without making that larger."""
    if shape is None:
        return
    pairs = zip(reversed(shape), reversed(onto), strict=False)
    if len(shape) > len(onto) or any(isinstance(a, int) and isinstance(b, int) and a not in (1, b) for a, b in pairs):
        raise ValueError(f"{what} of {_text(shape)} does not fit {_text(onto)}")


def _slope(op: Op) -> None:
    x = _at(op, 0)
    if x is not None:
        _broadcast(_at(op, 1), x, "its slope")


def _gemm(op: Op) -> None:
    a, b = _at(op, 0), _at(op, 1)
    if a is None or b is None or len(a) != 2 or len(b) != 2:
        return
    rows, inner = reversed(a) if _integer(op, "transA", 0) else a
    across, columns = reversed(b) if _integer(op, "transB", 0) else b
    _same("the width of its input", inner, across)
    _broadcast(_at(op, 2), (rows, columns), "its bias")


def _matmul(op: Op) -> None:
    a, b = _at(op, 0), _at(op, 1)
    if a and b:
        _same("the width of its input", a[-1], b[-2] if len(b) > 1 else b[0])


def _elementwise(op: Op) -> None:
    """Broadcast both ways."""
    a, b = _at(op, 0), _at(op, 1)
    for x, y in zip(reversed(a or ()), reversed(b or ()), strict=False):
        if isinstance(x, int) and isinstance(y, int) and x != y and 1 not in (x, y):
            raise ValueError(f"{_text(a or ())} and {_text(b or ())} do not fit each other")


def _concat(op: Op) -> None:
    shapes = [shape for slot in range(len(op.operands)) if (shape := _at(op, slot))]
    axis = _integer(op, "axis", 1)
    for other in shapes[1:]:
        first = shapes[0]
        pairs = zip(first, other, strict=False)
        differ = [i for i, (x, y) in enumerate(pairs) if isinstance(x, int) and isinstance(y, int) and x != y]
        if len(first) != len(other) or set(differ) - {axis % len(first)}:
            raise ValueError(f"{_text(first)} and {_text(other)} differ on another axis than {axis}")


def _reshape(op: Op) -> None:
    """As many numbers as before."""
    x, shape = _at(op, 0), op.operands[1] if len(op.operands) > 1 else None
    found = fold.follow(shape) if shape is not None else None
    if x is None or found is None or not found.complete or not all(isinstance(d, int) for d in x):
        return
    asked = [int(d) for d in found.array.ravel()]
    if not _integer(op, "allowzero", 0):
        if any(d == 0 and i >= len(x) for i, d in enumerate(asked)):
            raise ValueError(f"{_text(asked)} copies an axis that {_text(x)} does not have")
        asked = [d or int(x[i] or 0) for i, d in enumerate(asked)]
    have, known = math.prod(int(d or 0) for d in x), math.prod(d for d in asked if d != -1)
    if (known == 0 or have % known) if -1 in asked else have != known:
        raise ValueError(f"the {have} numbers of {_text(x)} do not make {_text(asked)}")


def _recurrent(op: Op) -> None:
    """X is (steps, batch, width), W (directions, gates, width), an initial state (directions, batch, size)."""
    x, batch_first = _at(op, 0), _integer(op, "layout", 0)
    batch = _dim(x, 0 if batch_first else 1)
    _same("the width of its input", _dim(x, 2), _dim(_at(op, 1), 2))
    _same("the size of its `sequence_lens`", _dim(_at(op, 4), 0), batch)
    for slot in (5, 6) if op.type == "LSTM" else (5,):
        _same("the batch of its initial state", _dim(_at(op, slot), 0 if batch_first else 1), batch)


def _gather(op: Op) -> None:
    """Stored indices must be inside."""
    _inside(_stored(op, 1), _dim(_at(op, 0), _integer(op, "axis", 0)))


def _stored(op: Op, slot: int) -> Numbers | None:
    """The numbers of an operand, where all of them are known."""
    value = op.operands[slot] if slot < len(op.operands) else None
    found = fold.follow(value) if value is not None else None
    return found.array if found is not None and found.complete else None


def _inside(indices: Numbers | None, size: Dim) -> None:
    if indices is None or not isinstance(size, int):
        return
    outside = [int(i) for i in indices.ravel() if not -size <= int(i) < size]
    if outside:
        raise ValueError(f"it takes element {outside[0]}, and there are {size}")


def _elements(op: Op) -> None:
    """Indices of one axis, a tensor of them that is nowhere larger than what they are of."""
    x, indices, axis = _at(op, 0), _at(op, 1), _integer(op, "axis", 0)
    _inside(_stored(op, 1), _dim(x, axis))
    for i, (size, count) in enumerate(zip(x or (), indices or (), strict=False)):
        if i != axis % len(x or ()) and isinstance(size, int) and isinstance(count, int) and count > size:
            raise ValueError(f"its indices are {_text(indices or ())}, more than {_text(x or ())} has")


def _places(op: Op) -> None:
    """Each index has a number for each of the first axes."""
    x, indices, first = _at(op, 0), _stored(op, 1), _integer(op, "batch_dims", 0)
    for i in range(indices.shape[-1] if indices is not None and indices.ndim else 0):
        _inside(indices[..., i] if indices is not None else None, _dim(x, first + i))


def _reversed(op: Op) -> None:
    x, lengths = _at(op, 0), _stored(op, 1)
    _same("the size of its `sequence_lens`", _dim(_at(op, 1), 0), _dim(x, _integer(op, "batch_axis", 1)))
    steps = _dim(x, _integer(op, "time_axis", 0))
    if lengths is not None and lengths.size and isinstance(steps, int) and lengths.max() > steps:
        raise ValueError(f"it reverses {lengths.max()} steps, and there are {steps}")


def _transpose(op: Op) -> None:
    x, axes = _at(op, 0), op.attributes.get("perm")
    if x is not None and isinstance(axes, list) and len(axes) != len(x):
        raise ValueError(f"it orders {len(axes)} axes, and {_text(x)} has {len(x)}")


def _pool(op: Op) -> None:
    """The windows of an axis cannot be fewer than none; onnxruntime rounds their number towards zero."""
    x, kernel = _at(op, 0), op.attributes.get("kernel_shape")
    if x is None or not isinstance(kernel, list) or op.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return
    axes = len(x) - 2
    pads, strides, dilations = (
        _integers(op, name, default, count)
        for name, default, count in [("pads", 0, 2 * axes), ("strides", 1, axes), ("dilations", 1, axes)]
    )
    for i, (size, wide) in enumerate(zip(x[2:], kernel, strict=False)):
        if not isinstance(size, int) or not isinstance(wide, int):
            continue
        room, extent = size + pads[i] + pads[i + axes], dilations[i] * (wide - 1) + 1
        if extent - room >= 2 * strides[i]:
            raise ValueError(f"its window spans {extent}, and of {_text(x)} there are {room}, padding included")


def _pad(op: Op) -> None:
    """What is mirrored must be there; the border itself is not repeated."""
    x, pads = _at(op, 0), op.operands[1] if len(op.operands) > 1 else None
    found = fold.follow(pads) if pads is not None and op.attributes.get("mode") == "reflect" else None
    if x is None or found is None or not found.complete or len(found.array) != 2 * len(x):
        return
    for i, pad in enumerate(int(one) for one in found.array):
        size = x[i % len(x)]
        if isinstance(size, int) and pad >= size and pad > 0:
            raise ValueError(f"it mirrors {pad} of {size} along axis {i % len(x)} of {_text(x)}")


def _blocks(op: Op) -> None:
    x, block = _at(op, 0), _integer(op, "blocksize", 1)
    if x is None or len(x) != 4 or block < 1:
        return
    for size, by in [(x[1], block**2)] if op.type == "DepthToSpace" else [(x[2], block), (x[3], block)]:
        if isinstance(size, int) and size % by:
            raise ValueError(f"{size} of {_text(x)} does not divide by {by}")


def _einsum(op: Op) -> None:
    """A letter stands for one size, or for 1."""
    equation = op.attributes.get("equation")
    if not isinstance(equation, str) or "." in equation:
        return
    sizes: dict[str, int] = {}
    for slot, term in enumerate(equation.partition("->")[0].replace(" ", "").split(",")):
        for letter, size in zip(term, _at(op, slot) or (), strict=False):
            if isinstance(size, int) and size != 1:
                _same(f"`{letter}`", size, sizes.setdefault(letter, size))


def _quantisation(op: Op) -> None:
    """A scale for each element of the axis."""
    scale = _at(op, 1)
    if scale is not None and len(scale) == 1 and scale[0] != 1 and not _integer(op, "block_size", 0):
        _same("the size of the axis", _dim(_at(op, 0), _integer(op, "axis", 1)), scale[0])


def _scatter(op: Op) -> None:
    _places(op)
    x, indices, updates = _at(op, 0), _at(op, 1), _at(op, 2)
    depth = _dim(indices, -1)
    if x is None or indices is None or updates is None or not isinstance(depth, int):
        return
    want = (*indices[:-1], *x[depth:])
    if len(updates) != len(want):
        raise ValueError(f"its updates must be {_text(want)}, not {_text(updates)}")
    for have, size in zip(updates, want, strict=True):
        _same("the size of its updates", have, size)


_ALIKE = frozenset(
    "Abs Ceil Clip Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log Mish Neg Relu "
    "Round Selu Sigmoid Sin Softmax Softplus Softsign Sqrt Tanh BatchNormalization InstanceNormalization "
    "LayerNormalization LRN LogSoftmax PRelu ThresholdedRelu".split()
)
"""What they make is typed as their first operand."""
_WINDOWS = frozenset(("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"))
RULES: dict[str, Rule] = {
    "Conv": _convolution(1, 2),
    "com.microsoft.FusedConv": _convolution(1, 2),
    "ConvInteger": _convolution(1, 99),
    "QLinearConv": _convolution(3, 8),
    "ConvTranspose": _transposed_convolution,
    "BatchNormalization": _per_channel,
    "InstanceNormalization": _per_channel,
    "GroupNormalization": _group_normalization,
    "LayerNormalization": _layer_normalization,
    "PRelu": _slope,
    "Gemm": _gemm,
    "MatMul": _matmul,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Equal", "Greater", "Less"), _elementwise),
    "Concat": _concat,
    "Reshape": _reshape,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    "Gather": _gather,
    "Pad": _pad,
    "DepthToSpace": _blocks,
    "SpaceToDepth": _blocks,
    "Einsum": _einsum,
    "QuantizeLinear": _quantisation,
    "DequantizeLinear": _quantisation,
    "ScatterND": _scatter,
    "GatherND": _places,
    **dict.fromkeys(("GatherElements", "ScatterElements", "Scatter"), _elements),
    "ReverseSequence": _reversed,
    "Transpose": _transpose,
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), _pool),
}
