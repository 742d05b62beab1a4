"""Drop what the cut does not need: constants, functions and whatever else a format keeps in a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from subcut.compiler.ir.graph import Graph, Model, Op
from subcut.passes.base import Pass


@dataclass(frozen=True)
class Prune(Pass):
    """Drop every constant that nothing reads any more, then every function that no operator calls.

    1. An operator that was selected stays, needed or not: the user asked for it.
    2. When everything was selected nothing goes.
    """

    name: ClassVar[str] = "prune"

    def apply(self, model: Model) -> bool:
        """Prune the main graph and the library."""
        report = model.report
        if report is not None and report.whole:
            return False
        graph = model.main
        candidates = report.constants if report else [op for op in graph.ops if model.dialect.is_stored(op)]
        changed = False
        while dead := [op for op in candidates if not _is_needed(op, graph)]:
            gone = set(dead)
            changed = graph.keep(op for op in graph.ops if op not in gone) or changed
            candidates = [op for op in candidates if op not in gone]
        if report is not None:
            report.constants = candidates
        return model.dialect.prune(model) or changed


def _is_needed(op: Op, graph: Graph) -> bool:
    return any(value.uses or value in graph.outputs for value in op.results)
