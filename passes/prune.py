"""Drop what the cut does not need: dead operators, functions and whatever else a format keeps in a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from subcut.compiler.ir.graph import Model, Op
from subcut.passes.base import Pass


@dataclass(frozen=True)
class Prune(Pass):
    """Drop every operator that no output needs, then every function that no operator calls.

    1. An operator that was selected stays: the user asked for it. What goes is constants nobody reads any more.
    2. When everything was selected nothing goes, used or not.
    """

    name: ClassVar[str] = "prune"

    def apply(self, model: Model) -> bool:
        """Prune the main graph and the library."""
        if model.report is not None and model.report.whole:
            return False
        graph = model.main
        selected = set(model.report.operators) if model.report else set(graph.ops)
        live: dict[Op, None] = {}
        stack = [op for op in graph.ops if op in selected or not model.dialect.is_stored(op)]
        stack += [v.producer for v in graph.outputs if v.producer is not None]
        while stack:
            op = stack.pop()
            if op in live:
                continue
            live[op] = None
            stack += [v.producer for v in op.reads() if v.producer is not None and v.producer not in live]
            stack += [other for other in op.controls if other not in live]
        changed = graph.keep(live)
        return model.dialect.prune(model) or changed
