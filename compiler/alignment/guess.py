"""Where names are gone: an offline tensor that nothing names, taken for an original one by its shape and its numbers.

A guess is always reported as one. Shape alone decides only where one tensor on each side has it; with the original's
own numbers (ground truth) their mean, spread and largest magnitude decide among several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from math import prod
from typing import TYPE_CHECKING, Any

from subcut.compiler.alignment.holders import PASSING, Holders, Port
from subcut.compiler.device.layouts import LayoutError
from subcut.compiler.formats.ascend.offline import OfflineTensor
from subcut.compiler.ir.alignment import ABSENT, GUESS, Row
from subcut.compiler.ir.types import TensorType

if TYPE_CHECKING:
    import numpy as np

Shape = tuple[int, ...]
NEAR = 0.02
"""How far mean, spread and magnitude may be off, relative to the magnitude: half precision and fusion cost less."""
CLEAR = 4.0
"""How many times further off the next candidate must be."""
_PLAIN = frozenset("NCHW NHWC ND HWCN CHWN NCDHW NDHWC".split())


class Guesser:
    """Finds offline tensors that no name connects to the original, for original tensors that have no holder."""

    def __init__(self, holders: Holders, known: Iterable[str], rows: Iterable[Row]) -> None:
        self.holders = holders
        self._free: dict[int, list[tuple[Port, OfflineTensor]]] = defaultdict(list)
        names = set(known)
        claimed = {(row.holder, row.output) for row in rows if row.aligned}
        for op in holders.ops.values():
            mine = holders.names.get(op.name)
            if not mine or op.type in PASSING or op.type in ("Data", "Const") or names.intersection(mine):
                continue
            for k, tensor in enumerate(op.outputs):
                shape = original_shape(tensor)
                if shape is not None and (op.name, k) not in claimed:
                    self._free[prod(shape)].append(((op.name, k), tensor))

    def by_shape(self, rows: Iterable[Row]) -> None:
        """Turn rows without a holder into guesses where the shape leaves no choice."""
        lonely: dict[Shape, list[Row]] = defaultdict(list)
        for row in rows:
            type = row.value.type
            if row.kind == ABSENT and isinstance(type, TensorType) and type.static and type.shape:
                lonely[tuple(int(dim) for dim in type.shape if isinstance(dim, int))].append(row)
        for shape, mine in lonely.items():
            fits = [
                (port, tensor) for port, tensor in self._free.get(prod(shape), []) if original_shape(tensor) == shape
            ]
            if len(mine) == 1 and len(fits) == 1:
                text = "x".join(map(str, shape))
                _take(mine[0], fits[0], f"guess: the one tensor of shape {text} that no name connects, on both sides")

    def by_numbers(self, row: Row, truth: np.ndarray[Any, Any], stored: Callable[[Row], Any]) -> bool:
        """Turn one row into a guess where the numbers of one candidate fit the original's, and no other's nearly."""
        judged: list[tuple[float, tuple[Port, OfflineTensor]]] = []
        for candidate in self._free.get(truth.size, []):
            trial = Row(row.value, row.operator, row.index, GUESS, "")
            _take(trial, candidate, "")
            try:
                array = stored(trial)
            except LayoutError:
                continue
            if array is not None and array.size == truth.size:
                judged.append((_difference(array, truth), candidate))
        judged.sort(key=lambda one: one[0])
        if not judged or judged[0][0] > NEAR or (len(judged) > 1 and judged[1][0] < CLEAR * max(judged[0][0], 1e-6)):
            return False
        off = f"{judged[0][0]:.2g}"
        _take(row, judged[0][1], f"guess: mean, spread and magnitude fit the original's within {off}")
        return True


def original_shape(tensor: OfflineTensor) -> Shape | None:
    """The shape in the original, as the descriptor says, or the device's where its layout is none of the device's."""
    if tensor.origin_shape:
        return tensor.origin_shape if min(tensor.origin_shape) >= 0 else None
    known = tensor.layout in _PLAIN and all(size >= 0 for size in tensor.shape)
    return tensor.shape if known and tensor.shape else None


def _take(row: Row, candidate: tuple[Port, OfflineTensor], reason: str) -> None:
    (row.holder, row.output), tensor = candidate
    row.kind, row.reason = GUESS, reason
    row.layout, row.shape = tensor.origin_layout or "", original_shape(tensor)


def _difference(array: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> float:
    """The largest difference of mean, standard deviation and largest magnitude, relative to the magnitude."""
    import numpy as np

    found: list[np.ndarray[Any, Any]] = []
    for one in (array, truth):
        numbers = one.astype(np.float64).ravel()
        finite = numbers[np.isfinite(numbers)]
        if not finite.size:
            return float("inf")
        found.append(np.array([finite.mean(), finite.std(), np.abs(finite).max()]))
    scale = max(float(found[1][2]), 1e-30)
    return float(np.abs(found[0] - found[1]).max()) / scale
