"""File systems that share blocks between files: where the tests of reflinks run."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

FICLONE = 0x40049409
KINDS = {"btrfs", "xfs", "bcachefs", "ocfs2"}


def can_reflink(folder: Path) -> bool:
    """Whether a file in `folder` can share its blocks with another there."""
    one, two = folder / "reflink-1", folder / "reflink-2"
    try:
        one.write_bytes(b"block")
        with open(one, "rb") as source, open(two, "wb") as target:
            fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
    except OSError:
        return False
    finally:
        one.unlink(missing_ok=True)
        two.unlink(missing_ok=True)
    return True


def mounted() -> list[Path]:
    """Folders in which file systems are mounted that may share blocks."""
    mounts = Path("/proc/self/mounts")
    lines = mounts.read_text().splitlines() if mounts.exists() else []
    places = [Path(line.split()[1].encode().decode("unicode_escape")) for line in lines if line.split()[2] in KINDS]
    return [place for place in places if place.is_dir() and os.access(place, os.W_OK)]


def reflinking_folder(tmp_path: Path) -> Iterator[Path]:
    """A new folder on such a file system; a skip where there is none."""
    if can_reflink(tmp_path):
        yield tmp_path
        return
    for place in mounted():
        with tempfile.TemporaryDirectory(dir=place, prefix="subcut-") as folder:
            if can_reflink(Path(folder)):
                yield Path(folder)
                return
    pytest.skip("needs a file system that shares blocks between files: a writable Btrfs or XFS mount")
