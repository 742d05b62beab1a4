"""What is constant in a model: stored, or computed from what is stored alone."""

from __future__ import annotations

from subcut.compiler.ir.dialect import Dialect
from subcut.compiler.ir.graph import Op


def is_constant(op: Op, dialect: Dialect, known: dict[Op, bool]) -> bool:
    """Whether `op` is stored, or pure and fed by constants alone; without recursion, each operator judged once."""
    stack = [op]
    waited: set[Op] = set()
    while stack:
        top = stack[-1]
        if top in known:
            stack.pop()
            continue
        if dialect.is_stored(top):
            known[top] = True
            continue
        reads = top.reads()
        if not reads or not dialect.is_pure(top) or any(v.producer is None for v in reads):
            known[top] = False
            continue
        producers = [v.producer for v in reads if v.producer is not None]
        if any(known.get(p) is False for p in producers):
            known[top] = False
            continue
        waiting = [p for p in producers if p not in known]
        if not waiting:
            known[top] = True
        elif top in waited:
            known[top] = False  # what it waits for waits for it: a loop's back edge
        else:
            waited.add(top)
            stack.extend(waiting)
    return known[op]
