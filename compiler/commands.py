"""The commands that come after an export: how ATC converts the cut, and how the device runs it on the `.bin` files."""

from __future__ import annotations

import shlex
from typing import Any

from subcut.compiler.alignment.identity import arguments, option
from subcut.compiler.alignment.twin import Twin
from subcut.compiler.device_data import Exported
from subcut.compiler.ir.graph import Model
from subcut.compiler.ir.report import Edge
from subcut.compiler.ir.types import TensorType

_FRAMEWORKS = {"caffe": ("0", "NCHW"), "tf": ("3", "NHWC"), "onnx": ("5", "NCHW")}
_REPLACED = frozenset(
    "model weight framework output input_shape input_shape_range input_format out_nodes input_fp16_nodes output_type "
    "is_output_adjust_hw_layout is_input_adjust_hw_layout dynamic_batch_size dynamic_image_size dynamic_dims mode om "
    "json soc_version singleop check_report insert_op_conf".split()
)
"""Options of the recorded command that speak of the whole model, of its files or of its shapes."""
_PREPROCESSING = ("insert_op_conf",)


def atc_command(model: Model, twin: Twin, exported: Exported) -> str:
    """The `atc` command that converts the cut as the whole model was converted.

    What the offline model records of its own command is kept where it still makes sense; AIPP goes where the layer
    that it prepared data for is not in the cut (row A1). Source of the options: the manual of ATC.
    """
    framework, layout = _FRAMEWORKS[model.dialect.name]
    report, recorded = model.report, twin.offline.command
    assert report is not None
    words = ["atc", f"--model=dump.{_ENDINGS[model.dialect.name]}"]
    if model.dialect.name == "caffe":
        words.append("--weight=dump.caffemodel")
    soc = option(recorded, "soc_version") or twin.offline.soc_version or "<your chip, such as Ascend310>"
    words += [f"--framework={framework}", "--output=dump", f"--soc_version={soc}"]
    shapes = [_shape(model, edge, exported) for edge in (*report.inputs, *report.kept)]
    words.append(f"--input_format={_format(layout, shapes)}")
    words.append("--input_shape=" + ";".join(f"{name}:{','.join(map(str, shape))}" for name, shape in shapes))
    half = [name for name, _ in shapes if _bin_type(name, model, exported) == "float16"]
    if half:
        words.append("--input_fp16_nodes=" + ";".join(half))
    if model.dialect.name == "tf":
        words.append("--out_nodes=" + ";".join(_node_port(edge.value.name) for edge in report.outputs))
    return shlex.join([*words, *_kept(recorded, bool(report.kept))])


_ENDINGS = {"caffe": "prototxt", "tf": "pb", "onnx": "onnx"}


def _kept(recorded: str, has_data: bool) -> list[str]:
    """The options of the recorded command that hold for a part of the model too."""
    dropped = _REPLACED - set(_PREPROCESSING) if has_data else _REPLACED
    words = arguments(recorded)
    found: list[str] = []
    for at, word in enumerate(words):
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        if not equals and at + 1 < len(words) and not words[at + 1].startswith("--"):
            value = words[at + 1]
        if name not in dropped and value:
            found.append(f"--{name}={value}")
    return found


def _shape(model: Model, edge: Edge, exported: Exported) -> tuple[str, list[Any]]:
    """An input as ATC calls it, and its shape: that of the numbers, else that of the model."""
    name = input_name(model, edge)
    for record in exported.numbers:
        if record["tensor"] == edge.value.name and record["npy"].startswith("inputs/"):
            return name, record["shape"]
    type = (edge.new or edge.value).type
    shape = type.shape if isinstance(type, TensorType) else None
    return name, ["?"] if shape is None else [dim if isinstance(dim, int) else -1 for dim in shape]


def input_name(model: Model, edge: Edge) -> str:
    """What ATC calls an input: the layer, the node, or the graph input."""
    value = edge.new or edge.value
    if model.dialect.name == "onnx" or value.producer is None:
        return value.name
    return value.producer.name


def _bin_type(name: str, model: Model, exported: Exported) -> str:
    assert model.report is not None
    edges = (*model.report.inputs, *model.report.kept)
    tensors = {edge.value.name for edge in edges if input_name(model, edge) == name}
    found = [r["bin_type"] for r in exported.numbers if r["tensor"] in tensors and r["bin"].startswith("inputs/")]
    return found[0] if found else ""


def _format(layout: str, shapes: list[tuple[str, list[Any]]]) -> str:
    """The layout of inputs with four axes; `ND` where there are none such."""
    return layout if any(len(shape) == 4 for _, shape in shapes) else "ND"


def _node_port(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def inference_command(model: Model, exported: Exported) -> str | None:
    """The command that runs the converted cut on the exported inputs; None where the numbers of an input are missing.

    Source: the manual of `ais_bench`.
    """
    assert model.report is not None
    files = [record["bin"] for record in exported.numbers if record["bin"].startswith("inputs/")]
    if not files or len(files) < len(model.report.inputs) + len(model.report.kept):
        return None
    return f"python3 -m ais_bench --model dump.om --input {shlex.quote(','.join(files))} --output . --outfmt BIN"
