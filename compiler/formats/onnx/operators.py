"""Which of ONNX's operators are functions of their operands alone.

Source: docs/Operators.md of ONNX, every version. Left out: `Bernoulli`, `Multinomial` and `Random*`, which are random,
and `Dropout`, which is random in training mode.
"""

from __future__ import annotations

from subcut.compiler.ir.graph import Graph, Op

PURE = frozenset(
    """
    Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization
    BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike CausalConvWithState Ceil
    Celu CenterCropPad Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger
    ConvTranspose Cos Cosh CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Div DynamicQuantizeLinear
    Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm
    GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HammingWindow
    HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder InstanceNormalization IsInf IsNaN LRN LSTM
    LayerNormalization LeakyRelu Less LessOrEqual LinearAttention Log LogSoftmax Loop LpNormalization LpPool MatMul
    MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Neg
    NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement OptionalHasElement Or
    PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu
    Reshape Resize ReverseSequence RoiAlign RotaryEmbedding Round STFT Scan Scatter ScatterElements ScatterND Selu
    SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap Shape Shrink
    Sigmoid Sign Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split
    SplitToSequence Sqrt Squeeze StringConcat StringNormalizer StringSplit Sub Sum SwiGLU Swish Tan Tanh TensorScatter
    TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample Where Xor
    com.microsoft.DequantizeLinear com.microsoft.QuantizeLinear
    """.split()
)


SHAPE_ARITHMETIC = frozenset(
    """
    Shape Size Abs Add And Cast Ceil Concat ConstantOfShape Div Equal Expand Floor Gather Greater GreaterOrEqual
    Identity Less LessOrEqual Max Min Mod Mul Neg Not Or Range ReduceMax ReduceMin ReduceProd ReduceSum Reshape Slice
    Squeeze Sub Transpose Unsqueeze Where
    """.split()
)
"""What `fold` follows from a static shape to a constant."""


def is_pure(op: Op) -> bool:
    """Whether `op`, everything in its bodies and every function it calls is known and without randomness."""
    seen: set[Graph] = set()
    stack = [op]
    while stack:
        for inner in stack.pop().walk():
            functions = _called(inner)
            if not functions and inner.type not in PURE and inner.type not in ("initializer", "sparse_initializer"):
                return False
            for function in functions:
                if function not in seen:
                    seen.add(function)
                    stack.extend(function.ops)
    return True


def _called(op: Op) -> list[Graph]:
    if not op.symbols or op.graph is None:
        return []
    return [op.graph.model.functions[name] for name in op.symbols if name in op.graph.model.functions]
