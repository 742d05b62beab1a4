"""Where the numbers of a stored tensor are: in its record, in the model's weights, or in a file of its own.

Source: the graph engine's `model_serialize.cc` (`location` and `length` of an `.air` whose weights are separate);
offline models of the graph engine say `data_offset`, those of phones `merged_offset`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.ascend.definition import Data, Definition, Place
from subcut.compiler.storage.files import SourceFile

MERGED_OFFSET, LOCATION, OFFSET = "merged_offset", "location", "offset"


@dataclass(frozen=True)
class Source:
    """A range of a buffer, or of a file that is opened only when it is read."""

    path: Path
    """Of the model."""
    place: Place = (0, 0)
    size: int = 0
    """How many bytes there should be from the start of the place; 0 where nothing says so."""
    data: Data | None = None
    in_file: bool = False
    """Whether `place` counts bytes of the model file."""
    location: str = ""
    """A file beside the model."""

    @property
    def offset(self) -> int | None:
        """Where the numbers begin in the model file."""
        return self.place[0] if self.in_file else None

    def bytes(self) -> memoryview:
        """The numbers, mapped. Raises ModelError where they are not all there."""
        if self.location:
            return _separate(self.path, self.location, self.place[0], self.size)
        if self.data is None:
            raise ModelError(self.path, "the numbers of a stored tensor are not in this form of the model")
        start, stop = self.place
        if start + self.size > stop:
            message = f"a stored tensor of {self.size} bytes reaches beyond the weights"
            raise ModelError(self.path, message, offset=self.offset, expected=f"at most {max(stop - start, 0)} bytes")
        return memoryview(self.data)[start : start + self.size if self.size else stop]


def source_of(definition: Definition, tensor: Any, op: Any, data: Place | None) -> Source:
    """Where the numbers of `tensor` are, the attribute of the record `op`; `data` is where they stand in that."""
    path, in_file = definition.path, definition.file is not None
    if data is not None:
        return Source(path, data, 0, definition.data, in_file)
    if tensor.data:
        return Source(path, (0, len(tensor.data)), 0, tensor.data)
    own = {entry.key: entry.value for entry in op.attr if entry.key in (LOCATION, OFFSET)} if op is not None else {}
    if LOCATION in own:
        start = own[OFFSET].i if OFFSET in own else 0
        return Source(path, (start, 0), 0, location=own[LOCATION].s.decode(errors="replace"))
    weights = definition.weights
    if weights is None:
        return Source(path)
    merged = [entry.value.i for entry in tensor.desc.attr if entry.key == MERGED_OFFSET]
    start = weights.start + (merged[0] if merged else tensor.desc.data_offset)
    if start < weights.start:
        raise ValueError(f"a stored tensor {weights.start - start} bytes before the weights")
    return Source(path, (start, weights.stop), max(tensor.desc.weight_size, 0), weights.file.data, True)


def _separate(model: Path, location: str, start: int, size: int) -> memoryview:
    """The bytes of a file beside the model, from `start` on."""
    parts = PurePosixPath(location)
    if parts.is_absolute() or ".." in parts.parts:
        raise ModelError(model, f"the weights are said to be in `{location}`", expected="a file beside the model")
    file = SourceFile(model.parent / parts)
    if not 0 <= start <= file.size - size:
        raise ModelError(file.path, f"the weights begin at byte {start}", expected=f"at most {file.size}")
    return memoryview(file.data)[start : start + size if size else file.size]
