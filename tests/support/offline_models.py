"""Offline models for tests: those that others made, a small one of our own, and what CANN 8 does to names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.compression import HELPERS, NAMES, USES_TEXT, VALUES, VERSION, encode_number
from support.models import SHARED

SAMPLES = sorted(str(path.relative_to(SHARED)) for path in (SHARED / "ascend").glob("*/*.om")) or ["ascend/hh/hh_om.om"]
"""The offline models in ../shared/data; one name where that folder is absent, so that tests skip and say why."""


def small_model(name: str = "net") -> Any:
    """Data → TransData → a fused convolution with weights → output; with control edges, gaps and a sub-graph."""
    model = schema.message("ModelDef")(name=name, version=2, custom_version="1.11.z.0")
    schema.put(model.attr, "atc_cmdline", "atc --model=net.onnx --framework=5 --soc_version=Ascend310")
    schema.put(model.attr, "soc_version", "Ascend310")
    schema.put(model.attr, "framework_type", "Onnx")
    schema.put(model.attr, "attr_model_out_nodes_name", ["relu1:0:y"])
    schema.put(model.attr, "memory_size", 4096)
    graph = model.graph.add(name=f"{name}_0")
    schema.put(graph.attr, "_graph_id", 7)
    data = _op(graph, "x", "Data", [""], 0)
    _tensor(data.output_desc.add(), 1, [1, 3, 8, 8], "NCHW")
    trans = _op(graph, "trans_TransData_0", "TransData", ["x:0"], 2)
    schema.put(trans.attr, "_datadump_original_op_names", [], "STRING")
    _tensor(trans.input_desc.add(), 1, [1, 3, 8, 8], "NCHW")
    _tensor(trans.output_desc.add(), 2, [1, 1, 8, 8, 16], "NC1HWC0")
    weights = _op(graph, "conv1_weight", "Const", [], 1)
    _tensor(weights.output_desc.add(), 2, [9, 1, 16, 16], "FRACTAL_Z:1")
    value = schema.attribute(weights.attr, "value").t
    _tensor(value.desc, 2, [9, 1, 16, 16], "FRACTAL_Z:1")
    value.desc.weight_size, value.desc.data_offset = 4608, 512
    _convolution(graph)
    switch = _op(graph, "switch", "If", ["conv1relu1:0", ""], 4)
    switch.subgraph_name.append("then")
    output = _op(graph, "Node_Output", "NetOutput", ["conv1relu1:0", "switch:-1"], 5)
    output.src_name.append("conv1relu1")
    then = model.graph.add(name="then")
    _tensor(_op(then, "inner", "Data", [""], 0).output_desc.add(), 1, [-1, 2], "ND")
    return model


def _convolution(graph: Any) -> None:
    fused = _op(graph, "conv1relu1", "Conv2D", ["trans_TransData_0:0", "conv1_weight:0", "", "x:-1"], 3)
    schema.put(fused.attr, "_datadump_original_op_names", ["conv1", "relu1"])
    schema.put(fused.attr, "_datadump_is_multiop", True)
    schema.put(fused.attr, "_L1_fusion_sub_graph_no", "3")
    schema.put(fused.attr, "alpha", 0.1)
    schema.put(fused.attr, "strides", [1, 1, 2, 2])
    schema.put(fused.attr, "scales", [0.5, 1e15, float("inf")])
    schema.put(fused.attr, "flags", [True, False])
    schema.put(fused.attr, "raw", b'"\xff\n\\\x00')
    schema.attribute(fused.attr, "empty").list.SetInParent()
    schema.attribute(fused.attr, "nothing")
    schema.attribute(fused.attr, "buffer").bt = b"123"
    schema.attribute(fused.attr, "nested").list_list_int.list_list_i.add(list_i=[1, 2])
    _tensor(fused.input_desc.add(), 2, [1, 1, 8, 8, 16], "NC1HWC0")
    desc = fused.output_desc.add()
    _tensor(desc, 2, [1, 1, 4, 4, 16], "NC1HWC0")
    schema.put(desc.attr, "origin_format", "NCHW")
    schema.put(desc.attr, "origin_shape", [1, 16, 4, 4])
    schema.put(desc.attr, "_datadump_origin_name", "relu1")
    schema.put(desc.attr, "_datadump_origin_output_index", 0)
    schema.put(desc.attr, "_datadump_origin_format", "NCHW")
    schema.put(desc.attr, "_datadump_origin_data_type", "DT_FLOAT")


def _op(graph: Any, name: str, kind: str, inputs: list[str], number: int) -> Any:
    return graph.op.add(name=name, type=kind, input=inputs, id=number)


def _tensor(desc: Any, kind: int, shape: list[int], layout: str) -> None:
    desc.dtype, desc.layout = kind, layout
    desc.shape.dim.extend(shape)
    desc.size = 32


def compress(model: Any) -> None:
    """Write names and texts as numbers, as CANN 8 does before it saves a model."""
    names: list[str] = []
    values: list[bytes] = []
    uses: list[bool] = []
    holders = [holder for graph in model.graph for op in graph.op for holder in (op, *op.input_desc, *op.output_desc)]
    for holder in holders:
        for entry in holder.attr:
            held = entry.value.WhichOneof("value")
            is_text = held == "s" or (held == "list" and entry.value.list.val_type == 1)
            if entry.key not in names:
                names.append(entry.key)
                uses.append(is_text)
            entry.key = encode_number(names.index(entry.key))
            if is_text:
                _number_texts(entry.value, values)
    schema.put(model.attr, VERSION, 1)
    schema.put(model.attr, NAMES, names)
    schema.put(model.attr, VALUES, values, "STRING")
    schema.put(model.attr, USES_TEXT, uses)
    assert {entry.key for entry in model.attr} >= HELPERS


def _number_texts(value: Any, values: list[bytes]) -> None:
    def number(text: bytes) -> int:
        if text not in values:
            values.append(text)
        return values.index(text)

    if value.WhichOneof("value") == "s":
        value.i = number(value.s)
        return
    numbers = [number(text) for text in value.list.s]
    del value.list.s[:]
    value.list.i.extend(numbers)
    value.list.val_type = 2


def write_small(path: Path, model: Any = None, **options: Any) -> Path:
    """An offline model of `small_model`, with weights."""
    from subcut.compiler.formats.ascend.container import write_om

    weights = [bytes(512), bytes(range(256)) * 18]
    model = small_model() if model is None else model
    write_om(path, name=model.name, definition=model.SerializeToString(), weights=weights, **options)
    return path
