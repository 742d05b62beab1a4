"""Ground truth as files: `<operator>.<output>.<timestamp>.npy`, as the vendor's tools write and look it up.

Source: `dump.py` and `reg_manager.py` of its accuracy comparison (names, `mapping.csv`), and what its one-click
comparison writes for Caffe, TensorFlow and ONNX.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.device.dumps.mapping import writable
from subcut.compiler.device.dumps.names import NATURAL, escape
from subcut.compiler.errors import user_error
from subcut.compiler.ir.types import element_of
from subcut.compiler.numbers import is_array

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ENDING = ".npy"


def timestamp(given: int | None) -> int:
    """The time in the names, in microseconds since 1970: the one given, else `SOURCE_DATE_EPOCH`, else now.

    Raises UserError `bad-arguments` for one that has not 16 digits: tools take it for no time.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given is None and epoch:
        if not epoch.isdecimal():
            raise user_error("bad-arguments", f"SOURCE_DATE_EPOCH is `{epoch}`, which is no number of seconds")
        given = int(epoch) * 1_000_000
    found = time.time_ns() // 1000 if given is None else given
    if len(str(found)) != NATURAL:
        raise user_error("bad-arguments", f"the timestamp {found} has not {NATURAL} digits: microseconds since 1970")
    return found


class TruthWriter:
    """Writes tensors into a folder, each under the name by which tools look it up."""

    def __init__(self, folder: Path, time: int) -> None:
        self.folder, self.time = folder, time
        self.names: dict[str, str] = {}
        """The operator and output that a name was first used for."""
        self.clashes: list[str] = []
        """A sentence for each name that means two tensors."""

    def write(self, operator: str, output: int, array: Array) -> str:
        """Write one tensor; returns the name of the file, which for a long name is a number.

        Where two operators are escaped to the same name the second file has a later time: tools then find that one.
        """
        import numpy as np

        key, time = f"{escape(operator)}.{output}", self.time
        while (name := f"{key}.{time}{ENDING}") in self.names:
            time += 1
        if time > self.time:
            self.clashes.append(
                f"`{operator}:{output}` and `{self.names[f'{key}.{self.time}{ENDING}']}` have the same name in files"
            )
        self.names[name] = f"{operator}:{output}"
        path = writable(self.folder, name, ending=ENDING)
        with open(path, "xb") as file:
            np.lib.format.write_array(file, array, allow_pickle=False)
        return path.name


def storable(array: object) -> Array | None:
    """An array as a `.npy` has it, with every number exact; None for what no such file holds without code.

    Numbers of types that numpy lacks become the next larger one: bfloat16 and 8-bit floats float32, 4-bit integers
    bytes.
    """
    import numpy as np

    if not is_array(array) or array.dtype.hasobject:
        return None
    if array.dtype.type.__module__ == "numpy":
        return array
    signless = np.uint8 if "uint" in array.dtype.name else np.int8
    return array.astype(signless if "int" in array.dtype.name else np.float32)


def element(array: Array) -> str:
    """The element type of an array, as the IR spells it."""
    return element_of(array.dtype.newbyteorder("="))
