"""The offline model as the graph engine writes it: a ModelDef with the attributes that tie it to the original."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subcut.compiler.device.enums import TYPE_NAMES, layout_number
from subcut.compiler.formats.ascend import inout, schema
from subcut.compiler.ir.types import numpy_dtype
from subcut.emulator.offline import DATA, Desc, Node

ALIGNED = 32
"""Bytes that the size of a tensor is rounded up to, when as many have been added."""
CUSTOM = "1.11.z.0"
"""The version of the format that ATC writes."""


@dataclass(frozen=True)
class About:
    """What a model says of itself."""

    name: str
    framework: str
    command: str
    soc: str
    outputs: Sequence[str]
    """`operator:index` of each, in the original's names."""
    weights: int
    """Bytes."""


def definition(nodes: Sequence[Node], about: About) -> Any:
    """The ModelDef of a model whose operators run in the order given."""
    model = schema.message("ModelDef")(name=about.name, version=2, custom_version=CUSTOM)
    told: dict[str, schema.Plain] = {
        "attr_model_out_nodes_name": list(about.outputs),
        "soc_version": about.soc,
        "framework_type": about.framework,
        "atc_cmdline": about.command,
        "weight_size": about.weights,
        "target_type": "MINI",
        "stream_num": 1,
        "event_num": 0,
        "om_info_list": [about.weights, 0, 0, 0],
    }
    for key, value in told.items():
        schema.put(model.attr, key, value)
    graph = model.graph.add(name=f"{about.name}_0")
    readers = _readers(nodes)
    for number, node in enumerate(nodes):
        _operator(graph.op.add(name=node.name, type=node.type, id=number, has_out_attr=True), node, readers)
    return model


def description(nodes: Sequence[Node], outputs: Sequence[str]) -> bytes:
    """What the model says of its inputs and outputs in a partition of their own."""
    given = [(node.name, node.outputs[0]) for node in nodes if node.type == DATA]
    made = [one[2] for one in nodes[-1].inputs if one is not None]
    inputs, results = (tuple(_described(*one) for one in side) for side in (given, zip(outputs, made, strict=True)))
    return inout.encode(inout.Description(inputs, results))


def _described(name: str, desc: Desc) -> inout.Described:
    return inout.Described(name, _bytes(desc), TYPE_NAMES[desc.element], desc.layout, desc.shape)


def _readers(nodes: Sequence[Node]) -> dict[tuple[Node, int], list[tuple[Node, int]]]:
    """Who reads each output, and as which input."""
    found: dict[tuple[Node, int], list[tuple[Node, int]]] = {}
    for node in nodes:
        for slot, one in enumerate(node.inputs):
            if one is not None:
                found.setdefault((one[0], one[1]), []).append((node, slot))
    return found


def _operator(op: Any, node: Node, readers: Mapping[tuple[Node, int], Sequence[tuple[Node, int]]]) -> None:
    if node.originals is not None:
        schema.put(op.attr, "_datadump_original_op_names", node.originals, "STRING")
    for key, value in node.attributes.items():
        schema.put(op.attr, key, value)
    for index, one in enumerate(node.inputs):
        if one is None:
            op.input.append("")
            _missing(op.input_desc.add()) if node.outputs and node.type != DATA else _describe(
                op.input_desc.add(), node.outputs[0]
            )
            continue
        producer, output, desc = one
        op.input.append(f"{producer.name}:{output}")
        op.src_name.append(producer.name)
        op.src_index.append(output)
        op.is_input_const.append(producer.stored is not None)
        _describe(op.input_desc.add(input_tensor=index == 0 and producer.type == DATA), desc)
    for index, desc in enumerate(node.outputs):
        _describe(op.output_desc.add(), desc)
        _origin(op.output_desc[-1], desc)
        peers = readers.get((node, index), ())
        op.dst_name.append(":".join(peer.name for peer, _ in peers))
        op.dst_index.append(peers[-1][1] if peers else 0)
    if node.stored is not None:
        _value(schema.attribute(op.attr, "value").t, node)


def _describe(target: Any, desc: Desc) -> None:
    target.dtype = schema.enum_number("DataType", f"DT_{TYPE_NAMES[desc.element]}")
    target.shape.dim.extend(desc.shape)
    target.shape.SetInParent()
    target.layout = f"{desc.layout}:{desc.group}" if desc.group > 1 else desc.layout
    target.size = _size(desc)
    target.device_type = "NPU"
    target.real_dim_cnt = len(desc.shape)
    schema.put(target.attr, "origin_format", desc.origin_layout)
    schema.put(target.attr, "origin_shape", list(desc.origin_shape), "INT")
    schema.put(target.attr, "format_for_int", layout_number(desc.layout) | (desc.group if desc.group > 1 else 0) << 8)


def _origin(target: Any, desc: Desc) -> None:
    """What ties an output to the tensor of the original model that it holds."""
    told = desc.original
    if told is None:
        return
    schema.put(target.attr, "_datadump_origin_name", told.name)
    schema.put(target.attr, "_datadump_origin_output_index", told.index)
    schema.put(target.attr, "_datadump_origin_format", desc.origin_layout)
    schema.put(target.attr, "_datadump_origin_data_type", f"DT_{told.element}" if told.element else "RESERVED")
    if told.from_ub:
        schema.put(target.attr, "_fusion_origin_name", told.name)
        schema.put(target.attr, "_fusion_origin_output_index", told.index)


def _missing(target: Any) -> None:
    """An optional input that is not connected."""
    target.layout = "FORMAT_RESERVED"
    schema.put(target.attr, "origin_format", "ND")


def _value(tensor: Any, node: Node) -> None:
    """A constant: where in the weights its numbers are."""
    assert node.stored is not None
    _describe(tensor.desc, node.outputs[0])
    tensor.desc.data_offset, tensor.desc.weight_size = node.stored


def _size(desc: Desc) -> int:
    return -(-(_bytes(desc) + ALIGNED) // ALIGNED) * ALIGNED


def _bytes(desc: Desc) -> int:
    return math.prod(desc.shape) * numpy_dtype(desc.element).itemsize
