"""Ranks that follow from how a tensor is read: whoever runs a `Conv` with kernels of three dimensions gives it three.

An operator of the graph that a tensor is made in runs whenever the tensor is made. So what the operator demands of its
operand is so, or the model does not run at all. One inside a body says nothing of what it captures: the body may
suppose that its branch is taken.

Source of the rules: docs/Operators.md of ONNX, all opsets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from subcut.compiler.formats.onnx import fold
from subcut.compiler.ir.graph import Op, Value
from subcut.compiler.ir.types import Dim, TensorType

Shape = tuple[Dim, ...]
Found = Iterator[tuple[Value, Shape]]


def demanded(op: Op) -> Found:
    """What `op` demands of the shapes of its operands that are made beside it and whose rank nobody knows."""
    rule = _RULES.get(op.type)
    open = [value for value in op.operands if value is not None and _is_open(value, op)] if rule is not None else []
    if rule is not None and open:
        yield from ((value, shape) for value, shape in rule(op) if value in open)


def _is_open(value: Value, reader: Op) -> bool:
    type = value.type
    known = not isinstance(type, TensorType) or type.element is None or type.shape is not None
    return not known and value.producer is not None and value.graph is reader.graph


def _shape(value: Value | None) -> Shape | None:
    type = value.type if value is not None else None
    return type.shape if isinstance(type, TensorType) else None


def _operand(op: Op, slot: int) -> Value | None:
    return op.operands[slot] if slot < len(op.operands) else None


def _same_shape(op: Op) -> Found:
    """The first operand has the shape of the first result."""
    value, shape = _operand(op, 0), _shape(op.results[0])
    if value is not None and shape is not None:
        yield value, shape


def _same_rank(op: Op) -> Found:
    """The first operand has as many dimensions as the first result."""
    value, shape = _operand(op, 0), _shape(op.results[0])
    if value is not None and shape is not None:
        yield value, (None,) * len(shape)


def _all_of_one_rank(op: Op) -> Found:
    """All operands and the result have one rank."""
    shapes = [shape for value in (*op.operands, *op.results) if (shape := _shape(value)) is not None]
    for value in op.operands if shapes else ():
        if value is not None:
            yield value, (None,) * len(shapes[0])


def _with_kernel(slot: int, transposed: bool = False) -> Callable[[Op], Found]:
    """The data has as many dimensions as the kernels, and `group` times as many channels as each looks at."""

    def rule(op: Op) -> Found:
        data, kernel, group = _operand(op, 0), _shape(_operand(op, slot)), op.attributes.get("group", 1)
        if data is None or kernel is None or len(kernel) < 2 or not isinstance(group, int):
            return
        channels = kernel[0] if transposed else kernel[1]
        if isinstance(channels, int) and not transposed:
            channels *= group
        yield data, (None, channels if isinstance(channels, int) else None, *[None] * (len(kernel) - 2))

    return rule


def _of_rank(*ranks: int) -> Callable[[Op], Found]:
    """The operands have these numbers of dimensions."""

    def rule(op: Op) -> Found:
        for value, rank in zip(op.operands, ranks, strict=False):
            if value is not None:
                yield value, (None,) * rank

    return rule


def _axes(op: Op) -> int | None:
    """How many axes the operator names, as an attribute or, in newer opsets, as an operand."""
    named = op.attributes.get("axes")
    if isinstance(named, list):
        return len(named)
    operand = _operand(op, 1)
    if operand is None:
        return None
    known = fold.static_value(operand)
    if known is not None:
        return known.size
    shape = _shape(operand)
    return shape[0] if shape is not None and len(shape) == 1 and isinstance(shape[0], int) else None


def _more_or_fewer(sign: int) -> Callable[[Op], Found]:
    """The operand has, for each axis that is named, one dimension more than the result, or one fewer."""

    def rule(op: Op) -> Found:
        value, shape, axes = _operand(op, 0), _shape(op.results[0]), _axes(op)
        if value is not None and shape is not None and axes and len(shape) + sign * axes >= 0:
            yield value, (None,) * (len(shape) + sign * axes)

    return rule


def _reduced(op: Op) -> Found:
    """Reduced axes stay with size 1, or go."""
    yield from _same_rank(op) if op.attributes.get("keepdims", 1) else _more_or_fewer(1)(op)


_SAME_SHAPE = """Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization Cast CastLike Ceil Celu Clip Cos Cosh CumSum
    Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN
    LayerNormalization LeakyRelu Log LogSoftmax LRN Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh
    Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu""".split()
_SAME_RANK = """AveragePool DepthToSpace GlobalAveragePool GlobalMaxPool LpPool MaxPool Pad Resize Slice SpaceToDepth
    Tile Transpose""".split()
_REDUCTIONS = """ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare""".split()
_RULES: dict[str, Callable[[Op], Found]] = {
    **dict.fromkeys(_SAME_SHAPE, _same_shape),
    **dict.fromkeys(_SAME_RANK, _same_rank),
    **dict.fromkeys(_REDUCTIONS, _reduced),
    **dict.fromkeys(("Conv", "ConvInteger"), _with_kernel(1)),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _of_rank(3, 3, 3)),
    "Concat": _all_of_one_rank,
    "ConvTranspose": _with_kernel(1, transposed=True),
    "Gemm": _of_rank(2, 2),
    "QLinearConv": _with_kernel(3),
    "Squeeze": _more_or_fewer(1),
    "Unsqueeze": _more_or_fewer(-1),
}
