"""Tensors whose numbers do not depend on the input: what is stored, and what follows from it or from shapes alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats import Pieces
from subcut.compiler.ir.graph import Constant, Op, Value, topological
from subcut.emulator.kinds import NOTHING, RANDOM, SHAPE, role

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SMALL = 1 << 18
"""Computed tensors of at most this many bytes are remembered."""


class Statics:
    """Which operators a compiler for static shapes folds away, and the numbers they give."""

    def __init__(self, ops: Iterable[Op], pieces: Pieces) -> None:
        self._pieces = pieces
        self.fixed: set[Op] = set()
        """Operators that are stored or computed from stored ones alone."""
        self.ops: set[Op] = set()
        """Those, and what follows from shapes."""
        self.shapes: dict[Value, Array] = {}
        """For tensors that were computed, an array of their shape and type that takes no memory."""
        self._known: dict[Value, Array] = {}
        for op in topological(ops):
            self._judge(op)

    def _judge(self, op: Op) -> None:
        assert op.graph is not None
        dialect = op.graph.model.dialect
        if dialect.is_stored(op):
            self.fixed.add(op)
            self.ops.add(op)
            return
        producers = [value.producer for value in op.reads()]
        known = role(op) in (SHAPE, NOTHING) or (bool(producers) and dialect.is_pure(op))
        if role(op) == RANDOM or not known:
            return
        if producers and all(p in self.fixed for p in producers):
            self.fixed.add(op)
            self.ops.add(op)
        elif role(op) == SHAPE or all(p in self.ops for p in producers):
            self.ops.add(op)

    def is_static(self, value: Value | None) -> bool:
        """Whether the numbers of `value` are known without running the model."""
        return value is not None and value.producer in self.ops

    def is_fixed(self, value: Value | None) -> bool:
        """Whether they do not even depend on shapes."""
        return value is not None and value.producer in self.fixed

    def saw(self, value: Value, array: Array) -> None:
        """Remember the shape of a tensor that was computed."""
        import numpy as np

        self.shapes[value] = np.broadcast_to(np.zeros((), array.dtype), array.shape)

    def array(self, value: Value) -> Array:
        """The numbers of a static tensor."""
        if value in self._known:
            return self._known[value]
        stored = _stored(value)
        if stored is not None:
            return self._remember(value, stored)
        for op in topological(self._behind(value)):
            for result in op.results[: 1 + max(r.index for r in op.results if r is value or r.uses)]:
                if result is not value:
                    self._compute(result)
        return self._known[value] if value in self._known else self._run(value)

    def _behind(self, value: Value) -> list[Op]:
        """The operators that `value` is computed by."""
        found: dict[Op, None] = {}
        todo = [value]
        while todo:
            op = todo.pop().producer
            if op is not None and op in self.ops and op not in found and all(r not in self._known for r in op.results):
                found[op] = None
                if role(op) != SHAPE:
                    todo += op.reads()
        return list(found)

    def _compute(self, value: Value) -> None:
        if value not in self._known:
            stored = _stored(value)
            self._remember(value, stored if stored is not None else self._run(value))

    def _run(self, value: Value) -> Array:
        op = value.producer
        assert op is not None
        feeds = {v: self.shapes[v] if v in self.shapes else self.array(v) for v in op.reads()}
        return self._pieces.run(feeds, [value], {})[0]

    def _remember(self, value: Value, array: Array) -> Array:
        if array.nbytes <= SMALL:
            self._known[value] = array
        return array


def _stored(value: Value) -> Array | None:
    op = value.producer
    if op is None or op.operands or op.type not in ("Const", "initializer"):
        return None
    constant = op.attributes.get("value")
    return constant.numpy() if isinstance(constant, Constant) else None
