"""A `.caffemodel` scanned on the wire: which layers it has, and where in the file their blobs are.

Source of the field numbers: `caffe.proto` of BVLC Caffe (`NetParameter`, `LayerParameter`, `V1LayerParameter`,
`V0LayerParameter`, `BlobProto`). Numbers are never read here; what a record holds besides is kept unread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from subcut.compiler.errors import ModelError, user_error
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.wire import LEN, VARINT, WireError, fields, read_varint

if TYPE_CHECKING:
    import numpy as np

V1_LAYER, V2_LAYER = 2, 100
NET_NAME = 1
HEADER_INPUT = (3, 4, 8)
"""`input`, `input_dim` and `input_shape` of the net."""
_NAME = {V1_LAYER: 4, V2_LAYER: 1}
BLOBS = {V1_LAYER: 6, V2_LAYER: 7}
"""The field of a layer record that holds its blobs, by the record's own field."""
_V0_INNER, _V0_NAME, _V0_BLOBS = 1, 1, 50
SHAPE, DATA, DIFF, DOUBLE_DATA, DOUBLE_DIFF = 7, 5, 6, 8, 9
"""Fields of a `BlobProto`; 1 to 4 are the legacy dimensions."""
INTEGERS = (10, 11, 12)
"""Fields that Ascend's tools add to a `BlobProto`: `int8_data`, `int32_data`, `uint64_data`."""
NUMBERS = (DATA, DIFF, DOUBLE_DATA, DOUBLE_DIFF)


@dataclass(eq=False)
class Record:
    """A layer of the weights file: `start` to `stop` with its tag, the message from `body` on."""

    file: SourceFile
    number: int
    start: int
    body: int
    stop: int
    index: int
    name: bytes = b""

    def fields(self) -> Iterator[tuple[int, int, int, int, int]]:
        """The fields of the message, as `wire.fields` gives them."""
        return _checked(self.file, self.body, self.stop)

    @cached_property
    def blobs(self) -> list[Blob]:
        """The stored blobs, in order."""
        wanted, found = BLOBS[self.number], list[Blob]()
        for number, kind, _, start, stop in self.fields():
            if number == wanted and kind == LEN:
                found.append(Blob(self.file, start, stop))
            elif number == _V0_INNER and kind == LEN and self.number == V1_LAYER:
                inner = _checked(self.file, start, stop)
                found += [Blob(self.file, s, e) for n, k, _, s, e in inner if n == _V0_BLOBS and k == LEN]
        return found


class _Piece(NamedTuple):
    """Numbers of a blob: a packed run, or single ones with a tag before each."""

    field: int
    start: int
    stop: int
    packed: bool


