"""TensorProto: what a stored tensor is and where its numbers lie, without reading them; and reading small ones.

Source: onnx/onnx.proto, TensorProto, and docs/ExternalData.md of ONNX.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.onnx import schema
from subcut.compiler.formats.onnx.types import ELEMENTS
from subcut.compiler.ir.graph import Constant
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.wire import LEN, VARINT, WireError, fields, read_varint, signed

if TYPE_CHECKING:
    import numpy as np

FLOAT_DATA, INT32_DATA, STRING_DATA, INT64_DATA, RAW_DATA, DOUBLE_DATA, UINT64_DATA = 4, 5, 6, 7, 9, 10, 11
EXTERNAL_DATA, DATA_LOCATION = 13, 14
BITS = {
    "f32": 32, "ui8": 8, "i8": 8, "ui16": 16, "i16": 16, "i32": 32, "i64": 64, "i1": 8, "f16": 16, "f64": 64,
    "ui32": 32, "ui64": 64, "c64": 64, "c128": 128, "bf16": 16, "f8E4M3FN": 8, "f8E4M3FNUZ": 8, "f8E5M2": 8,
    "f8E5M2FNUZ": 8, "ui4": 4, "i4": 4, "f4E2M1FN": 4, "f8E8M0FNU": 8, "ui2": 2, "i2": 2, "f6E2M3FN": 6,
    "f6E3M2FN": 6,
}  # fmt: skip
"""How many bits an element takes in `raw_data`; elements of less than a byte are packed, the first in the low bits."""


@dataclass(slots=True)
class Tensor:
    """A TensorProto at `start` to `stop` of `file`, its tag not included."""

    file: SourceFile
    start: int
    stop: int
    name: str = ""
    dims: tuple[int, ...] = ()
    number: int = 0
    """TensorProto.DataType."""
    external: dict[str, str] | None = None
    """The external-data entries when the numbers lie in another file."""

    def data(self) -> list[tuple[int, int, int, int]]:
        """Field number, wire type, start and stop of every field that holds numbers. Raises ModelError."""
        try:
            found = fields(self.file.data, self.start, self.stop)
            return [(number, kind, at, end) for number, kind, _, at, end in found if number in _HOLDS_DATA]
        except WireError as error:
            raise ModelError(self.file.path, str(error), offset=error.offset, where=self.where) from None

    @property
    def element(self) -> str | None:
        """The element type in the IR's spelling."""
        return ELEMENTS.get(self.number)

    @property
    def type(self) -> TensorType:
        """Element type and shape."""
        return TensorType(self.element, self.dims)

    @property
    def checksum(self) -> str:
        """The SHA-1 that is stated of the whole file its numbers lie in; empty where none is."""
        return (self.external or {}).get("checksum", "")

    @property
    def where(self) -> str:
        """What to call it in a message."""
        return f"tensor `{self.name}`" if self.name else "a tensor without a name"

    def count(self) -> int:
        """Number of elements."""
        product = 1
        for dim in self.dims:
            product *= dim
        return product

    def nbytes(self) -> int:
        """How many bytes its numbers take as `raw_data`; 0 for strings."""
        return (self.count() * BITS.get(self.element or "", 0) + 7) // 8


def scan_tensor(file: SourceFile, start: int, stop: int) -> Tensor:
    """Find out what the TensorProto at `start` is, without touching its numbers. Raises WireError."""
    data = file.data
    tensor = Tensor(file, start, stop)
    dims: list[int] = []
    entries: dict[str, str] = {}
    outside = False
    for number, kind, at, payload, end in fields(data, start, stop):
        if number == 1:
            dims += varints(data, kind, payload, end)
        elif number == 2 and kind == VARINT:
            tensor.number = read_varint(data, payload, end)[0] & 0xFFFFFFFF
        elif number == 8 and kind == LEN:
            tensor.name = _utf8(data[payload:end], at)
        elif number == EXTERNAL_DATA and kind == LEN:
            pair = schema.parse("Pair", data[payload:end])
            entries[pair.key] = pair.value
        elif number == DATA_LOCATION and kind == VARINT:
            outside = read_varint(data, payload, end)[0] == 1
    if any(dim < 0 for dim in dims):
        raise WireError(start, f"a tensor with the negative dimension {min(dims)}")
    tensor.dims = tuple(dims)
    tensor.external = entries if outside else None
    return tensor


_HOLDS_DATA = {FLOAT_DATA, INT32_DATA, STRING_DATA, INT64_DATA, RAW_DATA, DOUBLE_DATA, UINT64_DATA}


def varints(data: Any, kind: int, start: int, stop: int) -> list[int]:
    """One element of a repeated int64 field, or all of a packed one."""
    if kind == VARINT:
        return [signed(read_varint(data, start, stop)[0])]
    if kind != LEN:
        raise WireError(start, f"wire type {kind} for an integer")
    found: list[int] = []
    while start < stop:
        value, start = read_varint(data, start, stop)
        found.append(signed(value))
    return found


