"""One `ModelDef` in its file: where the records of its graphs, operators and attributes are, found by span.

All four forms come to this: an offline model and an `.air` hold the bytes, the JSON and the text form are encoded
once in memory.
"""

from __future__ import annotations

import mmap
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.ascend import compression, schema
from subcut.compiler.formats.ascend.recognise import ATTRIBUTE, GRAPH, GRAPH_OP, NAME, VERSION
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.wire import LEN, VARINT, WireError, bytes_field, fields

OP_ATTRIBUTE, VALUE, TENSOR, TENSOR_DATA = 10, 2, 12, 2
"""The fields that lead from an operator to the bytes of a tensor stored in it."""
LEGACY_OP = 20
"""Operators in the schema of products before 2020 (`package domi`)."""
BIG = 1 << 16
"""Records larger than this are taken apart on the wire, and not decoded with the tensors in them."""

Data = Union[bytes, mmap.mmap]
"""What slices are bytes of."""
Place = tuple[int, int]
"""Start and stop of a record's content."""


@dataclass
class GraphRecord:
    """A graph of a model."""

    name: str
    ops: list[Place] = field(default_factory=list[Place])
    entries: list[Place] = field(default_factory=list[Place])
    """Its attributes."""


class Definition:
    """A ModelDef between `start` and `stop` of `data`. Raises ModelError where the bytes are none."""

    def __init__(
        self,
        path: Path,
        data: Data,
        start: int,
        stop: int,
        *,
        file: SourceFile | None = None,
        weights: Span | None = None,
        root: Definition | None = None,
    ) -> None:
        self.path, self.data, self.start, self.stop = path, data, start, stop
        self.file = file
        """None where the bytes were made from a text."""
        self.weights = weights
        """The partition WEIGHTS_DATA."""
        self.name = ""
        self.version = 0
        self.graphs: list[GraphRecord] = []
        self.entries: list[Place] = []
        """The model's attributes."""
        with self.reading():
            self._scan()
            own = compression.tables(self._tables())
        inherited: tuple[compression.Tables, ...] = root.tables if root is not None else ()
        self.tables: tuple[compression.Tables, ...] = (*([own] if own is not None else []), *inherited)
        """What compressed attribute names stand for, first the model's own tables."""

    @contextmanager
    def reading(self, where: str = "") -> Generator[None, None, None]:
        """Turn what decoding raises into a ModelError."""
        try:
            yield
        except WireError as error:
            at = error.offset if self.file is not None else None
            raise ModelError(self.path, str(error), offset=at, expected="a ModelDef", where=where) from None
        except ValueError as error:
            raise ModelError(self.path, _plain(error), expected="a ModelDef", where=where) from None

    def _scan(self) -> None:
        data = self.data
        legacy = False
        for number, kind, _, at, end in fields(data, self.start, self.stop):
            if number == GRAPH and kind == LEN:
                self.graphs.append(self._graph(at, end))
            elif number == ATTRIBUTE and kind == LEN:
                self.entries.append((at, end))
            elif number == NAME and kind == LEN:
                self.name = data[at:end].decode()
            elif number == VERSION and kind == VARINT:
                self.version = data[at] if end == at + 1 else 0
            legacy = legacy or (number == LEGACY_OP and kind == LEN)
        if not self.graphs:
            what = "is in the schema of products before 2020 (`domi`), which is not read" if legacy else "has no graph"
            raise ModelError(self.path, f"the model {what}", offset=self._offset(self.start), expected="a ModelDef")

    def _graph(self, start: int, stop: int) -> GraphRecord:
        found = GraphRecord("")
        for number, kind, _, at, end in fields(self.data, start, stop):
            if number == GRAPH_OP and kind == LEN:
                found.ops.append((at, end))
            elif number == ATTRIBUTE and kind == LEN:
                found.entries.append((at, end))
            elif number == NAME and kind == LEN:
                found.name = self.data[at:end].decode()
        return found

    def _offset(self, at: int) -> int | None:
        return at if self.file is not None else None

    def offset(self, place: Place) -> int | None:
        """Where a record is in the file, None where the file is a text."""
        return self._offset(place[0])

    def _tables(self) -> list[Any]:
        keys = compression.HELPERS
        return [schema.decode("AttrEntry", self.data[a:b]) for a, b in self.entries if self.key(a, b) in keys]

    def key(self, start: int, stop: int) -> str:
        """The key of the entry there."""
        for number, kind, _, at, end in fields(self.data, start, stop):
            if number == 1 and kind == LEN:
                return self.data[at:end].decode()
        return ""

    def attribute(self, key: str) -> Any:
        """The `AttrDef` of the model's attribute `key`, None where it has none."""
        with self.reading(f"attribute `{key}`"):
            for start, stop in reversed(self.entries):  # of two the last counts, as in every map of protobuf
                if self.key(start, stop) == key:
                    return schema.decode("AttrEntry", self.data[start:stop]).value
        return None

    def text(self, key: str) -> str:
        """The model's attribute `key`, a text; empty where it has none."""
        found = self.attribute(key)
        return "" if found is None else found.s.decode(errors="replace")

    def record(self, place: Place) -> bytes:
        """The bytes of an operator's record, without the numbers of tensors stored in it where it is big."""
        start, stop = place
        return slim(self.data, start, stop) if stop - start > BIG else self.data[start:stop]


def slim(data: Data, start: int, stop: int, path: tuple[int, ...] = (OP_ATTRIBUTE, VALUE, TENSOR)) -> bytes:
    """An operator's record without the numbers of its stored tensors: small, however big the record is."""
    out = bytearray()
    for number, kind, tag_at, at, end in fields(data, start, stop):
        if kind == LEN and path and number == path[0] and end - at > BIG:
            out += bytes_field(number, slim(data, at, end, path[1:]))
        elif path or end - at <= BIG or number != TENSOR_DATA:
            out += data[tag_at:end]
    return bytes(out)


def stored_data(data: Data, start: int, stop: int) -> Place:
    """Where the numbers are of the tensor that the entry of an attribute stores; an empty place where it has none."""
    for wanted in (VALUE, TENSOR, TENSOR_DATA):
        for number, kind, _, at, end in fields(data, start, stop):
            if number == wanted and kind == LEN:
                start, stop = at, end
                break
        else:
            return start, start
    return start, stop


def _plain(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "a name that is not UTF-8"
    return str(error)
