"""Read a binary GraphDef into the IR: its records by span, decoded no further than names, inputs and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.tensorflow import records, schema
from subcut.compiler.formats.tensorflow.library import read_library
from subcut.compiler.formats.tensorflow.origin import GraphOrigin, ModelOrigin
from subcut.compiler.formats.tensorflow.results import Results, ResultTypes, operand_element
from subcut.compiler.ir.dialect import Dialect
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import LEN, WireError, fields, read_varint

NODE, LIBRARY, VERSION, VERSIONS, DEBUG = 1, 2, 3, 4, 5
"""Fields of GraphDef (source: tensorflow/core/framework/graph.proto)."""


RESERVED = 3
"""Where the reserve spaces begin among the results of `FusedBatchNorm`, `FusedBatchNormV2` and `FusedBatchNormV3`."""

Place = tuple[int, int, int]
"""Of a node's record: its tag, its content, its end. Tag and content coincide in a function's body."""


class Node(NamedTuple):
    """An operator whose inputs are not yet resolved."""

    op: Op
    inputs: Sequence[str]
    results: Results | None
    """None for an operator whose signature nobody knows."""


class Reader:
    """Reads the graphs of one file. Raises ModelError for whatever is wrong with it."""

    def __init__(self, file: SourceFile, dialect: Dialect, name: str) -> None:
        self.file = file
        self.model = Model(dialect, name)
        self.origin = ModelOrigin(file)
        self.model.origin = self.origin
        self._lite = schema.message("LiteNode").FromString
        self._at = 0

    def read(self) -> Model:
        """The whole model."""
        try:
            return self._read()
        except WireError as error:
            raise ModelError(self.file.path, str(error), offset=error.offset, expected="a GraphDef") from None
        except ValueError as error:
            raise ModelError(self.file.path, _plain(error), offset=self._at, expected="a GraphDef") from None

    def _read(self) -> Model:
        nodes = self._scan()
        self.origin.library = library = read_library(self.file, self._fields(LIBRARY))
        self.types = ResultTypes(library.signatures, self._producer())
        graph = self.model.main
        graph.origin = GraphOrigin(self.file)
        made = self.nodes(graph, nodes)
        graph.origin.names = set(connect(graph, made, self.fail))
        drop_reserved(graph)
        type_by_readers(made)
        if library.functions:
            from subcut.compiler.formats.tensorflow.functions import read_function

            for function in library.functions:
                self.model.functions[function.name] = read_function(self, function)
        return self.model

    def fail(self, message: str, op: Op | None = None) -> ModelError:
        """The error to raise for damage at an operator's record."""
        at = self._at if op is None else op.origin[1]
        return ModelError(self.file.path, message, offset=at, where=f"node `{op.name}`" if op else "")

    def _scan(self) -> list[Place]:
        """Where the nodes' records are; the other fields go to the origin."""
        nodes: list[Place] = []
        for number, kind, tag_at, at, end in fields(self.file.data, 0, self.file.size):
            if number == NODE and kind == LEN:
                nodes.append((tag_at, at, end))
            else:
                (self.origin.after if nodes else self.origin.before).append((number, tag_at, end))
        return nodes

    def _fields(self, wanted: int) -> list[tuple[int, int]]:
        everything = [*self.origin.before, *self.origin.after]
        return [(start, stop) for number, start, stop in everything if number == wanted]

    def _producer(self) -> int:
        """The version of TensorFlow's graphs that made this one: VersionDef.producer."""
        version = 0
        for start, stop in self._fields(VERSIONS):
            for _, kind, _, at, end in fields(self.file.data, start, stop):
                if kind == LEN:
                    version = records.int_value(self.file.data, at, end, 1) or 0
        for start, stop in self._fields(VERSION):
            for _, _, _, at, end in fields(self.file.data, start, stop):
                version = version or read_varint(self.file.data, at, end)[0]
        return version

    def nodes(self, graph: Graph, places: Sequence[Place], *, typed: bool = True) -> list[Node]:
        """Make the operators of a graph, with their results and without their operands."""
        from google.protobuf.message import DecodeError

        data, lite, library = self.file.data, self._lite, self.origin.library
        made: list[Node] = []
        kinds: dict[str, str] = {}
        for place in places:
            _, self._at, stop = place
            big = stop - self._at > records.BIG
            raw = records.slim(data, self._at, stop) if big else data[self._at : stop]
            try:
                node: Any = lite(raw)
            except DecodeError:
                raise ValueError("a node that cannot be decoded") from None
            name, kind, attributes = node.name, node.op, node.attr
            op = Op(kinds.setdefault(kind, kind), name)
            op.origin = place
            op.graph = graph
            results = self.types.of(kind, attributes) if typed else None
            for i, result in enumerate(results.types if results else (None,)):
                op.results.append(Value(f"{name}:{i}", result, op, i))
            if library.functions:
                op.symbols = library.used_by(kind, attributes)
            graph.ops.append(op)
            made.append(Node(op, list(node.input), results))
        return made


