"""The result folder: written beside its place under a hidden name, then renamed, so it appears whole or not at all."""

from __future__ import annotations

import atexit
import errno
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from subcut.compiler.errors import user_error
from subcut.compiler.storage.interrupts import Interrupts
from subcut.compiler.storage.swap import swap

if sys.platform != "win32":
    import fcntl

MANIFEST = "manifest.json"
_HIDDEN = re.compile(r"\.(?P<name>.+)\.subcut-(?P<kind>tmp|old)-[0-9a-f]{8}")
_STALE_AFTER = 60.0
"""Seconds for which an unlocked temporary folder is left alone: its owner may be about to lock it."""
_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST}
_ALWAYS_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than the system allows",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENOTDIR: "a part of the path is a file",
    errno.ENAMETOOLONG: "the name is too long",
}


def is_result_folder(path: Path) -> bool:
    """Whether a `manifest.json` that subcut wrote (its first key is `subcut`) lies in the folder `path`."""
    manifest = path / MANIFEST
    if manifest.is_symlink() or not manifest.is_file():
        return False
    with open(manifest, "rb") as file:
        return re.match(rb'\s*\{\s*"subcut"\s*:', file.read(4096)) is not None


class ResultFolder:
    """`with ResultFolder(path) as temp:` gives a folder to write into that becomes `path` when all went well.

    On any exception, and on SIGINT, SIGTERM and SIGHUP, nothing is left behind, missing parent folders that were
    made for it included. An existing empty folder is used; another one is refused unless `force`, which replaces a
    result folder (see `is_result_folder`) and nothing else. `sources` are files and folders that are read: they may
    not lie in a folder that is replaced, nor be it.

    Raises UserError `folder-exists`, `not-a-result-folder`, `model-in-folder` or `cannot-write`.
    """

    def __init__(self, path: str | Path, *, force: bool = False, sources: Iterable[Path] = ()) -> None:
        self.path = Path(os.path.realpath(path))
        self.force = force
        self.sources = [Path(os.path.realpath(source)) for source in sources]
        self._temp: Path | None = None
        self._lock: int | None = None
        self._made: list[Path] = []
        """The parent folders that had to be made, the outermost first."""
        self._interrupts = Interrupts()

    def __enter__(self) -> Path:
        self._interrupts.install()
        # A signal may arrive in the moment before `__exit__` begins to run: then this cleans up.
        atexit.register(self._discard)
        try:
            with self._interrupts.held():
                self.check()
                self._make_parents()
                _sweep(self.path.parent)
                return self._make_temp()
        except BaseException as error:
            self._end()
            raise _explained(error, self.path) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._interrupts.held():
            try:
                if error is None:
                    self._commit()
                elif isinstance(error, OSError) and self._is_ours(error):
                    raise error
            except OSError as failure:
                raise _explained(failure, self.path) from None
            finally:
                self._end()

    def check(self) -> None:
        """Raise UserError where the folder could not appear at its place now."""
        if self.path.is_dir():
            if any(self.path.iterdir()):
                self._check_replaceable(self.path)
            if os.path.ismount(self.path) or self.path in [Path.cwd(), *Path.cwd().parents]:
                what = "a mount point" if os.path.ismount(self.path) else "the current folder or one around it"
                raise user_error(
                    "cannot-write",
                    f"`{self.path}` is {what}, which no other folder can take the place of",
                    help="name a folder inside it",
                )
        elif os.path.lexists(self.path):
            raise user_error("folder-exists", f"`{self.path}` exists and is no folder", help="name another folder")
        around = next(parent for parent in self.path.parents if parent.exists())
        if not os.access(around, os.W_OK):
            number = errno.EROFS if _is_read_only(around) else errno.EACCES
            raise _explained(OSError(number, os.strerror(number), str(around)), self.path)

    def _check_replaceable(self, folder: Path) -> None:
        """Refuse to replace what stands at `folder`, or did a moment ago."""
        if not self.force:
            raise user_error(
                "folder-exists",
                f"the folder `{self.path}` exists and is not empty",
                help="name another one, or say `--force` to replace it",
            )
        if not is_result_folder(folder):
            raise user_error(
                "not-a-result-folder",
                f"`{self.path}` is not replaced: it holds no `{MANIFEST}` that subcut wrote",
                help="name another folder",
            )
        inside = [source for source in self.sources if self.path == source or self.path in source.parents]
        if inside:
            where = "it is read" if inside[0] == self.path else f"`{inside[0]}`, which is read, lies in it"
            raise user_error(
                "model-in-folder",
                f"`{self.path}` is not replaced: {where}",
                help="name another folder",
            )

    def _make_parents(self) -> None:
        missing = [parent for parent in self.path.parents if not parent.exists()]
        for parent in reversed(missing):
            try:
                os.mkdir(parent)
            except FileExistsError:  # another process was faster
                continue
            self._made.append(parent)

    def _make_temp(self) -> Path:
        while True:
            temp = self._hidden("tmp")
            os.mkdir(temp)
            self._temp = temp
            if self.path.is_dir():
                shutil.copymode(self.path, temp)
            if self._locked(temp):
                return temp

    def _locked(self, temp: Path) -> bool:
        """Lock the folder, for as long as this process lives; False when somebody swept it away before that."""
        if sys.platform != "win32":
            self._lock = os.open(temp, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # a file system without locks: then nobody sweeps there either
                return True
        return temp.exists()

    def _hidden(self, kind: str) -> Path:
        """A free name beside the result; of an unfinished one, a piece of its name is enough to tell whose it is."""
        name = self.path.name if kind == "old" else self.path.name[:40]
        return self.path.with_name(f".{name}.subcut-{kind}-{os.urandom(4).hex()}")

    def _commit(self) -> None:
        """Rename the written folder to its place; what stands there is replaced only if it may be."""
        assert self._temp is not None
        if os.name == "nt" and self.path.is_dir() and not any(self.path.iterdir()):
            os.rmdir(self.path)  # Windows renames onto no folder, be it empty
        for _ in range(100):
            try:
                os.rename(self._temp, self.path)
            except OSError as error:
                if error.errno not in _OCCUPIED:
                    raise
            else:
                self._temp = None
                self._made.clear()
                return
            if self._replace(self._temp):
                self._made.clear()
                return
        raise user_error("cannot-write", f"other processes keep replacing `{self.path}`")

    def _replace(self, temp: Path) -> bool:
        """Swap with the old folder, look at what came out, and leave it to be deleted; False if there is none now."""
        if not self.path.exists():
            return False
        self._check_replaceable(self.path)
        _flush(temp)  # the old result goes: the new one must be on the disk before
        try:
            swap(temp, self.path, self._hidden("old"))
        except FileNotFoundError:
            return False
        if is_result_folder(temp) or not any(temp.iterdir()):
            return True
        swap(temp, self.path, self._hidden("old"))  # another process put something there since we looked
        self._check_replaceable(self.path)
        return False

    def _end(self) -> None:
        self._discard()
        atexit.unregister(self._discard)
        self._interrupts.restore()

    def _discard(self) -> None:
        """Delete what is under the hidden name: an unfinished result, or the one that was replaced."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._temp is not None:
            # What cannot be deleted now keeps its hidden name, and a later run sweeps it away.
            shutil.rmtree(self._temp, ignore_errors=True)
            self._temp = None
        while self._made:
            try:
                os.rmdir(self._made.pop())
            except OSError:  # another process uses it by now, and so the ones around it
                self._made.clear()

    def _is_ours(self, error: OSError) -> bool:
        """Whether an OSError was raised by writing into the folder, not by something else in the `with` block."""
        if error.errno in _ALWAYS_WRITING:
            return True
        name = error.filename
        return isinstance(name, (str, os.PathLike)) and self._temp in Path(os.fspath(name)).parents


def _explained(error: BaseException, path: Path) -> BaseException:
    """An OSError as the UserError that says why the folder cannot be written; others as they are."""
    if not isinstance(error, OSError):
        return error
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    if error.errno in (errno.EACCES, errno.EPERM, errno.ENOTDIR) and error.filename:
        reason += f" (`{os.fsdecode(error.filename)}`)"
    return user_error("cannot-write", f"`{path}` cannot be written: {reason}")


def _is_read_only(folder: Path) -> bool:
    """Whether nobody may write to the file system."""
    return sys.platform != "win32" and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _flush(folder: Path) -> None:
    """Bring every file of a folder, and the folder, to the disk."""
    if sys.platform == "win32":
        return
    for name in [*sorted(folder.rglob("*")), folder]:
        handle = os.open(name, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(parent: Path) -> None:
    """Delete the temporary folders that killed processes left in `parent`, and put a result back that one had moved.

    Whether a process still writes a folder is seen by its lock. Nothing here is an error: it can be left for later.
    """
    if sys.platform == "win32":
        return
    found = [entry.name for entry in os.scandir(parent) if _HIDDEN.fullmatch(entry.name)]
    for path in (parent / name for name in sorted(found)):
        try:
            if not path.is_symlink() and time.time() - path.stat().st_mtime > _STALE_AFTER:
                _sweep_one(path)
        except OSError:
            continue


def _sweep_one(path: Path) -> None:
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        match = _HIDDEN.fullmatch(path.name)
        assert match is not None
        if match["kind"] == "old" and not (path.parent / match["name"]).exists():
            os.rename(path, path.parent / match["name"])
        else:
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
