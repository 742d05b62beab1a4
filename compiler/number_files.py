"""The `.npy` and `.npz` files that users give: read whole, or refused with the reason."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from subcut.compiler.errors import user_error

if TYPE_CHECKING:
    import numpy as np

_HOW = {"npy": "numpy.save(path, array)", "npz": "numpy.savez(path, **arrays)"}


def read_npy(path: str | Path) -> np.ndarray[Any, Any]:
    """The array in a `.npy` file. Raises UserError `bad-npy`."""
    import numpy as np

    with _reading(Path(path), "npy", b"\x93NUMPY") as file:
        array: np.ndarray[Any, Any] = np.load(file, allow_pickle=False)
        return array


def read_npz(path: str | Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays in an `.npz` file, by name. Raises UserError `bad-npz`."""
    import numpy as np

    with _reading(Path(path), "npz", b"PK") as file:
        arrays: dict[str, np.ndarray[Any, Any]] = dict(np.load(file, allow_pickle=False))
        return arrays


@contextmanager
def _reading(path: Path, kind: str, magic: bytes) -> Generator[BinaryIO, None, None]:
    """A file that begins as its kind must; whatever reading it raises is told as the user's mistake."""
    import zipfile
    import zlib

    damaged = (ValueError, EOFError, NotImplementedError, MemoryError, zipfile.BadZipFile, zlib.error)
    try:
        with open(path, "rb") as file:
            if file.read(len(magic)) != magic:
                raise user_error(f"bad-{kind}", f"`{path}` is no `.{kind}` file", help=f"`{_HOW[kind]}` writes one")
            file.seek(0)
            yield file
    except OSError as error:
        raise user_error(f"bad-{kind}", f"`{path}` cannot be read: {error.strerror or error}") from None
    except damaged as error:
        raise user_error(f"bad-{kind}", f"`{path}` cannot be read: {error}") from None
