"""Tensors inside bodies and functions: those of an `If`'s taken branch are computed, of others it is said why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import UserError
from subcut.compiler.formats import Pieces, Prepared
from subcut.compiler.ir.graph import Graph, Model, Op, Value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

REPEATED = "it runs any number of times, and onnxruntime gives out none of its tensors"
_BRANCHES = {True: "then_branch", False: "else_branch"}


class Bodies:
    """The bodies of a model's main graph. Frameworks give out no tensor of them.

    A branch runs once, on tensors that were computed outside: so it is run by itself, fed with these.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.absent: list[dict[str, Any]] = []
        """The graphs whose tensors are not computed: `graph`, `operators` and `reason`."""

    def run(self, prepared: Prepared, pieces: Pieces) -> Iterator[tuple[Op, str, Value, Any]]:
        """Operator, name of its body, tensor and numbers of all that can be computed."""
        names = self.model.dialect.compiled_names(self.model.main)
        for op in self.model.main.ops:
            if op.regions and not _is_branch(op):
                self._refuse(op, names[op], REPEATED)
            elif op.regions:
                outer = [v for v in dict.fromkeys([*op.operands, *op.captured()]) if v is not None]
                found = dict(prepared.run([value.name for value in outer]))
                known = {value: found[value.name] for value in outer if found.get(value.name) is not None}
                yield from self._branch(op, names[op], known, pieces)
        self.functions()

    def _branch(
        self, op: Op, name: str, known: Mapping[Value, Array], pieces: Pieces
    ) -> Iterator[tuple[Op, str, Value, Any]]:
        condition = op.operands[0]
        if condition is None or condition not in known:
            self._refuse(op, name, "what it depends on is no array")
            return
        taken = _BRANCHES[bool(known[condition].any())]
        for region in op.regions:
            if region.name != taken:
                self._refuse(op, name, "the branch was not taken", region)
                continue
            random = [inner for inner in op.walk() if inner is not op and "Random" in inner.type]
            if random:
                self._refuse(op, name, f"`{random[0].label}` in it draws other numbers in another run", region)
                continue
            yield from self._region(op, name, region, known, pieces)

    def _region(
        self, owner: Op, name: str, region: Graph, known: Mapping[Value, Array], pieces: Pieces
    ) -> Iterator[tuple[Op, str, Value, Any]]:
        dialect = self.model.dialect
        values = [v for op in region.ops if not dialect.is_stored(op) for v in op.results if v.name]
        inner = {v for graph in _inside(owner) for v in graph.values()}
        feeds = {v: a for v, a in known.items() if v not in inner and not _is_stored(v, self.model)}
        try:
            found = dict(zip(values, pieces.run(feeds, values, {}), strict=True)) if values else {}
        except UserError as error:
            self._refuse(owner, name, f"onnxruntime does not run it by itself: {error.diagnostics[0].message}", region)
            return
        body = f"{name}/{region.name}"
        for value, array in found.items():
            assert value.producer is not None
            yield value.producer, body, value, array
        names = dialect.compiled_names(region)
        for op in region.ops:
            if not op.regions:
                continue
            deeper = {v: found.get(v, known.get(v)) for v in (*op.operands, *op.captured()) if v is not None}
            here = {v: array for v, array in deeper.items() if array is not None}
            if _is_branch(op):
                yield from self._branch(op, f"{body}/{names[op]}", here, pieces)
            else:
                self._refuse(op, f"{body}/{names[op]}", REPEATED)

    def _refuse(self, op: Op, name: str, reason: str, region: Graph | None = None) -> None:
        for one in [region] if region is not None else op.regions:
            count = sum(not self.model.dialect.is_stored(inner) for inner in one.ops)
            self.absent.append({"graph": f"{name}/{one.name}", "operators": count, "reason": reason})

    def functions(self) -> None:
        """Say of every function that nothing inside it is computed."""
        reason = "a function has its tensors once a call, and the framework gives out none of them"
        for name, graph in self.model.functions.items():
            self.absent.append({"graph": name, "operators": len(graph.ops), "reason": reason})


def _is_branch(op: Op) -> bool:
    return op.type == "If"


def _is_stored(value: Value, model: Model) -> bool:
    return value.producer is not None and model.dialect.is_stored(value.producer)


def _inside(op: Op) -> Iterator[Graph]:
    for inner in op.walk():
        yield from inner.regions
