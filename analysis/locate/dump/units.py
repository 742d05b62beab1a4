"""What a device computed between the tensors that it stored: the pieces whose own error can be told from one dump."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from subcut.compiler.alignment.twin import Twin
from subcut.compiler.ir.constants import is_constant
from subcut.compiler.ir.graph import Model, Op, Value, topological


@dataclass(frozen=True, eq=False)
class Unit:
    """Operators that lie between stored tensors: those of a fused operator, or more where dumps are missing."""

    name: str
    """The offline operator that stored what comes out; the original's name where it has none."""
    type: str
    ops: tuple[Op, ...]
    """Of the original, in an order of execution, without constants."""
    inputs: tuple[Value, ...]
    """Stored tensors, and what the model is fed."""
    outputs: tuple[Value, ...]
    """Stored tensors, all results of the last operator."""

    @property
    def labels(self) -> list[str]:
        """What the operators are called."""
        return [op.label for op in self.ops]


class Borders:
    """The tensors of a model that the device stored, and the units between them."""

    def __init__(self, model: Model, twin: Twin, unusable: Collection[Value] = ()) -> None:
        """`unusable` are tensors whose stored numbers turned out not to fit."""
        self.model, self.twin = model, twin
        self.order = {op: place for place, op in enumerate(topological(model.main.ops))}
        self.fed = dict.fromkeys(model.dialect.feeds(model))
        self._known: dict[Op, bool] = {}
        self.stored: dict[Value, None] = {}
        for value in twin.rows:
            row = twin.row(value)
            if row is not None and row.aligned and row.stored is not None and value not in unusable:
                self.stored[value] = None

    def is_constant(self, op: Op) -> bool:
        """Whether an operator is stored, or computed from what is stored alone."""
        return is_constant(op, self.model.dialect, self._known)

    def units(self) -> list[Unit]:
        """All units, in an order of execution."""
        found: list[Unit] = []
        for op in self.order:
            outputs = tuple(v for v in op.results if v in self.stored and v not in self.fed)
            if outputs and not self.is_constant(op):
                found.append(self._unit(op, outputs))
        return found

    def _unit(self, last: Op, outputs: tuple[Value, ...]) -> Unit:
        ops, inputs = self.behind([last])
        row = self.twin.row(outputs[0])
        holder = self.twin.holders.ops.get(row.holder) if row is not None else None
        name, type = (holder.name, holder.type) if holder is not None else (last.label, last.type)
        return Unit(name, type, ops, inputs, outputs)

    def behind(self, ends: Iterable[Op]) -> tuple[tuple[Op, ...], tuple[Value, ...]]:
        """The operators that `ends` depend on, themselves included, back to stored tensors; and these tensors."""
        found: dict[Op, None] = {}
        inputs: dict[Value, None] = {}
        todo = list(ends)
        while todo:
            op = todo.pop()
            if op in found:
                continue
            found[op] = None
            for value in op.reads():
                maker = value.producer
                if value in self.fed or value in self.stored or maker is None:
                    if maker is None or not self.is_constant(maker):
                        inputs[value] = None
                elif not self.is_constant(maker):
                    todo.append(maker)
        ordered = tuple(sorted(found, key=self.order.__getitem__))
        read = dict.fromkeys(value for op in ordered for value in op.reads() if value in inputs)
        return ordered, tuple(read)

    def between(self, first: Unit, units: Sequence[Unit]) -> list[Unit]:
        """Of `units`, in order, those that depend on `first`, itself included."""
        made = set(first.outputs)
        found = [first]
        for unit in units:
            if unit is not first and any(value in made for value in unit.inputs):
                found.append(unit)
                made |= set(unit.outputs)
        return found

    def ancestors(self, unit: Unit, units: Iterable[Unit], weights: Mapping[str, float]) -> list[Unit]:
        """The units that `unit` depends on, in an order of execution, itself the last.

        Among the many orders it is the one in which those with large `weights` (by name) come late: so that the last
        few are those that matter.
        """
        makers = {value: one for one in units for value in one.outputs}
        needed = _closure(unit, makers)
        read = [dict.fromkeys(makers[value] for value in one.inputs if value in makers) for one in needed]
        left = Counter(maker for makers in read for maker in makers)
        order: list[Unit] = []
        numbers = count()
        ready = [(0.0, next(numbers), unit)]
        while ready:
            one = heapq.heappop(ready)[2]
            order.append(one)
            for maker in dict.fromkeys(makers[value] for value in one.inputs if value in makers):
                left[maker] -= 1
                if not left[maker]:
                    heapq.heappush(ready, (-weights.get(maker.name, 0.0), next(numbers), maker))
        return order[::-1]


def _closure(unit: Unit, makers: Mapping[Value, Unit]) -> dict[Unit, None]:
    found = {unit: None}
    todo = [unit]
    while todo:
        for value in todo.pop().inputs:
            maker = makers.get(value)
            if maker is not None and maker not in found:
                found[maker] = None
                todo.append(maker)
    return found


def merged(units: Iterable[Unit], last: Unit, order: dict[Op, int]) -> Unit:
    """Several units as one that ends in what `last` stores."""
    members = list(units)
    ops = sorted({op for unit in members for op in unit.ops}, key=order.__getitem__)
    made = {value for unit in members for value in unit.outputs}
    inputs = dict.fromkeys(value for unit in members for value in unit.inputs if value not in made)
    name = f"{members[0].name} … {last.name}" if len(members) > 1 else last.name
    return Unit(name, last.type if len(members) == 1 else "several", tuple(ops), tuple(inputs), last.outputs)
