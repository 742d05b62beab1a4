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
_NOT_POSSIBLE = {
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EBADF,
    errno.EPERM,
    errno.ETXTBSY,
}

Progress = Callable[[int], None]
"""Called with the number of bytes written since the last call."""


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
        """Write to a new file at `path`, which must not exist."""
        out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
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
        finally:
            os.close(out)


def _flush(out: int, buffer: bytearray, progress: Progress | None) -> None:
    if buffer:
        _write_all(out, memoryview(bytes(buffer)), progress)
        buffer.clear()


def _write_all(out: int, view: memoryview, progress: Progress | None) -> None:
    while view:
        done = os.write(out, view[:CHUNK])
        view = view[done:]
        if progress:
            progress(done)


def _copy(out: int, piece: bytes | Span, progress: Progress | None) -> None:
    """Copy a big piece; the kernel does it where it can, else through a window of the mapping."""
    if isinstance(piece, bytes):
        _write_all(out, memoryview(piece), progress)
        return
    at = piece.start
    kernel = hasattr(os, "copy_file_range")
    while at < piece.stop:
        want = min(CHUNK, piece.stop - at)
        done = 0
        if kernel:
            try:
                done = os.copy_file_range(piece.file.fd, out, want, offset_src=at)
            except OSError as error:
                if error.errno not in _NOT_POSSIBLE:
                    raise
        if done == 0:
            kernel = False
            done = os.write(out, os.pread(piece.file.fd, min(want, 1 << 22), at))
            if done == 0:
                raise OSError(errno.EIO, "the file became shorter while it was read", str(piece.file.path))
        at += done
        if progress:
            progress(done)
