"""Files too big for memory, described as pieces first and written in one sweep: bytes, and counts of random floats."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from subcut.compiler.storage.wire import LEN, tag, varint

BLOCK = 1 << 22
"""Floats made at a time."""


class Pieces:
    """Bytes and weights in order, and how long they are together; an int stands for so many random float32."""

    def __init__(self, *parts: bytes | Pieces) -> None:
        self.parts: list[bytearray | int] = []
        self.size = 0
        for part in parts:
            self.add(part)

    def add(self, part: bytes | Pieces) -> None:
        """Append bytes or other pieces."""
        if isinstance(part, Pieces):
            for inner in part.parts:
                self.add_floats(inner) if isinstance(inner, int) else self._bytes(inner)
        else:
            self._bytes(part)

    def _bytes(self, part: bytes | bytearray) -> None:
        self.size += len(part)
        if self.parts and isinstance(self.parts[-1], bytearray):
            self.parts[-1] += part
        else:
            self.parts.append(bytearray(part))

    def add_floats(self, count: int) -> None:
        """Append so many random float32."""
        self.size += 4 * count
        self.parts.append(count)

    def add_field(self, number: int, content: Pieces | bytes) -> None:
        """Append a length-delimited protobuf field."""
        size = content.size if isinstance(content, Pieces) else len(content)
        self._bytes(tag(number, LEN) + varint(size))
        self.add(content)

    def write(self, path: Path, seed: int) -> None:
        """Write the file; it appears under its name when it is whole. The weights cannot be compressed."""
        random = np.random.default_rng(seed)
        part = path.with_name(path.name + ".part")
        with part.open("wb") as out:
            for piece in self.parts:
                if isinstance(piece, bytearray):
                    out.write(piece)
                    continue
                for start in range(0, piece, BLOCK):
                    block = random.standard_normal(min(BLOCK, piece - start), dtype=np.float32)
                    block *= 0.02
                    out.write(block.data)
        part.replace(path)


def floats(field: int, count: int) -> Pieces:
    """A protobuf field whose payload is `count` random floats."""
    made = Pieces(tag(field, LEN) + varint(4 * count))
    made.add_floats(count)
    return made
