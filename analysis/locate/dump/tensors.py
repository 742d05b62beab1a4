"""The two sides of every tensor: what the original computes, and what the device stored, in one shape and type."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from subcut.compiler.alignment.holders import data_inputs
from subcut.compiler.alignment.numbers import read_numbers
from subcut.compiler.alignment.twin import Twin
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.device.layouts import LayoutError
from subcut.compiler.errors import SubcutError, UserError, user_error
from subcut.compiler.ir.alignment import Row, Stored
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.types import TensorType
from subcut.compiler.number_files import read_npy
from subcut.compiler.storage.folder import MANIFEST
from subcut.emulator.kinds import RANDOM, role

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Truth:
    """What the original computes, from a folder that `subcut run` wrote, or another tool in the same names."""

    def __init__(self, model: Model, folder: Path) -> None:
        self.model, self.folder = model, folder
        self._names = model.dialect.compiled_names(model.main)
        told = _manifest(folder)
        self._files = {
            str(entry["tensor"]): folder / Path(str(entry["file"])).name for entry in told.get("tensors", ())
        }
        self._tree = None if self._files else DumpTree.open(folder)
        said = {str(name) for name in told.get("random", ())}
        self.random = [op for op in model.main.ops if role(op) == RANDOM or self._names.get(op, op.label) in said]
        """Operators that draw random numbers."""

    def find(self, value: Value) -> Array | None:
        """The numbers of a tensor, mapped where they are many; None where there are none."""
        path = self._path(value)
        if path is None:
            return None
        import numpy as np

        try:
            found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):  # an array without numbers cannot be mapped
            found = read_npy(path)
        return found

    def _path(self, value: Value) -> Path | None:
        if self._tree is None:
            return self._files.get(value.name)
        name = self._names.get(value.producer, "") if value.producer is not None else value.name
        found = self._tree.find_truth(name, value.index)
        return found[-1].path if found else None


def _manifest(folder: Path) -> dict[str, Any]:
    """What `subcut run` says of its folder; nothing where another tool wrote it."""
    try:
        told: Any = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


@dataclass(frozen=True)
class Read:
    """A tensor as one of its readers stored it."""

    array: Array = field(repr=False)
    reader: str
    """The offline operator."""
    between: str
    """What the compiler put between it and the maker: a cast, a change of layout; empty where there is nothing."""


class DeviceTensors:
    """What the device stored, in the shape and element type that the original has."""

    def __init__(self, twin: Twin, truth: Truth) -> None:
        self.twin, self.truth = twin, truth
        self._names = twin.model.dialect.compiled_names(twin.model.main)
        self._last: tuple[Value, Array] | None = None
        self._made: dict[Value, Array] = {}

    def made(self, value: Value, right: Array) -> None:
        """What the reference makes of a tensor: tells its shape and type where ground truth has none, or another's."""
        import numpy as np

        truth = self.truth.find(value)
        if value not in self._made and (truth is None or truth.size != right.size):
            self._made[value] = np.broadcast_to(right.dtype.type(), right.shape)
            self._last = None

    def read(self, value: Value) -> Array:
        """The numbers of a stored tensor, as who made it stored them; what was fed, where that was not dumped.

        Raises UserError `not-aligned` where they cannot be those of this tensor.
        """
        if self._last is not None and self._last[0] is value:
            return self._last[1]
        row = self.twin.row(value)
        right = self.truth.find(value)
        if row is None or row.stored is None:
            if right is None or value not in self.twin.model.dialect.feeds(self.twin.model):
                raise _unusable(value, "nothing is stored of it")
            return right
        array = self._fitted(row)
        self._last = value, array
        return array

    def read_by(self, value: Value, readers: Mapping[Op, object]) -> Read | None:
        """What the device's operator for one of `readers` stored of `value` as its input, if it did."""
        row, dumps = self.twin.row(value), self.twin.dumps
        if row is None or dumps is None or not row.aligned:
            return None
        for reader, slot, between in self._reading(row, readers):
            if not dumps.files(reader):
                continue
            newest = dumps.files(reader)[-1]
            has = dumps.has(newest, reader)
            place = None if has is None else has.inputs.get(slot)
            if place is not None:
                own = replace(row, stored=Stored(newest.path, "input", place))
                return Read(self._fitted(own), reader, between)
        return None

    def _reading(self, row: Row, readers: Mapping[Op, object]) -> Iterator[tuple[str, int, str]]:
        """The inputs of the device's operators for `readers` that have the tensor of `row`, and what is between."""
        holders = self.twin.holders
        wanted = {holder.name for op in readers for holder in holders.covering.get(self._names.get(op, ""), [])}
        port = row.holder, row.output
        for name in sorted(wanted):
            for slot, edge in enumerate(data_inputs(holders.ops[name])):
                if edge != port and holders.came_from(edge) == holders.came_from(port):
                    yield name, slot, edge[0]
                elif edge == port:
                    yield name, slot, ""

    def _fitted(self, row: Row) -> Array:
        """As the original's, where that is known; 16-bit floats as 32 where not. Raises UserError `not-aligned`."""
        try:
            array = read_numbers(row, self.twin.dumps)
        except (LayoutError, SubcutError) as error:
            raise _unusable(row.value, str(error)) from None
        right = self.truth.find(row.value)
        if right is None or right.size != array.size:  # ground truth of another batch says nothing of this shape
            right = self._made.get(row.value)
        if right is None:
            return array if isinstance(type := row.value.type, TensorType) and type.element else _single(array)
        if array.shape != right.shape:
            if array.size != right.size or not row.reshaped:
                raise _unusable(row.value, f"{array.shape} is stored, and {right.shape} is right")
            whole: Any = array
            array = whole.reshape(right.shape)
        return array if array.dtype == right.dtype else array.astype(right.dtype)


def _single(array: Array) -> Array:
    import numpy as np

    return array.astype(np.float32) if array.dtype.name in ("float16", "bfloat16") else array


def _unusable(value: Value, why: str) -> UserError:
    return user_error("not-aligned", f"`%{value.name}`: {why}")
