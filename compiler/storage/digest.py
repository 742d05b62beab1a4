"""SHA-256 of model files, remembered between runs for big ones, and computed beside other work."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from pathlib import Path

from subcut.compiler.storage.files import SourceFile

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


class Hashing:
    """The digest of a file, computed by a thread of its own (hashing releases the interpreter's lock)."""

    def __init__(self, file: SourceFile) -> None:
        self._stop = threading.Event()
        self._digest = ""
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(file,), name="subcut-sha256", daemon=True)
        self._thread.start()

    def result(self) -> str:
        """Wait for the digest: 64 hexadecimal digits. Raises ModelError where the file cannot be read to its end."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._digest

    def cancel(self) -> None:
        """Stop, and wait until the file is no longer read; `result` then raises `Cancelled`."""
        self._stop.set()
        self._thread.join()

    def _run(self, file: SourceFile) -> None:
        try:
            self._digest = sha256(file, self._stop)
        except BaseException as error:  # handed to whoever asks for the result
            self._error = error


def sha256(file: SourceFile, stop: threading.Event | None = None) -> str:
    """The digest of the whole file as 64 hexadecimal digits, from the user's cache where the file is unchanged.

    The cache is keyed by real path, size, device, inode, time and a sample, and never trusted for a file that changed
    in the last two seconds. Raises ModelError when the file became shorter, `Cancelled` when `stop` is set.
    """
    if file.size < CACHED_FROM:
        return _hash(file, stop)
    before = _state(file)
    slot = _slot(file)
    known = _recall(slot, before)
    if known is not None:
        return known
    settled = _is_settled(file)
    digest = _hash(file, stop)
    if settled and _state(file) == before:
        _remember(slot, before, digest)
    return digest


def _hash(file: SourceFile, stop: threading.Event | None) -> str:
    digest = hashlib.sha256()
    at = 0
    while at < file.size:
        if stop is not None and stop.is_set():
            raise Cancelled
        piece = file.read(at, min(_CHUNK, file.size - at))
        digest.update(piece)
        at += len(piece)
    return digest.hexdigest()


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


def _recall(slot: Path, state: str) -> str | None:
    try:
        known, digest = slot.read_text("ascii").splitlines()
    except (OSError, ValueError):
        return None
    return digest if known == state and len(digest) == 64 else None


def _remember(slot: Path, state: str, digest: str) -> None:
    """A cache that cannot be written is no error: the digest is computed again next time."""
    temp = slot.with_name(f"{slot.name}.{os.urandom(4).hex()}")
    try:
        slot.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temp.write_text(f"{state}\n{digest}\n", "ascii")
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
