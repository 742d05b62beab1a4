"""Types that the user stated, and what follows from them inside a cut: the part that is alike in every format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from subcut.compiler.ir.graph import Graph, Op, Value, topological
from subcut.compiler.ir.types import TensorType, Type


class Contradiction(Exception):
    """`op` cannot take what follows from the types that the user stated; the message says why."""

    def __init__(self, op: Op, reason: str) -> None:
        self.op = op
        super().__init__(reason)


@dataclass
class Stated:
    """Inputs of a cut whose types the user stated, and what is computed from them."""

    known: Mapping[Value, Type | None]
    """By input of the cut: what the model itself says of it."""
    ops: list[Op]
    """The operators of the main graph that depend on them, each after what it reads."""
    before: dict[Value, Type | None] = field(default_factory=dict[Value, "Type | None"])
    """What the model says of everything that depends on them, in bodies too."""

    @classmethod
    def of(cls, graph: Graph, known: Mapping[Value, Type | None]) -> Stated:
        """The types that were stated of inputs of `graph`, which says `known` of them."""
        return cls(known, dependents(graph, known))

    @property
    def refines(self) -> bool:
        """Whether the stated types only say more than the model does, so that all it says stays true."""
        return all(_refines(value.type, type) for value, type in self.known.items())

    def roots(self, op: Op) -> list[Value]:
        """The stated tensors that `op` depends on."""
        return [value for value in self.known if op in dependents(op.graph, [value])] if op.graph else []

    def forget(self) -> None:
        """Unset the types of everything that depends on the stated ones."""
        for value in _inner(self.ops):
            self.before[value] = value.type
            value.type = None

    def restore(self) -> None:
        """Where nothing was inferred: what stays true of what the model says, which is never a size unless it is."""
        refines = self.refines
        for value, old in self.before.items():
            if refines and isinstance(value.type, TensorType) and isinstance(old, TensorType):
                value.type = value.type.merged(old)
            elif value.type is None or (isinstance(value.type, TensorType) and value.type.element is None):
                value.type = old if refines else _unsized(old)

    @property
    def names(self) -> str:
        """The stated tensors, for a message."""
        return " and ".join(f"`%{value.name}`" for value in self.known)

    def check(self, takes: Callable[[Op], object], passes_on: Callable[[Op], object] | None) -> None:
        """Ask `takes` of each operator, which raises ValueError for sizes it cannot take; Contradiction names it.

        Where nothing else infers, `passes_on` sets the types of its results.
        """
        for op in self.ops:
            try:
                takes(op)
            except ValueError as error:
                raise Contradiction(op, str(error)) from None
            if passes_on is not None:
                passes_on(op)

    def gaps(self) -> list[str]:
        """What to say of the first operator that gives what nobody knows the sizes of, though all it reads is known.

        One without a name gives nothing that could be read.
        """
        for op in self.ops:
            made = [value for value in op.results if value.name]
            for known, what in ((_is_static, "sizes"), (_is_ranked, "type")):
                if all(map(known, op.reads())) and not all(map(known, made)):
                    end = f"nobody knows the {what} of what it ({op.type}) gives"
                    return [f"the type stated of {self.names} is not checked from `{op.label}` on: {end}"]
        return []


def dependents(graph: Graph, values: Iterable[Value]) -> list[Op]:
    """The operators of `graph` that depend on `values`, over bodies too, each after what it reads."""
    reached = set(values)
    found: dict[Op, None] = {}
    for op in topological(graph.ops):
        if any(value in reached for value in op.reads()):
            found[op] = None
            reached.update(op.results)
    return list(found)


def _inner(ops: Iterable[Op]) -> list[Value]:
    """Everything that `ops` and the operators in their bodies make, and the inputs of these bodies."""
    found: list[Value] = []
    for top in ops:
        for op in top.walk():
            found += [] if op is not top and not op.operands and not op.regions else op.results
            found += [value for region in op.regions for value in region.inputs]
    return found


def _refines(type: Type | None, known: Type | None) -> bool:
    if not isinstance(type, TensorType) or not isinstance(known, TensorType):
        return type == known
    if known.shape is None or type.shape is None:
        return known.shape is None
    return all(not isinstance(old, int) or old == new for new, old in zip(type.shape, known.shape, strict=True))


def _unsized(type: Type | None) -> Type | None:
    """`type` without its sizes: element type and rank seldom depend on these."""
    if not isinstance(type, TensorType) or type.shape is None:
        return type
    return TensorType(type.element, (None,) * len(type.shape), type.layout)


def _is_static(value: Value) -> bool:
    type = value.type
    return type.static if isinstance(type, TensorType) else type is not None


def _is_ranked(value: Value) -> bool:
    type = value.type
    return type.shape is not None if isinstance(type, TensorType) else type is not None
