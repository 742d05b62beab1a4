"""Offline models made by hand, in the graph engine's own messages: a line an operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subcut.compiler.device.enums import IR_TYPES
from subcut.compiler.formats.ascend.container import write_om
from subcut.compiler.formats.ascend.json_form import dumps
from subcut.compiler.formats.ascend.schema import message, put


@dataclass(frozen=True)
class Out:
    """An output of an offline operator."""

    origin: str | None = None
    """`_datadump_origin_name`; None leaves the attribute out."""
    index: int | None = 0
    shape: tuple[int, ...] = (1, 1, 4, 4, 16)
    origin_shape: tuple[int, ...] | None = (1, 16, 4, 4)
    layout: str = "NC1HWC0"
    origin_layout: str = "NCHW"
    type_name: str = "FLOAT16"
    fusion: str | None = None


@dataclass(frozen=True)
class Offline:
    """An offline operator."""

    type: str
    name: str
    inputs: Sequence[str] = ()
    originals: Sequence[str] | None = None
    """`_datadump_original_op_names`; None leaves the attribute out."""
    outputs: Sequence[Out] = field(default_factory=lambda: (Out(),))
    multi: bool = False
    l1: str = ""


def definition(ops: Sequence[Offline], name: str = "net", command: str = "", soc: str = "Ascend310") -> Any:
    """The `ModelDef` of these operators, in this order."""
    model = message("ModelDef")(name=name, version=2, custom_version="1.11.z.0")
    if command:
        put(model.attr, "atc_cmdline", command)
    put(model.attr, "soc_version", soc)
    graph = model.graph.add(name=f"{name}_0")
    for number, op in enumerate(ops):
        record = graph.op.add(name=op.name, type=op.type, id=number)
        record.input.extend(edge if not edge or ":" in edge else f"{edge}:0" for edge in op.inputs)
        if op.originals is not None:
            put(record.attr, "_datadump_original_op_names", list(op.originals), kind="STRING")
        if op.multi:
            put(record.attr, "_datadump_is_multiop", True)
        if op.l1:
            put(record.attr, "_L1_fusion_sub_graph_no", op.l1)
        for out in op.outputs:
            _describe(record.output_desc.add(), out)
    return model


def _describe(desc: Any, out: Out) -> None:
    desc.dtype = IR_TYPES.index(out.type_name)
    desc.layout = out.layout
    desc.shape.dim.extend(out.shape)
    put(desc.attr, "origin_format", out.origin_layout)
    if out.origin_shape is not None:
        put(desc.attr, "origin_shape", list(out.origin_shape), kind="INT")
    if out.origin is not None:
        put(desc.attr, "_datadump_origin_name", out.origin)
        if out.index is not None:
            put(desc.attr, "_datadump_origin_output_index", out.index)
    if out.fusion is not None:
        put(desc.attr, "_fusion_origin_name", out.fusion)
        put(desc.attr, "_fusion_origin_output_index", 0)


def om(path: Path, ops: Sequence[Offline], **facts: str) -> Path:
    """An `.om` file of these operators, made at `path`."""
    made = definition(ops, **facts)
    path.unlink(missing_ok=True)
    write_om(path, name=made.name, definition=made.SerializeToString())
    return path


def as_json(path: Path, ops: Sequence[Offline], **facts: str) -> Path:
    """What `atc --mode=1` would print of it, made at `path`."""
    path.write_text(dumps(definition(ops, **facts)), encoding="utf-8")
    return path
