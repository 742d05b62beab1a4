"""A rope writes exactly its bytes, however the system copies; damaged sources and full disks are told."""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
from pathlib import Path

import pytest
from google.protobuf import wrappers_pb2
from hypothesis import given
from hypothesis import strategies as st

from subcut.compiler.errors import ModelError
from subcut.compiler.storage import rope as module
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.rope import Rope

SIZE = 3 << 20


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SourceFile:
    path = tmp_path_factory.mktemp("rope") / "source"
    path.write_bytes(os.urandom(SIZE))
    return SourceFile(path)


offsets = st.one_of(st.integers(0, 300), st.integers(0, SIZE))
ranges = st.tuples(offsets, offsets).map(lambda pair: (min(pair), max(pair)))
pieces = st.recursive(
    st.one_of(st.binary(max_size=100), ranges, st.integers(0, 200_000)),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


def build(piece: object, source: SourceFile) -> tuple[Rope, bytes]:
    """A rope of nested pieces, and the bytes it should hold."""
    if isinstance(piece, bytes):
        return Rope([piece]), piece
    if isinstance(piece, int):
        return Rope([bytes(piece)]), bytes(piece)
    if isinstance(piece, tuple):
        return Rope([Span(source, *piece)]), source.data[slice(*piece)]
    assert isinstance(piece, list)
    parts = [build(inner, source) for inner in piece]
    return Rope(rope for rope, _ in parts), b"".join(data for _, data in parts)


@given(piece=pieces)
def test_bytes_and_file_are_the_pieces(source: SourceFile, piece: object) -> None:
    rope, expected = build(piece, source)
    assert rope.size == len(expected)
    assert rope.bytes() == expected
    written: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        rope.write(f"{folder}/out", lambda done, size: written.append(done))
        assert Path(folder, "out").read_bytes() == expected
    assert sum(written) == rope.size
    assert all(n > 0 for n in written)


def test_neighbouring_spans_become_one(source: SourceFile) -> None:
    rope = Rope([Span(source, 0, 10), b"", Span(source, 10, 30), Span(source, 31, 40), Span(source, 40, 40)])
    assert rope.pieces == [Span(source, 0, 30), Span(source, 31, 40)]


def test_spans_of_two_files_stay_apart(source: SourceFile) -> None:
    other = SourceFile(source.path)
    assert len(Rope([Span(source, 0, 10), Span(other, 10, 20)]).pieces) == 2


def test_field_is_protobuf_s(source: SourceFile) -> None:
    rope = Rope()
    rope.add_field(1, Rope([b"head", Span(source, 5, 100_000)]))
    assert rope.bytes() == wrappers_pb2.BytesValue(value=b"head" + source.data[5:100_000]).SerializeToString()


def big(source: SourceFile) -> tuple[Rope, bytes]:
    rope = Rope([b"head", Span(source, 1, SIZE - 1), b"middle", Span(source, 0, SIZE), bytes(200_000)])
    return rope, rope.bytes()


@pytest.mark.parametrize("code", sorted(module._NOT_POSSIBLE))
def test_without_copy_in_the_kernel(
    source: SourceFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    rope, expected = big(source)
    rope.write(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == expected


@pytest.mark.parametrize("missing", [("copy_file_range",), ("copy_file_range", "pread")])
def test_on_systems_without_the_calls(
    source: SourceFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]
) -> None:
    for name in missing:
        monkeypatch.delattr(os, name)
    rope, expected = big(source)
    rope.write(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == expected


@pytest.mark.parametrize("gives_up_after", [0, 1, 2])
def test_kernel_that_copies_little_and_then_nothing(
    source: SourceFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gives_up_after: int
) -> None:
    real, calls = os.copy_file_range, itertools.count()

    def some(src: int, dst: int, count: int, offset_src: int) -> int:
        return real(src, dst, min(count, 100_000), offset_src=offset_src) if next(calls) < gives_up_after else 0

    monkeypatch.setattr(os, "copy_file_range", some)
    rope, expected = big(source)
    rope.write(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == expected


def test_short_writes(source: SourceFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda out, data: real(out, bytes(data)[:70_001]))
    monkeypatch.delattr(os, "copy_file_range")
    rope, expected = big(source)
    rope.write(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == expected


@pytest.mark.parametrize("kernel", [True, False])
def test_full_disk_names_the_file(
    source: SourceFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, "copy_file_range" if kernel else "write", full)
    with pytest.raises(OSError, match="no space") as caught:
        big(source)[0].write(tmp_path / "out")
    assert caught.value.errno == errno.ENOSPC
    assert Path(caught.value.filename) == tmp_path / "out"


def test_existing_file_is_not_overwritten(source: SourceFile, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(FileExistsError):
        big(source)[0].write(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("span", [(0, 10), (SIZE - 10, SIZE), (0, SIZE)])
def test_source_that_became_shorter(tmp_path: Path, span: tuple[int, int]) -> None:
    (tmp_path / "source").write_bytes(bytes(SIZE))
    file = SourceFile(tmp_path / "source")
    os.truncate(file.path, 5000)
    with pytest.raises(ModelError, match="became shorter") as caught:
        Rope([b"x", Span(file, *span)]).write(tmp_path / "out")
    assert caught.value.offset == 5000
    assert caught.value.path == file.path


@pytest.mark.parametrize("kernel", [True, False])
def test_source_that_becomes_shorter_while_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool
) -> None:
    monkeypatch.setattr(module, "CHUNK", 1 << 20)
    monkeypatch.setattr(module, "WINDOW", 1 << 20)
    if not kernel:
        monkeypatch.delattr(os, "copy_file_range")
    (tmp_path / "source").write_bytes(bytes(SIZE))
    file = SourceFile(tmp_path / "source")
    with pytest.raises(ModelError, match="became shorter") as caught:
        Rope([Span(file, 0, SIZE)]).write(tmp_path / "out", lambda *_: os.truncate(file.path, 1 << 20))
    assert caught.value.offset == 1 << 20


def test_progress_is_told_while_copying(source: SourceFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 1 << 20)
    told: list[tuple[int, int]] = []
    Rope([Span(source, 0, SIZE)]).write(tmp_path / "out", lambda done, size: told.append((done, size)))
    assert told == [(1 << 20, SIZE)] * 3
