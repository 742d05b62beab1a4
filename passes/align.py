"""Say of every tensor of the cut where the device stored it, or why it did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from subcut.compiler.diagnostics import Diagnostic
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir.alignment import CONSTANT, Aligner, Alignment, Row
from subcut.compiler.ir.graph import Model, Value
from subcut.passes.base import Pass


@dataclass(frozen=True)
class Align(Pass):
    """Put the rows of the cut's tensors together.

    1. Every tensor that the cut has and the original had gets a row with a reason, constants too.
    2. With `strict` a warning, and an edge that is not aligned or not stored, is an error.
    """

    name: ClassVar[str] = "align"
    strict: bool = False

    def apply(self, model: Model) -> bool:
        """Set `model.alignment`. Raises UserError `not-aligned` under `strict`."""
        aligner, report = model.aligner, model.report
        if aligner is None:
            raise user_error("no-offline-model", "there is nothing to align with", help="give an offline model: `--om`")
        if report is None:
            raise user_error("no-selection", "nothing is cut", help="run the pass `cut` before `align`")
        result = Alignment(warnings=aligner.warnings(), strict=self.strict)
        result.inputs = _rows(aligner, [edge.value for edge in [*report.inputs, *report.kept]])
        result.outputs = _rows(aligner, [edge.value for edge in report.outputs])
        edges = {row.value for row in result.rows}
        inner = [v for op in (*report.operators, *report.constants) for v in op.results if v not in edges]
        result.inner = _rows(aligner, inner)
        result.groups = aligner.groups(report.operators)
        result.warnings += [doubt for row in (*result.inputs, *result.outputs) if (doubt := _doubt(row))]
        model.alignment = result
        if self.strict and result.warnings:
            help = "leave `--strict` out to go on with a warning"
            raise UserError([Diagnostic("not-aligned", warning, None, (help,)) for warning in result.warnings])
        return False


def _rows(aligner: Aligner, values: list[Value]) -> list[Row]:
    found = (aligner.row(value) for value in dict.fromkeys(values))
    return [row for row in found if row is not None]


def _doubt(row: Row) -> str:
    """Why the numbers of an edge are not to be had; empty where they are, and for constants."""
    if row.kind == CONSTANT or (row.aligned and not row.missing):
        return ""
    return f"no numbers of `%{row.value.name}`: {row.missing or row.reason}"
