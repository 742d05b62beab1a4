"""The offline model seen from the original: which offline output holds which original tensor.

The rules are those of the accuracy comparison tools of CANN (msaccucmp, `fusion_rule_parser`): attributes
`_datadump_original_op_names` of an operator, `_datadump_origin_name` and `_datadump_origin_output_index` of its
outputs, `_fusion_origin_name` as a second source, and an operator's own name where it was not changed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from subcut.compiler.alignment.gears import unmarked
from subcut.compiler.formats.ascend.offline import OfflineModel, OfflineOp

PASSING = frozenset(("Cast", "TransData"))
"""What the compiler inserts and only passes a tensor on, in another element type or layout."""
_FLOATS = frozenset("FLOAT FLOAT16 DOUBLE BF16".split())
_NO_TENSOR = frozenset(("NetOutput", "Send", "Recv", "AtomicAddrClean", "MemSet"))

Key = tuple[str, int]
"""An original tensor: operator and number of the output."""
Port = tuple[str, int]
"""An offline tensor: operator and number of the output."""


@dataclass(frozen=True)
class Holder:
    """An offline output that holds an original tensor, and how that is known."""

    op: OfflineOp
    output: int
    how: str


class Holders:
    """The offline model, indexed by names of the original."""

    def __init__(self, model: OfflineModel) -> None:
        self.model = model
        self.ops: dict[str, OfflineOp] = {}
        self.held: dict[Key, list[Holder]] = defaultdict(list)
        self.covering: dict[str, list[OfflineOp]] = defaultdict(list)
        """Offline operators by the name of an original one that they cover."""
        self.readers: dict[Port, list[tuple[OfflineOp, int]]] = defaultdict(list)
        """Who reads an offline tensor, and as which of its inputs as the device numbers them."""
        self.names: dict[str, tuple[str, ...]] = {}
        """The original operators that an offline one covers; none for an inserted one."""
        self._groups: dict[str, dict[str, OfflineOp]] = defaultdict(dict)
        """Offline operators that are for the same originals, by name; the slices of one operator are one."""
        for op in sorted(model.ops, key=lambda op: op.id):
            self._add(op)
        self._add_renamed()

    def _add(self, op: OfflineOp) -> None:
        self.ops.setdefault(op.name, op)
        for slot, edge in enumerate(data_inputs(op)):
            self.readers[edge].append((op, slot))
        if op.type in _NO_TENSOR:
            return
        named = (plain(op.name),) if op.original_names is None else op.original_names
        names = tuple(dict.fromkeys(unmarked(name) for name in named if name))
        self.names[op.name] = names
        if self._groups[_group(op)].setdefault(plain(op.name), op) is not op:
            return  # a further slice: its dump is put together with that of the first one
        for name in names:
            self.covering[name].append(op)
        for k, output in enumerate(op.outputs):
            if output.origin_name:
                index = k if output.origin_index is None else output.origin_index
                self._hold(output.origin_name, index, Holder(op, k, "origin name and index"))
            elif output.fusion_name:
                index = k if output.fusion_index is None else output.fusion_index
                self._hold(output.fusion_name, index, Holder(op, k, "origin name and index of the fusion"))
            elif op.original_names is None:
                self._hold(plain(op.name), k, Holder(op, k, "unchanged name"))

    def _add_renamed(self) -> None:
        """An operator that is alone in being for one original, whose outputs name no origin, is that one renamed."""
        for key, group in self._groups.items():
            op = next(iter(group.values()))
            if len(group) > 1 or op.original_names != (key,):
                continue
            for k, output in enumerate(op.outputs):
                if not output.origin_name and not output.fusion_name:
                    self._hold(key, k, Holder(op, k, "renamed by the compiler"))

    def _hold(self, name: str, index: int, holder: Holder) -> None:
        self.held[unmarked(name), index].append(holder)

    def find(self, key: Key) -> list[Holder]:
        """Who holds an original tensor: those that compute it; those that only pass it on where there are no others.

        Where a model has gears, the operator before them that is still called as the original is.
        """
        holders = self.held.get(key, [])
        made = [h for h in holders if h.op.type not in PASSING] or holders[:1]
        return [h for h in made if h.op.name == key[0]] or made if len(made) > 1 and _is_geared(made) else made

    def passed_on(self, port: Port) -> Iterator[Port]:
        """Offline tensors with the same numbers as `port` but for element type and layout, nearest first."""
        todo, seen = [port], {port}
        while todo:
            for reader, _ in self.readers.get(todo.pop(0), []):
                further = (reader.name, 0)
                if self._passes(reader) and further not in seen:
                    seen.add(further)
                    todo.append(further)
                    yield further

    def came_from(self, port: Port) -> Port:
        """The tensor that `port` is a cast or a reordering of, walking back through what the compiler inserted."""
        seen: set[Port] = set()
        while port not in seen:
            seen.add(port)
            op = self.ops.get(port[0])
            edges = data_inputs(op) if op is not None and self._passes(op) else []
            if not edges:
                break
            port = edges[0]
        return port

    def _passes(self, op: OfflineOp) -> bool:
        """Whether an operator gives out the numbers that it reads: a cast of floats to integers does not."""
        edges = data_inputs(op)
        if op.type not in PASSING or not edges:
            return False
        source, index = self.ops.get(edges[0][0]), edges[0][1]
        given = [tensor.type_name for tensor in op.input_tensors[:1]]
        given = given or [tensor.type_name for tensor in (source.outputs[index : index + 1] if source else ())]
        made = [tensor.type_name for tensor in op.outputs[:1]]
        return not given or not made or given == made or {*given, *made} <= _FLOATS


def _group(op: OfflineOp) -> str:
    """What an operator is for, as the accuracy tool groups them: an L1 group, one original, several, or itself."""
    if op.l1_group:
        return op.l1_group
    if op.original_names is None or not any(op.original_names):
        return plain(op.name)
    return "\0".join(op.original_names)


def _is_geared(holders: list[Holder]) -> bool:
    return any(unmarked(holder.op.name) != holder.op.name for holder in holders)


def data_inputs(op: OfflineOp) -> list[Port]:
    """The tensors that an offline operator reads, numbered as its dump numbers them: without control edges and gaps."""
    ports: list[Port] = []
    for edge in op.inputs:
        name, colon, index = edge.rpartition(":")
        if colon and index.isdecimal():
            ports.append((name, int(index)))
    return ports


def plain(name: str) -> str:
    """The name of an operator without the mark of a slice (`_lxslice0`)."""
    return re.sub(r"_lxslice\d+", "", name) if "_lxslice" in name else name
