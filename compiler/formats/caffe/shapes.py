"""Shape inference for Caffe layers: the rule of each layer type, and the blobs it stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from subcut.compiler.formats.caffe import shape_rules_basic as basic
from subcut.compiler.formats.caffe import shape_rules_data as data
from subcut.compiler.formats.caffe import shape_rules_forks as forks
from subcut.compiler.formats.caffe import shape_rules_windows as windows
from subcut.compiler.formats.caffe.layer import Dims, Layer, Shape, Unknown, canonical, count, text
from subcut.compiler.ir.graph import Attribute

Rule = Callable[[Layer], list[Dims | None]]

RULES: dict[str, Rule] = {
    # BVLC Caffe
    "AbsVal": basic.same,
    "Accuracy": basic.accuracy,
    "ArgMax": basic.argmax,
    "BNLL": basic.same,
    "BatchNorm": basic.channelled,
    "BatchReindex": basic.batch_reindex,
    "Bias": basic.bias,
    "Clip": basic.same,
    "Concat": basic.concat,
    "ContrastiveLoss": basic.loss,
    "Convolution": windows.convolution,
    "Crop": windows.crop,
    "Data": data.data,
    "Deconvolution": windows.deconvolution,
    "Dropout": basic.same,
    "DummyData": data.dummy_data,
    "ELU": basic.same,
    "Eltwise": basic.eltwise,
    "Embed": basic.embed,
    "EuclideanLoss": basic.loss,
    "Exp": basic.same,
    "Filter": basic.filter_,
    "Flatten": basic.flatten,
    "HDF5Data": data.elsewhere,
    "HDF5Output": basic.sink,
    "HingeLoss": basic.loss,
    "Im2col": windows.im2col,
    "ImageData": data.image_data,
    "InfogainLoss": basic.loss,
    "InnerProduct": basic.inner_product,
    "Input": data.input_,
    "LRN": basic.lrn,
    "LSTM": basic.recurrent,
    "LSTMUnit": basic.lstm_unit,
    "Log": basic.same,
    "MVN": basic.mvn,
    "MemoryData": data.memory_data,
    "MultinomialLogisticLoss": basic.loss,
    "PReLU": basic.channelled,
    "Parameter": data.parameter,
    "Pooling": windows.pooling,
    "Power": basic.same,
    "RNN": basic.recurrent,
    "ReLU": basic.same,
    "Reduction": basic.reduction,
    "Reshape": basic.reshape,
    "SPP": windows.spp,
    "Scale": basic.scale,
    "Sigmoid": basic.same,
    "SigmoidCrossEntropyLoss": basic.loss,
    "Silence": basic.sink,
    "Slice": basic.slice_,
    "Softmax": basic.softmax,
    "SoftmaxWithLoss": basic.loss,
    "Split": basic.same,
    "Swish": basic.same,
    "TanH": basic.same,
    "Threshold": basic.same,
    "Tile": basic.tile,
    "WindowData": data.window_data,
    # the SSD fork
    "AnnotatedData": forks.annotated_data,
    "DetectionEvaluate": forks.detection_evaluate,
    "DetectionOutput": forks.detection_output,
    "MultiBoxLoss": basic.loss,
    "Normalize": basic.channelled,
    "Permute": basic.permute,
    "PriorBox": forks.prior_box,
    "SmoothL1Loss": basic.loss,
    "VideoData": data.elsewhere,
    # other forks, and a layer of generation V0 that Caffe joins to the next one
    "AntiQuant": basic.same,
    "Axpy": forks.axpy,
    "ConvolutionDepthwise": windows.convolution,
    "DeQuant": basic.same,
    "DepthwiseConvolution": windows.convolution,
    "IFMR": basic.sink,
    "Interp": forks.interp,
    "PSROIPooling": forks.psroi_pooling,
    "Padding": windows.padding,
    "Proposal": forks.proposal,
    "Quant": basic.same,
    "ROIPooling": forks.roi_pooling,
    "ReLU6": basic.same,
    "Reorg": forks.reorg,
    "SearchN": basic.same,
    "ShuffleChannel": forks.shuffle_channel,
    "Upsample": forks.upsample,
}

STORING = frozenset(
    "BatchNorm Bias Convolution ConvolutionDepthwise Deconvolution DepthwiseConvolution Embed InnerProduct LSTM "
    "Normalize PReLU Parameter RNN Scale".split()
)
"""Types whose layers may need blobs of the weights file, and whose blobs have shapes that follow from parameters."""

_PROBES = (1_000_003, 2_000_003)
"""Two sizes to try where a dimension is unknown: what comes out the same for both does not depend on it."""


def infer_layer(
    op_type: str,
    attributes: Mapping[str, Attribute],
    bottoms: Sequence[Dims | None],
    blobs: Sequence[Shape] = (),
    tops: int = 1,
) -> list[Dims | None]:
    """Shapes of the `tops` tops of a layer; None, or a dimension of None, where they are not known.

    `attributes` have the names of the current generation; `blobs` are the shapes of what the layer stores, checked
    when given. Raises ValueError, saying why, where Caffe would refuse the layer.
    """
    if attributes or blobs:
        return _infer(Layer(op_type, attributes, bottoms, blobs, tops))
    return list(_infer_plain(op_type, tuple(bottoms), tops))


@lru_cache(maxsize=1024)
def _infer_plain(op_type: str, bottoms: tuple[Dims | None, ...], tops: int) -> list[Dims | None]:
    """Of a layer without parameters, which looks like many others."""
    return _infer(Layer(op_type, {}, bottoms, (), tops))


def _infer(layer: Layer) -> list[Dims | None]:
    rule, tops = RULES.get(layer.type), layer.tops
    if rule is None or tops == 0:
        return [None] * tops
    try:
        found = rule(layer)
        _check_blobs(layer)
    except Unknown:
        found = _probed(rule, layer)
    return [*found, *[None] * tops][:tops]


def _probed(rule: Rule, layer: Layer) -> list[Dims | None]:
    """What is known of the tops when bottoms have unknown dimensions, but a known number of axes."""
    if any(dims is None for dims in layer.bottoms):
        return []
    tries: list[list[Dims | None]] = []
    for probe in _PROBES:
        filled = [tuple(d if isinstance(d, int) else probe for d in dims or ()) for dims in layer.bottoms]
        try:
            tries.append(rule(Layer(layer.type, layer.attributes, filled, layer.blobs, layer.tops)))
        except (ValueError, Unknown):  # wrong for this size may be right for the true one
            return []
    return [_common(a, b) for a, b in zip(*tries, strict=True)]


def _common(a: Dims | None, b: Dims | None) -> Dims | None:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def required_blobs(op_type: str, attributes: Mapping[str, Attribute], bottoms: int = 1) -> int:
    """How many blobs a layer with that many bottoms must find in the weights file."""
    if op_type not in STORING:
        return 0
    layer = Layer(op_type, attributes, [None] * bottoms)
    if op_type in ("Convolution", "Deconvolution", *windows.DEPTHWISE):
        return 1 + layer.param("convolution_param").flag("bias_term", True)
    if op_type in ("InnerProduct", "Embed"):
        name = "inner_product_param" if op_type == "InnerProduct" else "embed_param"
        return 1 + layer.param(name).flag("bias_term", True)
    if op_type == "Scale":
        return (bottoms == 1) + layer.param("scale_param").flag("bias_term")
    if op_type in ("LSTM", "RNN"):
        return (3 if op_type == "LSTM" else 5) + basic.static_input(layer)
    if op_type == "Bias":
        return int(bottoms == 1)
    return {"BatchNorm": 3, "PReLU": 1, "Parameter": 1, "Normalize": 1}.get(op_type, 0)


def blob_shapes(layer: Layer) -> list[Shape]:
    """Shapes of the blobs that `required_blobs` counts. Raises `Unknown` where a bottom they follow from is unknown."""
    if layer.type in ("Convolution", "Deconvolution", *windows.DEPTHWISE):
        return windows.convolution_blobs(layer)
    if layer.type == "InnerProduct":
        return _inner_product_blobs(layer)
    if layer.type == "Embed":
        p = layer.param("embed_param")
        weights = (p.integer("input_dim"), p.integer("num_output"))
        return [weights, weights[1:]] if p.flag("bias_term", True) else [weights]
    if layer.type in ("Scale", "Bias"):
        shape = basic.affine_axes(layer, f"{layer.type.lower()}_param")[1]
        return [shape] * required_blobs(layer.type, layer.attributes, len(layer.bottoms))
    if layer.type in ("LSTM", "RNN"):
        return _recurrent_blobs(layer)
    if layer.type == "BatchNorm":
        channels = layer.bottom()[1:2] or (1,)
        return [channels, channels, (1,)]
    if layer.type in ("PReLU", "Normalize"):
        shared = (
            layer.param("prelu_param").flag("channel_shared")
            if layer.type == "PReLU"
            else layer.param("norm_param").flag("channel_shared", True)
        )
        return [() if shared else layer.bottom()[1:2]]
    return [layer.param("parameter_param").shape("shape")] if layer.type == "Parameter" else []


def _inner_product_blobs(layer: Layer) -> list[Shape]:
    p, shape = layer.param("inner_product_param"), layer.bottom()
    outputs, inputs = p.integer("num_output"), count(shape[canonical(p.integer("axis", 1), shape) :])
    weights = (inputs, outputs) if p.flag("transpose") else (outputs, inputs)
    return [weights, (outputs,)] if p.flag("bias_term", True) else [weights]


def _recurrent_blobs(layer: Layer) -> list[Shape]:
    """Input weights and bias, weights of the static input, hidden weights; of an RNN output weights and bias too."""
    size, width = layer.param("recurrent_param").integer("num_output"), count(layer.bottom()[2:])
    gates = 4 * size if layer.type == "LSTM" else size
    static: list[Shape] = [(gates, count(layer.bottom(2)[1:]))] if basic.static_input(layer) else []
    output: list[Shape] = [] if layer.type == "LSTM" else [(size, size), (size,)]
    return [(gates, width), (gates,), *static, (gates, size), *output]


def _check_blobs(layer: Layer) -> None:
    """Raise ValueError where the stored blobs are not what the parameters ask for."""
    if not layer.blobs:
        return
    expected = blob_shapes(layer)
    if len(expected) > len(layer.blobs):
        raise ValueError(f"stores {len(layer.blobs)} blobs and needs {len(expected)}")
    for i, (want, have) in enumerate(zip(expected, layer.blobs, strict=False)):
        if count(want) != count(have):
            raise ValueError(f"blob {i} is {text(have)} and must be {text(want)}")
