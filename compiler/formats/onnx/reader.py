"""An ONNX file into the IR: records are found on the wire, small ones decoded in bulk, weights never touched."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.onnx import schema
from subcut.compiler.formats.onnx.bulk import scan_tensors
from subcut.compiler.formats.onnx.dialect import OnnxDialect
from subcut.compiler.formats.onnx.nodes import decode_nodes
from subcut.compiler.formats.onnx.records import (
    GraphRecord,
    ModelRecord,
    Range,
    body,
    model_record_of,
    reading,
    split,
)
from subcut.compiler.formats.onnx.tensors import DataFiles, scan_sparse
from subcut.compiler.formats.onnx.types import decode_info
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import fields, read_varint, signed

MAX_DEPTH = 60
"""How deep bodies may nest; protobuf itself gives up at about 33."""

IR_VERSION, GRAPH, OPSET, FUNCTION = 1, 7, 8, 25
Scope = dict[str, Value]


def read_model(path: Path) -> Model:
    """Read the model at `path`. Raises ModelError."""
    file = SourceFile(path)
    with reading(path):
        return _Reader(file).model()


class _Reader:
    """One reading of one file."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.result = Model(OnnxDialect(DataFiles(file)), file.path.stem)
        self.result.sources = [file]
        self.symbols: dict[tuple[str, str], str] = {}
        """Key of the function that an operator type and overload call."""
        self.bodies: deque[tuple[Graph, Range, list[Scope], int]] = deque()
        """Bodies that are still to be read, with the scopes around them, innermost last."""

    def model(self) -> Model:
        data, model = self.file.data, self.result
        found = [(n, kind, at, stop) for n, kind, at, _, stop in fields(data, 0, self.file.size)]
        graphs = [(body(data, at, stop), stop) for n, kind, at, stop in found if n == GRAPH and kind == 2]
        if len(graphs) != 1:
            message = f"the file has {len(graphs) or 'no'} graph{'s' if graphs else ''}"
            raise ModelError(self.file.path, message, offset=0, expected="an ONNX model with one graph")
        version = 0
        for n, kind, at, stop in found:
            if n == IR_VERSION and kind == 0:
                version = signed(read_varint(data, read_varint(data, at, stop)[1], stop)[0])
        functions = self._function_heads([(at, stop) for n, _, at, stop in found if n == FUNCTION])
        opsets = [data[body(data, at, stop) : stop] for n, _, at, stop in found if n == OPSET]
        model.origin = ModelRecord(
            self.file,
            [(n, at, stop) for n, _, at, stop in found],
            version,
            _opsets([schema.parse("OperatorSet", content) for content in opsets]),
            model.main,
            {key: (at, stop) for key, (_, at, stop) in functions.items()},
        )
        self._graph(model.main, graphs[0], [], 0)
        for key, (head, at, stop) in functions.items():
            self._function(key, head, (body(data, at, stop), stop))
        return model

    def _function_heads(self, records: Sequence[Range]) -> dict[str, tuple[schema.Function, int, int]]:
        data = self.file.data
        heads: dict[str, tuple[schema.Function, int, int]] = {}
        for at, stop in records:
            head = schema.parse_function(data[body(data, at, stop) : stop])
            overload = f":{head.overload}" if head.overload else ""
            key = f"{head.domain}::{head.name}{overload}"
            if key in heads:
                raise ModelError(self.file.path, f"two functions are called `{key}`", offset=at)
            heads[key] = (head, at, stop)
            self.symbols[(op_type(head.domain, head.name), head.overload)] = key
        return heads

    def _function(self, key: str, head: schema.Function, place: Range) -> None:
        graph = Graph(self.result, key)
        self.result.functions[key] = graph
        nodes, others = split(self.file.data, *place, schema.FUNCTION_NODE)
        record = GraphRecord(self.file, *place, others, is_function=True, domains=_opsets(head.opset_import))
        graph.origin = record
        scope: Scope = {}
        for name in head.input:
            self._define(scope, graph.add_input(name))
        self._operators(graph, nodes, scope, [scope], 0)
        graph.outputs = [self._find(name, [scope], "function output") for name in head.output]
        self._finish(graph, record)
        self._read_bodies()

    def _graph(self, graph: Graph, place: Range, scopes: list[Scope], depth: int) -> None:
        """Read a graph and, after it, the bodies in it, which may use any of its values."""
        if depth > MAX_DEPTH:
            raise ModelError(
                self.file.path,
                f"bodies nest more than {MAX_DEPTH} deep",
                offset=place[0],
                expected="fewer",
            )
        nodes, others = split(self.file.data, *place, schema.NODE)
        stored = (schema.INITIALIZER, schema.SPARSE_INITIALIZER)
        record = GraphRecord(self.file, *place, [one for one in others if one[0] not in stored])
        graph.origin = record
        scope: Scope = {}
        self._stored(graph, scope, [one for one in others if one[0] in stored])
        data = self.file.data
        for number, at, stop in record.others:
            if number == schema.INPUT:
                name, type = decode_info(data[body(data, at, stop) : stop])
                if name not in scope:
                    self._define(scope, graph.add_input(name, type))
        self._operators(graph, nodes, scope, [*scopes, scope], depth)
        for number, at, stop in record.others:
            if number == schema.OUTPUT:
                name, type = decode_info(data[body(data, at, stop) : stop])
                value = self._find(name, [*scopes, scope], "graph output")
                value.type = value.type if value.type is not None else type
                graph.outputs.append(value)
        self._finish(graph, record)
        if depth == 0:
            self._read_bodies()

    def _finish(self, graph: Graph, record: GraphRecord) -> None:
        record.ops = len(graph.ops)
        record.inputs = tuple(value.name for value in graph.inputs)
        record.outputs = tuple(value.name for value in graph.outputs)

    def _read_bodies(self) -> None:
        while self.bodies:
            graph, place, scopes, depth = self.bodies.popleft()
            self._graph(graph, place, scopes, depth)

    def _stored(self, graph: Graph, scope: Scope, records: Sequence[tuple[int, int, int]]) -> None:
        """Make the initialisers of a graph, in the file's order."""
        known = model_record_of(self.result)
        plain = scan_tensors(self.file, [(at, stop) for number, at, stop in records if number == schema.INITIALIZER])
        types: dict[tuple[int, tuple[int, ...]], TensorType] = {}
        for number, at, stop in records:
            if number == schema.INITIALIZER:
                op, tensor = Op("initializer"), next(plain)
                kind = tensor.number, tensor.dims
                type = types.get(kind) or types.setdefault(kind, tensor.type)
                value = Value(tensor.name, type, op)
                known.tensors[op] = tensor
            else:
                op, sparse = Op("sparse_initializer"), scan_sparse(self.file, body(self.file.data, at, stop), stop)
                value = Value(sparse.values.name, sparse.type, op)
                known.sparse[op] = sparse
            op.results.append(value)
            op.origin = (at, stop)
            self._define(scope, value)
            graph.append(op)

    def _operators(self, graph: Graph, nodes: list[Range], scope: Scope, scopes: list[Scope], depth: int) -> None:
        """Make the operators of a graph, then connect them: a reader may stand before what it reads."""
        record = graph.origin
        ops, symbols, is_function = graph.ops, self.symbols, record.is_function
        connect: list[tuple[Op, Sequence[str]]] = []
        types: dict[tuple[str, str], str] = {}
        for place, node, special in decode_nodes(self.file, nodes, is_function):
            kind = node.op_type
            domain = node.domain
            if domain:
                kind = types.get((domain, kind)) or types.setdefault((domain, kind), op_type(domain, kind))
            op = Op(kind, node.name)
            op.origin = place
            op.graph = graph
            ops.append(op)
            if symbols:
                key = symbols.get((kind, node.overload))
                op.symbols = (key,) if key is not None else ()
            results = op.results
            for name in node.output[:]:  # a copy: what protobuf hands out is slow to walk
                value = Value(name, None, op, len(results))
                results.append(value)
                if name:
                    if name in scope:
                        self._define(scope, value)
                    scope[name] = value
            names = node.input[:]
            if names:
                connect.append((op, names))
            if special is not None:
                self._special(op, special, scopes, depth)
        self._connect(connect, scope, scopes)

    def _special(
        self,
        op: Op,
        special: tuple[list[tuple[str, int, int]], bool],
        scopes: list[Scope],
        depth: int,
    ) -> None:
        """Note an operator's bodies, to be read after what is around them, and data in other files."""
        bodies, external = special
        if external:
            model_record_of(self.result).holders[op] = None
        for name, start, stop in bodies:
            region = Graph(self.result, name, op)
            op.regions.append(region)
            self.bodies.append((region, (start, stop), scopes, depth + 1))

    def _connect(self, connect: list[tuple[Op, Sequence[str]]], scope: Scope, scopes: list[Scope]) -> None:
        for op, names in connect:
            operands = tuple(map(scope.get, names))
            if None in operands:
                reader = f"operator {op.label}"
                operands = tuple([self._find(name, scopes, reader) if name else scope.get(name) for name in names])
            op.operands = operands
            for slot, value in enumerate(operands):
                if value is not None:
                    value.uses.append((op, slot))

    def _define(self, scope: Scope, value: Value) -> None:
        if value.name in scope:
            message = f"two things are called `{value.name}`"
            raise ModelError(self.file.path, message, where="a graph", expected="each tensor made once")
        scope[value.name] = value

    def _find(self, name: str, scopes: list[Scope], reader: str) -> Value:
        for scope in reversed(scopes):
            found = scope.get(name)
            if found is not None:
                return found
        message = f"`{name}` is read and nothing makes it"
        raise ModelError(self.file.path, message, where=reader)


def op_type(domain: str, name: str) -> str:
    """What the IR calls an operator: the default domain is not spelled out."""
    return f"{domain}.{name}" if domain and domain != "ai.onnx" else name


def _opsets(sets: Sequence[schema.OperatorSet]) -> dict[str, int]:
    """Domain: version. The default domain is the empty one."""
    return {"" if one.domain == "ai.onnx" else one.domain: one.version for one in sets}
