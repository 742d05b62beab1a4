"""Sizes that a model leaves open (a batch, a length), as they were when the device ran: from what it was fed."""

from __future__ import annotations

from collections.abc import Sequence

from subcut.compiler.alignment.twin import Twin
from subcut.compiler.errors import SubcutError
from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.ir.alignment import Row
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.selection import CutOptions, Selection
from subcut.compiler.ir.types import TensorType, Type
from subcut.compiler.pipeline import Pipeline, cutting

_OPEN = {"onnx": "onnx", "tf": "tensorflow"}
"""The formats whose models may leave sizes open, by dialect."""


def settle(model: Model, twin: Twin, rows: Sequence[Row]) -> None:
    """Set `Row.fed_shape` of rows whose tensor has several unknown sizes and was reshaped by what the compiler removed.

    The model is read anew, and inferred with its inputs as the offline model has them; where that fails, the shapes
    stay unknown, and whoever exports them says so.
    """
    wanted = [row for row in rows if row.stored is not None and row.reshaped and _unknown(row.value.type) > 1]
    if not wanted or model.dialect.name not in _OPEN:
        return
    try:
        found = _inferred(model, twin, {row.value.name for row in wanted})
    except SubcutError:
        return
    for row in wanted:
        type = found.get(row.value.name)
        if isinstance(type, TensorType) and type.static and type.shape is not None:
            row.fed_shape = tuple(int(dim) for dim in type.shape if isinstance(dim, int))


def _inferred(model: Model, twin: Twin, names: set[str]) -> dict[str, Type | None]:
    """The types of tensors of the whole model, inferred with the inputs that the offline model has."""
    fresh = package(_OPEN[model.dialect.name]).read(model.sources[0].path, ReadOptions())
    graph = fresh.main
    ends = {value: None for value in graph.values() if value.name in names}
    fresh.selection = Selection(graph, dict.fromkeys(graph.ops), ends=ends)
    fresh.options = CutOptions(types=_fed(fresh, twin))
    Pipeline(*cutting()).run(fresh)
    assert fresh.report is not None
    return {edge.value.name: edge.value.type for edge in fresh.report.outputs}


def _fed(model: Model, twin: Twin) -> dict[Value, Type]:
    """The types of the model's inputs, with the shapes that the offline model has of them."""
    data = {op.name: op.outputs[0] for op in twin.offline.ops if op.type in ("Data", "AippData") and op.outputs}
    types: dict[Value, Type] = {}
    for value in model.dialect.feeds(model):
        known, tensor = value.type, data.get(value.producer.name if value.producer is not None else value.name)
        if tensor is None or not isinstance(known, TensorType):
            continue
        shape = tensor.origin_shape if tensor.origin_shape is not None else tensor.shape
        if min(shape, default=0) >= 0:
            types[value] = TensorType(known.element, tuple(shape))
    return types


def _unknown(type: Type | None) -> int:
    """How many sizes of a type nobody knows; two where not even the rank is known."""
    if not isinstance(type, TensorType) or type.shape is None:
        return 2
    return sum(not isinstance(dim, int) for dim in type.shape)
