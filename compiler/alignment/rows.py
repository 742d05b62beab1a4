"""A row for every tensor of the original model: which offline output holds it, or why none does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from subcut.compiler.alignment.holders import Holder, Holders, Key
from subcut.compiler.ir import alignment as kinds
from subcut.compiler.ir.alignment import Row
from subcut.compiler.ir.constants import is_constant
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.types import TensorType

_QUANTISED = frozenset(("INT8", "UINT8", "INT4", "INT32"))
_FLOATS = frozenset(("f16", "f32", "f64", "bf16"))
_RESHAPING = frozenset("Reshape Flatten Squeeze Unsqueeze ExpandDims".split())
"""What of a dialect's `forwarding` gives its operand another shape."""


def all_rows(model: Model, holders: Holders) -> dict[Value, Row]:
    """A row for every tensor of the main graph, in topological order."""
    finder = _Finder(model, holders)
    graph = model.main
    rows = {value: finder.row(value, model.dialect.compiled_input(value), 0) for value in graph.inputs}
    finder.rows = rows
    for op in graph.topological():
        for value in op.results:
            rows[value] = finder.row(value, finder.names.get(op, op.name), value.index)
    return rows


class _Finder:
    def __init__(self, model: Model, holders: Holders) -> None:
        self.holders = holders
        self.dialect = model.dialect
        self.names: Mapping[Op, str] = model.dialect.compiled_names(model.main)
        self.rows: dict[Value, Row] = {}
        self._constant: dict[Op, bool] = {}
        self._leaving: dict[str, list[Key]] = {}
        self._members = members(model.main, self.names)
        self._called = Counter(self.names.values())
        self._called.update(map(self.dialect.compiled_input, model.main.inputs))

    def row(self, value: Value, name: str, index: int) -> Row:
        """What becomes of one tensor."""
        producer = value.producer
        if producer is not None and (
            self.dialect.is_stored(producer) or is_constant(producer, self.dialect, self._constant)
        ):
            return Row(value, name, index, kinds.CONSTANT, "constant: comes with the model")
        if name and self._called[name] > 1 and name in self.holders.covering:
            reason = f"ambiguous: {self._called[name]} operators or inputs of the model are called `{name}`"
            return Row(value, name, index, kinds.AMBIGUOUS, reason)
        found = self.holders.find((name, index))
        if len(found) == 1:
            return self._held(value, name, index, found[0])
        if found:
            others = ", ".join(f"`{holder.op.name}:{holder.output}`" for holder in found)
            return Row(value, name, index, kinds.AMBIGUOUS, f"ambiguous: {others} all claim to hold it")
        row = self._inside(value, name, index) or self._forwarded(value, name, index)
        return row or Row(value, name, index, kinds.ABSENT, f"removed by the compiler: nothing offline covers `{name}`")

    def _held(self, value: Value, name: str, index: int, holder: Holder) -> Row:
        output = holder.op.outputs[holder.output]
        row = Row(value, name, index, kinds.EXACT, f"exact: {holder.how}", holder.op.name, holder.output)
        row.layout, row.shape = output.origin_layout or output.dump_layout or "", output.origin_shape
        if holder.op.type == "Data":
            aipp = [reader for reader, _ in self.holders.readers.get((holder.op.name, 0), []) if reader.type == "Aipp"]
            if aipp and aipp[0].outputs:
                row.holder, row.output, row.reason = aipp[0].name, 0, "exact: the input after AIPP"
                output = aipp[0].outputs[0]  # cropped, and in the layout that the network takes
                row.layout, row.shape = output.origin_layout or output.dump_layout or "", output.origin_shape
                return row
        element = value.type.element if isinstance(value.type, TensorType) else None
        stands_for_float = element in _FLOATS or (element is None and self._between_quant(holder))
        if output.type_name in _QUANTISED and stands_for_float:
            row.kind = kinds.QUANTISED
            row.reason = f"quantised before dequant: `{holder.op.name}` holds {output.type_name}"
            if holder.op.type == "Data":
                row.reason = f"the device is fed {output.type_name}, which it preprocesses (AIPP)"
        return row

    def _between_quant(self, holder: Holder) -> bool:
        """Whether an output is what quantisation gives, or what an operator makes of it before dequantisation."""
        type_name = holder.op.outputs[holder.output].type_name
        if type_name in ("INT8", "INT4") or (holder.op.type, type_name) == ("Data", "UINT8"):
            return True  # what is an integer in an original is wider, or its type is known
        readers = [reader for reader, _ in self.holders.readers.get((holder.op.name, holder.output), [])]
        return any("quant" in reader.type.lower() for reader in readers)

    def _inside(self, value: Value, name: str, index: int) -> Row | None:
        """Where the producer went into offline operators, none of which says that it holds the tensor."""
        covering = self.holders.covering.get(name, [])
        if not covering:
            return None
        op = covering[0]
        alone = len(covering) == 1 and len(op.outputs) == 1 and not op.outputs[0].origin_name
        if alone and self._leaves(op.name) == [(name, index)]:
            return self._held(value, name, index, Holder(op, 0, f"the one tensor that leaves `{op.name}`"))
        where = f"fused operator `{op.name}`"
        if len(covering) > 1:
            where = "operators " + _listed(other.name for other in covering)
        return Row(value, name, index, kinds.INSIDE, f"inside {where}: never stored", op.name)

    def _leaves(self, holder: str) -> list[Key]:
        """The original tensors that a fused operator computes and others than it read."""
        if holder not in self._leaving:
            names = set(self.holders.names[holder])
            ops = [op for name in self.holders.names[holder] for op in self._members.get(name, [])]
            outputs = {v for op in ops if op.graph is not None for v in op.graph.outputs}
            self._leaving[holder] = [  # a tensor that nobody reads is meant to be looked at
                (self.names[op], value.index)
                for op in ops
                for value in op.results
                if not value.uses
                or value in outputs
                or any(self.names.get(user) not in names for user, _ in value.uses)
            ]
        return self._leaving[holder]

    def _forwarded(self, value: Value, name: str, index: int) -> Row | None:
        """Where the producer only gives its operand another shape, and the compiler removed it."""
        producer = value.producer
        if producer is None or producer.type not in self.dialect.forwarding or index or not producer.operands:
            return None
        source = producer.operands[0]
        row = self.rows.get(source) if source is not None else None
        if row is None or row.kind == kinds.CONSTANT:
            return None
        reason = row.reason
        if row.aligned:
            reason = f"{row.reason}, of `%{row.value.name}`: the compiler removed `{name}`, which only reshapes it"
        reshaped = row.reshaped or producer.type in _RESHAPING
        return Row(value, name, index, row.kind, reason, row.holder, row.output, row.layout, row.shape, reshaped)


def members(graph: Graph, names: Mapping[Op, str]) -> dict[str, list[Op]]:
    """The operators of the original, by what the compiler calls them."""
    found: dict[str, list[Op]] = {}
    for op in graph.ops:
        if op in names:
            found.setdefault(names[op], []).append(op)
    return found


def _listed(names: Iterable[str]) -> str:
    quoted: Sequence[str] = [f"`{name}`" for name in names]
    return ", ".join(quoted[:4]) + (f" and {len(quoted) - 4} more" if len(quoted) > 4 else "")
