"""The container of an offline model: its header, partition tables and partitions, written and read by span.

write_om("net.om", name="net", definition=model.SerializeToString(), weights=[b"...", b"..."])
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Union

from subcut.compiler.formats.ascend import header as h
from subcut.compiler.formats.ascend.header import Header
from subcut.compiler.storage.files import Span
from subcut.compiler.storage.rope import Rope

Content = Union[bytes, Span, Rope]


@dataclass(frozen=True)
class Part:
    """A partition to be written."""

    type: int
    """One of `header.PARTITIONS`."""
    content: Content

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self.content.size if isinstance(self.content, Rope) else len(self.content)


def write_om(
    path: str | os.PathLike[str],
    *,
    name: str,
    definition: bytes,
    weights: Iterable[bytes | bytearray | memoryview | Span] = (),
    tasks: bytes = b"",
    kernels: bytes = b"",
    description: bytes = b"",
    header: Header | None = None,
) -> None:
    """Write an offline model of one graph to a new file.

    `definition` is a serialised `ModelDef`, `weights` the pieces of WEIGHTS_DATA one behind the other (a `Const`
    says with `value.t.desc.data_offset` where its own begin; the graph engine aligns them to 512 bytes), `tasks`
    a serialised `ModelTaskDef`, `kernels` a kernel store, `description` the MODEL_INOUT_INFO, left out when empty.
    Sizes, name and model count of `header` are set here; what else it says is kept. The default is what CANN 8
    writes: generation 2, 64-bit table. Raises FileExistsError where `path` exists.
    """
    pieces = Rope(piece if isinstance(piece, (bytes, Span)) else bytes(piece) for piece in weights)
    parts = [
        Part(h.MODEL_DEF, definition),
        Part(h.WEIGHTS_DATA, pieces),
        Part(h.TBE_KERNELS, kernels),
        Part(h.TASK_INFO, tasks),
    ]
    if description:
        parts.insert(0, Part(h.MODEL_INOUT_INFO, description))
    container([parts], replace(header or Header(), name=name)).write(path)


def container(models: Sequence[Sequence[Part]], header: Header, *, wide: bool | None = None) -> Rope:
    """A whole file of one or several models, each a list of partitions.

    `wide` asks for 64-bit tables, which only the new generation has and which are its default; flow models and
    bundles always have them.
    """
    wide = (header.version >= h.NEW) if wide is None else wide
    wide = header.version >= h.NEW and (wide or header.modeltype in (h.FLOW, h.BUNDLE))
    body = Rope()
    for parts in models:
        body.add(_table(parts, wide))
        for part in parts:
            body.add(part.content)
    length, model_length = (0, body.size) if wide else (body.size, 0)
    if header.modeltype == h.BUNDLE:
        model_length += h.SIZE  # a bundle counts its header (the graph engine's bundle writer does)
    number = header.model_num if header.modeltype == h.BUNDLE else len(models)
    return Rope([replace(header, length=length, model_length=model_length, model_num=number).pack(), body])


def _table(parts: Sequence[Part], wide: bool) -> bytes:
    """The partition table; offsets count from its end."""
    table = struct.pack("<II" if wide else "<I", *([len(parts), 0] if wide else [len(parts)]))
    at = 0
    for part in parts:
        table += (
            struct.pack("<IIQQ", part.type, 0, at, part.size) if wide else struct.pack("<III", part.type, at, part.size)
        )
        at += part.size
    return table
