"""A graph of the IR as a GraphProto: kept records by span in the file's order, new ones where they belong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Union

from subcut.compiler.formats.onnx import schema
from subcut.compiler.formats.onnx.attributes import encode_node
from subcut.compiler.formats.onnx.nodes import ATTRIBUTE, GRAPHS, SPARSE, SPARSES, TENSORS, G, T
from subcut.compiler.formats.onnx.placing import Placer
from subcut.compiler.formats.onnx.records import (
    Range,
    body,
    info_of,
    model_record_of,
    record_of,
)
from subcut.compiler.formats.onnx.tensors import scan_tensor
from subcut.compiler.formats.onnx.types import decode_info, encode_info, same_type
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.rope import Rope
from subcut.compiler.storage.wire import LEN, bytes_field, fields, read_varint

Item = tuple[int, int, int, Union[Rope, bytes, None]]
"""Where it belongs (an offset in the file it was read from), and a range of that file, or new content."""


@dataclass(frozen=True)
class Fresh:
    """Origin of an operator that a pass made: field number and payload of its record."""

    number: int
    payload: bytes


@dataclass
class GraphWriter:
    """Writes the graphs of one model; a graph that is as it was read costs one span."""

    model: Model
    placer: Placer
    extra_outputs: Sequence[str] = ()
    """Names of further tensors that the main graph is to give out, for an execution."""
    file: SourceFile = field(init=False)

    def __post_init__(self) -> None:
        self.record = model_record_of(self.model)
        self.file = self.record.file

    def graph(self, graph: Graph, main: bool = False) -> Rope | None:
        """The payload of a GraphProto; None when the graph is as it was read."""
        ops = self._operators(graph)
        whole = is_whole(graph)
        same_place = not main or (graph is self.record.main and not self.extra_outputs)
        if whole and same_place and not any(item[3] is not None for item in ops):
            return None
        edges = self._inputs(graph, main) + self._outputs(graph, main)
        items = ops + edges + self._others(graph, whole)
        return self._rope(items)

    def function(self, graph: Graph) -> Rope | None:
        """The payload of a FunctionProto that stays a function; None when it is as it was read."""
        ops = self._operators(graph, schema.FUNCTION_NODE)
        if all(item[3] is None for item in ops):
            return None
        others = [(at, at, stop, None) for _, at, stop in record_of(graph).others]
        return self._rope([*ops, *others])

    def _rope(self, items: list[Item]) -> Rope:
        items.sort(key=itemgetter(0))
        rope, file = Rope(), self.file
        start = stop = 0
        for _, at, end, new in items:
            if new is None and at == stop:
                stop = end
                continue
            rope.add_range(file, start, stop)
            start = stop = 0
            if new is None:
                start, stop = at, end
            else:
                rope.add(new)
        rope.add_range(file, start, stop)
        return rope

    def _operators(self, graph: Graph, node: int = schema.NODE) -> list[Item]:
        """Nodes and initialisers. This loop runs once for every operator that is kept."""
        items: list[Item] = []
        stored: list[Item] = []
        tensors, sparse, holders = self.record.tensors, self.record.sparse, self.record.holders
        minimum, moved = self.placer.minimum, record_of(graph).is_function and node == schema.NODE
        for op in graph.ops:
            origin = op.origin
            if op in tensors or op in sparse:
                stored.append(self._stored(op))
            elif isinstance(origin, Fresh):
                stored.append((-1, 0, 0, bytes_field(origin.number, origin.payload)))
            elif origin is None:
                items.append((-1, 0, 0, bytes_field(node, encode_node(op))))
            elif op.changed or op.regions or op in holders or origin[1] - origin[0] > minimum:
                items.append(self._node(op, origin, node, moved))
            elif moved:
                items.append((origin[0], 0, 0, self._retagged(node, origin)))
            else:
                items.append((origin[0], origin[0], origin[1], None))
        return in_order(items) + stored

    def _stored(self, op: Op) -> Item:
        at, stop = op.origin
        new: Rope | None = None
        if op in self.record.tensors:
            tensor = self.record.tensors[op]
            if tensor.external is not None or stop - at > self.placer.minimum:
                new = self.placer.place(tensor)
            number = schema.INITIALIZER
        else:
            number = schema.SPARSE_INITIALIZER
            new = self._sparse(body(self.file.data, at, stop), stop)
        return (at, at, stop, _field(number, new) if new is not None else None)

    def _node(self, op: Op, origin: Range, number: int, moved: bool) -> Item:
        content = self._changed_node(op, origin)
        if content is not None:
            return (origin[0], 0, 0, _field(number, content))
        if moved:
            return (origin[0], 0, 0, self._retagged(number, origin))
        return (origin[0], origin[0], origin[1], None)

    def _changed_node(self, op: Op, origin: Range) -> Rope | None:
        """The payload of a node, or None when it is what was read."""
        data, rope, regions = self.file.data, Rope(), iter(op.regions)
        changed = False
        names = [value.name if value is not None else "" for value in op.operands]
        slot = 0
        for number, kind, at, start, stop in fields(data, body(data, *origin), origin[1]):
            new: Rope | None = None
            if number == 1 and kind == LEN:
                name = names[slot].encode()
                new = Rope([bytes_field(1, name)]) if name != data[start:stop] else None
                slot += 1
            elif number == ATTRIBUTE and kind == LEN:
                inner = self._attribute(start, stop, regions)
                new = _field(ATTRIBUTE, inner) if inner is not None else None
            changed |= new is not None
            rope.add(new if new is not None else Span(self.file, at, stop))
        return rope if changed else None

    def _attribute(self, start: int, stop: int, regions: Iterator[Graph]) -> Rope | None:
        """The payload of an attribute with a body that changed or a tensor that moved; else None."""
        rope, changed = Rope(), False
        for number, kind, at, inner, end in fields(self.file.data, start, stop):
            new: Rope | None = None
            if kind == LEN and number in (G, GRAPHS):
                new = self.graph(next(regions))
            elif kind == LEN and number in (T, TENSORS):
                new = self._tensor(inner, end)
            elif kind == LEN and number in (SPARSE, SPARSES):
                new = self._sparse(inner, end)
            changed |= new is not None
            rope.add(_field(number, new) if new is not None else Span(self.file, at, end))
        return rope if changed else None

    def _tensor(self, start: int, stop: int) -> Rope | None:
        tensor = scan_tensor(self.file, start, stop)
        if tensor.external is None and stop - start <= self.placer.minimum:
            return None
        return self.placer.place(tensor)

    def _sparse(self, start: int, stop: int) -> Rope | None:
        rope, changed = Rope(), False
        for number, kind, at, inner, end in fields(self.file.data, start, stop):
            new = self._tensor(inner, end) if number in (1, 2) and kind == LEN else None
            changed |= new is not None
            rope.add(_field(number, new) if new is not None else Span(self.file, at, end))
        return rope if changed else None

    def _retagged(self, number: int, place: Range) -> Rope:
        """A record with another field number."""
        return _field(number, Rope([Span(self.file, body(self.file.data, *place), place[1])]))

    def _inputs(self, graph: Graph, main: bool) -> list[Item]:
        items = [self._info(value, schema.INPUT, graph, main) for value in graph.inputs]
        record = record_of(graph)
        if record.is_function:
            return in_order(items)
        stored = {
            op.results[0].name: op for op in graph.ops if op in self.record.tensors or isinstance(op.origin, Fresh)
        }
        known = record.named(schema.INPUT)
        for name, (at, stop) in known.items():
            if name in stored:
                items.append((at, at, stop, None))
        if main and self.record.ir_version < 4:
            new = [op.results[0] for name, op in stored.items() if name not in known and is_initializer(op)]
            items += [self._info(value, schema.INPUT, graph, main) for value in new]
        return in_order(items)

    def _outputs(self, graph: Graph, main: bool) -> list[Item]:
        items = [self._info(value, schema.OUTPUT, graph, main) for value in graph.outputs]
        if main:
            have = {value.name for value in graph.outputs}
            names = [name for name in self.extra_outputs if name not in have]
            items += [(-1, 0, 0, bytes_field(schema.OUTPUT, bytes_field(1, name))) for name in names]
        return in_order(items)

    def _info(self, value: Value, number: int, graph: Graph, main: bool) -> Item:
        """The ValueInfo of an edge: the record that the model has for it, where that says the same."""
        record, data = record_of(graph), self.file.data
        found = None if record.is_function else record.named(number).get(value.name)
        found = found or value.origin or info_of(value)
        if found is None:
            return (-1, 0, 0, bytes_field(number, encode_info(value.name, value.type)))
        at, stop = found
        payload = data[body(data, at, stop) : stop]
        name, type = decode_info(payload)
        if name != value.name or (
            (main or record.restated) and value.type is not None and not same_type(type, value.type)
        ):
            return (-1, 0, 0, bytes_field(number, encode_info(value.name, value.type, payload)))
        if read_varint(data, at, stop)[0] != number << 3 | LEN:
            return (-1, 0, 0, bytes_field(number, payload))
        return (at, at, stop, None)

    def _others(self, graph: Graph, whole: bool) -> list[Item]:
        """Name, documentation, metadata, unknown fields; types and quantisation of the tensors that are kept."""
        record, data = record_of(graph), self.file.data
        if record.is_function:
            return self._function_others(graph)
        kept = {value.name for value in graph.values()}
        edges = {value.name for value in (*graph.inputs, *graph.outputs)}
        items: list[Item] = []
        for number, at, stop in record.others:
            if number in (schema.INPUT, schema.OUTPUT):
                continue
            if number in (schema.VALUE_INFO, schema.ANNOTATION) and not whole:
                continue
            items.append((at, at, stop, None))
        if whole:
            return items
        for name, (at, stop) in record.named(schema.VALUE_INFO).items():
            if name in kept and name not in edges:
                items.append((at, at, stop, None))
        for name, (at, stop) in record.named(schema.OUTPUT).items():
            if name in kept and name not in edges and name not in record.named(schema.VALUE_INFO):
                items.append((at, 0, 0, bytes_field(schema.VALUE_INFO, data[body(data, at, stop) : stop])))
        return items + self._annotations(graph, kept)

    def _annotations(self, graph: Graph, kept: set[str]) -> list[Item]:
        """The quantisation of kept tensors, with the stored scales and zero points that it names."""
        record, data = record_of(graph), self.file.data
        items: list[Item] = []
        named: dict[str, None] = {}
        for name, (at, stop) in record.named(schema.ANNOTATION).items():
            if name in kept:
                items.append((at, at, stop, None))
                named.update(dict.fromkeys(schema.annotated(data[body(data, at, stop) : stop])))
        if named:
            stored = {tensor.name: op for op, tensor in self.record.tensors.items() if op.graph is graph}
            items += [self._stored(stored[name]) for name in named if name in stored and name not in kept]
        return items

    def _function_others(self, graph: Graph) -> list[Item]:
        """A function that becomes the main graph: its name, documentation and the types it states."""
        record, data = record_of(graph), self.file.data
        edges = {value.name for value in (*graph.inputs, *graph.outputs)}
        kept = {value.name for value in graph.values()} - edges
        items: list[Item] = []
        for number, at, stop in record.others:
            new = {1: schema.GRAPH_NAME, 8: 10, 14: 16}.get(number)
            if new is not None:
                items.append((at, 0, 0, self._retagged(new, (at, stop))))
        for name, (at, stop) in record.named(schema.FUNCTION_VALUE_INFO).items():
            if name in kept:
                items.append((at, 0, 0, bytes_field(schema.VALUE_INFO, data[body(data, at, stop) : stop])))
        return items


def in_order(items: list[Item]) -> list[Item]:
    """Give what is new the place of what stands before it; where the order changed, all get the place of the first.

    The items are sorted by place afterwards, and sorting keeps the order of equal ones.
    """
    before = next((item[0] for item in items if item[0] >= 0), 1 << 62)
    placed: list[Item] = []
    last, sorted_already = before, True
    for item in items:
        if item[0] < 0:
            item = (last, *item[1:])
        elif item[0] < last:
            sorted_already = False
        last = item[0]
        placed.append(item)
    return placed if sorted_already else [(before, *item[1:]) for item in placed]


def is_whole(graph: Graph) -> bool:
    """Whether the graph still has every operator that was read and no other, and the same edges."""
    record = record_of(graph)
    return (
        not record.restated
        and len(graph.ops) == record.ops
        and tuple(value.name for value in graph.inputs) == record.inputs
        and tuple(value.name for value in graph.outputs) == record.outputs
        and all(_is_from(op.origin, record.start, record.stop) for op in graph.ops)
    )


def _is_from(origin: Fresh | Range | None, start: int, stop: int) -> bool:
    return isinstance(origin, tuple) and start <= origin[0] < stop


def is_initializer(op: Op) -> bool:
    """Whether the operator is a dense initialiser."""
    return op.type == "initializer"


def _field(number: int, content: Rope) -> Rope:
    rope = Rope()
    rope.add_field(number, content)
    return rope
