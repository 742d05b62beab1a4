"""NodeDef and AttrValue on the wire: found, read and edited without decoding what is left alone.

Source of the field numbers: tensorflow/core/framework/node_def.proto and attr_value.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from subcut.compiler.errors import ModelError, user_error
from subcut.compiler.formats.tensorflow.elements import decode_shape, element_of_number
from subcut.compiler.ir.graph import Op, Value
from subcut.compiler.ir.types import Dim
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.rope import Rope
from subcut.compiler.storage.wire import (
    LEN,
    VARINT,
    Buffer,
    WireError,
    bytes_field,
    fields,
    int_field,
    read_varint,
    signed,
)

NODE_NAME, NODE_OP, NODE_INPUT, NODE_ATTR = 1, 2, 3, 5
_SHAPES = b"\n\x0e_output_shapes"
BIG = 1 << 16
"""A record of more bytes than this is never read whole."""
PAYLOAD = 1 << 12
"""A field of a stored tensor of more bytes than this is its numbers."""


class Record(NamedTuple):
    """Where the content of a message is."""

    data: Buffer
    start: int
    stop: int
    file: SourceFile | None
    """None for a message that is not from a file."""

    def piece(self, start: int, stop: int) -> bytes | Span:
        """Bytes `start` to `stop`, for a rope."""
        return bytes(self.data[start:stop]) if self.file is None else Span(self.file, start, stop)


def record_of(op: Op) -> Record:
    """The NodeDef of an operator, as it was read or made."""
    if isinstance(op.origin, bytes):
        return Record(op.origin, 0, len(op.origin), None)
    assert op.graph is not None
    file: SourceFile = op.graph.origin.file
    _, start, stop = op.origin
    return Record(file.data, start, stop, file)


def reference(value: Value) -> str:
    """How an input names a tensor: `node`, or `node:1` for another port than the first."""
    producer = value.producer
    if producer is None:
        return value.name.removesuffix(":0")
    port = value.index if value.origin is None else _port(producer, value)
    return producer.name if port == 0 else f"{producer.name}:{port}"


def _port(producer: Op, value: Value) -> int:
    """The port that a function's body calls `result:index`, of an operator whose signature nobody knows."""
    name, index = value.origin
    if any(other.origin and other.origin[0] != name for other in producer.results):
        raise user_error(
            "unknown-port",
            f"`{producer.name}` is a `{producer.type}`, and which of its outputs is `{name}` is not known",
            help="TensorFlow itself does not have this operator",
        )
    return int(index)


def text(data: Buffer, start: int, stop: int) -> str:
    """A string field; raises UnicodeDecodeError, a ValueError."""
    return bytes(data[start:stop]).decode()


def bytes_text(data: Buffer, start: int, stop: int) -> str:
    """An attribute's string, which attr_value.proto calls `bytes s`: what is no UTF-8 is written as escapes."""
    return bytes(data[start:stop]).decode(errors="backslashreplace")


def inputs_of(record: Record) -> list[str]:
    """The `input` strings, in order."""
    data, start, stop, _ = record
    return [text(data, at, end) for number, _, _, at, end in fields(data, start, stop) if number == NODE_INPUT]


def attribute_spans(record: Record) -> Iterator[tuple[str, int, int]]:
    """Name of each attribute, and where its AttrValue is, in the order of the record."""
    data, start, stop, _ = record
    for number, _, _, at, end in fields(data, start, stop):
        if number == NODE_ATTR:
            yield entry(data, at, end)


def entry(data: Buffer, start: int, stop: int) -> tuple[str, int, int]:
    """An entry of a map from strings to messages: the key, and start and stop of the value."""
    key, low, high = "", stop, stop
    for number, _, _, at, end in fields(data, start, stop):
        if number == 1:
            key = text(data, at, end)
        elif number == 2:
            low, high = at, end
    return key, low, high


def attribute(op: Op, name: str) -> tuple[Buffer, int, int] | None:
    """Where the AttrValue of an attribute is; the last one counts, as in any map."""
    record = record_of(op)
    try:
        found = [(record.data, start, stop) for key, start, stop in attribute_spans(record) if key == name]
    except ValueError as error:
        raise damaged(op, error) from None
    return found[-1] if found else None


def damaged(op: Op, error: ValueError) -> Exception:
    """The ModelError to raise for a record that was read without looking into all of it, and then makes no sense."""
    record = record_of(op)
    if record.file is None:
        return error
    offset = error.offset if isinstance(error, WireError) else record.start
    return ModelError(record.file.path, str(error), offset=offset, expected="a NodeDef", where=f"node `{op.name}`")


def value_field(data: Buffer, start: int, stop: int, wanted: int) -> tuple[int, int] | None:
    """The last field `wanted` of a message: start and stop of its payload."""
    found = None
    for number, _, _, at, end in fields(data, start, stop):
        if number == wanted:
            found = at, end
    return found


def int_value(data: Buffer, start: int, stop: int, wanted: int = 3) -> int | None:
    """A varint field of a message, `AttrValue.i` unless told otherwise."""
    found = value_field(data, start, stop, wanted)
    return None if found is None else signed(read_varint(data, *found)[0])


def type_value(data: Buffer, start: int, stop: int) -> str | None:
    """Our element type for `AttrValue.type`."""
    number = int_value(data, start, stop, 6)
    return None if number is None else element_of_number(number)


