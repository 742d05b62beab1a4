"""Files at a URL, by fsspec: names are listed there, and each file that is read is copied here for a while."""

from __future__ import annotations

import errno
import functools
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subcut.compiler.errors import MissingExtra, user_error
from subcut.compiler.storage.places import Place

KEPT = 256 << 20
"""Bytes of copies that are kept beyond those being opened: neighbours read many a file twice."""
_PRIVATE = "memory"


@dataclass(frozen=True)
class _Entry:
    name: str
    folder: bool
    size: int

    def is_dir(self) -> bool:
        return self.folder


class Remote(Place):
    """A folder, or file, at a URL, and what is below it. Pickled, it takes nothing but the URL along.

    Credentials come from where the driver looks for them: its own files, the environment, fsspec's configuration.
    """

    def __init__(self, url: str) -> None:
        self.url = url if url.endswith("://") else url.rstrip("/")
        self.root = Path(self.url)
        self.private = url.lower().startswith(f"{_PRIVATE}:")
        self._copies = Copies()
        self._store  # noqa: B018  (a URL that nothing can open is refused at once)

    def __reduce__(self) -> tuple[object, ...]:
        return Remote, (self.url,)

    @functools.cached_property
    def _store(self) -> tuple[Any, str]:
        """fsspec's file system, and the path in it."""
        try:
            import fsspec
        except ImportError:
            raise MissingExtra("fsspec", "remote", f"read `{self.url}`") from None
        library: Any = fsspec
        try:
            system, path = library.core.url_to_fs(self.url)
        except ImportError as error:
            help = str(error)
            raise user_error("no-driver", f"`{self.url}` needs a driver of fsspec that is missing", help=help) from None
        except (ValueError, TypeError) as error:
            raise user_error("no-driver", f"`{self.url}` cannot be opened: {error}") from None
        return system, str(path)

    def _at(self, path: Path) -> str:
        below = path.relative_to(self.root).as_posix()
        top = self._store[1]
        if below == ".":
            return top
        return f"{top.rstrip('/')}/{below}" if top else below

    def shown(self, path: str | Path) -> str:
        """The URL of a file or folder; what is not of this place as it is."""
        try:
            below = Path(path).relative_to(self.root).as_posix()
        except ValueError:
            return str(path)
        return self.url if below == "." else f"{self.url}{'' if self.url.endswith('/') else '/'}{below}"

    def real(self, path: Path) -> str:
        """The URL: a store has no links."""
        return self.shown(path)

    def mark(self, folder: Path) -> object:
        """The path: a store has no links."""
        return folder

    def absolute(self, path: Path) -> Path:
        """The path: it never depends on a current folder."""
        return path

    @contextmanager
    def scandir(self, folder: Path) -> Generator[Iterator[_Entry], None, None]:
        """The entries of a folder. Raises OSError, always with the reason."""
        yield iter(self._listed(folder))

    def size(self, folder: Path) -> int:
        """Bytes of the files in a folder, as far as the store tells them."""
        return sum(entry.size for entry in self._listed(folder))

    def _listed(self, folder: Path) -> list[_Entry]:
        system, at = self._store[0], self._at(folder)
        with self._telling(folder):
            told: list[dict[str, Any]] = list(system.ls(at, detail=True))
        found: list[_Entry] = []
        for one in told:
            name = str(one["name"]).strip("/")  # some stores begin paths with a slash, some do not
            is_folder = one.get("type") == "directory"
            if name != at.strip("/"):
                found.append(_Entry(name.rpartition("/")[2], is_folder, int(one.get("size") or 0)))
            elif not is_folder and len(told) == 1:  # asked for a file, a store lists the file; a marker is its folder
                raise NotADirectoryError(errno.ENOTDIR, "Not a directory", self.shown(folder))
        return found

    @contextmanager
    def reading(self, path: Path) -> Generator[Path, None, None]:
        """A copy of a file on this machine, kept at least until the end. Raises OSError, always with the reason."""

        def fetch(to: Path) -> None:
            with self._telling(path):
                self._store[0].get_file(self._at(path), str(to))

        with self._copies.holding(path, fetch) as held:
            yield held

    @contextmanager
    def _telling(self, path: Path) -> Generator[None, None, None]:
        """What a driver raises, as an OSError with a reason: each has exceptions of its own."""
        try:
            yield
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", self.shown(path)) from None
        except Exception as error:
            number = (error.errno if isinstance(error, OSError) else None) or errno.EIO
            raise OSError(number, f"{type(error).__name__}: {error}", self.shown(path)) from error

    def close(self) -> None:
        """Remove all copies."""
        self._copies.close()


@dataclass
class _Copy:
    path: Path
    size: int
    users: int = 1


class Copies:
    """Copies of files in a folder of this process, the last used ones, which goes when nobody needs it any more."""

    def __init__(self, limit: int = KEPT) -> None:
        self.limit, self.bytes = limit, 0
        self._lock = threading.Lock()
        self._known: OrderedDict[Path, _Copy] = OrderedDict()
        self._folder: Path | None = None
        self._gone: Callable[[], object] = _nothing
        self._count = 0

    @contextmanager
    def holding(self, name: Path, fetch: Callable[[Path], None]) -> Generator[Path, None, None]:
        """The copy of a file, which is there at least until the end; `fetch` makes it if there is none."""
        copy = self._used(name) or self._made(name, fetch)
        try:
            yield copy.path
        finally:
            with self._lock:
                copy.users -= 1
                self._shrink()

    def _used(self, name: Path) -> _Copy | None:
        with self._lock:
            copy = self._known.get(name)
            if copy is not None:
                copy.users += 1
                self._known.move_to_end(name)
            return copy

    def _made(self, name: Path, fetch: Callable[[Path], None]) -> _Copy:
        """A new copy. Two threads may fetch the same file: the first one's stays."""
        path = self._free(name)
        try:
            fetch(path)
            made = _Copy(path, path.stat().st_size)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        with self._lock:
            copy = self._known.setdefault(name, made)
            if copy is made:
                self.bytes += made.size
                self._shrink()
            else:
                copy.users += 1
                path.unlink()
            return copy

    def _free(self, name: Path) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="subcut-"))
                self._gone = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            self._count += 1
            return self._folder / f"{self._count}{name.suffix if len(name.suffix) < 8 else ''}"

    def _shrink(self) -> None:
        """Remove the copies that were not used for the longest time, until the rest is within the limit."""
        for name in [name for name, copy in self._known.items() if not copy.users]:
            if self.bytes <= self.limit:
                return
            try:
                self._known[name].path.unlink()
            except PermissionError:  # a system that removes no file that is open: later, then
                continue
            self.bytes -= self._known.pop(name).size

    def close(self) -> None:
        """Remove all, and begin anew when asked again."""
        with self._lock:
            self._gone()
            self._known.clear()
            self._folder, self.bytes = None, 0


def _nothing() -> None:
    """There is no folder yet."""
