"""Tensors as files that a command of any language reads and writes: one `.npy` each, named by the tensor."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from subcut.compiler.errors import UserError, user_error
from subcut.compiler.number_files import read_npy, read_npz

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_REFUSED = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EFBIG,
    errno.ENOTDIR,
    errno.EEXIST,
)
LONGEST = 200
"""Characters of a file's name; a longer one is cut off and told apart by a digest."""


def file_name(tensor: str) -> str:
    """The name of a tensor's file: bytes that not every file system takes are `%XX`, as in an address."""
    import hashlib

    name = quote(tensor, safe=" ()[]{},+=@!&~^$;'")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 17]}-{hashlib.sha256(tensor.encode()).hexdigest()[:16]}"
    return f"{name}.npy"


def tensor_name(file: str) -> str:
    """The tensor that a file is of, unless its name was too long."""
    return unquote(file.removesuffix(".npy"))


def plain(array: Array) -> Array:
    """An array as every `.npy` reader takes it: texts as Unicode, numbers that numpy lacks as their bytes."""
    import numpy as np

    if array.dtype.hasobject:
        listed: list[object] = array.ravel().tolist()
        texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in listed]
        return np.reshape(np.array(texts, dtype=np.str_), array.shape)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def viewed(array: Array, dtype: np.dtype[Any]) -> Array:
    """The bytes of an array as numbers of another type of the same size."""
    view: Array = array.view(dtype)  # pyright: ignore[reportUnknownMemberType]
    return view


@contextmanager
def writing(path: Path) -> Generator[None]:
    """A full disk, or one that nobody may write to, is a UserError `cannot-write`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        raise user_error("cannot-write", f"`{path}` cannot be written: {error.strerror}") from None


@contextmanager
def whole(path: Path) -> Generator[IO[bytes]]:
    """A file that appears under its name when it is whole, and else not at all. Raises UserError `cannot-write`."""
    temp = path.with_name(f".{os.urandom(6).hex()}.tmp")
    with writing(path):
        try:
            with open(temp, "xb") as file:
                yield file
            os.replace(temp, path)
        except BaseException:
            temp.unlink(missing_ok=True)
            raise


def write_npy(path: Path, array: Array) -> None:
    """Write one file, whole or not at all. Raises UserError `cannot-write`."""
    import numpy as np

    with whole(path) as file:
        np.save(file, plain(array), allow_pickle=False)


def write_folder(folder: Path, arrays: Mapping[str, Array]) -> None:
    """One file a tensor, into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        write_npy(folder / file_name(name), array)


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """All tensors in one file, by name."""
    import numpy as np

    with open(path, "xb") as file:
        np.savez(file, allow_pickle=False, **{name: plain(array) for name, array in arrays.items()})  # type: ignore[arg-type,unused-ignore]


def read_folder(folder: Path, tensors: Iterable[str]) -> tuple[dict[str, Array], str]:
    """The tensors for which there is a file, and what is wrong with the first that is none."""
    found: dict[str, Array] = {}
    for tensor in tensors:
        path = folder / file_name(tensor)
        if not path.is_file():
            continue
        try:
            found[tensor] = read_npy(path)
        except UserError as error:
            return found, error.diagnostics[0].message
    return found, ""


def read_archive(path: Path) -> tuple[dict[str, Array], str]:
    """The tensors in an `.npz` file, and what is wrong with it."""
    if not path.is_file():
        return {}, ""
    try:
        return read_npz(path), ""
    except UserError as error:
        return {}, error.diagnostics[0].message
