"""Turn inputs whose numbers are known into constants: statically known ones, and those the user freezes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.report import DEAD, NAMED_START, STATIC, Edge, Report
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
    4. What only computed a tensor that is frozen now is dropped, selected or not.
    """

    name: ClassVar[str] = "fold"
    static: bool = True

    def apply(self, model: Model) -> bool:
        """Fold what can be folded; the edges that are left stay in `model.report.inputs`."""
        report, options = model.report, model.options
        if report is None:
            raise user_error("no-cut", "nothing was cut", help="run the pass `cut` before `fold`")
        frozen = options.freeze if options else {}
        _check_read(report, frozen)
        _drop_dead(model, report, {edge.value for edge in report.inputs if edge.value in frozen})
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


def _check_read(report: Report, frozen: Iterable[Value]) -> None:
    """Refuse to freeze what no operator of the cut reads: it would have no effect."""
    entering = {edge.value for edge in report.inputs}
    for value in frozen:
        if value not in entering:
            message = f"`%{value.name}` is frozen, and no operator of the cut reads it"
            raise user_error("not-an-input", message, help="freeze a tensor that one reads, or leave it out")


def _drop_dead(model: Model, report: Report, frozen: set[Value]) -> None:
    """Drop what computes `frozen` tensors, as far as nothing else needs it; `model.notes` say so."""
    graph = model.main
    makers = [edge.producer for edge in report.inputs if edge.value in frozen and edge.producer is not None]
    kept, outputs = set(graph.ops), {edge.value for edge in report.outputs}
    waited = {other for op in graph.ops for other in op.controls}
    gone: dict[Op, None] = {}
    inner: set[Op] = set()
    while makers:
        op = makers.pop()
        if op in gone or op not in kept or op in waited or model.dialect.has_side_effect(op):
            continue
        if any(value in outputs for value in op.results):
            continue
        needed = [value for value in op.results if value not in frozen]
        if any(user not in inner for value in needed for user, _ in value.uses):
            continue
        gone[op] = None
        inner.update(op.walk())
        makers += [value.producer for value in op.reads() if value.producer is not None]
    if not graph.keep(op for op in graph.ops if op not in gone):
        return
    dropped = [op for op in report.operators if op in gone]
    model.notes["dropped"] = [{"operator": op.label, "type": op.type, "why": DEAD} for op in dropped]
    report.operators = [op for op in report.operators if op not in gone]
    for edge in report.inputs:
        edge.consumers = [op for op in edge.consumers if op not in gone]
    report.inputs = [edge for edge in report.inputs if edge.consumers]
    report.kept = [edge for edge in report.kept if edge.producer not in gone]


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
