"""Read the container of an offline model: which partitions it has and where they are, every length checked.

Source: the graph engine's `om_file_helper.cc`, which walks the sizes in the order of the table and does not look at
the offsets. Here they vouch for the sizes: where they disagree, the last partition must end where the model ends.
Partitions are told by type, never by position, and stay byte ranges; kernel stores are not looked into.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.ascend import header as h
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.wire import LEN, WireError, fields

ALIGNMENT = 32
"""The saver can pad each partition to a multiple of this; then the offsets of the table say so."""
NESTING = 4
"""How deep containers may hold containers."""
_FOREIGN = {
    b"PK\x03\x04": "an OM2 package (a ZIP), which is not read",
    b"PICO": "a model of HiSilicon's SVP, which is another format",
}
_MAGIC = b"IMOD"
SUBMODEL_NAME, SUBMODEL_CONTENT = 1, 3
"""Fields of the record that a FLOW_SUBMODEL partition holds: its name, and a complete offline model."""


@dataclass(frozen=True)
class Partition:
    """A partition of a model."""

    type: int
    span: Span

    @property
    def name(self) -> str:
        """Such as `MODEL_DEF`."""
        return h.PARTITIONS.get(self.type, f"partition type {self.type}")


@dataclass
class Container:
    """What an offline model consists of."""

    header: h.Header
    models: list[list[Partition]]
    """The partitions of each model; the first is the root of the others."""
    nested: list[tuple[str, Container]] = field(default_factory=list[tuple[str, "Container"]])
    """The offline models inside a bundle or a flow model, by name."""


def find(partitions: Sequence[Partition], type: int) -> Span | None:
    """The first partition of a type, None where there is none."""
    return next((one.span for one in partitions if one.type == type), None)


def read_container(file: SourceFile, start: int = 0, stop: int | None = None, depth: int = 0) -> Container:
    """The container between `start` and `stop` of `file`. Raises ModelError."""
    return _Reader(file, start, file.size if stop is None else stop, depth).read()


class _Reader:
    def __init__(self, file: SourceFile, start: int, stop: int, depth: int) -> None:
        self.file, self.start, self.stop, self.depth = file, start, stop, depth
        self.told = True
        """Whether the offsets of all tables agree with the sizes."""

    def fail(self, at: int, message: str, expected: str, where: str = "") -> NoReturn:
        raise ModelError(self.file.path, message, offset=at, expected=expected, where=where)

    def read(self) -> Container:
        header = self._header()
        number = header.model_num if header.version >= h.NEW and header.modeltype != h.BUNDLE else 1
        several = number > 1 or header.is_unknown_shape
        models: list[list[Partition]] = []
        at = self.start + h.SIZE
        while len(models) < (max(number, 1) if several else 1):
            partitions, at = self._partitions(at, header)
            models.append(partitions)
        if at != self.stop and (several or not self.told):
            self.fail(at, f"{self.stop - at} bytes behind the last partition", "the end of the model")
        nested = [self._nested(part) for model in models for part in model if part.type in _CONTAINERS]
        return Container(header, models, [one for one in nested if one is not None])

    def _header(self) -> h.Header:
        size = self.stop - self.start
        raw = self.file.data[self.start : min(self.stop, self.start + h.SIZE)]
        for magic, what in _FOREIGN.items():
            if raw.startswith(magic):
                self.fail(self.start, f"this is {what}", "an offline model (`IMOD`)", "magic")
        if not raw.startswith(_MAGIC):
            self.fail(self.start, "this is no offline model", "`IMOD`", "magic")
        if size < h.SIZE:
            self.fail(self.stop, f"the header ends after {size} bytes", f"{h.SIZE} bytes", "header")
        header_size, version = struct.unpack_from("<II", raw, 4)
        if header_size != h.SIZE:
            self.fail(self.start + 4, f"a header of {header_size} bytes", str(h.SIZE), "headsize")
        if version not in (h.OLD, h.NEW):
            self.fail(self.start + 8, f"generation {version:#x}", f"{h.OLD:#x} or {h.NEW:#x}", "version")
        header = h.unpack(raw)
        if header.is_encrypt:
            self.fail(self.start + 80, "the model is encrypted, and nothing says how", "0", "is_encrypt")
        self._check_length(header, size)
        return header

    def _check_length(self, header: h.Header, size: int) -> None:
        """A bundle counts its header; some writers of bundles do not."""
        allowed = {size - h.SIZE, size} if header.modeltype == h.BUNDLE else {size - h.SIZE}
        if header.body not in allowed:
            where, at = ("model_length", 184) if header.model_length else ("length", 76)
            message = f"the header promises {header.body} bytes behind it, and there are {size - h.SIZE}"
            self.fail(self.start + at, message, str(size - h.SIZE), where)

    def _partitions(self, at: int, header: h.Header) -> tuple[list[Partition], int]:
        """The partitions whose table is at `at`, and where the last one ends."""
        head, one = (8, 24) if header.wide else (4, 12)
        if at + head > self.stop:
            self.fail(at, f"the file ends {at + head - self.stop} bytes early", "a partition table", "partition table")
        (number,) = struct.unpack_from("<I", self.file.data, at)
        base = at + head + one * number
        if not number or base > self.stop:
            self.fail(at, f"a table of {number} partitions", f"1 to {(self.stop - at - head) // one}", "num")
        entries = list(struct.iter_unpack("<I4xQQ" if header.wide else "<III", self.file.data[at + head : base]))
        starts, end = self._places(base, [(offset, size) for _, offset, size in entries])
        partitions: list[Partition] = []
        for number, ((kind, _, size), first) in enumerate(zip(entries, starts, strict=True)):
            part = Partition(kind, Span(self.file, first, first + size))
            if first + size > self.stop:
                place = at + head + one * number
                self.fail(place, f"a partition of {size} bytes", f"at most {max(self.stop - first, 0)}", part.name)
            partitions.append(part)
        return partitions, end

    def _places(self, base: int, entries: list[tuple[int, int]]) -> tuple[list[int], int]:
        """Where the partitions begin and the last one ends: one behind the other, unless the saver padded them."""
        starts: list[int] = []
        at = base
        for _, size in entries:
            starts.append(at)
            at += size
        padded = [base + offset for offset, _ in entries]
        ends = [start + size for start, (_, size) in zip(padded, entries, strict=True)]
        gaps = [start - end for start, end in zip(padded, [base, *ends[:-1]], strict=True)]
        if any(gaps) and all(0 <= gap < ALIGNMENT for gap in gaps):
            return padded, max(ends[-1], min(self.stop, ends[-1] + -(ends[-1] - self.start - h.SIZE) % ALIGNMENT))
        self.told = self.told and padded == starts
        return starts, at

    def _nested(self, part: Partition) -> tuple[str, Container] | None:
        """The offline model inside a partition, None where it holds something else."""
        name, start, stop = "", part.span.start, part.span.stop
        if part.type == h.FLOW_SUBMODEL:
            name, start, stop = self._submodel(part)
        if self.file.data[start : min(start + 4, stop)] != _MAGIC:
            return None
        if self.depth == NESTING:
            self.fail(start, "containers nested too deep", f"at most {NESTING}", part.name)
        inner = read_container(self.file, start, stop, self.depth + 1)
        return name or inner.header.name, inner

    def _submodel(self, part: Partition) -> tuple[str, int, int]:
        name, start, stop = "", part.span.start, part.span.start
        try:
            for number, kind, _, at, end in fields(self.file.data, part.span.start, part.span.stop):
                if number == SUBMODEL_NAME and kind == LEN:
                    name = self.file.data[at:end].decode(errors="replace")
                elif number == SUBMODEL_CONTENT and kind == LEN:
                    start, stop = at, end
        except WireError as error:
            self.fail(error.offset, str(error), "a sub-model's record", part.name)
        return name, start, stop


_CONTAINERS = (h.FLOW_SUBMODEL, h.BUNDLE_MODEL_INFO)
