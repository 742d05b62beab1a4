"""Small nets of one or two layers that put each rule of each layer type to the test, and the numbers to feed them.

Read by `record.py` under the Python of a real Caffe (3.7 to 3.9) and by the tests, so it needs nothing but numpy.
"""

import zlib

import numpy as np


def layer(kind, params="", bottoms="x", tops="y", name="l"):
    """The text of one layer; bottoms and tops are names with blanks between them."""
    blobs = [f'bottom: "{b}"' for b in bottoms.split()] + [f'top: "{t}"' for t in tops.split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(blobs)} {params} }}'


def conv(params, kind="Convolution", **names):
    return layer(kind, f"convolution_param {{ {params} }}", **names)


def pool(params, tops="y"):
    return layer("Pooling", f"pooling_param {{ {params} }}", tops=tops)


def loss(kind, params=""):
    return layer(kind, params, "x label", "y")


IMAGE = "x 2x3x7x6"
SHARED = 'param { name: "w" } inner_product_param { num_output: 3 bias_term: false }'
SCORES = "x 4x5; label 4 labels5"
SEQUENCE = "x 4x2x3; cont 4x2 cont"

CASES = {
    # name: (inputs, layers)
    "absval": (IMAGE, layer("AbsVal")),
    "accuracy": ("x 6x5; label 6 labels5", loss("Accuracy")),
    "accuracy-top2": ("x 8x5; label 8 labels5", loss("Accuracy", "accuracy_param { top_k: 2 }")),
    "accuracy-ignore": ("x 8x5; label 8 labels5", loss("Accuracy", "accuracy_param { ignore_label: 1 }")),
    "accuracy-spatial": (
        "x 2x3x4x2; label 2x4x2 labels3",
        layer("Accuracy", "accuracy_param { axis: -3 }", "x label", "y z"),
    ),
    "accuracy-few": (
        "x 3x4; label 3 labels4",
        layer("Accuracy", "accuracy_param { top_k: 3 }", "x label", "y z"),
    ),
    "argmax": ("x 3x2x4", layer("ArgMax")),
    "argmax-value": ("x 3x2x4", layer("ArgMax", "argmax_param { out_max_val: true top_k: 3 }")),
    "argmax-axis": ("x 2x5x3", layer("ArgMax", "argmax_param { axis: 1 top_k: 2 }")),
    "argmax-axis-value": ("x 2x5x3x2", layer("ArgMax", "argmax_param { axis: -3 top_k: 2 out_max_val: true }")),
    "argmax-ties": ("x 3x9 labels3", layer("ArgMax", "argmax_param { top_k: 4 }")),
    "batchnorm": (IMAGE, layer("BatchNorm")),
    "batchnorm-eps": ("x 3x4", layer("BatchNorm", "batch_norm_param { eps: 0.1 }")),
    "batchreindex": ("x 3x2x2; i 5 labels3", layer("BatchReindex", "", "x i", "y")),
    "bias": (IMAGE, layer("Bias")),
    "bias-axes": (IMAGE, layer("Bias", "bias_param { axis: 1 num_axes: 2 }")),
    "bias-bottom": ("x 2x3x4; b 3", layer("Bias", "", "x b", "y")),
    "bias-rest": (IMAGE, layer("Bias", "bias_param { axis: -2 num_axes: -1 }")),
    "bnll": (IMAGE, layer("BNLL")),
    "concat": ("x 2x3x2x2; z 2x1x2x2", layer("Concat", "", "x z", "y")),
    "concat-axis": ("x 2x3; z 4x3", layer("Concat", "concat_param { axis: -2 }", "x z", "y")),
    "concat-dim": ("x 2x3; z 4x3", layer("Concat", "concat_param { concat_dim: 0 }", "x z", "y")),
    "concat-one": ("x 2x3", layer("Concat")),
    "contrastive": (
        "x 4x5; z 4x5; s 4x1x1x1 binary",
        layer("ContrastiveLoss", "contrastive_loss_param { margin: 2 }", "x z s", "y"),
    ),
    "contrastive-legacy": (
        "x 4x5; z 4x5; s 4 binary",
        layer("ContrastiveLoss", "contrastive_loss_param { margin: 9 legacy_version: true }", "x z s", "y"),
    ),
    "conv": (IMAGE, conv("num_output: 4 kernel_size: 3")),
    "conv-group": ("x 1x4x6x5", conv("num_output: 6 kernel_size: 3 group: 2 pad: 1 stride: 2")),
    "conv-hw": (
        IMAGE,
        conv("num_output: 2 kernel_h: 1 kernel_w: 3 pad_h: 1 pad_w: 0 stride_h: 3 stride_w: 2 bias_term: false"),
    ),
    "conv-dilation": ("x 1x2x9x8", conv("num_output: 2 kernel_size: 3 dilation: 2 pad: 2")),
    "conv-lists": (
        "x 1x2x9x8",
        conv("num_output: 2 kernel_size: [3, 2] dilation: [2, 1] pad: [0, 1] stride: [1, 2]"),
    ),
    "conv-3d": ("x 1x2x4x5x3", conv("num_output: 2 kernel_size: 2")),
    "conv-1d": ("x 2x3x8", conv("num_output: 2 kernel_size: 3 stride: 2")),
    "conv-axis": ("x 2x3x2x5x5", conv("num_output: 2 kernel_size: 3 axis: 2")),
    "conv-two": ("x 1x2x4x4; z 1x2x4x4", conv("num_output: 2 kernel_size: 3", bottoms="x z", tops="y w")),
    "conv-rounds-down": ("x 1x1x8x8", conv("num_output: 1 kernel_size: 3 stride: 2")),
    "conv-without-space": ("x 2x3", conv("num_output: 4")),
    "crop": ("x 1x2x6x5; z 1x2x3x4", layer("Crop", "crop_param { axis: 2 offset: 1 }", "x z", "y")),
    "crop-offsets": (
        "x 2x3x6x5; z 1x2x3x4",
        layer("Crop", "crop_param { axis: 1 offset: 1 offset: 2 offset: 0 }", "x z", "y"),
    ),
    "crop-default": ("x 2x3x6x5; z 1x2x3x4", layer("Crop", "", "x z", "y")),
    "deconv": ("x 1x3x3x4", conv("num_output: 2 kernel_size: 4 stride: 2 pad: 1", "Deconvolution")),
    "deconv-group": (
        "x 2x4x3x3",
        conv("num_output: 4 kernel_size: 2 stride: 2 group: 4 bias_term: false", "Deconvolution"),
    ),
    "deconv-dilation": ("x 1x2x4x3", conv("num_output: 3 kernel_size: 3 dilation: 2", "Deconvolution")),
    "deconv-group-uneven": (
        "x 1x4x3x3",
        conv("num_output: 6 kernel_size: 3 group: 2 stride: 3 pad: 2", "Deconvolution"),
    ),
    "deconv-1d": ("x 1x2x5", conv("num_output: 2 kernel_size: 3 stride: 2", "Deconvolution")),
    "dropout": (IMAGE, layer("Dropout")),
    "dummydata": ("x 1", layer("DummyData", "dummy_data_param { shape { dim: 2 dim: 3 } }", "", "y")),
    "dummydata-legacy": (
        "x 1",
        layer(
            "DummyData",
            "dummy_data_param { num: 2 num: 1 channels: 3 height: 1 width: 2"
            ' data_filler { type: "constant" value: 4 } data_filler { value: 0.5 } }',
            "",
            "y z",
        ),
    ),
    "eltwise-sum": ("x 2x3; z 2x3; w 2x3", layer("Eltwise", "", "x z w", "y")),
    "eltwise-coeff": (
        "x 2x3; z 2x3",
        layer("Eltwise", "eltwise_param { operation: SUM coeff: 0.5 coeff: -2 }", "x z", "y"),
    ),
    "eltwise-prod": ("x 2x3; z 2x3; w 2x3", layer("Eltwise", "eltwise_param { operation: PROD }", "x z w", "y")),
    "eltwise-max": ("x 2x3; z 2x3; w 2x3", layer("Eltwise", "eltwise_param { operation: MAX }", "x z w", "y")),
    "elu": (IMAGE, layer("ELU", "elu_param { alpha: 0.7 }")),
    "embed": ("x 3x2 labels6", layer("Embed", "embed_param { num_output: 4 input_dim: 6 }")),
    "embed-plain": ("x 5 labels6", layer("Embed", "embed_param { num_output: 2 input_dim: 6 bias_term: false }")),
    "euclidean": ("x 3x4x2; label 3x4x2", loss("EuclideanLoss")),
    "exp": (IMAGE, layer("Exp")),
    "exp-base": (IMAGE, layer("Exp", "exp_param { base: 2 scale: 0.5 shift: 1.5 }")),
    "exp-shift": (IMAGE, layer("Exp", "exp_param { scale: 2 shift: -1 }")),
    "filter": ("x 5x2x2; z 5x3; s 5 binary", layer("Filter", "", "x z s", "y w")),
    "flatten": (IMAGE, layer("Flatten")),
    "flatten-axes": ("x 2x3x4x5", layer("Flatten", "flatten_param { axis: 0 end_axis: -3 }")),
    "hinge": (SCORES, loss("HingeLoss")),
    "hinge-l2": (SCORES, loss("HingeLoss", "hinge_loss_param { norm: L2 }")),
    "im2col": ("x 2x2x5x6", conv("kernel_size: 3 pad: 1 stride: 2", "Im2col")),
    "im2col-hw": ("x 1x2x5x6", conv("kernel_h: 2 kernel_w: 3 dilation: 2", "Im2col")),
    "im2col-3d": ("x 1x2x3x4x3", conv("kernel_size: 2", "Im2col")),
    "infogain": ("x 4x3; label 4 labels3; h 1x1x3x3 unit", layer("InfogainLoss", "", "x label h", "y")),
    "infogain-spatial": (
        "x 2x3x2; label 2x2 labels3; h 3x3 unit",
        layer(
            "InfogainLoss",
            "loss_weight: 1 loss_weight: 0 infogain_loss_param { axis: 1 }"
            " loss_param { ignore_label: 2 normalization: BATCH_SIZE }",
            "x label h",
            "y p",
        ),
    ),
    "innerproduct": (IMAGE, layer("InnerProduct", "inner_product_param { num_output: 5 }")),
    "innerproduct-axis": (
        "x 2x3x4x2",
        layer("InnerProduct", "inner_product_param { num_output: 5 axis: 2 bias_term: false }"),
    ),
    "innerproduct-last": ("x 2x3x4", layer("InnerProduct", "inner_product_param { num_output: 3 axis: -1 }")),
    "innerproduct-transpose": (
        "x 2x6",
        layer("InnerProduct", "inner_product_param { num_output: 3 transpose: true }"),
    ),
    "innerproduct-all": ("x 2x3", layer("InnerProduct", "inner_product_param { num_output: 3 axis: 0 }")),
    "log": ("x 2x3 positive", layer("Log")),
    "log-base": ("x 2x3 positive", layer("Log", "log_param { base: 10 scale: 3 shift: 0.5 }")),
    "lrn": ("x 2x7x3x3", layer("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.7 k: 2 }")),
    "lrn-default": ("x 1x9x2x2", layer("LRN")),
    "lrn-within": (
        "x 2x2x6x5",
        layer("LRN", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.8 k: 5 }"),
    ),
    "lstm": (SEQUENCE, layer("LSTM", "recurrent_param { num_output: 3 }", "x cont", "y")),
    "lstm-static": (
        SEQUENCE + "; s 2x4",
        layer("LSTM", "recurrent_param { num_output: 3 }", "x cont s", "y"),
    ),
    "lstm-anew": ("x 4x2x3; cont 4x2 anew", layer("LSTM", "recurrent_param { num_output: 3 }", "x cont", "y")),
    "lstm-hidden": (
        SEQUENCE + "; h 1x2x3; c 1x2x3",
        layer("LSTM", "recurrent_param { num_output: 3 expose_hidden: true }", "x cont h c", "y hT cT"),
    ),
    "lstm-static-hidden": (
        "x 3x2x2x2; cont 3x2 cont; s 2x4; h 1x2x3; c 1x2x3",
        layer("LSTM", "recurrent_param { num_output: 3 expose_hidden: true }", "x cont s h c", "y hT cT"),
    ),
    "lstmunit": ("c 1x2x3; g 1x2x12; cont 1x2 cont", layer("LSTMUnit", "", "c g cont", "y h")),
    "multinomial": ("x 4x5 unit; label 4 labels5", loss("MultinomialLogisticLoss")),
    "mvn": (IMAGE, layer("MVN")),
    "mvn-across": ("x 2x3x4x2", layer("MVN", "mvn_param { across_channels: true eps: 0.01 }")),
    "mvn-mean": (IMAGE, layer("MVN", "mvn_param { normalize_variance: false }")),
    "mvn-flat": ("x 3x8", layer("MVN", "mvn_param { across_channels: true }")),
    "parameter": ("x 1", layer("Parameter", "parameter_param { shape { dim: 2 dim: 3 } }", "", "y")),
    "permute": ("x 2x3x4x5", layer("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }")),
    "permute-part": ("x 2x3x4", layer("Permute", "permute_param { order: 2 }")),
    "pool-max": (IMAGE, pool("kernel_size: 2 stride: 2")),
    "pool-max-pad": ("x 1x2x8x7", pool("kernel_size: 3 stride: 2 pad: 1")),
    "pool-max-mask": ("x 2x2x7x6", pool("kernel_size: 3 stride: 2 pad: 1", "y m")),
    "pool-max-mask-ceil": ("x 1x2x6x8", pool("kernel_size: 3 stride: 2", "y m")),
    "pool-max-mask-behind": ("x 2x2x5x6", pool("kernel_h: 2 kernel_w: 1 stride_h: 5 stride_w: 4", "y m")),
    "pool-ave": (IMAGE, pool("pool: AVE kernel_size: 3 stride: 2")),
    "pool-ave-pad": ("x 1x2x8x7", pool("pool: AVE kernel_size: 3 stride: 2 pad: 1")),
    "pool-ave-clip": ("x 1x1x6x6", pool("pool: AVE kernel_size: 3 stride: 3 pad: 2")),
    "pool-ave-hw": (IMAGE, pool("pool: AVE kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 3 pad_h: 1 pad_w: 0")),
    "pool-clips-last": ("x 1x1x4x4", pool("kernel_size: 2 stride: 2 pad: 1")),
    "pool-clips-last-5": ("x 1x1x5x5", pool("kernel_size: 2 stride: 3 pad: 1")),
    "pool-pads-one-axis": ("x 1x1x5x9", pool("kernel_size: 2 stride: 4 pad_h: 1 pad_w: 0")),
    "pool-stride-beyond": ("x 1x1x6x7", pool("pool: MAX kernel_size: 1 stride: 3")),
    "pool-behind": ("x 1x1x4x5", pool("kernel_size: 1 stride: 2")),
    "pool-outside": ("x 1x1x5x5", pool("kernel_size: 2 stride: 4")),
    "pool-ave-outside": ("x 1x1x6x5", pool("pool: AVE kernel_size: 2 stride: 4")),
    "pool-ave-kernel-behind": ("x 1x2x3x6", pool("pool: AVE kernel_size: 2 stride: 3")),
    "pool-big-kernel": ("x 1x1x5x4", pool("kernel_size: 6 stride: 3")),
    "pool-global": (IMAGE, pool("pool: AVE global_pooling: true")),
    "pool-global-max": (IMAGE, pool("global_pooling: true")),
    "power": ("x 2x3 positive", layer("Power", "power_param { power: 1.5 scale: 2 shift: 0.5 }")),
    "power-square": (IMAGE, layer("Power", "power_param { power: 2 }")),
    "power-zero": (IMAGE, layer("Power", "power_param { power: 0 }")),
    "power-fixed": (IMAGE, layer("Power", "power_param { power: 2 scale: 0 shift: 3 }")),
    "power-scale": (IMAGE, layer("Power", "power_param { scale: -0.25 shift: 1 }")),
    "prelu": (IMAGE, layer("PReLU")),
    "prelu-shared": ("x 2x3", layer("PReLU", "prelu_param { channel_shared: true }")),
    "reduction": (IMAGE, layer("Reduction")),
    "reduction-asum": (IMAGE, layer("Reduction", "reduction_param { operation: ASUM axis: 1 coeff: 0.5 }")),
    "reduction-sumsq": (IMAGE, layer("Reduction", "reduction_param { operation: SUMSQ axis: -1 }")),
    "reduction-mean": (IMAGE, layer("Reduction", "reduction_param { operation: MEAN axis: 2 coeff: 3 }")),
    "relu": (IMAGE, layer("ReLU")),
    "relu-slope": (IMAGE, layer("ReLU", "relu_param { negative_slope: 0.1 }")),
    "reshape": ("x 2x8", layer("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 4 } }")),
    "reshape-axis": ("x 2x12x3", layer("Reshape", "reshape_param { shape { dim: 3 dim: 4 } axis: 1 num_axes: 1 }")),
    "reshape-insert": ("x 2x3", layer("Reshape", "reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }")),
    "reshape-scalar": ("x 1x1", layer("Reshape", "reshape_param { shape { } }")),
    "reshape-tail": ("x 2x3x4", layer("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 } axis: 1 }")),
    "rnn": (SEQUENCE, layer("RNN", "recurrent_param { num_output: 3 }", "x cont", "y")),
    "rnn-anew": ("x 4x2x3; cont 4x2 anew", layer("RNN", "recurrent_param { num_output: 3 }", "x cont", "y")),
    "rnn-static": (SEQUENCE + "; s 2x4", layer("RNN", "recurrent_param { num_output: 3 }", "x cont s", "y")),
    "rnn-hidden": (
        SEQUENCE + "; h 1x2x3",
        layer("RNN", "recurrent_param { num_output: 3 expose_hidden: true }", "x cont h", "y hT"),
    ),
    "scale": (IMAGE, layer("Scale", "scale_param { bias_term: true }")),
    "scale-plain": ("x 3x4", layer("Scale")),
    "scale-axes": (IMAGE, layer("Scale", "scale_param { axis: 2 num_axes: -1 bias_term: true }")),
    "scale-scalar": ("x 2x3", layer("Scale", "scale_param { num_axes: 0 bias_term: true }")),
    "scale-bottom": ("x 2x3x4; s 2x3", layer("Scale", "scale_param { axis: 0 }", "x s", "y")),
    "scale-bottom-bias": (
        "x 2x3x4; s 3x4",
        layer("Scale", "scale_param { axis: 1 bias_term: true }", "x s", "y"),
    ),
    "scale-bottom-scalar": ("x 2x3; s scalar", layer("Scale", "", "x s", "y")),
    "sigmoid": (IMAGE, layer("Sigmoid")),
    "sigmoid-loss": ("x 3x4; label 3x4 binary", loss("SigmoidCrossEntropyLoss")),
    "sigmoid-loss-ignore": (
        "x 3x4; label 3x4 labels3",
        loss("SigmoidCrossEntropyLoss", "loss_param { ignore_label: 2 normalization: VALID }"),
    ),
    "sigmoid-loss-full": (
        "x 3x4; label 3x4 unit",
        loss("SigmoidCrossEntropyLoss", "loss_param { normalization: FULL }"),
    ),
    "slice": ("x 2x6", layer("Slice", "", tops="y z w")),
    "slice-points": ("x 2x6x2", layer("Slice", "slice_param { slice_point: 1 slice_point: 3 }", tops="y z w")),
    "slice-axis": ("x 4x3", layer("Slice", "slice_param { axis: -2 }", tops="y z")),
    "slice-dim": ("x 4x3", layer("Slice", "slice_param { slice_dim: 0 slice_point: 3 }", tops="y z")),
    "softmax": (IMAGE, layer("Softmax")),
    "softmax-axis": ("x 2x3x4", layer("Softmax", "softmax_param { axis: -1 }")),
    "softmaxloss": (SCORES, loss("SoftmaxWithLoss")),
    "softmaxloss-ignore": (
        "x 2x3x4x2; label 2x4x2 labels3",
        loss("SoftmaxWithLoss", "loss_param { ignore_label: 0 }"),
    ),
    "softmaxloss-full": (
        "x 2x3x4; label 2x4 labels3",
        loss("SoftmaxWithLoss", "loss_param { ignore_label: 0 normalization: FULL }"),
    ),
    "softmaxloss-batch": ("x 2x3x4; label 2x4 labels3", loss("SoftmaxWithLoss", "loss_param { normalize: false }")),
    "softmaxloss-none": (
        "x 2x4x3; label 2x4 labels3",
        loss("SoftmaxWithLoss", "softmax_param { axis: 2 } loss_param { normalization: NONE }"),
    ),
    "split": ("x 2x3", layer("Split", tops="y z")),
    "spp": ("x 2x3x9x7", layer("SPP", "spp_param { pyramid_height: 3 }")),
    "spp-ave": ("x 1x2x8x9", layer("SPP", "spp_param { pyramid_height: 2 pool: AVE }")),
    "spp-one": ("x 2x3x5x4", layer("SPP", "spp_param { pyramid_height: 1 }")),
    "swish": (IMAGE, layer("Swish", "swish_param { beta: 1.5 }")),
    "tanh": (IMAGE, layer("TanH")),
    "threshold": (IMAGE, layer("Threshold", "threshold_param { threshold: 0.3 }")),
    "tile": ("x 2x3x2", layer("Tile", "tile_param { tiles: 3 }")),
    "tile-axis": ("x 2x3x2", layer("Tile", "tile_param { axis: -1 tiles: 2 }")),
    "in-place": (
        IMAGE,
        layer("Power", "power_param { shift: 0.5 }", "x", "y", "a") + layer("ReLU", "", "y", "y", "b")
        + layer("Scale", "", "y", "y", "c") + layer("BatchNorm", "", "y", "y", "d"),
    ),
    "shared": (
        "x 2x4; z 2x4",
        layer("InnerProduct", SHARED, "x", "y", "a") + layer("InnerProduct", SHARED, "z", "w", "b"),
    ),
}  # fmt: skip


