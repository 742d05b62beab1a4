"""The result folder appears whole or not at all, whatever stands in its place and whatever goes wrong."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.folders import fill, names, result

from subcut.compiler.errors import UserError
from subcut.compiler.storage import folder as module
from subcut.compiler.storage import swap as swap_module
from subcut.compiler.storage.folder import ResultFolder, is_result_folder


def code_of(path: Path, **options: object) -> str:
    """The code of the error, which must leave the surroundings as they were."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(UserError) as caught:
        result(path, **options)
    assert sorted(path.parent.rglob("*")) == before
    return caught.value.code


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    path = tmp_path / "disk"
    path.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], capture_output=True).returncode
    ):
        pytest.skip("a small file system cannot be mounted without root")
    yield path
    subprocess.run(["umount", path], check=True)


def test_new_folder_appears_only_at_the_end(tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out") as temp:
        assert temp.parent == tmp_path
        fill(temp)
        assert not (tmp_path / "out").exists()
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["dump.onnx", "manifest.json"]


def test_parents_are_made(tmp_path: Path) -> None:
    result(tmp_path / "a/b/out")
    assert is_result_folder(tmp_path / "a/b/out")


def test_parents_go_with_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), ResultFolder(tmp_path / "a/b/out"):
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        result(tmp_path / "out")
    finally:
        os.umask(old)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("force", [False, True])
def test_empty_folder_is_used(tmp_path: Path, force: bool) -> None:
    (tmp_path / "out").mkdir(mode=0o700)
    result(tmp_path / "out", force=force)
    assert is_result_folder(tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_existing_result_is_refused(tmp_path: Path) -> None:
    result(tmp_path / "out", "old")
    assert code_of(tmp_path / "out") == "folder-exists"
    assert (tmp_path / "out/dump.onnx").read_text() == "old"


def test_existing_result_is_replaced_by_force(tmp_path: Path) -> None:
    result(tmp_path / "out", "old")
    (tmp_path / "out/dump_data").mkdir()
    result(tmp_path / "out", "new", force=True)
    assert (tmp_path / "out/dump.onnx").read_text() == "new"
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["dump.onnx", "manifest.json"]


@pytest.mark.parametrize(
    "manifest", [None, "", "{}", '{"name": "app"}', '{"x": {"subcut": 1}}', '["subcut"]', "not json"]
)
def test_what_is_no_result_is_never_replaced(tmp_path: Path, manifest: str | None) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("ten years of work")
    if manifest is not None:
        (out / "manifest.json").write_text(manifest)
    assert code_of(out, force=True) == "not-a-result-folder"
    assert (out / "thesis.tex").read_text() == "ten years of work"


def test_linked_manifest_does_not_count(tmp_path: Path) -> None:
    result(tmp_path / "real")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.json").symlink_to(tmp_path / "real/manifest.json")
    assert code_of(tmp_path / "out", force=True) == "not-a-result-folder"


def test_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    assert code_of(tmp_path / "out", force=True) == "folder-exists"


def test_file_among_the_parents(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    assert code_of(tmp_path / "file/out") == "cannot-write"


def test_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    result(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert is_result_folder(tmp_path / "real")


def test_model_inside_the_replaced_folder(tmp_path: Path) -> None:
    result(tmp_path / "out", "model")
    (tmp_path / "link.onnx").symlink_to("out/dump.onnx")
    assert code_of(tmp_path / "out", force=True, sources=[tmp_path / "link.onnx"]) == "model-in-folder"
    result(tmp_path / "out/second", force=True, sources=[tmp_path / "link.onnx"])
    assert (tmp_path / "out/dump.onnx").read_text() == "model"


def test_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert code_of(Path(), force=True) == "cannot-write"


def test_mount_point_is_refused(disk: Path) -> None:
    with pytest.raises(UserError, match="mount point") as caught:
        result(disk)
    assert caught.value.code == "cannot-write"


def test_long_name(tmp_path: Path) -> None:
    result(tmp_path / ("ü" * 120))
    assert code_of(tmp_path / ("x" * 300)) == "cannot-write"


def test_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    result(path)
    result(path, "newer", force=True)
    assert (path / "dump.onnx").read_text() == "newer"


def test_without_atomic_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap_module, "_exchange", lambda *_: False)
    result(tmp_path / "out", "old")
    result(tmp_path / "out", "new", force=True)
    assert (tmp_path / "out/dump.onnx").read_text() == "new"
    assert names(tmp_path) == ["out"]


def test_without_atomic_exchange_a_failure_puts_the_old_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap_module, "_exchange", lambda *_: False)
    result(tmp_path / "out", "old")
    real, calls = os.rename, []

    def rename(a: Path, b: Path) -> None:
        calls.append(a)
        if len(calls) == 3:  # onto the occupied name, the old one aside, then the new one to its place
            raise OSError(errno.EIO, "input/output error")
        real(a, b)

    monkeypatch.setattr(os, "rename", rename)
    assert code_of(tmp_path / "out", force=True) == "cannot-write"
    assert (tmp_path / "out/dump.onnx").read_text() == "old"


def test_folder_that_another_process_fills_meanwhile(tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = ResultFolder(out)
    fill(folder.__enter__())
    result(out, "theirs")
    with pytest.raises(UserError) as caught:
        folder.__exit__(None, None, None)
    assert caught.value.code == "folder-exists"
    assert (out / "dump.onnx").read_text() == "theirs"
    assert names(tmp_path) == ["out"]


def test_swapped_out_stranger_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the swap, another process replaces the old result by something precious."""
    out = tmp_path / "out"
    result(out, "old")
    real, swaps = module.swap, []

    def swap(a: Path, b: Path, aside: Path) -> None:
        if not swaps:
            (out / "manifest.json").unlink()
            (out / "thesis.tex").write_text("ten years of work")
        swaps.append(a)
        real(a, b, aside)

    monkeypatch.setattr(module, "swap", swap)
    with pytest.raises(UserError) as caught:
        result(out, force=True)
    assert caught.value.code == "not-a-result-folder"
    assert len(swaps) == 2
    assert names(tmp_path) == ["out"]
    assert (out / "thesis.tex").read_text() == "ten years of work"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_disk_errors_are_explained(tmp_path: Path, number: int) -> None:
    with pytest.raises(UserError, match="cannot be written: the ") as caught, ResultFolder(tmp_path / "out"):
        raise OSError(number, os.strerror(number))
    assert caught.value.code == "cannot-write"
    assert names(tmp_path) == []


def test_other_os_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), ResultFolder(tmp_path / "out"):
        os.stat("/no/such/input")
    assert names(tmp_path) == []


def test_full_disk(disk: Path) -> None:
    result(disk / "out", "old")
    with pytest.raises(UserError, match="the disk is full"), ResultFolder(disk / "out", force=True) as temp:
        (temp / "big").write_bytes(bytes(2 << 20))
    assert names(disk) == ["out"]
    assert (disk / "out/dump.onnx").read_text() == "old"


def test_file_size_limit(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(UserError, match="larger than the system allows"), ResultFolder(tmp_path / "out") as t:
            (t / "big").write_bytes(bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == []
