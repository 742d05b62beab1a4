"""The sizes that a few operators with weights ask for.

Source: the shape functions in tensorflow/core/framework/common_shape_fns.cc, which are not there without TensorFlow;
ConvBackpropComputeDimensionsV2 in tensorflow/core/kernels/conv_grad_shape_utils.cc, which only runs with the kernel.
"""

from __future__ import annotations

from subcut.compiler.ir.graph import Op
from subcut.compiler.ir.types import Dim, TensorType

_ALIKE = frozenset(
    "Relu Relu6 Elu Selu Sigmoid Tanh Identity StopGradient Softmax LogSoftmax Softplus Exp Log Neg Abs Sqrt Rsqrt "
    "Square LeakyRelu BiasAdd FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3".split()
)
"""What they make first is typed as their first operand."""


_WINDOWS = frozenset(("Conv2D", "MaxPool", "AvgPool"))


def check(op: Op) -> None:
    """Raise ValueError where `op` cannot take operands of these sizes, as far as they are known."""
    if op.type == "Conv2D":
        have, want = _dim(op, 0, _channels(op)), _dim(op, 1, 2)
        if isinstance(have, int) and isinstance(want, int) and want and have % want:
            raise ValueError(f"the channels of its input must be a multiple of {want}, which {have} is not")
    elif op.type == "DepthwiseConv2dNative":
        _same("the channels of its input", _dim(op, 0, _channels(op)), _dim(op, 1, 2))
    elif op.type == "Conv2DBackpropInput":
        _check_transposed(op)
    elif op.type == "MatMul":
        inner = _dim(op, 0, 0 if op.attributes.get("transpose_a") else 1)
        _same("the width of its input", inner, _dim(op, 1, 1 if op.attributes.get("transpose_b") else 0))
    elif op.type in ("BiasAdd", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"):
        _same("the channels of its input", _dim(op, 0, _channels(op)), _dim(op, 1, 0))


def _check_transposed(op: Op) -> None:
    """What a transposed convolution reads is what the convolution would make of its result."""
    channels = _channels(op)
    _same("the channels of its input", _dim(op, 2, channels), _dim(op, 1, 3))
    made = op.results[0].type
    if not isinstance(made, TensorType) or made.shape is None or len(made.shape) != 4:
        return
    _same("the batch of its input", _dim(op, 2, 0), made.shape[0])
    strides, padding = op.attributes.get("strides"), op.attributes.get("padding")
    for i, axis in enumerate((2, 3) if channels == 1 else (1, 2)):
        size, kernel = made.shape[axis], _dim(op, 1, i)
        stride = strides[axis] if isinstance(strides, list) else None
        if not isinstance(size, int) or not isinstance(kernel, int) or not isinstance(stride, int):
            continue
        if padding in (b"SAME", b"VALID"):
            room = size if padding == b"SAME" else size - kernel + 1
            _same(f"the {('height', 'width')[i]} of its input", _dim(op, 2, axis), -(-room // stride))


def pass_on(op: Op) -> None:
    """Type what `op` makes, where that is typed as its first operand, but for what a window changes."""
    type = op.operands[0].type if op.operands and op.operands[0] is not None else None
    if op.type in _ALIKE:
        op.results[0].type = type
    elif op.type in _WINDOWS and isinstance(type, TensorType) and type.shape is not None and len(type.shape) == 4:
        channels = _dim(op, 1, 3) if op.type == "Conv2D" else type.shape[_channels(op)]
        made: list[Dim] = [type.shape[0], None, None, None]
        made[_channels(op)] = channels
        op.results[0].type = TensorType(type.element, tuple(made))


def _channels(op: Op) -> int:
    return 1 if op.attributes.get("data_format") == b"NCHW" else -1


def _dim(op: Op, slot: int, axis: int) -> Dim:
    value = op.operands[slot] if slot < len(op.operands) else None
    shape = value.type.shape if value is not None and isinstance(value.type, TensorType) else None
    return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None


def _same(what: str, have: Dim, want: Dim) -> None:
    if isinstance(have, int) and isinstance(want, int) and have != want:
        raise ValueError(f"{what} must be {want}, not {have}")
