"""A model file is opened read-only and mapped; what is no model file is refused with its path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from subcut.compiler.errors import ModelError
from subcut.compiler.storage.files import SourceFile, Span


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        SourceFile(path)
    assert caught.value.path == path
    return caught.value.message


def test_data_and_spans(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"0123456789")
    file = SourceFile(str(tmp_path / "m"))
    assert (file.path, file.size, file.data[:3]) == (tmp_path / "m", 10, b"012")
    span = Span(file, 2, 5)
    assert (len(span), span.bytes()) == (3, b"234")
    assert file.read(8, 100) == b"89"


def test_file_is_opened_read_only(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"model")
    (tmp_path / "m").chmod(0o444)
    file = SourceFile(tmp_path / "m")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(file.fd, b"x")
    with pytest.raises(TypeError):
        file.data[0] = 1


def test_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "m") == "no such file"
    (tmp_path / "m").symlink_to("nowhere")
    assert refusal(tmp_path / "m") == "no such file"


def test_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "is not a file"


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "m").touch()
    assert refusal(tmp_path / "m") == "the file is empty"


def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m")
    assert refusal(tmp_path / "m") == "is not a file"


def test_refused_files_are_closed(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    refusal(tmp_path)
    (tmp_path / "m").touch()
    refusal(tmp_path / "m")
    after = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    assert len(after) == len(before)


def test_unreadable(tmp_path: Path) -> None:
    """As an unprivileged user: root drops its rights in a process of its own."""
    (tmp_path / "m").write_bytes(b"model")
    (tmp_path / "m").chmod(0)
    tmp_path.chmod(0o755)
    script = """
import os, sys
from subcut.compiler.errors import ModelError
from subcut.compiler.storage.files import SourceFile
handle = os.open(sys.argv[1], os.O_RDONLY)
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
os.fchdir(handle)
try:
    SourceFile("m")
except ModelError as error:
    print(error.message)
"""
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)
    assert run.stdout == "cannot be read: Permission denied\n", run.stderr