def type_list(data: Buffer, start: int, stop: int) -> list[str | None]:
    """Our element types for `AttrValue.list.type`, packed or not."""
    found: list[str | None] = []
    for number, _, _, low, high in fields(data, start, stop):
        if number != 1:
            continue
        for inner, kind, _, at, end in fields(data, low, high):
            if inner != 6:
                continue
            while at < end:
                element, at = read_varint(data, at, end)
                found.append(element_of_number(element))
                if kind == VARINT:
                    break
    return found


def shape_list(data: Buffer, start: int, stop: int) -> list[tuple[Dim, ...] | None]:
    """The shapes of `AttrValue.list.shape`."""
    found: list[tuple[Dim, ...] | None] = []
    for number, _, _, low, high in fields(data, start, stop):
        if number == 1:
            inner = fields(data, low, high)
            found += [decode_shape(data, at, end) for n, kind, _, at, end in inner if n == 7 and kind == LEN]
    return found


def function_names(data: Buffer, start: int, stop: int) -> list[str]:
    """The functions that an AttrValue names: `func` and `list.func`, and those in their own attributes."""
    names: list[str] = []
    todo = [(start, stop)]
    while todo:
        low, high = todo.pop()
        for number, kind, _, at, end in fields(data, low, high):
            if kind != LEN or number not in (1, 10):
                continue
            lists = (
                [(at, end)]
                if number == 10
                else [(a, e) for n, k, _, a, e in fields(data, at, end) if n == 9 and k == LEN]
            )
            for inner in lists:
                name, values = _name_and_attributes(data, *inner)
                names.append(name)
                todo += values
    return names


def _name_and_attributes(data: Buffer, start: int, stop: int) -> tuple[str, list[tuple[int, int]]]:
    """The name in a NameAttrList, and where the values of its attributes are."""
    name, values = "", list[tuple[int, int]]()
    for number, kind, _, at, end in fields(data, start, stop):
        if number == 1 and kind == LEN:
            name = text(data, at, end)
        elif number == 2 and kind == LEN:
            values.append(entry(data, at, end)[1:])
    return name, values


def slim(data: Buffer, start: int, stop: int, path: tuple[int, ...] = (NODE_ATTR, 2, 8)) -> bytes:
    """A NodeDef without the numbers of its stored tensors: small, however big the record is."""
    out = bytearray()
    for number, kind, tag_at, at, end in fields(data, start, stop):
        if kind == LEN and path and number == path[0] and end - at > PAYLOAD:
            out += bytes_field(number, slim(data, at, end, path[1:]))
        elif path or end - at <= PAYLOAD:
            out += data[tag_at:end]
    return bytes(out)


def edit(
    record: Record, inputs: Sequence[str] | None, keep_class: Callable[[str], bool], *, keep_shapes: bool = True
) -> Rope:
    """The content of a NodeDef with other inputs (None: the same), and without colocation that does not hold.

    Every other field, known or not, keeps its bytes and its place; `_output_shapes` only where these still hold.
    """
    data, start, stop, _ = record
    rope = Rope()
    written = False
    for number, kind, tag_at, at, end in fields(data, start, stop):
        if inputs is not None and not written and (number == NODE_INPUT or number > NODE_INPUT):
            rope.add(b"".join(bytes_field(NODE_INPUT, name) for name in inputs))
            written = True
        if number == NODE_INPUT and inputs is not None:
            continue
        if number == NODE_ATTR and kind == LEN and data[at : at + 8] == b"\n\x06_class":
            rope.add(_colocation(data, tag_at, at, end, keep_class))
        elif keep_shapes or number != NODE_ATTR or data[at : at + len(_SHAPES)] != _SHAPES:
            rope.add(record.piece(tag_at, end))
    if inputs is not None and not written:
        rope.add(b"".join(bytes_field(NODE_INPUT, name) for name in inputs))
    return rope


def _colocation(data: Buffer, tag_at: int, start: int, stop: int, keep: Callable[[str], bool]) -> bytes:
    """The attribute `_class` without the operators that are not kept; nothing when none is left."""
    key, low, high = entry(data, start, stop)
    names, others = list[bytes](), bytearray()
    total = 0
    for number, _, list_at, at, end in fields(data, low, high):
        if number != 1:
            others += data[list_at:end]
            continue
        for inner, _, _, a, e in fields(data, at, end):
            total += 1
            if inner == 2 and keep(bytes_text(data, a, e)):
                names.append(bytes(data[a:e]))
    if len(names) == total:
        return bytes(data[tag_at:stop])
    if not names:
        return b""
    value = bytes_field(1, b"".join(bytes_field(2, name) for name in names)) + bytes(others)
    return bytes_field(NODE_ATTR, bytes_field(1, key) + bytes_field(2, value))


def encode_node(name: str, op_type: str, attributes: Mapping[str, bytes], inputs: Sequence[str] = ()) -> bytes:
    """A new NodeDef; the attributes are AttrValues, written in the order of their names."""
    out = bytes_field(NODE_NAME, name) + bytes_field(NODE_OP, op_type)
    out += b"".join(bytes_field(NODE_INPUT, value) for value in inputs)
    entries = (bytes_field(1, key) + bytes_field(2, attributes[key]) for key in sorted(attributes))
    return out + b"".join(bytes_field(NODE_ATTR, one) for one in entries)


def type_attribute(number: int) -> bytes:
    """An AttrValue that holds a DataType."""
    return int_field(6, number)
