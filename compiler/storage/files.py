"""Files by span: a model file is mapped read-only, and what is kept of it is a byte range."""

from __future__ import annotations

import mmap
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from subcut.compiler.errors import ModelError

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""Not to wait for a writer where the path is a pipe, which is then refused."""


class SourceFile:
    """A file that was opened for reading. `data` is the mapping: slices of it are read from disk when touched."""

    def __init__(self, path: str | Path, held: Path | None = None) -> None:
        """`held` is where it lies, if not at `path`, which messages name."""
        self.path = Path(path)
        self._place = held or self.path
        try:
            self.fd = os.open(self._place, _FLAGS)
        except FileNotFoundError:
            raise ModelError(path, "no such file") from None
        except OSError as error:
            raise ModelError(path, f"cannot be read: {error.strerror}") from None
        try:
            status = os.fstat(self.fd)
            self.size = status.st_size
            self._stamp = _stamp(status)
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(path, "is not a file")
            if self.size == 0:
                raise ModelError(path, "the file is empty", offset=0, expected="a model")
            self.data = mmap.mmap(self.fd, 0, access=mmap.ACCESS_READ)
        except OSError as error:
            self._close()
            raise ModelError(path, f"cannot be mapped: {error.strerror}") from None
        except ModelError:
            self._close()
            raise

    def _close(self) -> None:
        fd, self.fd = self.fd, -1
        os.close(fd)

    def __del__(self) -> None:
        if getattr(self, "fd", -1) >= 0:
            self._close()

    def read(self, at: int, size: int) -> bytes:
        """Up to `size` bytes from `at` (within the file), read and not mapped.

        Raises ModelError where the file has become shorter: a mapping would kill the process there.
        """
        data = os.pread(self.fd, size, at) if hasattr(os, "pread") else self.data[at : at + size]
        if not data:
            raise self.shorter(at)
        return data

    def changed(self) -> bool:
        """Whether another file, or other bytes, lie there now: what was mapped is no longer to be trusted."""
        try:
            return _stamp(os.stat(self._place)) != self._stamp
        except OSError:
            return True

    def shorter(self, size: int) -> ModelError:
        """The error to raise when the file turns out to have only `size` bytes left."""
        return ModelError(self.path, "became shorter while it was read", offset=size)

    def __repr__(self) -> str:
        return f"<file {self.path}>"


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


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
