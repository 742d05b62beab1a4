"""Read the graphs of a definition into the IR: names, edges and types; attributes and weights when asked for.

The first graph is the main one. The others, which `Case`, `If` or `PartitionedCall` name in `subgraph_name`, are
functions of the model, because several operators may run one graph, and what they read is passed as operands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.attributes import tensor_type
from subcut.compiler.formats.ascend.definition import Definition, GraphRecord, Place
from subcut.compiler.formats.ascend.dialect import OUTPUT, AscendDialect
from subcut.compiler.formats.ascend.origin import ModelOrigin
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.wire import WireError

CONTROL = "-1"
"""The output index of an edge that carries no tensor."""
UNDESCRIBED = 8
"""How many outputs without a descriptor may lie before one that is read."""


def read_model(origin: ModelOrigin) -> Model:
    """The IR of a file. Raises ModelError.

    A graph that the file has again, as a sub-model compiled by itself, is read from there: its weights are there too.
    """
    first = origin.definitions[0]
    model = Model(AscendDialect(), first.name)
    model.sources = [origin.file]
    model.origin = origin
    reader = _Reader(model, lenient=origin.broken_off)
    reader.graph(first, first.graphs[0], model.main)
    origin.main, origin.count = model.main, len(model.main.ops)
    if origin.broken_off:
        model.notes["limits"] = [
            {"what": "the text ends before the model does: what follows its last operator is gone"}
        ]
    taken = {first.graphs[0].name: model.main}
    times: Counter[str] = Counter()
    for definition, record in _others(origin.definitions):
        name = record.name
        again = name in taken and _same(definition, record, taken[name])
        if again and taken[name] is model.main:
            continue
        while name in taken and not again:
            times[record.name] += 1
            name = f"{definition.name}:{record.name}" + (f":{n}" if (n := times[record.name]) > 1 else "")
        taken[name] = model.functions[name] = reader.graph(definition, record, Graph(model, name))
    return model


def _others(definitions: Sequence[Definition]) -> list[tuple[Definition, GraphRecord]]:
    """Every graph but the main one."""
    return [(one, graph) for one in definitions for graph in one.graphs][1:]


def _same(definition: Definition, record: GraphRecord, known: Graph) -> bool:
    """Whether a record holds a graph that is known, operator by operator."""
    if len(known.ops) != len(record.ops):
        return False
    return {bare.name for _, bare in bare_ops(definition, record)} == {op.name for op in known.ops}


def bare_ops(definition: Definition, record: GraphRecord) -> Iterator[tuple[Place, Any]]:
    """The operators of a graph, decoded as far as `BareOp` goes. Raises ModelError."""
    from google.protobuf.message import DecodeError

    parse, at = schema.message("BareOp").FromString, (0, 0)
    try:
        for at in record.ops:
            yield at, parse(definition.record(at))
    except (DecodeError, WireError):
        message, where = "an operator that cannot be decoded", f"graph `{record.name}`"
        raise ModelError(definition.path, message, offset=definition.offset(at), where=where) from None


class _Reader:
    """Reads graphs. `lenient`: what reads an operator that is not there reads an absent value, as in a dump cut off."""

    def __init__(self, model: Model, *, lenient: bool) -> None:
        self.model, self.lenient = model, lenient
        self.types: dict[tuple[int, tuple[int, ...], str], TensorType] = {}
        self.kinds: dict[str, str] = {}
        self.absent: dict[tuple[Graph, str], Value] = {}

    def graph(self, definition: Definition, record: GraphRecord, graph: Graph) -> Graph:
        """Fill `graph` with the operators of a record."""
        made: list[tuple[Op, Sequence[str]]] = []
        ops: dict[str, Op] = {}
        for place, bare in bare_ops(definition, record):
            op = self._op(bare, graph, definition, place)
            if ops.setdefault(op.name, op) is not op:
                raise self._fail(op, "two operators have this name")
            made.append((op, list(bare.input)))  # a copy: the message with all that was not decoded must go
        for op, edges in made:
            if edges:
                self._connect(op, edges, ops, graph)
        graph.outputs = list(dict.fromkeys(v for op in graph.ops if op.type == OUTPUT for v in op.operands if v))
        return graph

    def _op(self, bare: Any, graph: Graph, definition: Definition, place: Place) -> Op:
        name, kind = bare.name, bare.type
        op = Op(self.kinds.setdefault(kind, kind), name)
        op.origin = (definition, place)
        op.graph = graph
        for i, desc in enumerate(bare.output_desc):
            op.results.append(Value(f"{name}:{i}", self._type(desc), op, i))
        symbols = bare.subgraph_name
        if symbols:
            op.symbols = tuple(symbols)
        graph.ops.append(op)
        return op

    def _type(self, desc: Any) -> TensorType:
        key = (desc.dtype, tuple(desc.shape.dim), desc.layout)
        found = self.types.get(key)
        if found is None:
            found = self.types[key] = tensor_type(desc)
        return found

    def _connect(self, op: Op, edges: Sequence[str], ops: Mapping[str, Op], graph: Graph) -> None:
        """Resolve the inputs: `name:index` a tensor, `name:-1` an operator to wait for, empty a missing tensor."""
        operands: list[Value | None] = []
        controls: list[Op] = []
        for edge in edges:
            if not edge:
                operands.append(None)
                continue
            name, _, index = edge.rpartition(":")
            producer = ops.get(name)
            if producer is None:
                self._absent(op, edge, operands, graph)
            elif index == CONTROL:
                controls.append(producer)
            else:
                value = self._result(producer, index, op)
                value.uses.append((op, len(operands)))
                operands.append(value)
        if operands.count(None) < len(operands):
            op.operands = tuple(operands)
        if controls:
            op.controls = tuple(dict.fromkeys(controls))

    def _result(self, producer: Op, index: str, op: Op) -> Value:
        """The result of that number; a missing descriptor of a value that is read is made up."""
        if index == "0" and producer.results:
            return producer.results[0]
        if not index.isdecimal() or len(index) > 5:
            raise self._fail(op, f"reads `{producer.name}:{index}`")
        number = int(index)
        if number >= len(producer.results):
            if number > len(producer.results) + UNDESCRIBED:
                raise self._fail(op, f"reads `{producer.name}:{index}`, which has {len(producer.results)} outputs")
            while len(producer.results) <= number:
                producer.add_result(f"{producer.name}:{len(producer.results)}")
        return producer.results[number]

    def _absent(self, op: Op, edge: str, operands: list[Value | None], graph: Graph) -> None:
        """An edge from an operator that the graph does not have."""
        name, _, index = edge.rpartition(":")
        if not self.lenient:
            raise self._fail(op, f"reads `{edge}`, which nothing makes")
        if index == CONTROL:
            return
        value = self.absent.get((graph, edge))
        if value is None:
            maker = Op("?", name)
            maker.graph = graph
            value = self.absent[graph, edge] = maker.add_result(edge)
            graph.absent.append(value)
        value.uses.append((op, len(operands)))
        operands.append(value)

    def _fail(self, op: Op, message: str) -> ModelError:
        definition, place = op.origin
        where = f"operator `{op.name}`"
        return ModelError(definition.path, message, offset=definition.offset(place), where=where)
