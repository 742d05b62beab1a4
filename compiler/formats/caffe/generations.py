"""The three generations of layer records, decoded with the names of the current one.

Source: `caffe.proto` and `upgrade_proto.cpp` of BVLC Caffe. Only the view is upgraded: what is written back keeps the
text of its own generation. V0 is `layers { layer { … } }`, V1 `layers { type: CONVOLUTION }`, V2 `layer { … }`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from subcut.compiler.formats.caffe.text import Message, Scalar, scalar
from subcut.compiler.ir.graph import Attribute
from subcut.compiler.storage.files import SourceFile

_V1 = """
0 NONE -|1 ACCURACY Accuracy|2 BNLL BNLL|3 CONCAT Concat|4 CONVOLUTION Convolution|5 DATA Data|6 DROPOUT Dropout
7 EUCLIDEAN_LOSS EuclideanLoss|8 FLATTEN Flatten|9 HDF5_DATA HDF5Data|10 HDF5_OUTPUT HDF5Output|11 IM2COL Im2col
12 IMAGE_DATA ImageData|13 INFOGAIN_LOSS InfogainLoss|14 INNER_PRODUCT InnerProduct|15 LRN LRN
16 MULTINOMIAL_LOGISTIC_LOSS MultinomialLogisticLoss|17 POOLING Pooling|18 RELU ReLU|19 SIGMOID Sigmoid
20 SOFTMAX Softmax|21 SOFTMAX_LOSS SoftmaxWithLoss|22 SPLIT Split|23 TANH TanH|24 WINDOW_DATA WindowData
25 ELTWISE Eltwise|26 POWER Power|27 SIGMOID_CROSS_ENTROPY_LOSS SigmoidCrossEntropyLoss|28 HINGE_LOSS HingeLoss
29 MEMORY_DATA MemoryData|30 ARGMAX ArgMax|31 THRESHOLD Threshold|32 DUMMY_DATA DummyData|33 SLICE Slice|34 MVN MVN
35 ABSVAL AbsVal|36 SILENCE Silence|37 CONTRASTIVE_LOSS ContrastiveLoss|38 EXP Exp|39 DECONVOLUTION Deconvolution
"""
_ROWS = [row.split() for row in _V1.replace("\n", "|").strip("|").split("|")]
V1_TYPES = {key: "" if current == "-" else current for *keys, current in _ROWS for key in keys}
"""`V1LayerParameter.LayerType`, by name and by number, as a layer type of the current generation."""

V0_TYPES = {
    "accuracy": "Accuracy", "bnll": "BNLL", "concat": "Concat", "conv": "Convolution", "data": "Data",
    "dropout": "Dropout", "euclidean_loss": "EuclideanLoss", "flatten": "Flatten", "hdf5_data": "HDF5Data",
    "hdf5_output": "HDF5Output", "im2col": "Im2col", "images": "ImageData", "infogain_loss": "InfogainLoss",
    "innerproduct": "InnerProduct", "lrn": "LRN", "multinomial_logistic_loss": "MultinomialLogisticLoss",
    "padding": "Padding", "pool": "Pooling", "relu": "ReLU", "sigmoid": "Sigmoid", "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss", "split": "Split", "tanh": "TanH", "window_data": "WindowData",
}  # fmt: skip
"""V0's type strings. `padding` is a layer of its own here; Caffe joins it to the convolution or pooling behind it."""

_TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
_WINDOW = {"window_data": "window_data_param"}
_BATCHED = {"data": "data_param", "hdf5_data": "hdf5_data_param", "images": "image_data_param", **_WINDOW}
_WEIGHTED = {"conv": "convolution_param", "innerproduct": "inner_product_param"}
_WINDOWED = {"conv": "convolution_param", "pool": "pooling_param"}
_V0_FIELDS: dict[str, tuple[str, Mapping[str, str]]] = {
    "num_output": ("num_output", _WEIGHTED),
    "biasterm": ("bias_term", _WEIGHTED),
    "weight_filler": ("weight_filler", _WEIGHTED),
    "bias_filler": ("bias_filler", _WEIGHTED),
    "pad": ("pad", {**_WINDOWED, "padding": "padding_param"}),
    "kernelsize": ("kernel_size", _WINDOWED),
    "group": ("group", {"conv": "convolution_param"}),
    "stride": ("stride", _WINDOWED),
    "pool": ("pool", {"pool": "pooling_param"}),
    "dropout_ratio": ("dropout_ratio", {"dropout": "dropout_param"}),
    "local_size": ("local_size", {"lrn": "lrn_param"}),
    "alpha": ("alpha", {"lrn": "lrn_param"}),
    "beta": ("beta", {"lrn": "lrn_param"}),
    "k": ("k", {"lrn": "lrn_param"}),
    "source": ("source", {**_BATCHED, "infogain_loss": "infogain_loss_param"}),
    "batchsize": ("batch_size", _BATCHED),
    "rand_skip": ("rand_skip", {"data": "data_param", "images": "image_data_param"}),
    "shuffle_images": ("shuffle", {"images": "image_data_param"}),
    "new_height": ("new_height", {"images": "image_data_param"}),
    "new_width": ("new_width", {"images": "image_data_param"}),
    "concat_dim": ("concat_dim", {"concat": "concat_param"}),
    "det_fg_threshold": ("fg_threshold", _WINDOW),
    "det_bg_threshold": ("bg_threshold", _WINDOW),
    "det_fg_fraction": ("fg_fraction", _WINDOW),
    "det_context_pad": ("context_pad", _WINDOW),
    "det_crop_mode": ("crop_mode", _WINDOW),
}
"""A flat V0 field: its name inside a parameter message, and which message that is, by the V0 type."""

_STRUCTURE = ("name", "type", "bottom", "top")
Attributes = dict[str, Attribute]


def decode(file: SourceFile, message: Message, skip: tuple[str, ...] = ()) -> Attributes:
    """A message as a dict: a field that occurs once is its value, one that occurs several times a list."""
    found: dict[str, list[Attribute]] = {}
    for field in [field for field in message.fields if field.name not in skip]:
        values = found.setdefault(field.name, [])
        for node in field.values:
            values.append(scalar(file, node) if isinstance(node, Scalar) else decode(file, node))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items() if values}


def view(file: SourceFile, body: Message, generation: int) -> Attributes:
    """The attributes of a layer of any generation, under the names of the current one."""
    return _VIEWS[generation](decode(file, body, _STRUCTURE))


def many(value: Attribute) -> list[Attribute]:
    """The values of a field that may occur several times."""
    return value if isinstance(value, list) else [value]


def _v2(fields: Attributes) -> Attributes:
    return fields


def _v1(fields: Attributes) -> Attributes:
    out = {name: value for name, value in fields.items() if name not in _SPECS}
    specs: list[Attribute] = []
    for old, new in _SPECS.items():
        for i, value in enumerate(many(fields[old]) if old in fields else []):
            if len(specs) <= i:
                specs.append({})
            spec = specs[i]
            assert isinstance(spec, dict)
            spec[new] = value
    if specs:
        out["param"] = specs[0] if len(specs) == 1 else specs
    return _moved_transform(out)


_SPECS = {"param": "name", "blob_share_mode": "share_mode", "blobs_lr": "lr_mult", "weight_decay": "decay_mult"}
"""V1's parallel lists, and the fields of `ParamSpec` that they became."""


def _moved_transform(fields: Attributes) -> Attributes:
    """Data layers once had what is now in `transform_param` in their own message."""
    for name in ("data_param", "image_data_param", "window_data_param"):
        message = fields.get(name)
        if not isinstance(message, dict):
            continue
        moved = {key: message[key] for key in _TRANSFORM.values() if key in message}
        if moved:
            known = fields.get("transform_param")
            fields["transform_param"] = {**known, **moved} if isinstance(known, dict) else dict(moved)
            fields[name] = {key: value for key, value in message.items() if key not in moved}
    return fields


def _v0(fields: Attributes) -> Attributes:
    inner = fields.pop("layer", None)
    if not isinstance(inner, dict):
        return _v1(fields)
    kind = str(inner.get("type", ""))
    out: Attributes = dict(fields)
    for name, value in inner.items():
        if name in ("name", "type"):
            continue
        if name in _TRANSFORM:
            _put(out, "transform_param", _TRANSFORM[name], value)
            continue
        new, messages = _V0_FIELDS.get(name, (name, {}))
        if kind in messages:
            _put(out, messages[kind], new, value)
        else:
            out[name] = value
    return _v1(out)


def _put(out: Attributes, message: str, name: str, value: Attribute) -> None:
    inner = out.setdefault(message, {})
    if isinstance(inner, dict):
        inner[name] = value


_VIEWS: list[Callable[[Attributes], Attributes]] = [_v0, _v1, _v2]