@dataclass(eq=False)
class Blob:
    """A stored tensor: the payload of a `BlobProto`."""

    file: SourceFile
    start: int
    stop: int

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions; four in the legacy form; the count of its numbers where it states none."""
        dims, legacy = self._dims
        if dims is not None:
            return dims
        return legacy if legacy is not None else (self.count,)

    @cached_property
    def count(self) -> int:
        """How many numbers it holds."""
        return sum((p.stop - p.start) // (_width(p.field) + (not p.packed)) for p in self.pieces)

    @cached_property
    def element(self) -> str:
        """`f32`, or `f64` for a blob of doubles."""
        return "f64" if any(piece.field == DOUBLE_DATA for piece in self.pieces) else "f32"

    @cached_property
    def integers(self) -> bool:
        """Whether it holds whole numbers, which only Ascend's tools write."""
        return any(row[0] in INTEGERS for row in self._scan())

    @cached_property
    def pieces(self) -> list[_Piece]:
        """Where its numbers are."""
        found: list[_Piece] = []
        for number, kind, tag_at, start, stop in self._scan():
            if number in (DATA, DOUBLE_DATA):
                found.append(_Piece(number, start if kind == LEN else tag_at, stop, kind == LEN))
        return found

    def spans(self, numbers: bool) -> list[Span]:
        """Its fields as they are in the file: those with numbers, or the others."""
        rows = self._scan()
        return [Span(self.file, tag_at, stop) for n, _, tag_at, _, stop in rows if (n in NUMBERS) == numbers]

    def numpy(self) -> np.ndarray[Any, Any]:
        """The numbers, in their shape. Packed ones stay in the mapping of the file, read-only."""
        import numpy as np

        arrays = [_numbers(self.file, piece) for piece in self.pieces if piece.field == self._field]
        array: np.ndarray[Any, np.dtype[Any]] = arrays[0] if arrays else np.zeros(0, self.dtype)
        if len(arrays) > 1:
            array = np.concatenate(arrays)
        if array.size != math.prod(self.shape):
            raise ModelError(
                self.file.path,
                f"a blob of shape {self.shape} holds {array.size} numbers",
                offset=self.start,
                expected=f"{math.prod(self.shape)} numbers",
            )
        return np.reshape(array, self.shape)

    @property
    def dtype(self) -> str:
        """numpy's name of the stored type."""
        return "<f8" if self.element == "f64" else "<f4"

    @property
    def _field(self) -> int:
        return DOUBLE_DATA if self.element == "f64" else DATA

    @cached_property
    def _dims(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
        """What `shape` says, and what the legacy fields say."""
        legacy = [0, 0, 0, 0]
        dims: tuple[int, ...] | None = None
        has_legacy = False
        for number, kind, _, start, stop in self._scan():
            if number == SHAPE and kind == LEN:
                dims = (*(dims or ()), *_read_dims(self.file, start, stop))
            elif 1 <= number <= 4 and kind == VARINT:
                legacy[number - 1], has_legacy = read_varint(self.file.data, start, stop)[0], True
        return dims, tuple(legacy) if has_legacy else None

    def _scan(self) -> Iterator[tuple[int, int, int, int, int]]:
        """The fields; a run of single numbers comes as one field of their wire type."""
        at, data = self.start, self.file.data
        while at < self.stop:
            width = {DATA << 3 | 5: 4, DOUBLE_DATA << 3 | 1: 8, DIFF << 3 | 5: 4, DOUBLE_DIFF << 3 | 1: 8}.get(data[at])
            if width is None:
                row = next(_checked(self.file, at, self.stop))
            else:
                row = (data[at] >> 3, data[at] & 7, at, at + 1, _run(self.file, at, self.stop, width))
            yield row
            at = row[4]


def _width(field: int) -> int:
    return 8 if field in (DOUBLE_DATA, DOUBLE_DIFF) else 4


def _run(file: SourceFile, at: int, stop: int, width: int) -> int:
    """The end of the run of single numbers that begins at `at`."""
    import numpy as np

    key, step = file.data[at], width + 1
    while (stop - at) // step:
        count = min((stop - at) // step, 1 << 20)
        keys = np.frombuffer(file.data, np.uint8, count * step, at)[::step]
        other = np.flatnonzero(keys != key)
        if other.size:
            return at + int(other[0]) * step
        at += count * step
    if at < stop and file.data[at] == key:
        raise ModelError(file.path, "a number that runs past the end of its blob", offset=at)
    return at


def _numbers(file: SourceFile, piece: _Piece) -> np.ndarray[Any, Any]:
    import numpy as np

    width = _width(piece.field)
    dtype = "<f8" if width == 8 else "<f4"
    size = piece.stop - piece.start
    if piece.packed:
        if size % width:
            raise ModelError(file.path, f"{size} bytes of numbers of {width} bytes", offset=piece.start)
        return np.frombuffer(file.data, dtype, size // width, piece.start)
    single = np.dtype([("tag", "u1"), ("value", dtype)])
    return np.frombuffer(file.data, single, size // (width + 1), piece.start)["value"]


def _read_dims(file: SourceFile, start: int, stop: int) -> list[int]:
    """The dimensions of a `BlobShape`, packed or not."""
    dims: list[int] = []
    try:
        for number, kind, _, at, end in fields(file.data, start, stop):
            while number == 1 and at < end and kind in (LEN, VARINT):
                value, at = read_varint(file.data, at, end)
                dims.append(value)
    except WireError as error:
        raise ModelError(file.path, f"is no protobuf: {error}", offset=error.offset) from None
    return dims


def _checked(file: SourceFile, start: int, stop: int) -> Iterator[tuple[int, int, int, int, int]]:
    try:
        yield from fields(file.data, start, stop)
    except WireError as error:
        raise ModelError(file.path, f"is no protobuf: {error}", offset=error.offset, expected="a .caffemodel") from None


@dataclass(eq=False)
class WeightFile:
    """The layers of a `.caffemodel`, in the order of the file."""

    file: SourceFile
    records: list[Record]
    by_name: dict[bytes, Record]
    """Of several records of one name, Caffe keeps what it copied last."""
    others: list[tuple[int, Span]]
    """What is no layer, such as the net's name: field number and range."""


def read_weights(file: SourceFile) -> WeightFile:
    """Scan a `.caffemodel`. Raises ModelError where it is damaged, UserError where it is an HDF5 file."""
    if file.data[:4] == b"\x89HDF":
        raise user_error(
            "hdf5-weights",
            f"`{file.path}` holds weights in HDF5, which subcut does not read",
            help="save the net as a binary .caffemodel (`snapshot_format: BINARYPROTO`)",
        )
    weights = WeightFile(file, [], {}, [])
    for number, kind, tag_at, start, stop in _checked(file, 0, file.size):
        if number not in BLOBS or kind != LEN:
            weights.others.append((number, Span(file, tag_at, stop)))
            continue
        record = Record(file, number, tag_at, start, stop, len(weights.records))
        record.name = _name(record)
        weights.records.append(record)
        weights.by_name[record.name] = record
    if not weights.records and not weights.others:
        raise ModelError(file.path, "holds no layers", offset=0, expected="a .caffemodel")
    return weights


def _name(record: Record) -> bytes:
    wanted, data = _NAME[record.number], record.file.data
    # Most records begin with a short name.
    if record.stop - record.body > 1 and data[record.body] == wanted << 3 | LEN:
        size, start = data[record.body + 1], record.body + 2
        if size < 128 and start + size <= record.stop:
            return data[start : start + size]
    for number, kind, _, start, stop in record.fields():
        if kind != LEN:
            continue
        if number == wanted:
            return record.file.data[start:stop]
        if number == _V0_INNER and record.number == V1_LAYER:
            for inner, inner_kind, _, s, e in _checked(record.file, start, stop):
                if inner == _V0_NAME and inner_kind == LEN:
                    return record.file.data[s:e]
    return b""


def looks_like_weights(head: bytes, size: int) -> bool:
    """Whether a file that begins with `head` is a `.caffemodel`: a name, header fields, then layers."""
    try:
        for number, kind, _, start, _stop in fields(head, 0, size):
            if number in BLOBS and kind == LEN:
                return _begins_layer(head, start, number)
            # GraphDef's first field is a message, which begins with a key; a net's name is text.
            if number == NET_NAME and (kind != LEN or head[start : start + 1] == b"\n"):
                return False
            if number not in (NET_NAME, *HEADER_INPUT, 5, 6, 7):
                return False
    except (WireError, IndexError):
        return False
    return False


def _begins_layer(head: bytes, start: int, number: int) -> bool:
    """Whether a message begins with a field that layers begin with: name (V2), V0's layer, bottom, top or name (V1)."""
    keys = (0x0A, 0x12, 0x1A, 0x22) if number == V2_LAYER else (0x0A, 0x12, 0x1A, 0x22, 0x2A, 0x28)
    return head[start : start + 1] != b"" and head[start] in keys
