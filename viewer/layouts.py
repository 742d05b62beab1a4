"""The layouts of tensors (row S4) where their types do not say them: operators with spatial axes do.

ONNX defines these for N x C x D1 x … (docs/Operators.md); TensorFlow's state a `data_format`. What is computed from
such a tensor element by element has its layout too. Only tensors with as many axes as the layout are labelled.
"""

from __future__ import annotations

from subcut.compiler.errors import SubcutError
from subcut.compiler.ir.graph import Graph, Op, Value
from subcut.compiler.ir.types import TensorType

_CHANNELS_FIRST = {4: "NCHW", 5: "NCDHW"}
_ONNX = frozenset(
    "Conv ConvTranspose ConvInteger QLinearConv MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool "
    "GlobalLpPool BatchNormalization InstanceNormalization LRN DepthToSpace SpaceToDepth".split()
)
_TENSORFLOW = frozenset(
    "Conv2D Conv3D Conv2DBackpropInput DepthwiseConv2dNative MaxPool MaxPool3D AvgPool AvgPool3D FusedBatchNorm "
    "FusedBatchNormV2 FusedBatchNormV3 BiasAdd DepthToSpace SpaceToDepth".split()
)
_DATA = {"Conv2DBackpropInput": 2}
"""Which operand is the data, where it is not the first."""
_ELEMENTWISE = frozenset(
    "Relu Relu6 LeakyRelu PRelu Elu Selu Sigmoid HardSigmoid HardSwish Swish Tanh Softplus Clip Erf Exp Sqrt Rsqrt Neg "
    "Abs Add AddV2 Sub Mul Div RealDiv Maximum Minimum Max Min Sum Concat ConcatV2 Pad PadV2 MirrorPad Identity "
    "Dropout Cast Resize Upsample ResizeBilinear ResizeNearestNeighbor QuantizeLinear DequantizeLinear AddN".split()
)


def layouts(graph: Graph) -> dict[Value, str]:
    """The layout of every tensor of `graph` that has one, as far as operators tell."""
    dialect = graph.model.dialect.name
    spatial = {"onnx": _ONNX, "tf": _TENSORFLOW}.get(dialect)
    found: dict[Value, str] = {}
    if spatial is None:
        return found
    for op in graph.ops:
        if op.type in spatial:
            slot = _DATA.get(op.type, 0)
            for value in (*op.operands[slot : slot + 1], *op.results[:1]):
                rank = _rank(value)
                layout = _CHANNELS_FIRST.get(rank, "") if dialect == "onnx" else _data_format(op)
                if value is not None and layout and len(layout) == rank:
                    found.setdefault(value, layout)
        elif found and op.type in _ELEMENTWISE and op.results:
            known = next((found[v] for v in op.operands if v is not None and v in found), "")
            if known and _rank(op.results[0]) == len(known):
                found[op.results[0]] = known
    return found


def _data_format(op: Op) -> str:
    """What an operator of TensorFlow's says of the layout of its data."""
    try:
        stated = op.attributes.get("data_format", b"NHWC")
    except (SubcutError, ValueError):  # damage is told where the operator is looked at
        return ""
    return stated.decode(errors="replace") if isinstance(stated, bytes) else ""


def _rank(value: Value | None) -> int:
    """The number of axes; 0 where it is not known."""
    type = value.type if value is not None else None
    return len(type.shape) if isinstance(type, TensorType) and type.shape is not None else 0
