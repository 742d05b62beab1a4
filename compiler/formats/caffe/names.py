"""Which blob each value of a cut is written as, so that Caffe's reading of the text gives the very same graph.

A blob name means the layer that wrote it last, and Caffe lets a layer write a blob that exists only when it works
in place on it (`Net::AppendTop`). A cut can break that: two versions of a blob that both enter it, or a version that
it gives out and that a later layer of it overwrites. Then the later one gets a name of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from subcut.compiler.formats.caffe.text import shown
from subcut.compiler.ir.graph import Graph, Op, Value

_FOREVER = 1 << 62


def blob_of(value: Value) -> bytes:
    """The blob that `value` was read from, or its own name."""
    return value.origin if isinstance(value.origin, bytes) else value.name.encode()


def assign(graph: Graph) -> dict[Value, bytes]:
    """The blob that each value of `graph` is written as: its own wherever that is possible."""
    return _Names(graph).assign()


class _Names:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.last_use: dict[Value, int] = {}
        for place, op in enumerate(graph.ops):
            for value in op.operands:
                if value is not None:
                    self.last_use[value] = place
        self.last_use.update(dict.fromkeys(graph.outputs, _FOREVER))
        self.used = {blob_of(v) for v in graph.values()}
        self.names: dict[Value, bytes] = {}
        self.current: dict[bytes, Value] = {}

    def assign(self) -> dict[Value, bytes]:
        for value in self.graph.inputs:
            self.define(value, blob_of(value) if blob_of(value) not in self.current else None)
        for place, op in enumerate(self.graph.ops):
            for value in op.results:
                self.define(value, self.name(op, value, place))
        return self.names

    def define(self, value: Value, name: bytes | None) -> None:
        chosen = self.fresh(blob_of(value)) if name is None else name
        self.names[value] = chosen
        self.current[chosen] = value

    def fresh(self, blob: bytes) -> bytes:
        """A name that no blob of the cut has."""
        count = 1
        while b"%s_%d" % (blob, count) in self.used:
            count += 1
        name = b"%s_%d" % (blob, count)
        self.used.add(name)
        return name

    def name(self, op: Op, value: Value, place: int) -> bytes | None:
        """The name for a result, or None where it needs one of its own."""
        blob = blob_of(value)
        if not op.operands:
            return None if blob in self.current else blob
        overwritten = _overwritten(op, value)
        if overwritten is not None:
            alive = self.last_use.get(overwritten, -1) > place
            return None if alive else self.names.get(overwritten, blob)
        holder = self.current.get(blob)
        return None if holder is not None and self.last_use.get(holder, -1) > place else blob


def _overwritten(op: Op, value: Value) -> Value | None:
    """The operand in whose place a layer that works in place writes `value`."""
    blob = blob_of(value)
    same = [v for v in op.operands if v is not None and blob_of(v) == blob]
    slot = op.operands[value.index] if value.index < len(op.operands) else None
    return slot if slot in same else next(iter(same), None)


def written_names(graph: Graph) -> dict[Value, str]:
    """What a reader of the written file calls each value of `graph`."""
    blobs = assign(graph)
    return dict(zip(blobs, version_names([shown(blob) for blob in blobs.values()]), strict=True))


def version_names(blobs: Sequence[str]) -> list[str]:
    """A name for every write of a blob: the last one has the blob's own, those before it `blob:0`, `blob:1`, …"""
    total = Counter(blobs)
    if len(total) == len(blobs):
        return list(blobs)
    taken, seen = set(blobs), Counter[str]()
    names: list[str] = []
    for blob in blobs:
        seen[blob] += 1
        name = blob
        if seen[blob] < total[blob]:
            name = f"{blob}:{seen[blob] - 1}"
            while name in taken:  # a net may have a blob of that very name
                name += "'"
        taken.add(name)
        names.append(name)
    return names