def _utf8(raw: bytes, at: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise WireError(at, "a name that is no UTF-8") from None


@dataclass(slots=True)
class Sparse:
    """A SparseTensorProto: two tensors and a shape."""

    values: Tensor
    indices: Tensor
    dims: tuple[int, ...]

    @property
    def type(self) -> TensorType:
        """Element type and shape of the dense tensor that operators see."""
        return TensorType(self.values.element, self.dims)


def scan_sparse(file: SourceFile, start: int, stop: int) -> Sparse:
    """Find out what the SparseTensorProto at `start` is. Raises WireError."""
    parts = [Tensor(file, start, start), Tensor(file, start, start)]
    dims: list[int] = []
    for number, kind, _, payload, end in fields(file.data, start, stop):
        if number in (1, 2) and kind == LEN:
            parts[number - 1] = scan_tensor(file, payload, end)
        elif number == 3:
            dims += varints(file.data, kind, payload, end)
    return Sparse(parts[0], parts[1], tuple(dims))


class DataFiles:
    """The files beside a model that hold its external data, opened when first needed."""

    def __init__(self, model: SourceFile) -> None:
        self.model = model
        self.opened: dict[Path, SourceFile] = {}
        self._paths: dict[str, Path] = {}
        """Of locations, which may spell one path in several ways."""

    def span(self, tensor: Tensor) -> Span:
        """Where the numbers of a tensor with external data lie.

        Raises ModelError where the entries make no sense, the file is missing or too short, or its path leaves the
        model's folder.
        """
        entries = tensor.external or {}
        file = self._open(entries.get("location", ""), tensor)
        offset = self._number(entries, "offset", tensor) or 0
        length = self._number(entries, "length", tensor)
        size = tensor.nbytes()
        if length is None:
            length = size
        if length != size:
            raise ModelError(
                self.model.path,
                f"the external data is {length} bytes long",
                where=tensor.where,
                expected=f"{size} bytes for {tensor.type}",
            )
        if offset + length > file.size:
            raise ModelError(
                file.path,
                f"the file is {file.size} bytes long",
                offset=offset,
                where=tensor.where,
                expected=f"{length} bytes from there on",
            )
        return Span(file, offset, offset + length)

    def _number(self, entries: dict[str, str], key: str, tensor: Tensor) -> int | None:
        text = entries.get(key)
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal()):
            message = f"the external data's {key} is `{text}`"
            raise ModelError(self.model.path, message, where=tensor.where, expected="a number of bytes")
        return int(text)

    def _open(self, location: str, tensor: Tensor) -> SourceFile:
        path = self._paths.get(location) or self._paths.setdefault(location, self._path(location, tensor))
        found = self.opened.get(path)
        if found is None:
            try:
                found = SourceFile(path)
            except ModelError as error:
                raise ModelError(path, error.message, where=tensor.where, expected="external data") from None
            self.opened[path] = found
        return found

    def _path(self, location: str, tensor: Tensor) -> Path:
        folder = self.model.path.parent
        path = Path(os.path.normpath(location.replace("\\", "/") if os.name == "nt" else location))
        inside = location and not path.is_absolute() and ".." not in path.parts and "\0" not in location
        # A model may be a link itself (as in a download cache): its data then lies beside what it links to.
        roots = {os.path.realpath(folder), os.path.dirname(os.path.realpath(self.model.path))}
        if inside:
            real = os.path.realpath(folder / path)
            inside = any(os.path.commonpath([root, real]) == root for root in sorted(roots))
        if not inside:
            raise ModelError(
                self.model.path,
                f"the external data's location `{location}` is not inside the model's folder",
                where=tensor.where,
                expected="a relative path without `..`",
            )
        return folder / path


def constant(tensor: Tensor, files: DataFiles) -> Constant:
    """The tensor as an attribute of the IR, its numbers read when asked for."""
    return Constant(tensor.type, lambda: load(tensor, files))


def data_span(tensor: Tensor, files: DataFiles) -> Span | None:
    """Where the numbers lie byte for byte as `raw_data` spells them; None where they do not lie so anywhere."""
    if tensor.external is not None:
        return files.span(tensor)
    data = tensor.data()
    if len(data) != 1:
        return None
    number, kind, start, stop = data[0]
    plain = {FLOAT_DATA: ("f32", "c64"), DOUBLE_DATA: ("f64", "c128")}
    if kind != LEN or (number != RAW_DATA and tensor.element not in plain.get(number, ())):
        return None
    return Span(tensor.file, start, stop) if stop - start == tensor.nbytes() else None


def load(tensor: Tensor, files: DataFiles) -> np.ndarray[Any, Any]:
    """The numbers. Raises ModelError where they are damaged, or more or fewer than the shape says."""
    from subcut.compiler.formats.onnx import decode

    if tensor.element is None:
        raise ModelError(tensor.file.path, f"data type {tensor.number}", offset=tensor.start, where=tensor.where)
    span = data_span(tensor, files)
    if span is not None:
        return decode.from_raw(span.bytes(), tensor)
    try:
        return decode.from_fields(tensor)
    except WireError as error:
        raise ModelError(tensor.file.path, str(error), offset=error.offset, where=tensor.where) from None
