"""Files by span: a model file is mapped read-only, and what is kept of it is a byte range."""

from __future__ import annotations

import hashlib
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from subcut.compiler.errors import ModelError


class SourceFile:
    """A file that was opened for reading. `data` is the mapping: slices of it are read from disk when touched."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except FileNotFoundError:
            raise ModelError(path, "no such file") from None
        except OSError as error:
            raise ModelError(path, f"cannot be read: {error.strerror}") from None
        try:
            self.size = os.fstat(self.fd).st_size
            if not os.path.isfile(self.path):
                raise ModelError(path, "is not a file")
            if self.size == 0:
                raise ModelError(path, "the file is empty", offset=0, expected="a model")
            self.data = mmap.mmap(self.fd, 0, access=mmap.ACCESS_READ)
        except OSError as error:
            os.close(self.fd)
            raise ModelError(path, f"cannot be mapped: {error.strerror}") from None
        except ModelError:
            os.close(self.fd)
            raise

    def sha256(self) -> str:
        """Digest of the whole file, as 64 hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()

    def __repr__(self) -> str:
        return f"<file {self.path}>"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `stop` of a file."""

    file: SourceFile
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def bytes(self) -> bytes:
        """A copy in memory: for small spans only."""
        return self.file.data[self.start : self.stop]
