"""The commands that come after an export: how ATC converts the cut, and how the device runs it on the `.bin` files."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from subcut.compiler.alignment.identity import options
from subcut.compiler.alignment.twin import Twin
from subcut.compiler.device_data import Exported
from subcut.compiler.ir.graph import Model
from subcut.compiler.ir.report import MODEL_INPUT, Edge
from subcut.compiler.ir.types import TensorType, numpy_dtype

_FRAMEWORKS = {"caffe": ("0", "NCHW"), "tf": ("3", "NHWC"), "onnx": ("5", "NCHW")}
_REPLACED = frozenset(
    "model weight framework output input_shape input_shape_range input_format out_nodes input_fp16_nodes output_type "
    "is_output_adjust_hw_layout is_input_adjust_hw_layout dynamic_batch_size dynamic_image_size dynamic_dims mode om "
    "json soc_version singleop check_report insert_op_conf input_hint_shape op_name_map display_model_info "
    "dump_mode help".split()
)
"""Options of the recorded command that speak of the whole model, of its files or of its shapes."""
_PREPROCESSING = "insert_op_conf"


def atc_command(model: Model, twin: Twin, exported: Exported) -> str:
    """The `atc` command that converts the cut as the whole model was converted.

    What the offline model records of its own command is kept where it still makes sense; AIPP goes where the layer
    that it prepared data for is not in the cut (row A1), and where what was exported for it is what AIPP made of the
    data, which ATC refuses to be fed as halves (`aipp_op.cc` of the graph engine). Source of the options: the graph
    engine's `api/atc`.
    """
    recorded = options(twin.offline.command)
    soc = recorded.get("soc_version") or twin.offline.soc_version or "<your chip, such as Ascend310>"
    kept = kept_options(twin.offline.command)
    if _PREPROCESSING in recorded and any(_numbers(edge, exported) is None for edge in _own(model)):
        kept[_PREPROCESSING] = recorded[_PREPROCESSING]
    return shlex.join([*atc_words(model, exported, soc), *(f"--{name}={value}" for name, value in kept.items())])


def kept_options(command: str) -> dict[str, str]:
    """The options of a recorded `atc` command that make sense for a cut too."""
    return {name: value for name, value in options(command).items() if name not in _REPLACED}


def atc_words(model: Model, exported: Exported, soc: str) -> list[str]:
    """The words of the `atc` command that converts a cut, in the shapes and types of what was exported."""
    framework, layout = _FRAMEWORKS[model.dialect.name]
    report = model.report
    assert report is not None
    words = ["atc", f"--model=dump.{_ENDINGS[model.dialect.name]}"]
    if model.dialect.name == "caffe":
        words.append("--weight=dump.caffemodel")
    words += [f"--framework={framework}", "--output=dump", f"--soc_version={soc}"]
    shapes: dict[str, list[Any] | None] = {}
    for edge in (*report.inputs, *report.kept):
        shapes.setdefault(input_name(model, edge), _shape(edge, exported))
    words.append(f"--input_format={_format(layout, shapes.values())}")
    known = [f"{name}:{','.join(map(str, shape))}" for name, shape in shapes.items() if shape is not None]
    if known:
        words.append("--input_shape=" + ";".join(known))
    half = [name for name in shapes if _bin_type(name, model, exported) == "float16"]
    if half:
        words.append("--input_fp16_nodes=" + ";".join(half))
    ends = _out_nodes(model)
    if ends:
        words.append("--out_nodes=" + ";".join(ends))
    return words


_ENDINGS = {"caffe": "prototxt", "tf": "pb", "onnx": "onnx"}


def _own(model: Model) -> list[Edge]:
    """The inputs of the cut that are the model's own."""
    report = model.report
    assert report is not None
    return [*report.kept, *(edge for edge in report.inputs if edge.reason == MODEL_INPUT)]


def _out_nodes(model: Model) -> list[str]:
    """The outputs that ATC has to be told of: all of TensorFlow's; Caffe's where one is read in the net too.

    Several of Caffe's are told in any case, so that their order is known.
    """
    report = model.report
    assert report is not None
    values = [edge.value for edge in report.outputs]
    if model.dialect.name == "tf":
        return [value.name if ":" in value.name else f"{value.name}:0" for value in values]
    if model.dialect.name != "caffe" or (len(values) < 2 and not any(value.uses for value in values)):
        return []
    names = model.dialect.compiled_names(model.main)
    return [f"{names[value.producer]}:{value.index}" for value in values if value.producer is not None]


def _numbers(edge: Edge, exported: Exported) -> dict[str, Any] | None:
    """The record of the numbers that were exported for an input."""
    records = (record for record in exported.numbers if record["npy"].startswith("inputs/"))
    return next((record for record in records if record["tensor"] == edge.value.name), None)


def _shape(edge: Edge, exported: Exported) -> list[Any] | None:
    """The shape of an input: that of its numbers, else that of the model; None where neither is known."""
    record = _numbers(edge, exported)
    if record is not None:
        found: list[Any] = record["shape"]
        return found
    type = (edge.new or edge.value).type
    shape = type.shape if isinstance(type, TensorType) else None
    return None if shape is None else [dim if isinstance(dim, int) else -1 for dim in shape]


def input_name(model: Model, edge: Edge) -> str:
    """What ATC calls an input: the layer, the node, or the graph input."""
    value = edge.new or edge.value
    if model.dialect.name == "onnx" or value.producer is None:
        return model.dialect.compiled_input(value)
    return value.producer.name


def _bin_type(name: str, model: Model, exported: Exported) -> str:
    assert model.report is not None
    edges = [edge for edge in (*model.report.inputs, *model.report.kept) if input_name(model, edge) == name]
    found = [record["bin_type"] for edge in edges if (record := _numbers(edge, exported))]
    return found[0] if found else ""


def _format(layout: str, shapes: Iterable[Sequence[Any] | None]) -> str:
    """The layout of inputs with four axes; `ND` where there are none such."""
    return layout if any(shape is not None and len(shape) == 4 for shape in shapes) else "ND"


def inference_command(model: Model, exported: Exported) -> str | None:
    """The command that runs the converted cut on the exported inputs, in the order that the cut has them.

    None where the numbers of an input are missing, or of a type that ATC cannot be told of (bfloat16 for a model of
    floats). Source: the manual of `ais_bench`.
    """
    report = model.report
    assert report is not None
    order = {value: place for place, value in enumerate(model.dialect.feeds(model))}
    edges = [*report.inputs, *report.kept]
    edges.sort(key=lambda edge: order.get(edge.new or edge.value, len(order)))
    records = [_numbers(edge, exported) for edge in edges]
    pairs = zip(edges, records, strict=True)
    files = [record["bin"] for edge, record in pairs if record is not None and _is_taken(edge, record)]
    if not files or len(files) < len(records):
        return None
    return f"python3 -m ais_bench --model dump.om --input {shlex.quote(','.join(files))} --output . --outfmt BIN"


def _is_taken(edge: Edge, record: dict[str, Any]) -> bool:
    type = edge.value.type
    known = isinstance(type, TensorType) and type.element not in (None, "str")
    dtype: Any = numpy_dtype(type.element or "") if isinstance(type, TensorType) and known else None
    return record["bin_type"] in ("float16", record["npy_type"] if dtype is None else dtype.name)
