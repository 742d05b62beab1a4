"""Digests are right whether computed, remembered, or made by a thread; and remembered only where that is safe."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from subcut.compiler.errors import ModelError
from subcut.compiler.storage import digest as module
from subcut.compiler.storage.digest import CACHED_FROM, Cancelled, Digests, Hashing, digests, sha1_of, sha256
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.rope import Rope


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/subcut/digests"


def make(path: Path, content: bytes = b"model", size: int = CACHED_FROM) -> str:
    data = content + bytes(size - len(content))
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def wait_until_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The times of a file count only when they lie two seconds back: put the clock forward instead of waiting."""
    now = time.time_ns
    monkeypatch.setattr(module.time, "time_ns", lambda: now() + 10_000_000_000)


@pytest.mark.parametrize("size", [1, module._CHUNK - 1, module._CHUNK, module._CHUNK + 1, CACHED_FROM + 5])
def test_digest_is_hashlib_s(tmp_path: Path, size: int) -> None:
    assert make(tmp_path / "m", b"x", size) == sha256(SourceFile(tmp_path / "m"))


def test_big_file_is_remembered(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = make(tmp_path / "m")
    wait_until_settled(monkeypatch)
    file = SourceFile(tmp_path / "m")
    assert sha256(file) == digest
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(module, "_hash", lambda *_: pytest.fail("hashed again"))
    assert sha256(file) == digest
    assert sha256(SourceFile(tmp_path / "m")) == digest


def test_small_file_is_not_remembered(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until_settled(monkeypatch)
    make(tmp_path / "m", size=CACHED_FROM - 1)
    sha256(SourceFile(tmp_path / "m"))
    assert not cache.exists()


def test_file_that_just_changed_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    make(tmp_path / "m")
    sha256(SourceFile(tmp_path / "m"))
    assert not cache.exists()


def test_file_dated_back_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    make(tmp_path / "m")
    os.utime(tmp_path / "m", (0, 0))  # the time of the inode's change still tells
    sha256(SourceFile(tmp_path / "m"))
    assert not cache.exists()


def test_changed_file_is_hashed_again(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until_settled(monkeypatch)
    path = tmp_path / "m"
    make(path, b"one")
    times = path.stat()
    sha256(SourceFile(path))
    digest = make(path, b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert sha256(SourceFile(path)) == digest
    assert len(list(cache.iterdir())) == 1


def test_file_that_changes_while_hashed_is_not_remembered(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_until_settled(monkeypatch)
    path = tmp_path / "m"
    make(path)
    real = module._hash

    def hash_and_touch(file: SourceFile, stop: threading.Event | None, sha1: bool) -> Digests:
        digest = real(file, stop, sha1)
        os.utime(path, (1, 1))
        return digest

    monkeypatch.setattr(module, "_hash", hash_and_touch)
    sha256(SourceFile(path))
    assert not cache.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"one line", b"a\nb\nc", b"1 2 3\n" + b"0" * 64, b"1 2 3\n" + b"0" * 64 + b"\n" + b"1" * 40],
)
def test_damaged_cache_is_ignored(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    wait_until_settled(monkeypatch)
    digest = make(tmp_path / "m")
    sha256(SourceFile(tmp_path / "m"))
    (slot,) = cache.iterdir()
    slot.write_bytes(content)
    assert sha256(SourceFile(tmp_path / "m")) == digest


def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until_settled(monkeypatch)
    (tmp_path / "cache").write_text("a file where the folder would be")
    digest = make(tmp_path / "m")
    assert sha256(SourceFile(tmp_path / "m")) == digest


def test_cache_stays_small(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until_settled(monkeypatch)
    monkeypatch.setattr(module, "_MOST", 4)
    monkeypatch.setattr(module, "CACHED_FROM", 1)
    for i in range(12):
        make(tmp_path / f"m{i}", size=10)
        sha256(SourceFile(tmp_path / f"m{i}"))
        assert len(list(cache.iterdir())) <= 4
    newest = SourceFile(tmp_path / "m11")
    monkeypatch.setattr(module, "_hash", lambda *_: pytest.fail("forgot the newest"))
    sha256(newest)


def test_truncated_file_is_a_model_error(tmp_path: Path) -> None:
    make(tmp_path / "m")
    file = SourceFile(tmp_path / "m")
    os.truncate(tmp_path / "m", 1000)
    with pytest.raises(ModelError, match="became shorter") as caught:
        sha256(file)
    assert caught.value.offset == 1000
    with pytest.raises(ModelError, match="became shorter"):
        Hashing(file).result()


def test_thread(tmp_path: Path) -> None:
    digest = make(tmp_path / "m")
    assert Hashing(SourceFile(tmp_path / "m")).result() == Digests(digest)


def test_both_digests_come_from_one_reading(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was remembered without its SHA-1 is read once more when that is wanted, and then no more."""
    wait_until_settled(monkeypatch)
    digest = make(tmp_path / "m")
    both = Digests(digest, hashlib.sha1((tmp_path / "m").read_bytes()).hexdigest())
    file, read = SourceFile(tmp_path / "m"), 0
    real = file.read

    def counted(at: int, size: int) -> bytes:
        nonlocal read
        read += size if size == module._CHUNK else 0
        return real(at, size)

    monkeypatch.setattr(file, "read", counted)
    assert digests(file) == Digests(digest)
    assert digests(file, sha1=True) == both
    assert read == 2 * CACHED_FROM
    assert Hashing(file, sha1=True).result() == both
    assert digests(file) == both, "what is known is told"
    assert read == 2 * CACHED_FROM
    assert len(list(cache.iterdir())) == 1


def test_sha1_of_what_is_to_be_written(tmp_path: Path) -> None:
    make(tmp_path / "m", b"0123456789", 3 * module._CHUNK)
    file = SourceFile(tmp_path / "m")
    rope = Rope([b"head", Span(file, 3, 2 * module._CHUNK + 5), b"tail", Span(file, 0, 1)])
    assert sha1_of(rope) == hashlib.sha1(rope.bytes()).hexdigest()
    os.truncate(tmp_path / "m", 1000)
    with pytest.raises(ModelError, match="became shorter"):
        sha1_of(rope)


def test_thread_stops_when_told(tmp_path: Path) -> None:
    with open(tmp_path / "m", "wb") as sparse:
        sparse.truncate(1 << 40)  # hours of hashing
    hashing = Hashing(SourceFile(tmp_path / "m"))
    hashing.cancel()
    with pytest.raises(Cancelled):
        hashing.result()
