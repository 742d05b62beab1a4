"""Where the numbers of a written model's tensors lie: in it, in one file beside it, or where they are already."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.onnx.tensors import DATA_LOCATION, EXTERNAL_DATA, DataFiles, Tensor, data_span
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.rope import Rope
from subcut.compiler.storage.wire import bytes_field, fields, int_field

ALIGNMENT = 4096
"""Offsets in external data are multiples of a page, as ONNX's ExternalData.md asks, so that they can be mapped."""
WORTHWHILE = 1024
"""Smaller tensors stay in the model: they are cheap there, and shape inference may need them."""
NEVER = 1 << 62


class Placer(Protocol):
    """Decides where a tensor's numbers go."""

    @property
    def minimum(self) -> int:
        """Embedded tensors whose record is not longer than this are not asked about."""
        ...

    def place(self, tensor: Tensor) -> Rope | None:
        """The TensorProto to write instead of the one that was read; None to keep that."""
        ...


@dataclass
class DataFile:
    """Collects external data in one new file; what several tensors share is stored once.

    With `embedded`, the numbers of tensors that are inside the model go there too: a protobuf must stay under 2 GiB.
    """

    location: str
    files: DataFiles
    embedded: bool = False
    content: Rope = field(default_factory=Rope)
    checksum: str = ""
    """The SHA-1 of the file, once it is known: written where the tensor that was read states one."""
    stated: bool = False
    """Whether any such tensor was placed."""
    _seen: dict[tuple[SourceFile, int, int], int] = field(default_factory=dict[tuple[SourceFile, int, int], int])

    @property
    def minimum(self) -> int:
        """Embedded tensors are asked about only if they are to move."""
        return WORTHWHILE if self.embedded else NEVER

    def place(self, tensor: Tensor) -> Rope | None:
        """Move external data, and with `embedded` any data worth it, into the file."""
        if tensor.external is None and (not self.embedded or tensor.nbytes() < WORTHWHILE):
            return None
        span = data_span(tensor, self.files)
        if span is None:
            return None
        self.stated |= tensor.checksum != ""
        checksum = self.checksum if tensor.checksum else ""
        return external(tensor, self.location, self._add(span), len(span), checksum)

    def _add(self, span: Span) -> int:
        key = (span.file, span.start, span.stop)
        if key not in self._seen:
            self.content.add(bytes(-self.content.size % ALIGNMENT))
            self._seen[key] = self.content.size
            self.content.add(span)
        return self._seen[key]


@dataclass
class Embedded:
    """Takes external data into the model."""

    files: DataFiles
    minimum: int = NEVER

    def place(self, tensor: Tensor) -> Rope | None:
        """Embed what is external."""
        return embedded(tensor, self.files.span(tensor)) if tensor.external is not None else None


@dataclass
class InPlace:
    """Leaves the numbers where they are: entries point into the model's own file and its data files.

    `locate` gives the location to write for a file.
    """

    files: DataFiles
    locate: Callable[[SourceFile], str]
    minimum: int = WORTHWHILE

    def place(self, tensor: Tensor) -> Rope | None:
        """Point at the data, unless it is small, text, or packed in a way of its own."""
        span = data_span(tensor, self.files)
        if span is None or (len(span) < WORTHWHILE and tensor.external is None):
            return None
        if len(span) < WORTHWHILE:
            return embedded(tensor, span)
        return external(tensor, self.locate(span.file), span.start, len(span), tensor.checksum)


@dataclass
class Skeleton:
    """Leaves big numbers out, for shape inference; small ones are needed for the arithmetic of shapes."""

    files: DataFiles
    minimum: int = WORTHWHILE

    def place(self, tensor: Tensor) -> Rope | None:
        """Take small external data in, and replace big data by an entry that points nowhere."""
        if max(tensor.nbytes(), tensor.stop - tensor.start if tensor.external is None else 0) >= WORTHWHILE:
            return external(tensor, "left-out", 0, tensor.nbytes())
        if tensor.external is None:
            return None
        try:
            return embedded(tensor, self.files.span(tensor))
        except ModelError:  # the cut may not need this tensor; where it does, that is said before anything is written
            return external(tensor, "left-out", 0, tensor.nbytes())


def external(tensor: Tensor, location: str, offset: int, length: int, checksum: str = "") -> Rope:
    """The TensorProto with its data elsewhere. A checksum is the SHA-1 of the whole file at `location`."""
    entries = {"location": location, "offset": str(offset), "length": str(length), "checksum": checksum}
    rope = Rope(_without_data(tensor))
    for key, value in entries.items():
        if value:
            rope.add(bytes_field(EXTERNAL_DATA, bytes_field(1, key) + bytes_field(2, value)))
    rope.add(int_field(DATA_LOCATION, 1))
    return rope


def embedded(tensor: Tensor, span: Span) -> Rope:
    """The TensorProto with its data inside."""
    rope = Rope(_without_data(tensor))
    rope.add_field(9, Rope([span]))
    return rope


def _without_data(tensor: Tensor) -> list[Span]:
    """Every field of the record but those that hold numbers or say where they are."""
    gone = {4, 5, 6, 7, 9, 10, 11, EXTERNAL_DATA, DATA_LOCATION}
    kept = fields(tensor.file.data, tensor.start, tensor.stop)
    return [Span(tensor.file, at, stop) for number, _, at, _, stop in kept if number not in gone]


def relative_location(file: SourceFile, folder: Path) -> str | None:
    """The path of `file` from `folder`, where it lies inside that; else None."""
    path = os.path.relpath(os.path.realpath(file.path), os.path.realpath(folder))
    return None if path.startswith("..") or os.path.isabs(path) else path.replace(os.sep, "/")
