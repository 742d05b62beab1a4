"""Which operators of the original model run as one on the device, and what that one is called.

Two kinds, as the graph engine has them. What is affine for each channel (batch norm, scale, bias) is folded into the
weights before it, and the operator keeps its name: the graph fusion. What works element by element (relu, the sum of
a residual block) is computed before the result leaves the unit's buffer, and the operator is called by all names, one
behind the other: the UB fusion. Checked against what ATC 5.0.4 made of a real model (docs/emulator.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from subcut.compiler.ir.graph import Op, Value
from subcut.compiler.ir.types import TensorType
from subcut.emulator.affine import affine
from subcut.emulator.kinds import (
    BIAS,
    BINARY,
    CONV,
    DECONV,
    MATMUL,
    NORM,
    POOL,
    RANDOM,
    SCALE,
    UNARY,
    kind_of,
    role,
)  # fmt: skip
from subcut.emulator.statics import Statics
from subcut.emulator.weights import Weights, has_weights, weights_of

ELEMENTWISE = (BINARY, UNARY)
RELU_LIKE = {"Relu", "Relu6", "LeakyRelu", "PRelu", "ClipByValue", "Elu"}
"""What the device computes behind a convolution before the result is stored."""
MOST_SETTINGS = 64
"""Whole numbers in a stored tensor that becomes an attribute."""


@dataclass(eq=False)
class Group:
    """Operators that run as one."""

    ops: list[Op]
    """In the order in which the name lists them."""
    anchor: Op | None = None
    """The one with weights."""
    folded: int = 0
    """How many operators behind the anchor are folded into its weights."""
    folded_constants: list[Op] = field(default_factory=list[Op])
    """Stored operators that became attributes."""

    @property
    def last(self) -> Op:
        """The one that makes the result."""
        return self.ops[-1]

    @property
    def tail(self) -> list[Op]:
        """What is computed element by element."""
        return self.ops[1 + self.folded :] if self.anchor is not None else self.ops[1:]

    @property
    def is_changed(self) -> bool:
        """Whether the device's operator is another than the original one."""
        return len(self.ops) > 1 or bool(self.folded_constants)

    def inputs(self, statics: Statics) -> list[Value]:
        """What it reads that another operator or the user gives, each once."""
        own = set(self.ops)
        read = (value for op in self.ops for value in op.reads())
        return list(dict.fromkeys(v for v in read if v.producer not in own and not statics.is_static(v)))


class Fusion:
    """Finds the groups among the operators that depend on the input."""

    def __init__(self, ops: Sequence[Op], outputs: Sequence[Value], statics: Statics) -> None:
        self.ops, self.outputs, self.statics = ops, set(outputs), statics
        self.place = {op: i for i, op in enumerate(ops)}
        self.owner: dict[Op, Group] = {}

    def groups(self) -> list[Group]:
        """The groups, each after what it reads."""
        for op in reversed(self.ops):
            if op not in self.owner and has_weights(op, self.statics):
                weights = weights_of(op, self.statics)
                if weights is not None:
                    self._grow(op, weights)
        blocked = self._blocked()
        for op in reversed(self.ops):
            if op not in self.owner and role(op) in ELEMENTWISE and blocked & set(op.reads()):
                self._collect(op, blocked)
        for op in self.ops:
            if op not in self.owner:
                self._own(Group([op]))
        found = list(dict.fromkeys(self.owner[op] for op in self.ops))
        for group in found:
            group.folded_constants = self._attributes(group)
        return sorted(found, key=lambda group: self.place[group.last])

    def _own(self, group: Group) -> None:
        for op in group.ops:
            self.owner[op] = group

    def _attributes(self, group: Group) -> list[Op]:
        """Stored operators that become attributes: sizes, axes, permutations."""
        if role(group.last) == RANDOM:
            return []
        makers = [value.producer for op in group.ops for value in op.reads()]
        return [op for op in dict.fromkeys(makers) if op is not None and op in self.statics.fixed and _is_setting(op)]

    def _grow(self, anchor: Op, weights: Weights) -> None:
        """Take what follows a convolution or matrix product as far as the device computes it in one go."""
        group = Group([anchor], anchor)
        while (op := self._sole_reader(group)) is not None:
            found = affine(op, group.last.results[0], weights, self.statics)
            # Behind a matrix product only a bias is folded.
            if found is None or (found[0] is not None and role(anchor) == MATMUL):
                break
            group.ops.append(op)
            group.folded += 1
        steps = _STEPS[role(anchor)]
        while steps and (op := self._sole_reader(group)) is not None:
            left = _next(steps, op)
            if left is None:
                break
            steps = left
            group.ops.append(op)
        self._own(group)

    def _sole_reader(self, group: Group) -> Op | None:
        """The one operator that reads what the group makes, if it is free and nobody else wants the result."""
        value = group.last.results[0]
        readers = value.consumers()
        if value in self.outputs or len(readers) != 1 or readers[0] not in self.place or readers[0] in self.owner:
            return None
        return readers[0]

    def _blocked(self) -> set[Value]:
        """The tensors that are in the layout of images, five-dimensional, on the device."""
        found: set[Value] = set()
        for op in self.ops:
            kind = role(op)
            image = kind in (CONV, DECONV, POOL) and (kind == POOL or op in self.owner)
            if image or (kind in (*ELEMENTWISE, NORM, SCALE, BIAS) and found & set(op.reads())):
                found.update(op.results[:1])
        return found

    def _collect(self, sink: Op, blocked: set[Value]) -> None:
        """Fuse what works element by element and ends in `sink`, all of whose results but the last stay inside."""
        inside = {sink}
        depth: dict[Op, int] = {}
        todo = [sink]
        while todo:
            for value in todo.pop().reads():
                op = value.producer
                if op is None or op in inside or op not in self.place or op in self.owner:
                    continue
                if role(op) not in ELEMENTWISE or not blocked & set(op.reads()) or value in self.outputs:
                    continue
                if set(value.consumers()) <= inside:
                    inside.add(op)
                    todo.append(op)
        if len(inside) < 2:
            return
        for op in sorted(inside, key=lambda op: self.place[op]):
            depth[op] = 1 + max(
                [depth[p] for v in op.reads() if (p := v.producer) in inside and p in depth], default=-1
            )
        self._own(Group(sorted(inside, key=lambda op: (depth[op], op.label))))


_STEPS = {CONV: (BINARY, UNARY), DECONV: (UNARY,), MATMUL: ("one",)}
"""What may follow, each once and in this order."""


def _next(steps: tuple[str, ...], op: Op) -> tuple[str, ...] | None:
    """The steps that are left when `op` is taken; None where it cannot be."""
    kind, device = role(op), kind_of(op).device
    if steps == ("one",):
        return () if kind == BINARY or device in RELU_LIKE else None
    if kind == UNARY and UNARY in steps and device in RELU_LIKE:
        return ()
    if kind == BINARY and BINARY in steps:
        return steps[steps.index(BINARY) + 1 :]
    return None


def _is_setting(op: Op) -> bool:
    """Whether a stored operator with a name holds whole numbers, and few."""
    type = op.results[0].type
    if op.operands or not op.name or not isinstance(type, TensorType) or type.element not in ("i32", "i64"):
        return False
    return type.static and math.prod(dim for dim in type.shape or () if isinstance(dim, int)) <= MOST_SETTINGS
