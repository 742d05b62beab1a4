"""What the writer needs to write a graph back as it was: where in the file its records lie."""

from __future__ import annotations

import mmap
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.onnx import schema
from subcut.compiler.formats.onnx.tensors import Sparse, Tensor
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import LEN, Buffer, WireError, read_varint

Range = tuple[int, int]
"""A record: offset of its tag, and of what follows it."""


@dataclass(slots=True)
class GraphRecord:
    """Where a GraphProto or FunctionProto lies, and its records that are no operators."""

    file: SourceFile
    start: int
    stop: int
    others: list[tuple[int, int, int]]
    """Field number, offset of the tag, end: every record but nodes and initialisers, in the file's order."""
    is_function: bool = False
    ops: int = 0
    """How many operators were read."""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    domains: dict[str, int] = field(default_factory=dict[str, int])
    """A function's own operator sets."""
    infos: dict[int, dict[str, Range]] = field(default_factory=dict[int, dict[str, Range]])
    """Field number: name: record. Filled when first asked for."""
    restated: bool = False
    """Whether types in it follow from what the user stated, and are not as they were read."""

    def named(self, number: int) -> Mapping[str, Range]:
        """The records of field `number` that begin with a name, by that name."""
        if number not in self.infos:
            data = self.file.data
            self.infos[number] = {_name(data, at, stop): (at, stop) for kind, at, stop in self.others if kind == number}
        return self.infos[number]

    def restate(self, names: set[str]) -> None:
        """Forget what the file says of the types of `names`, which is no longer so."""
        self.restated = True
        gone = {place for number in _INFOS[1:] for name, place in self.named(number).items() if name in names}
        self.others = [other for other in self.others if (other[1], other[2]) not in gone]
        self.infos.clear()

    @property
    def stating(self) -> Sequence[int]:
        """The fields that state types; of two that state one, the first holds."""
        return (schema.FUNCTION_VALUE_INFO,) if self.is_function else _INFOS

    def info(self, name: str) -> Range | None:
        """The record that states the type of value `name`, if any does."""
        for number in self.stating:
            found = self.named(number).get(name)
            if found is not None:
                return found
        return None


def _name(data: bytes | mmap.mmap, at: int, stop: int) -> str:
    """The name that the record at `at` holds.

    Nearly every record is its key, a size of one byte, and first its name; there may be one for every operator.
    """
    head = data[at : min(at + 128, stop)]
    if len(head) > 4 and head[1] < 0x80 and head[2] == 0x0A and head[3] < 0x80 and 4 + head[3] <= len(head):
        return head[4 : 4 + head[3]].decode()
    name: str = schema.parse("Named", data[body(data, at, stop) : stop]).name
    return name


_INFOS = (schema.INPUT, schema.OUTPUT, schema.VALUE_INFO)


@dataclass(slots=True)
class ModelRecord:
    """What of a ModelProto is not its graph."""

    file: SourceFile
    fields: list[tuple[int, int, int]]
    """Field number, offset of the tag, end; the graph's own record included."""
    ir_version: int
    opsets: dict[str, int]
    main: Graph
    """The main graph as it was read."""
    functions: dict[str, Range]
    tensors: dict[Op, Tensor] = field(default_factory=dict[Op, Tensor])
    """Initialisers and what is known about them."""
    sparse: dict[Op, Sparse] = field(default_factory=dict[Op, Sparse])
    holders: dict[Op, None] = field(default_factory=dict[Op, None])
    """Operators with a tensor in an attribute whose data lies in another file."""


@contextmanager
def reading(path: Path) -> Generator[None]:
    """Whatever turns out to be damaged inside is a ModelError of the file at `path`."""
    try:
        yield
    except WireError as error:
        raise ModelError(path, str(error), offset=error.offset, expected="an ONNX model") from None
    except (DecodeError, UnicodeDecodeError) as error:
        raise ModelError(path, f"a record cannot be decoded: {error}", expected="an ONNX model") from None


def record_of(graph: Graph) -> GraphRecord:
    """The record of a graph that was read from ONNX."""
    record = graph.origin
    assert isinstance(record, GraphRecord)
    return record


def model_record_of(model: Model) -> ModelRecord:
    """The record of a model that was read from ONNX."""
    record = model.origin
    assert isinstance(record, ModelRecord)
    return record


def info_of(value: Value) -> Range | None:
    """The record of the ValueInfo that states the type of `value`, if the model has one."""
    graph = value.graph
    if graph is None or not isinstance(graph.origin, GraphRecord) or not value.name:
        return None
    return graph.origin.info(value.name)


def body(data: Buffer, at: int, stop: int) -> int:
    """Where the payload of the length-delimited record at `at` begins."""
    _, at = read_varint(data, at, stop)
    _, at = read_varint(data, at, stop)
    return at


def split(data: Buffer, start: int, stop: int, node: int) -> tuple[list[Range], list[tuple[int, int, int]]]:
    """The records of the graph at `start`: nodes (field number `node`), and all others with their numbers.

    This runs once for each record of a model, hence the shape of the loop. Raises WireError.
    """
    nodes: list[Range] = []
    others: list[tuple[int, int, int]] = []
    node_tag = node << 3 | LEN
    at = start
    window_start, window = start, data[start : min(start + _WINDOW, stop)]
    window_stop = start + len(window) - 8
    while at < stop:
        if at >= window_stop:
            window_start, window = at, data[at : min(at + _WINDOW, stop)]
            window_stop = at + len(window) - 8
            if at >= window_stop:
                _slow_split(data, at, stop, node, nodes, others)
                break
        i = at - window_start
        tag, size, high = window[i], window[i + 1], window[i + 2]
        if size < 0x80:
            end = at + 2 + size
        elif high < 0x80:
            end = at + 3 + (size & 0x7F | high << 7)
        else:
            end = 0
        if tag == node_tag and end and end <= stop:
            nodes.append((at, end))
        elif tag < 0x80 and tag & 7 == LEN and tag > 7 and end and end <= stop:
            others.append((tag >> 3, at, end))
        else:
            number, end = _record(data, at, stop)
            (nodes.append((at, end)) if number == node else others.append((number, at, end)))
        at = end
    return nodes, others


_WINDOW = 1 << 16


def _slow_split(
    data: Buffer, at: int, stop: int, node: int, nodes: list[Range], others: list[tuple[int, int, int]]
) -> None:
    while at < stop:
        number, end = _record(data, at, stop)
        if number == node:
            nodes.append((at, end))
        else:
            others.append((number, at, end))
        at = end


def _record(data: Buffer, at: int, stop: int) -> tuple[int, int]:
    """Field number and end of the record at `at`; the number 0 for one that is not length-delimited.

    Every field of a graph is: one that is not is of no meaning to anybody, and kept.
    """
    key, payload = read_varint(data, at, stop)
    number, kind = key >> 3, key & 7
    if number == 0:
        raise WireError(at, "field number 0")
    if kind == LEN:
        size, payload = read_varint(data, payload, stop)
        end = payload + size
    elif kind == 0:
        _, end = read_varint(data, payload, stop)
    elif kind in (1, 5):
        end = payload + (8 if kind == 1 else 4)
    else:
        raise WireError(at, f"wire type {kind}")
    if end > stop:
        raise WireError(at, f"field {number} ends {end - stop} bytes behind what holds it")
    return number if kind == LEN else 0, end
