"""The numbers that an operator of the cube unit multiplies by, and their layout on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from subcut.compiler.ir.graph import Op, Value
from subcut.emulator.kinds import CONV, DECONV, MATMUL, image_layout, role
from subcut.emulator.statics import Statics

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

DEPTHWISE = "DepthwiseConv2dNative"


@dataclass(frozen=True)
class Weights:
    """Kernel and bias of one operator, as its format stores the kernel."""

    op: Op
    data: Value
    """The tensor that is multiplied."""
    kernel: Array
    bias: Array | None
    """For each output channel; what other operators add is folded in here."""
    axis: int
    """The kernel's axis of output channels."""
    channel: int
    """The output's axis of channels, counted from the end."""
    layout: str
    """The layout that the kernel has in the original model."""
    group: int = 1
    own_bias: bool = False
    """Whether the original operator has a bias of its own."""

    @property
    def channels(self) -> int:
        """How many output channels there are."""
        if self.op.type == DEPTHWISE:
            return int(self.kernel.shape[2] * self.kernel.shape[3])
        return int(self.kernel.shape[self.axis]) * (self.group if role(self.op) == DECONV else 1)

    @property
    def device(self) -> str:
        """The kernel's layout on the device."""
        return "FRACTAL_NZ" if self.layout == "ND" else "FRACTAL_Z"

    def along(self, numbers: Array) -> Array:
        """A number for each output channel, shaped to multiply the kernel."""
        import numpy as np

        if self.op.type == DEPTHWISE:
            return np.reshape(numbers, (1, 1, *self.kernel.shape[2:]))
        if role(self.op) == DECONV and self.group > 1:  # the channels of one group after those of the other
            groups = np.reshape(numbers, (self.group, 1, -1))
            each = np.repeat(groups, self.kernel.shape[0] // self.group, axis=1)
            return np.reshape(each, (*self.kernel.shape[:2], 1, 1))
        shape = [1] * self.kernel.ndim
        shape[self.axis] = -1
        return np.reshape(numbers, shape)

    def across(self, numbers: Array) -> Array:
        """A number for each output channel, shaped to be added to the output."""
        import numpy as np

        return np.reshape(numbers, (-1, *([1] * (-1 - self.channel))))

    def followed_by(self, scale: Array | None, shift: Array | None) -> Weights:
        """These weights with an affine operator behind them folded in, in 32-bit floats."""
        import numpy as np

        kernel, bias = self.kernel, self.bias
        if scale is not None:
            kernel = kernel * self.along(np.asarray(scale, np.float32))
            bias = None if bias is None else bias * scale
        if shift is not None:
            shift = np.broadcast_to(np.asarray(shift, np.float32), (self.channels,))
            bias = shift if bias is None else bias + shift
        return replace(self, kernel=kernel, bias=bias)

    def stored(self) -> Array:
        """The kernel as the device's layouts know it: depthwise kernels hold one channel of each group."""
        import numpy as np

        if self.op.type != DEPTHWISE:
            return self.kernel
        high, wide, channels, times = self.kernel.shape
        return np.reshape(self.kernel, (high, wide, 1, channels * times))

    def feeds(self, kernel: Array) -> tuple[dict[Value, Array], dict[Op, Sequence[Array]]]:
        """What makes the framework compute with `kernel` and no bias: fed tensors, or blobs in place of stored ones."""
        import numpy as np

        none = np.zeros(self.channels, np.float32)
        if _dialect(self.op) == "caffe":
            return {}, {self.op: [kernel, none] if self.own_bias else [kernel]}
        slot = _slots(self.op)[0]
        fed = {_operand(self.op, slot): kernel}
        own = _bias_operand(self.op)
        return (fed | {own: none} if own is not None else fed), {}


def weights_of(op: Op, statics: Statics) -> Weights | None:
    """The weights of an operator; None where they are not stored, or not those of a plane convolution or matrix."""
    found = _caffe(op) if _dialect(op) == "caffe" else _operands(op, statics)
    if found is None or found.kernel.ndim != (2 if role(op) == MATMUL else 4) or found.kernel.dtype.kind != "f":
        return None
    return found


def has_weights(op: Op, statics: Statics) -> bool:
    """Whether `weights_of` may find some, without reading them."""
    if role(op) not in (CONV, DECONV, MATMUL):
        return False
    if _dialect(op) == "caffe":
        return len(op.operands) == 1
    weight, data = _slots(op)
    bias = _bias_operand(op)
    fixed = statics.is_fixed(op.operands[weight]) and (bias is None or statics.is_fixed(bias))
    return fixed and not statics.is_static(op.operands[data])


def _caffe(op: Op) -> Weights | None:
    import numpy as np

    from subcut.compiler.formats.caffe.layer import Layer
    from subcut.compiler.formats.caffe.lower import stored_blobs

    blobs = stored_blobs(op)
    layer = Layer(op.type, op.attributes, [])
    bias = blobs[1].ravel() if len(blobs) > 1 else None
    data = op.operands[0]
    assert data is not None
    if role(op) == MATMUL:
        turned = layer.param("inner_product_param").flag("transpose")
        kernel: Array = np.reshape(blobs[0], blobs[0].shape[-2:])
        return Weights(op, data, kernel, bias, 1 if turned else 0, -1, "ND", own_bias=bias is not None)
    group = layer.param("convolution_param").integer("group", 1)
    axis = 1 if role(op) == DECONV else 0
    return Weights(op, data, blobs[0], bias, axis, -3, "NCHW", group, bias is not None)


def _operands(op: Op, statics: Statics) -> Weights | None:
    import numpy as np

    weight, place = _slots(op)
    kernel, data = statics.array(_operand(op, weight)), _operand(op, place)
    own = _bias_operand(op)
    bias = None if own is None else np.ravel(statics.array(own))
    if role(op) == MATMUL:
        turned = bool(op.attributes.get("transB") or op.attributes.get("transpose_b"))
        axis, plain = (0 if turned else 1), _is_plain(op)
        if not plain or kernel.ndim != 2 or (bias is not None and bias.size not in (1, kernel.shape[axis])):
            return None
        return Weights(op, data, kernel, None if bias is None else np.resize(bias, kernel.shape[axis]), axis, -1, "ND")
    if _dialect(op) == "onnx":
        group = op.attributes.get("group") or 1
        assert isinstance(group, int)
        return Weights(op, data, kernel, bias, 1 if role(op) == DECONV else 0, -3, "NCHW", group)
    channel = -1 if image_layout(op) == "NHWC" else -3
    if op.type == DEPTHWISE:
        return Weights(op, data, kernel, bias, 3, channel, "HWCN", int(kernel.shape[2]))
    return Weights(op, data, kernel, bias, 2 if role(op) == DECONV else 3, channel, "HWCN")


def _is_plain(op: Op) -> bool:
    """Whether a matrix product has no factors and does not transpose what it multiplies."""
    told = op.attributes
    factors = (told.get("alpha", 1.0), told.get("beta", 1.0))
    return factors == (1.0, 1.0) and not told.get("transA") and not told.get("transpose_a")


def _slots(op: Op) -> tuple[int, int]:
    """Where an operator has its kernel and its data."""
    return (1, 2) if op.type == "Conv2DBackpropInput" else (1, 0)


def _operand(op: Op, slot: int) -> Value:
    value = op.operands[slot]
    assert value is not None
    return value


def _bias_operand(op: Op) -> Value | None:
    return op.operands[2] if _dialect(op) == "onnx" and len(op.operands) > 2 else None


def _dialect(op: Op) -> str:
    assert op.graph is not None
    return op.graph.model.dialect.name
