"""A file about to be written: pieces of new bytes and spans of old files, copied from file to file by the kernel."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable

from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.wire import LEN, tag, varint

SMALL = 1 << 16
"""Spans up to this many bytes go through memory: one `write` costs less than a system call each."""
CHUNK = 1 << 26
"""The most that is written in one system call, and so between two calls of `progress`."""
WINDOW = 1 << 22
"""The piece in memory where the kernel does not copy."""
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NOT_POSSIBLE = {
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EBADF,
    errno.EPERM,
    errno.ETXTBSY,
}

Progress = Callable[[int, int], None]
"""Called with the number of bytes written since the last call, and the size that the file will have."""
_Told = Callable[[int], None]
"""The same, for one file."""


class Rope:
    """An ordered list of pieces whose total length is known; neighbouring spans of one file become one."""

    __slots__ = ("pieces", "size")

    def __init__(self, pieces: Iterable[bytes | Span | Rope] = ()) -> None:
        self.pieces: list[bytes | Span] = []
        self.size = 0
        for piece in pieces:
            self.add(piece)

    def add(self, piece: bytes | Span | Rope) -> None:
        """Append new bytes, a span, or another rope's pieces."""
        if isinstance(piece, Rope):
            for inner in piece.pieces:
                self.add(inner)
            return
        if isinstance(piece, Span):
            self.add_range(piece.file, piece.start, piece.stop)
        elif piece:
            self.size += len(piece)
            self.pieces.append(piece)

    def add_range(self, file: SourceFile, start: int, stop: int) -> None:
        """Append bytes `start` to `stop` of `file`."""
        if stop <= start:
            return
        self.size += stop - start
        if self.pieces:
            last = self.pieces[-1]
            if isinstance(last, Span) and last.file is file and last.stop == start:
                self.pieces[-1] = Span(file, last.start, stop)
                return
        self.pieces.append(Span(file, start, stop))

    def add_field(self, number: int, content: bytes | Rope) -> None:
        """Append a length-delimited protobuf field."""
        size = content.size if isinstance(content, Rope) else len(content)
        self.add(tag(number, LEN) + varint(size))
        self.add(content)

    def bytes(self) -> bytes:
        """Everything, in memory: for small ropes."""
        return b"".join(p.bytes() if isinstance(p, Span) else p for p in self.pieces)

    def write(self, path: str | os.PathLike[str], progress: Progress | None = None) -> None:
        """Write to a new file at `path`, which must not exist.

        Raises OSError with the path in it, and ModelError where a file that is copied from has become shorter.
        """
        self._check_sources()
        out = os.open(path, _FLAGS, 0o666)
        try:
            self._write(out, (lambda done: progress(done, self.size)) if progress else None)
        except OSError as error:
            if error.filename is None:
                error.filename = os.fspath(path)
            raise
        finally:
            os.close(out)

    def _check_sources(self) -> None:
        """A mapping that reaches beyond the end of its file would kill the process when it is read there."""
        for file in dict.fromkeys(piece.file for piece in self.pieces if isinstance(piece, Span)):
            if os.fstat(file.fd).st_size < file.size:
                raise file.shorter(os.fstat(file.fd).st_size)

    def _write(self, out: int, progress: _Told | None) -> None:
        buffer = bytearray()
        for piece in self.pieces:
            if len(piece) <= SMALL:
                buffer += piece.bytes() if isinstance(piece, Span) else piece
                if len(buffer) < 1 << 20:
                    continue
            _flush(out, buffer, progress)
            if len(piece) > SMALL:
                _copy(out, piece, progress)
        _flush(out, buffer, progress)


def _flush(out: int, buffer: bytearray, progress: _Told | None) -> None:
    if buffer:
        _write_all(out, memoryview(bytes(buffer)), progress)
        buffer.clear()


def _write_all(out: int, view: memoryview, progress: _Told | None) -> None:
    while view:
        done = os.write(out, view[:CHUNK])
        view = view[done:]
        if progress:
            progress(done)


def _copy(out: int, piece: bytes | Span, progress: _Told | None) -> None:
    """Copy a big piece; the kernel does it where it can, else it goes through memory in windows."""
    if isinstance(piece, bytes):
        _write_all(out, memoryview(piece), progress)
        return
    at = piece.start
    while at < piece.stop:
        done = _kernel_copy(out, piece.file, at, min(CHUNK, piece.stop - at))
        if done == 0:
            break
        at += done
        if progress:
            progress(done)
    while at < piece.stop:
        window = piece.file.read(at, min(WINDOW, piece.stop - at))
        _write_all(out, memoryview(window), progress)
        at += len(window)


def _kernel_copy(out: int, file: SourceFile, at: int, size: int) -> int:
    """Let the kernel copy up to `size` bytes; 0 where this system or this pair of file systems has no way to."""
    if not hasattr(os, "copy_file_range"):
        return 0
    try:
        return os.copy_file_range(file.fd, out, size, offset_src=at)
    except OSError as error:
        if error.errno not in _NOT_POSSIBLE:
            raise
        return 0
