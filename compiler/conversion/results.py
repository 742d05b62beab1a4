"""Result files: their names, which are those of the vendor's tools, and their writing, whole or not at all.

Names are those of `msaccucmp convert`: with a layout `<dump>.output.0.1x3x224x224.npy`, without one
`<dump>.output.0.npy`; bare numbers `<dump>.output.0.1_3_224_224.float16.NCHW.bin`.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from subcut.compiler.errors import user_error

if TYPE_CHECKING:
    from subcut.compiler.conversion.tensors import Converted
    from subcut.compiler.device.layouts.names import Array

_LONGEST = 254
"""Bytes of a name; the tools call longer ones by a UUID."""
_PARTS = 5
"""Of a dump's name with its stream: only there do MindStudio's tools put the operator's real name in."""


class Exists(Exception):
    """A result that is not replaced."""


def tensor_name(dump: str, op_name: str, direction: str, index: int, made: Converted, kind: str, changed: bool) -> str:
    """The name for one tensor of the dump file called `dump`. `changed`: a layout was asked for."""
    stem = f"{dump}.{direction}.{index}"
    if kind == "msnpy":
        parts = dump.split(".")
        if len(parts) == _PARTS and op_name:
            parts[1] = op_name.rpartition("/")[2]
        return f"{'.'.join(parts)}.{direction}.{index}.{made.layout}.npy"
    if kind == "bin":
        sizes = made.shape if changed else (_count(made.shape),)
        return f"{stem}.{'_'.join(map(str, sizes))}.{made.element}.{made.layout}.bin"
    return f"{stem}.{'x'.join(map(str, made.shape))}.npy" if changed else f"{stem}.npy"


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def shortened(name: str) -> str:
    """The name itself, or what a file is called whose name would be too long."""
    if len(os.fsencode(name)) <= _LONGEST:
        return name
    return uuid.uuid3(uuid.NAMESPACE_DNS, name).hex + name[name.rindex(".") :]


def write_array(path: Path, array: Array, *, header: bool, force: bool) -> None:
    """Write an array in C order, as `.npy` or bare."""
    import numpy as np

    with _new(path, force) as temp, open(temp, "xb") as file:
        if header:
            np.save(file, array, allow_pickle=False)
        else:
            array.tofile(file)


def write_bytes(path: Path, content: bytes | memoryview, *, force: bool) -> None:
    """Write bytes as they are."""
    with _new(path, force) as temp, open(temp, "xb") as file:
        file.write(content)


class _new:
    """`with _new(path) as temp:` gives a name beside `path` that becomes it when all went well.

    Raises `Exists` where the result is there and may not be replaced, UserError `cannot-write` where writing fails.
    """

    def __init__(self, path: Path, force: bool) -> None:
        self.path, self.force = path, force
        self.temp = path.with_name(f".subcut-{os.urandom(8).hex()}.part")

    def __enter__(self) -> Path:
        if not self.force and os.path.lexists(self.path):
            raise Exists(f"`{self.path}` exists: say `--force` to replace it")
        return self.temp

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                os.replace(self.temp, self.path)
        except OSError as failure:
            error = failure
        if error is None:
            return
        with contextlib.suppress(OSError):
            self.temp.unlink()
        if isinstance(error, OSError):
            raise user_error("cannot-write", f"`{self.path}` cannot be written: {error.strerror or error}") from None
