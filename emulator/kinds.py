"""What the emulator knows about operators of each format: what they do, and what the device calls them.

The device's names are those of the graph engine's operator library; an operator that is in no table keeps its name and
is run as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from subcut.compiler.ir.graph import Op

CONV, DECONV, MATMUL = "conv", "deconv", "matmul"
"""Operators of the cube unit, which others are fused into."""
NORM, SCALE, BIAS = "norm", "scale", "bias"
"""Affine for each channel, by numbers that are stored."""
BINARY, UNARY, POOL = "binary", "unary", "pool"
RESHAPE, NOTHING, SHAPE, RANDOM, FLOW, INPUT = "reshape", "nothing", "shape", "random", "flow", "input"
"""Same numbers in another shape; same tensor; a tensor's shape; random; control flow; what is fed."""
OTHER = "other"

_TABLES = {
    "caffe": """
conv Convolution:Conv2D
deconv Deconvolution:Deconvolution
matmul InnerProduct:FullyConnection
norm BatchNorm:BNInference
scale Scale
bias Bias
binary Eltwise
unary ReLU:Relu PReLU:PRelu Sigmoid TanH:Tanh ELU:Elu AbsVal:Abs Exp Log Power BNLL:Softplus ReLU6:Relu6 Swish Clip
pool Pooling
reshape Reshape Flatten
nothing Dropout Split
other Softmax:SoftmaxV2 Concat:ConcatD Permute:TransposeD Slice:SliceDV2 ArgMax:ArgMaxD Normalize:NormalizeBBox
input Input Data ImageData HDF5Data MemoryData WindowData Python
""",
    "onnx": """
conv Conv:Conv2D
deconv ConvTranspose:Conv2DTransposeD
matmul MatMul:MatMulV2 Gemm:MatMulV2
norm BatchNormalization:BNInference
binary Add Mul Sub Div:RealDiv Max:Maximum Min:Minimum Sum:AddN
unary Relu LeakyRelu PRelu Clip:ClipByValue Sigmoid Tanh Elu Abs Exp Log Sqrt Neg HardSigmoid HardSwish Softplus Erf
unary Selu
pool MaxPool:MaxPoolV3 AveragePool:AvgPoolV2 GlobalAveragePool GlobalMaxPool
reshape Reshape Flatten Squeeze Unsqueeze
nothing Identity Dropout
shape Shape Size
random RandomNormal RandomUniform RandomNormalLike RandomUniformLike
flow If Loop Scan SequenceMap
other Softmax:SoftmaxV2 Concat:ConcatD Transpose:TransposeD Split:SplitD Slice:StridedSliceD ReduceMean:ReduceMeanD
""",
    "tf": """
conv Conv2D DepthwiseConv2dNative:DepthwiseConv2D
deconv Conv2DBackpropInput:Conv2DBackpropInputD
matmul MatMul:MatMulV2
norm FusedBatchNorm:BNInference FusedBatchNormV2:BNInference FusedBatchNormV3:BNInference
bias BiasAdd
binary Add AddV2:Add Mul Sub RealDiv Maximum Minimum SquaredDifference
unary Relu Relu6 LeakyRelu Elu Selu Sigmoid Tanh Abs Exp Log Sqrt Rsqrt Neg Square Softplus
pool MaxPool AvgPool
reshape Reshape Squeeze ExpandDims
nothing Identity StopGradient PreventGradient CheckNumerics PlaceholderWithDefault
shape Shape ShapeN Size Rank
random RandomStandardNormal RandomUniform TruncatedNormal
flow Switch Merge Enter Exit NextIteration LoopCond RefSwitch RefMerge If StatelessIf While StatelessWhile Case
flow PartitionedCall StatefulPartitionedCall TensorArrayV3 VarHandleOp VariableV2 ReadVariableOp
other Softmax:SoftmaxV2 ConcatV2:ConcatV2D Transpose:TransposeD Mean:ReduceMeanD
input Placeholder PlaceholderV2
""",
}


@dataclass(frozen=True)
class Kind:
    """What an operator does, and the device's name for it."""

    role: str
    device: str


def _table(text: str) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for line in text.strip().splitlines():
        role, *words = line.split(" ")
        for word in words:
            name, _, device = word.partition(":")
            found[name] = Kind(role, device or name)
    return found


_KINDS = {dialect: _table(text) for dialect, text in _TABLES.items()}


def kind_of(op: Op) -> Kind:
    """What `op` does."""
    assert op.graph is not None
    table = _KINDS[op.graph.model.dialect.name]
    if op.regions:
        return Kind(FLOW, op.type)
    return table.get(op.type) or Kind(OTHER, op.type.rpartition(".")[2])


def role(op: Op) -> str:
    """What `op` does, in one word."""
    return kind_of(op).role


def image_layout(op: Op) -> str:
    """The layout of a four-dimensional image at `op`: `NHWC` or `NCHW`."""
    assert op.graph is not None
    if op.graph.model.dialect.name != "tf":
        return "NCHW"
    stated = op.attributes.get("data_format")
    return "NCHW" if stated in (b"NCHW", "NCHW") else "NHWC"
