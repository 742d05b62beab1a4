"""The operators that a search divides: in an order of execution, with the tensors that enter and leave any of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from subcut.compiler.errors import UserError
from subcut.compiler.ir.constants import is_constant
from subcut.compiler.ir.graph import Graph, Model, Op, Value, topological
from subcut.compiler.ir.types import TensorType

Piece = tuple[int, ...]
"""Operators, as places in `Steps.ops`, ascending."""


@dataclass(frozen=True)
class Edges:
    """What crosses the border of a piece."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


class Steps:
    """What a backend computes, in an order of execution: constants, inputs and what is fed anyway are left out.

    A prefix of the order, with every tensor that leaves it as output, holds whatever fails earlier: which is why
    dividing prefixes finds the first failing operator on any graph, branches or not.
    """

    def __init__(self, model: Model, fed: Collection[Op] = ()) -> None:
        """`fed` are operators whose results are given to every candidate and never computed by one."""
        self.model = model
        graph, dialect = model.main, model.dialect
        self._known: dict[Op, bool] = {}
        given = {value.producer for value in dialect.feeds(model)} | set(fed)
        self.ops: list[Op] = [
            op
            for op in topological(graph.ops)
            if op not in given and any(v.name for v in op.results) and not self.is_constant(op)
        ]
        self.places = {op: place for place, op in enumerate(self.ops)}
        self._outputs = set(graph.outputs)

    def is_constant(self, op: Op) -> bool:
        """Whether an operator is stored, or computed from what is stored alone."""
        return is_constant(op, self.model.dialect, self._known)

    def labels(self, piece: Iterable[int]) -> list[str]:
        """What the operators of a piece are called."""
        return [self.ops[place].label for place in piece]

    def chosen(self, piece: Iterable[int]) -> dict[Op, None]:
        """The operators of a piece."""
        return dict.fromkeys(self.ops[place] for place in piece)

    def edges(self, piece: Piece) -> Edges:
        """The tensors that a piece must be fed, and all that leave it or are the end of the model."""
        chosen = self.chosen(piece)
        inputs: dict[Value, None] = {}
        outputs: list[Value] = []
        for op in chosen:
            for value in op.reads():
                maker = value.producer
                if maker not in chosen and (maker is None or not self.is_constant(maker)):
                    inputs[value] = None
            outputs += [value for value in self.live(op) if self._leaves(value, chosen)]
        return Edges(tuple(inputs), tuple(outputs))

    def live(self, op: Op) -> list[Value]:
        """The tensors that somebody reads or the model gives out; where there are none, all that an operator makes."""
        can_leave = self.model.dialect.can_leave
        named = [value for value in op.results if value.name and is_tensor(value) and can_leave(value)]
        return [value for value in named if value.uses or value in self._outputs] or named

    def _leaves(self, value: Value, chosen: Collection[Op]) -> bool:
        graph = self.model.main
        outside = any(_top(user, graph) not in chosen for user, _ in value.uses)
        return outside or not value.uses or value in self._outputs

    def can_be_cut(self, piece: Piece) -> bool:
        """Whether the format lets a piece stand alone: not half of a loop."""
        chosen = self.chosen(piece)
        constants = self.constants(piece)
        graph = self.model.main
        kept = dict.fromkeys(op for op in graph.ops if op in chosen or op in constants)
        try:
            self.model.dialect.check_region(graph, kept)
        except UserError:
            return False
        return True

    def constants(self, piece: Piece) -> dict[Op, None]:
        """The constants that come along with a piece."""
        found: dict[Op, None] = {}
        todo = [maker for place in piece for v in self.ops[place].reads() if (maker := v.producer) is not None]
        while todo:
            op = todo.pop()
            if op not in found and self.is_constant(op):
                found[op] = None
                todo += [v.producer for v in op.reads() if v.producer is not None]
        return found

    def path_to(self, piece: Piece, tensor: str, start: int | None = None) -> Piece:
        """The operators of a piece that `tensor` depends on; with `start`, only those that depend on that operator."""
        chosen = self.chosen(piece)
        found: set[Op] = set()
        todo = [op for op in chosen if any(value.name == tensor for value in op.results)]
        while todo:
            op = todo.pop()
            if op not in found:
                found.add(op)
                makers = [*(v.producer for v in op.reads()), *op.controls]
                todo += [maker for maker in makers if maker is not None and maker in chosen]
        if start is not None:
            found &= self._after(piece, start)
        return tuple(place for place in piece if self.ops[place] in found)

    def _after(self, piece: Piece, start: int) -> set[Op]:
        reached = {self.ops[start]}
        for place in piece:
            op = self.ops[place]
            makers = [*(v.producer for v in op.reads()), *op.controls]
            if any(maker in reached for maker in makers):
                reached.add(op)
        return reached

    def selection(self, piece: Sequence[int]) -> str:
        """A piece in the selection language."""
        return " plus ".join(f'"{_escaped(self._name(self.ops[place]))}"' for place in piece)

    def _name(self, op: Op) -> str:
        """A name that others share says nothing: the selection language then takes the first result's."""
        shared = op.name and sum(other.name == op.name for other in self.model.main.ops) > 1
        return op.results[0].name if shared or not op.name else op.name


def is_tensor(value: Value) -> bool:
    """Whether a value is a tensor, as far as anybody knows: no sequence, no optional."""
    return value.type is None or isinstance(value.type, TensorType)


def _top(op: Op, graph: Graph) -> Op | None:
    """The operator of `graph` in whose bodies `op` is, or `op` itself."""
    current: Op | None = op
    while current is not None and current.graph is not graph:
        current = current.graph.owner if current.graph is not None else None
    return current


def _escaped(name: str) -> str:
    return "".join("\\" + c if c in '\\"*?[]' else c for c in name)