def inputs(case):
    """The inputs of a case: name, shape and kind of numbers."""
    return parsed(CASES[case][0])


def parsed(text):
    """Name, shape and kind of numbers of each input in `text`."""
    for part in text.split(";"):
        name, size, *kind = part.split()
        shape = () if size == "scalar" else tuple(int(d) for d in size.split("x"))
        yield name, shape, (kind or ["normal"])[0]


def net_text(case):
    """The prototxt of a case."""
    return net_of(case, *CASES[case])


def net_of(name, inputs, layers):
    """The prototxt of a net of these inputs and layers."""
    heads = []
    for blob, shape, _ in parsed(inputs):
        dims = " ".join(f"dim: {d}" for d in shape)
        heads.append(layer("Input", f"input_param {{ shape {{ {dims} }} }}", "", blob, f"in_{blob}"))
    return f'name: "{name}"\n' + "\n".join(heads) + "\n" + layers + "\n"


def numbers(seed, shape, kind="normal"):
    """Numbers that depend on the text `seed` alone: the same under every version of numpy."""
    random = np.random.RandomState(zlib.crc32(seed.encode()))
    size = int(np.prod(shape, dtype=np.int64))
    if kind.startswith("labels"):
        values = random.randint(0, int(kind[6:]), size)
    elif kind == "binary":
        values = random.randint(0, 2, size)
    elif kind == "cont":
        values = random.randint(0, 3, size) > 0
    elif kind == "anew":
        values = np.arange(size) >= shape[-1]
    elif kind == "unit":
        values = random.uniform(0.05, 1, size)
    elif kind == "positive":
        values = random.uniform(0.1, 3, size)
    else:
        values = random.standard_normal(size)
    return values.astype(np.float32).reshape(shape)


def feeds(case):
    """What to feed."""
    return {name: numbers(f"{case}/{name}", shape, kind) for name, shape, kind in inputs(case)}


def weights(case, layer_name, layer_type, index, shape):
    """What a layer stores; a BatchNorm's variance is positive, and its factor is that of a running mean."""
    if layer_type == "BatchNorm" and index == 2:
        return np.full(shape, 1.5, np.float32)
    kind = "positive" if layer_type == "BatchNorm" and index == 1 else "normal"
    return numbers(f"{case}/{layer_name}/{index}", shape, kind)
