"""A graph as columns of numbers and words: what the page draws and searches, built without a record an operator.

Operators are numbers: their places in `Graph.ops`. An edge runs `from` an operator's `output` `to` an operand `slot`
of another; `from` is -1-k for what the graph does not make: entry k of `inputs`. A slot of -1 is a control dependency,
which no path of a selection follows; one of -2 a tensor that a body of the reader captures. A label of -1 is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from subcut.compiler.ir.graph import Graph, Op, Value
from subcut.compiler.ir.types import TensorType, Type
from subcut.dsl.names import handle

CONTROL, CAPTURED, UNKNOWN = -1, -2, -1


def label(type: Type | None, layout: str = "") -> str:
    """What stands on an edge (row S4): element type, layout, shape; `f32 NCHW 1,3,224,224`. Empty where unknown."""
    if type is None:
        return ""
    if not isinstance(type, TensorType):
        return str(type)
    words = [type.element or "?"]
    if type.layout or layout:
        words.append(type.layout or layout)
    if type.shape is not None:
        words.append(",".join(map(_size, type.shape)) or "scalar")
    return " ".join(words) if type.element or type.shape is not None else ""


def _size(dim: object) -> str:
    """A size, its name where the model's author gave it one; those that shape inference numbers say nothing."""
    return "?" if dim is None or re.fullmatch(r"unk__\d+", str(dim)) else str(dim)


class Labels:
    """The texts of edges, each once, and the place of each by type and layout."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._places: dict[str, int] = {"": UNKNOWN}
        self._types: dict[tuple[int, str], int] = {}

    def of(self, type: Type | None, layout: str = "") -> int:
        """The place of the text of a type, which is known by its identity: it must live as long as this."""
        key = id(type), layout
        place = self._types.get(key)
        if place is None:
            text = label(type, layout)
            place = self._places.get(text)
            if place is None:
                place = self._places[text] = len(self.words)
                self.words.append(text)
            self._types[key] = place
        return place


class Ids:
    """Which number an operator of a graph has, and a tensor that the graph does not make."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.of: dict[Op, int] = dict(zip(graph.ops, range(len(graph.ops)), strict=True))
        self.entering: dict[Value, int] = {value: at for at, value in enumerate(graph.inputs)}

    def source(self, value: Value) -> int:
        """The number of who makes a tensor; a negative one for what enters the graph."""
        producer = value.producer
        if producer is not None:
            place = self.of.get(producer)
            if place is not None:
                return place
        return -1 - self.entering.setdefault(value, len(self.entering))

    def many(self, ops: Iterable[Op]) -> list[int]:
        """The numbers of operators of this graph, in the given order; those in bodies as who holds the body."""
        found: dict[int, None] = {}
        for op in ops:
            top: Op | None = op
            while top is not None and top not in self.of:
                top = top.graph.owner if top.graph is not None else None
            if top is not None:
                found[self.of[top]] = None
        return list(found)


def columns(ids: Ids, layouts: Mapping[Value, str]) -> dict[str, Any]:
    """The columns of a graph that follow from it alone; `layouts` are of tensors whose types say none."""
    graph, labels = ids.graph, Labels()
    names = [op.name or handle(op) for op in graph.ops]
    words: dict[str, int] = {}
    kinds = [words.setdefault(op.type, len(words)) for op in graph.ops]
    edges = _edges(ids, labels, layouts)
    tensors = _tensors(ids)
    stored = graph.model.dialect.is_stored
    return {
        "count": len(graph.ops),
        "names": names,
        "types": {"words": list(words), "of": kinds},
        "edges": edges,
        "stored": [place for place, op in enumerate(graph.ops) if not op.operands and stored(op)],
        "tensors": tensors,
        "inputs": [
            {
                "name": value.name,
                "label": label(value.type, layouts.get(value, "")),
                "captured": value.graph is not graph,
            }
            for value in ids.entering
        ],
        "outputs": [
            {
                "op": ids.source(value),
                "output": value.index,
                "name": value.name,
                "label": label(value.type, layouts.get(value, "")),
            }
            for value in graph.outputs
        ],
        "labels": labels.words,
    }


def _edges(ids: Ids, labels: Labels, layouts: Mapping[Value, str]) -> dict[str, list[int]]:
    start: list[int] = []
    output: list[int] = []
    to: list[int] = []
    slots: list[int] = []
    label: list[int] = []
    of, source, text = ids.of, ids.source, labels.of
    for place, op in enumerate(ids.graph.ops):
        for slot, value in enumerate(op.operands):
            if value is None:
                continue
            maker = of.get(value.producer) if value.producer is not None else None
            start.append(source(value) if maker is None else maker)
            output.append(value.index)
            to.append(place)
            slots.append(slot)
            label.append(text(value.type, layouts.get(value, "")))
        if op.regions:
            for value in op.captured():
                start.append(source(value))
                output.append(value.index)
                to.append(place)
                slots.append(CAPTURED)
                label.append(text(value.type, layouts.get(value, "")))
    return {"from": start, "output": output, "to": to, "slot": slots, "label": label}


def _tensors(ids: Ids) -> dict[str, list[Any]]:
    """Every tensor that has a name, for the search."""
    names: list[str] = []
    makers: list[int] = []
    outputs: list[int] = []
    for value in ids.graph.inputs:
        names.append(value.name)
        makers.append(ids.source(value))
        outputs.append(0)
    for place, op in enumerate(ids.graph.ops):
        for value in op.results:
            if value.name:
                names.append(value.name)
                makers.append(place)
                outputs.append(value.index)
    return {"names": names, "op": makers, "output": outputs}
