"""The manifest of a result folder: where the cut is from, what it takes and gives, and what was done to get it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import subcut
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.report import Edge, Report
from subcut.compiler.ir.types import TensorType, Type


def build(model: Model, files: Sequence[Path], digests: Mapping[Path, str]) -> dict[str, Any]:
    """The manifest of a model that was cut. It says nothing of time, machine or place: the same cut, the same bytes."""
    report = model.report or Report(operators=list(model.main.ops))
    selection, options = model.selection, model.options
    written = model.dialect.written_names(model)
    return {
        "subcut": subcut.__version__,
        "format": model.dialect.name,
        "name": options.name if options else "",
        "model": [
            {"file": source.path.name, "bytes": source.size, "sha256": digests[source.path]} for source in model.sources
        ],
        "selection": selection.text if selection else "all",
        "graph": report.graph,
        "files": [path.name for path in files],
        "inputs": [_edge(edge, edge.new or edge.value, written) for edge in [*report.inputs, *report.kept]],
        "outputs": [_edge(edge, edge.value, written) for edge in report.outputs],
        "operators": [_operator(op) for op in report.operators],
        "constants": [_constant(op) for op in report.constants],
        "folded": [{"tensor": value.name, **_type(type), "from": source} for value, type, source in report.folded],
        "dropped_controls": [{"operator": op.label, "waited_for": other.label} for op, other in report.controls],
        **model.notes,
        "passes": model.history,
    }


def _edge(edge: Edge, value: Value, written: Mapping[Value, str]) -> dict[str, Any]:
    return {
        "name": written.get(value, value.name),
        "tensor": edge.value.name,
        "producer": edge.producer.label if edge.producer else None,
        "consumers": [op.label for op in edge.consumers],
        **_type(edge.type),
        "reason": edge.reason,
    }


def _type(type: Type | None) -> dict[str, Any]:
    if type is None or isinstance(type, TensorType):
        tensor = type or TensorType()
        shape = list(tensor.shape) if tensor.shape is not None else None
        return {"element": tensor.element, "shape": shape, "layout": tensor.layout or None}
    return {"type": str(type)}


def _operator(op: Op) -> dict[str, str]:
    return {"name": op.label, "type": op.type}


def _constant(op: Op) -> str:
    return op.name or op.results[0].name


def text(content: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """A manifest, or several, as JSON: a line a key, and a line an element of a list, so that a diff reads well."""
    if not isinstance(content, Mapping):
        return "[\n" + ",\n".join(text(one) for one in content) + "\n]"
    encode = json.JSONEncoder(ensure_ascii=False).encode
    lines: list[str] = []
    for key, value in content.items():
        if isinstance(value, list) and value:
            items = ",\n    ".join(map(encode, cast("list[object]", value)))
            lines.append(f"  {encode(key)}: [\n    {items}\n  ]")
        else:
            lines.append(f"  {encode(key)}: {encode(value)}")
    return "{\n" + ",\n".join(lines) + "\n}"
