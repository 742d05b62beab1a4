"""Where files are: on this machine, or at a URL, from where each is fetched when somebody reads it.

    folder, place = place_of("s3://bucket/dumps")  # or a path
    with place.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    with place.reading(folder / names[0]) as path:  # a file of this machine, at least for as long as this lasts
        file = open(path, "rb")

A file at a URL has a path too, which is a name and no place on this machine: that of its folder, and below it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from subcut.compiler.errors import ModelError

_URL = re.compile(r"[a-z][a-z0-9+.-]+(?:::[a-z0-9+.:-]+)?://", re.IGNORECASE)
"""At least two letters: one is a drive."""


class Found(Protocol):
    """An entry of a folder."""

    @property
    def name(self) -> str:
        """Its name in the folder."""
        ...

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        ...


class Place:
    """This machine. Nothing is fetched, copied or looked up: what it gives is what the system gives."""

    private = False
    """Whether no other process sees the files."""

    def scandir(self, folder: Path) -> AbstractContextManager[Iterator[Found]]:
        """The entries of a folder. Raises OSError, always with the reason."""
        return os.scandir(folder)

    def mark(self, folder: Path) -> object:
        """What tells whether two paths lead to the same folder."""
        status = os.stat(folder)
        return status.st_dev, status.st_ino

    def size(self, folder: Path) -> int:
        """Bytes of the files in a folder."""
        with os.scandir(folder) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())

    def reading(self, path: Path) -> AbstractContextManager[Path]:
        """A file of this machine with what is at `path`. What was opened may be read after the end. Raises OSError."""
        return nullcontext(path)

    def shown(self, path: str | Path) -> str:
        """A path as messages have it."""
        return str(path)

    def real(self, path: Path) -> str:
        """A path with its folder's links resolved."""
        return os.path.join(os.path.realpath(path.parent), path.name)

    def absolute(self, path: Path) -> Path:
        """A path that means the same in any current folder."""
        return path.absolute()

    def close(self) -> None:
        """Forget what was fetched."""


HERE = Place()


def is_url(given: str | Path) -> bool:
    """Whether it is a URL, and not a path of this machine. A `Path` never is: it would have lost a slash."""
    return isinstance(given, str) and _URL.match(given) is not None


def place_of(given: str | Path) -> tuple[Path, Place]:
    """The path and the place of a folder or file. Raises UserError for a URL that nothing can open."""
    if isinstance(given, Path) or not is_url(given):
        return Path(given), HERE
    from subcut.compiler.storage.remote import Remote  # nothing of it is needed for paths

    place = Remote(given)
    return place.root, place


@contextmanager
def fetched(given: str | Path | None) -> Generator[Path | None, None, None]:
    """A file as one of this machine: itself, or a copy of what is at a URL. Errors name what was given.

    Raises ModelError where it cannot be fetched.
    """
    if given is None or isinstance(given, Path) or not is_url(given):
        yield None if given is None else Path(given)
        return
    path, place = place_of(given)
    with ExitStack() as stack:
        stack.callback(place.close)
        try:
            held = stack.enter_context(place.reading(path))
        except OSError as error:
            raise ModelError(given, f"cannot be read: {error.strerror}") from None
        try:
            yield held
        except ModelError as error:
            if error.path != held:
                raise
            raise ModelError(
                given, error.message, offset=error.offset, expected=error.expected, where=error.where
            ) from None