def connect(graph: Graph, nodes: Sequence[Node], fail: Any) -> Mapping[str, Op]:
    """Resolve the inputs of a graph's operators (`name`, `name:port`, `^name`); returns the operators by name."""
    by_name = {op.name: op for op in graph.ops}
    if len(by_name) < len(graph.ops):
        raise _duplicate(graph, fail)
    first = {op.name: op.results[0] for op in graph.ops if op.results}
    known = {node.op: node.results is not None for node in nodes}
    for op, inputs, _ in nodes:
        operands: list[Value] = []
        controls: list[Op] = []
        for text in inputs:
            value = first.get(text)
            if value is None and text.startswith("^"):
                if text[1:] not in by_name:
                    raise fail(f"waits for `{text[1:]}`, which does not exist", op)
                controls.append(by_name[text[1:]])
                continue
            if value is None:
                value = _port(text, by_name, known)
            if value is None:
                raise fail(f"reads `{text}`, which does not exist", op)
            value.uses.append((op, len(operands)))
            operands.append(value)
        op.operands = tuple(operands)
        if controls:
            op.controls = tuple(controls)
    return by_name


def type_by_readers(nodes: Sequence[Node]) -> None:
    """Give results of operators that nobody knows the element types that their readers ask for."""
    for node in nodes:
        for value in node.op.results if node.results is None else ():
            asked = (operand_element(user, slot) for user, slot in value.uses)
            element = next((element for element in asked if element), None)
            value.type = TensorType(element) if element else None


def drop_reserved(graph: Graph) -> None:
    """Forget the results that TensorFlow's batch normalisation keeps for its own gradient, unless somebody reads them.

    In inference they are memory that nobody has written to (source: fused_batch_norm_op.cc).
    """
    for op in graph.ops:
        if op.type.startswith("FusedBatchNorm") and not any(value.uses for value in op.results[RESERVED:]):
            del op.results[RESERVED:]


def _port(text: str, by_name: Mapping[str, Op], known: Mapping[Op, bool]) -> Value | None:
    """The result that `name:port` means; an operator of unknown signature has as many as are read."""
    name, _, port = text.rpartition(":")
    producer = by_name.get(name)
    if producer is None or not port.isdecimal() or len(port) > 5:
        return None
    index = int(port)
    while index >= len(producer.results) and not known[producer]:
        producer.add_result(f"{name}:{len(producer.results)}")
    return producer.results[index] if index < len(producer.results) else None


def _duplicate(graph: Graph, fail: Any) -> Exception:
    seen: set[str] = set()
    for op in graph.ops:
        if op.name in seen:
            error: Exception = fail(f"two nodes are called `{op.name}`", op)
            return error
        seen.add(op.name)
    raise AssertionError("no name occurs twice")


def _plain(error: ValueError) -> str:
    return "a name that is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
