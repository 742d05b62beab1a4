"""SHA-256 and SHA-1 of files, both from one reading, remembered between runs for big ones, made beside other work."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.rope import Rope

CACHED_FROM = 16 << 20
"""Bytes from which a digest is remembered: smaller files are hashed in a few hundredths of a second."""
_CHUNK = 1 << 20
_SETTLED = 2_000_000_000
"""Nanoseconds since its last change after which a file's times are trusted to tell the next change."""
_SAMPLES, _SAMPLE = 256, 1 << 12
"""How many pieces of a file are looked at to recognise it, and the bytes of each."""
_MOST = 1024
"""How many digests are remembered; then the older half is forgotten."""


class Cancelled(Exception):
    """The digest was no longer wanted."""


@dataclass(frozen=True)
class Digests:
    """Of a whole file, as hexadecimal digits in lower case."""

    sha256: str
    sha1: str = ""
    """Empty where nobody asked for it."""


class Hashing:
    """The digests of a file, computed by a thread of its own (hashing releases the interpreter's lock)."""

    def __init__(self, file: SourceFile, *, sha1: bool = False) -> None:
        self._stop = threading.Event()
        self._digests = Digests("")
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(file, sha1), name="subcut-hashing", daemon=True)
        self._thread.start()

    def result(self) -> Digests:
        """Wait for the digests. Raises ModelError where the file cannot be read to its end."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._digests

    def cancel(self) -> None:
        """Stop, and wait until the file is no longer read; `result` then raises `Cancelled`."""
        self._stop.set()
        self._thread.join()

    def _run(self, file: SourceFile, sha1: bool) -> None:
        try:
            self._digests = digests(file, self._stop, sha1=sha1)
        except BaseException as error:  # handed to whoever asks for the result
            self._error = error


def sha256(file: SourceFile) -> str:
    """The SHA-256 of the whole file as 64 hexadecimal digits; see `digests`."""
    return digests(file).sha256


def sha1_of(rope: Rope) -> str:
    """The SHA-1 of what will be written, as 40 hexadecimal digits. Raises ModelError where a file became shorter."""
    digest = hashlib.sha1(usedforsecurity=False)
    for piece in rope.pieces:
        if not isinstance(piece, Span):
            digest.update(piece)
            continue
        at = piece.start
        while at < piece.stop:
            window = piece.file.read(at, min(_CHUNK, piece.stop - at))
            digest.update(window)
            at += len(window)
    return digest.hexdigest()


def digests(file: SourceFile, stop: threading.Event | None = None, *, sha1: bool = False) -> Digests:
    """The SHA-256 of the whole file, with its SHA-1 if asked for, from the user's cache where the file is unchanged.

    The cache is keyed by real path, size, device, inode, time and a sample, and never trusted for a file that changed
    in the last two seconds. Raises ModelError when the file became shorter, `Cancelled` when `stop` is set.
    """
    if file.size < CACHED_FROM:
        return _hash(file, stop, sha1)
    before = _state(file)
    slot = _slot(file)
    known = _recall(slot, before)
    if known is not None and (known.sha1 or not sha1):
        return known
    settled = _is_settled(file)
    found = _hash(file, stop, sha1)
    if settled and _state(file) == before:
        _remember(slot, before, found)
    return found


def _hash(file: SourceFile, stop: threading.Event | None, sha1: bool) -> Digests:
    digest, other = hashlib.sha256(), hashlib.sha1(usedforsecurity=False) if sha1 else None
    at = 0
    while at < file.size:
        if stop is not None and stop.is_set():
            raise Cancelled
        piece = file.read(at, min(_CHUNK, file.size - at))
        digest.update(piece)
        if other is not None:
            other.update(piece)
        at += len(piece)
    return Digests(digest.hexdigest(), other.hexdigest() if other is not None else "")


def _state(file: SourceFile) -> str:
    """What changes when the file does: size, place, time, and a sample of what is in it.

    Not the time of the inode's change, which every hard link to the file alters, and a linked cut is one; the sample
    is for the file that was changed and dated back.
    """
    stat = os.fstat(file.fd)
    sample = hashlib.sha256()
    for at in range(0, min(file.size, stat.st_size), max(file.size // _SAMPLES, _SAMPLE)):
        sample.update(file.read(at, min(_SAMPLE, file.size - at)))
    return f"{stat.st_size} {stat.st_dev} {stat.st_ino} {stat.st_mtime_ns} {sample.hexdigest()}"


def _is_settled(file: SourceFile) -> bool:
    stat = os.fstat(file.fd)
    return time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED


def _folder() -> Path:
    """Where digests are remembered, by the XDG base directory specification."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return Path(root if os.path.isabs(root) else os.path.expanduser("~/.cache"), "subcut", "digests")


def _slot(file: SourceFile) -> Path:
    """The cache file of one path: a changed file takes the place of what it was."""
    return _folder() / hashlib.sha256(os.fsencode(os.path.realpath(file.path))).hexdigest()


def _recall(slot: Path, state: str) -> Digests | None:
    try:
        known, digest, *other = slot.read_text("ascii").splitlines()
    except (OSError, ValueError):
        return None
    if known != state or len(digest) != 64 or [len(one) for one in other] not in ([], [40]):
        return None
    return Digests(digest, *other)


def _remember(slot: Path, state: str, found: Digests) -> None:
    """A cache that cannot be written is no error: the digest is computed again next time."""
    temp = slot.with_name(f"{slot.name}.{os.urandom(4).hex()}")
    try:
        slot.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [state, found.sha256, *([found.sha1] if found.sha1 else [])]
        temp.write_text("\n".join(lines) + "\n", "ascii")
        os.replace(temp, slot)
        _forget(slot.parent)
    except OSError:
        with contextlib.suppress(OSError):
            temp.unlink()


def _forget(folder: Path) -> None:
    """Keep the cache small: when it is full, the half that was written longest ago goes."""
    entries = [(entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(folder)]
    if len(entries) > _MOST:
        for _, path in sorted(entries)[: len(entries) - _MOST // 2]:
            Path(path).unlink(missing_ok=True)
