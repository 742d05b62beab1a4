"""Turn inputs whose numbers are known into constants: statically known ones, and those the user freezes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.report import NAMED_START, STATIC, Edge
from subcut.compiler.ir.types import TensorType, numpy_dtype
from subcut.compiler.number_files import read_npy
from subcut.passes.base import Pass

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Fold(Pass):
    """Replace input edges by constants.

    1. A tensor that the user freezes takes the numbers of the `.npy` file, whose type must fit.
    2. A tensor whose value follows from static shapes alone, such as a `Reshape`'s computed shape, is folded
       (`static=false` keeps it an input).
    3. A tensor named as the start is never folded, unless it is frozen.
    """

    name: ClassVar[str] = "fold"
    static: bool = True

    def apply(self, model: Model) -> bool:
        """Fold what can be folded; the edges that are left stay in `model.report.inputs`."""
        report, options = model.report, model.options
        if report is None:
            raise user_error("no-cut", "nothing was cut", help="run the pass `cut` before `fold`")
        frozen = options.freeze if options else {}
        left: list[Edge] = []
        for edge in report.inputs:
            array, source = None, ""
            if edge.value in frozen:
                array, source = load_frozen(edge.value, frozen[edge.value]), Path(frozen[edge.value]).name
            elif self.static and edge.reason != NAMED_START:
                array, source = model.dialect.static_value(edge.value), STATIC
            if array is None:
                left.append(edge)
                continue
            op = model.dialect.constant_op(model.main, edge.value, array)
            model.main.insert(0, op)
            edge.value.replace_by(op.results[0])
            report.folded.append((edge.value, edge.value.type, source))
        changed = len(left) < len(report.inputs)
        report.inputs = left
        return changed


def load_frozen(value: Value, path: str) -> np.ndarray[Any, Any]:
    """The numbers of a `.npy` file, when they fit the type of `value`."""
    array = read_npy(path)
    array = array.astype(array.dtype.newbyteorder("="))
    type = value.type
    if isinstance(type, TensorType) and type.element is not None and numpy_dtype(type.element) != array.dtype:
        raise user_error("type-mismatch", f"`{path}` holds {array.dtype}, and `%{value.name}` is {type.element}")
    if isinstance(type, TensorType) and type.shape is not None and not _fits(array.shape, type.shape):
        raise user_error("type-mismatch", f"`{path}` has shape {array.shape}, and `%{value.name}` is {type}")
    return array


def _fits(shape: tuple[int, ...], wanted: tuple[object, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        not isinstance(w, int) or w == d for d, w in zip(shape, wanted, strict=True)
    )
