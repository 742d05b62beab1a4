"""A million names found by key, in the bytes of the names and sixteen more each."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class NameIndex:
    """Names by key. What a key's hash finds may be another key's: who asks compares.

    The names lie in one run of bytes; a sorted column of hashes beside a column of offsets finds them.
    """

    def __init__(self) -> None:
        self._text = bytearray()
        self._hashes, self._offsets = array("q"), array("q")
        self._sorted: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def add(self, name: str, *keys: str) -> None:
        """Keep `name` under each of `keys`."""
        at = len(self._text)
        self._text += os.fsencode(name) + b"\0"
        for key in keys:
            self._hashes.append(hash(key))
            self._offsets.append(at)

    def find(self, key: str) -> list[str]:
        """The names under `key`, and perhaps some under another, sorted."""
        hashes, offsets = self._columns()
        wanted = hash(key)
        start, stop = hashes.searchsorted(wanted, "left"), hashes.searchsorted(wanted, "right")
        return sorted(self._name(int(at)) for at in offsets[start:stop])

    def __iter__(self) -> Iterator[str]:
        """Every name, sorted."""
        names = self._text.split(b"\0")
        names.sort()
        return (os.fsdecode(bytes(name)) for name in names if name)

    def _columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self._sorted is None or len(self._sorted[0]) != len(self._hashes):
            import numpy as np

            hashes, offsets = (np.array(column, np.int64) for column in (self._hashes, self._offsets))
            order = hashes.argsort(kind="stable")
            self._sorted = hashes[order], offsets[order]
        return self._sorted

    def _name(self, at: int) -> str:
        return os.fsdecode(bytes(self._text[at : self._text.index(b"\0", at)]))
