"""The nano form: small devices write tag, length and value instead of protobuf.

    u64 length of the header, then the header: u32 magic, u32 version, records (u32 tag, u32 length, value)
    tag 4: inputs, tag 5: outputs; the value is u32 count, and the tensors' descriptions one after another
    then the inputs' data and the outputs'

Source: a real file, and the accuracy tool's reader. Element types are numbered as in `ge::DataType`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from subcut.compiler.device.dumps.record import DumpFile, DumpTensor, Origin
from subcut.compiler.device.dumps.shapes import fitted
from subcut.compiler.device.enums import ELEMENTS, GE_TYPES, layout_name, type_name
from subcut.compiler.errors import ModelError
from subcut.compiler.storage.files import SourceFile, Span

MAGIC = 0x5A5A5A5A
INPUTS, OUTPUTS = 4, 5
SHAPE, ORIGINAL_SHAPE, ORIGIN = 0, 1, 2
"""Tags inside a description."""
INPUT = struct.Struct("<3i3QI")
"""Element type, layout, kind of address, address, offset, size, bytes of the records that follow."""
OUTPUT = struct.Struct("<6i3QI")
"""The same with the original's index, element type and layout before the address."""
RANK = 64
"""The most dimensions of a shape."""
LENGTH = 1 << 22
"""The most bytes of a header: no operator's is nearly as long, and a hostile file stops here."""
WORD = 8


@dataclass(slots=True)
class _Described:
    """A tensor as the header describes it."""

    at: int
    numbers: tuple[int, ...]
    shape: tuple[int, ...] = ()
    original_shape: tuple[int, ...] | None = None
    origin: str = ""


@dataclass(slots=True)
class _Cursor:
    """A place in the header, which never leaves it."""

    file: SourceFile
    at: int
    stop: int
    where: list[str] = field(default_factory=list[str])

    def take(self, size: int, what: str) -> int:
        """Step over `size` bytes; their offset."""
        if size > self.stop - self.at:
            raise self.wrong(f"{what} takes {size} bytes", f"at most {self.stop - self.at} until the end of its record")
        self.at += size
        return self.at - size

    def words(self, count: int, what: str) -> tuple[int, ...]:
        """So many unsigned numbers of 32 bits."""
        return struct.unpack_from(f"<{count}I", self.file.data, self.take(4 * count, what))

    def inside(self, size: int, what: str) -> _Cursor:
        """Step over `size` bytes, and look at them alone."""
        start = self.take(size, what)
        return _Cursor(self.file, start, self.at, [*self.where, what])

    def wrong(self, message: str, expected: str) -> ModelError:
        where = ", ".join(["the nano header", *self.where])
        return ModelError(self.file.path, message, offset=self.at, expected=expected, where=where)


def claims(file: SourceFile, length: int) -> bool:
    """Whether a file with a header of that length is of this form."""
    return length >= WORD and file.data[WORD : WORD + 4] == struct.pack("<I", MAGIC)


def read_nano(file: SourceFile, length: int) -> DumpFile:
    """Read a file of this form.

    Raises ModelError with offset and field where its header makes no sense.
    """
    if length > LENGTH:
        raise ModelError(file.path, f"a nano header of {length} bytes", offset=0, expected=f"at most {LENGTH}")
    cursor = _Cursor(file, WORD, WORD + length)
    _, version = cursor.words(2, "magic and version")
    described: dict[int, list[_Described]] = {INPUTS: [], OUTPUTS: []}
    while cursor.at < cursor.stop:
        tag, size = cursor.words(2, "a record's tag and length")
        inner = cursor.inside(size, {INPUTS: "inputs", OUTPUTS: "outputs"}.get(tag, f"record {tag}"))
        if tag in described:
            described[tag] += _descriptions(inner, INPUT if tag == INPUTS else OUTPUT)
    made = DumpFile(file, "nano", str(version), 0, "")
    at = WORD + length
    for tag in (INPUTS, OUTPUTS):
        for index, one in enumerate(described[tag]):
            at = _add(made, tag, index, one, at)
    if at < file.size:
        made.problems.append(f"{file.size - at} bytes at byte {at} belong to no tensor")
    return made


def _descriptions(cursor: _Cursor, form: struct.Struct) -> list[_Described]:
    (count,) = cursor.words(1, "the number of tensors")
    room = (cursor.stop - cursor.at) // form.size
    if count > room:
        raise cursor.wrong(f"{count} tensors", f"at most {room}, {form.size} bytes each")
    return [_description(cursor, form) for _ in range(count)]


def _description(cursor: _Cursor, form: struct.Struct) -> _Described:
    at = cursor.take(form.size, "a tensor")
    made = _Described(at, form.unpack_from(cursor.file.data, at))
    inner = cursor.inside(made.numbers[-1], "the tensor's records")
    while inner.at < inner.stop:
        tag, size = inner.words(2, "a record's tag and length")
        value = inner.inside(size, f"record {tag}")
        if tag == SHAPE:
            made.shape = _dims(value)
        elif tag == ORIGINAL_SHAPE:
            made.original_shape = _dims(value)
        elif tag == ORIGIN:
            raw = value.file.data[value.at : value.stop]
            made.origin = raw.rstrip(b"\0").decode("utf-8", "replace")
    return made


def _dims(cursor: _Cursor) -> tuple[int, ...]:
    size = cursor.stop - cursor.at
    if size % 8 or size > 8 * RANK:
        raise cursor.wrong(f"a shape of {size} bytes", f"8 bytes a dimension, at most {RANK} of them")
    return struct.unpack_from(f"<{size // 8}Q", cursor.file.data, cursor.at)


def _add(made: DumpFile, tag: int, index: int, one: _Described, at: int) -> int:
    """Add a tensor whose data starts at `at`; where the next one's starts."""
    kind, layout = one.numbers[:2]
    address, _, size, _ = one.numbers[-4:]
    direction = "input" if tag == INPUTS else "output"
    where = f"{direction} {index} at byte {at}"
    name = _type(kind)
    if name == "UNDEFINED" and kind != GE_TYPES.index("UNDEFINED"):
        made.problems.append(f"{where} has the element type {kind}, which is not known: read as bytes")
    end = min(at + size, made.source.size)
    if end - at < size:
        made.problems.append(f"{where} promises {size} bytes and the file has {end - at}")
    shape, problem = fitted(one.shape, name, size)
    if problem:
        made.problems.append(f"{where} {problem}")
    origin = None
    if tag == OUTPUTS and one.origin:
        origin = Origin(one.origin, one.numbers[3], ELEMENTS.get(_type(one.numbers[4])), layout_name(one.numbers[5]))
    tensor = DumpTensor(
        direction, index, name, layout_name(layout & 0xFF), layout >> 8 & 0xFFFF, shape, one.original_shape,
        Span(made.source, at, end), size, origin, address,
    )  # fmt: skip
    (made.inputs if tag == INPUTS else made.outputs).append(tensor)
    return end


def _type(number: int) -> str:
    name = type_name(number, GE_TYPES)
    return "UNDEFINED" if name == "?" else name
