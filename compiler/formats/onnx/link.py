"""Linked cuts: the weights stay in the original's files, which get a second name in the result folder.

ONNX allows external data only inside the model's own folder: `onnx.checker` and onnxruntime refuse absolute paths,
`..` and symbolic links that lead out of it. So the original must appear inside the folder without being copied. A
reflink (a copy that shares its blocks, on Btrfs or XFS) pleases everybody. Elsewhere a hard link is made: onnxruntime
reads it, `onnx.checker` refuses files with several hard links since version 1.21. See docs/onnx.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from subcut.compiler.errors import ModelError, user_error
from subcut.compiler.formats.onnx.placing import relative_location
from subcut.compiler.storage.files import SourceFile

FICLONE = 0x40049409
"""ioctl_ficlone(2) of Linux: make a file share all blocks of another."""


@dataclass
class Links:
    """Second names in `folder`, which will become `final`, for the files that weights lie in."""

    folder: Path
    final: Path
    taken: set[str]
    made: list[Path] = field(default_factory=list[Path])
    how: list[str] = field(default_factory=list[str])
    _names: dict[SourceFile, str] = field(default_factory=dict[SourceFile, str])

    def locate(self, file: SourceFile) -> str:
        """The location to write for `file`. Raises UserError `cannot-link` where it can get no second name."""
        if file not in self._names:
            self._names[file] = relative_location(file, self.final) or self._link(file)
        return self._names[file]

    def _link(self, file: SourceFile) -> str:
        name = file.path.name
        while name in self.taken:
            name = f"original_{name}"
        self.taken.add(name)
        target = self.folder / name
        shared = _reflink(file, target)
        if not shared:
            try:
                os.link(os.path.realpath(file.path), target)
            except OSError as error:
                raise user_error(
                    "cannot-link",
                    f"the cut cannot be linked to `{file.path}`: {error.strerror}",
                    help="put the result on the same file system as the model, or leave out `--link`",
                ) from None
        _check(file, target, same=not shared)
        self.how.append("a reflink" if shared else "a hard link")
        self.made.append(target)
        return name

    def notes(self) -> list[dict[str, str]]:
        """What the manifest says of the second names."""
        return [{"file": path.name, "is": how} for path, how in zip(self.made, self.how, strict=True)]


def _check(file: SourceFile, target: Path, same: bool) -> None:
    """Whether the second name has what was read: the path may have come to mean another file, or lost its end.

    Raises ModelError.
    """
    found = os.stat(target)
    if same and not os.path.samestat(found, os.fstat(file.fd)):
        raise ModelError(file.path, "was replaced by another file while it was read")
    if found.st_size < file.size:
        raise file.shorter(found.st_size)


def _reflink(file: SourceFile, target: Path) -> bool:
    """Copy without copying, where the file system shares blocks between files."""
    try:
        import fcntl
    except ImportError:
        return False
    out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        fcntl.ioctl(out, FICLONE, file.fd)
    except OSError:
        os.unlink(target)
        return False
    finally:
        os.close(out)
    return True
