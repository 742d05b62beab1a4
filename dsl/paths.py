"""What lies on the paths between operators and tensors of one graph.

A path is a walk along the data: operator, tensor it makes, operator that reads it, and so on. What a body of an
operator captures, the operator reads. Control operands make no path, and stored constants lie on none: they come
along with whoever reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Union

from subcut.compiler.ir.graph import Graph, Op, Value

Node = Union[Op, Value]


class Flow:
    """The data flow of one graph, both ways, walked without copying it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._stored = graph.model.dialect.is_stored
        self._captures: dict[Op, list[Value]] = {}
        self._captors: dict[Value, list[Op]] = {}
        for op in graph.ops:
            if op.regions:
                self._captures[op] = op.captured()
                for value in self._captures[op]:
                    self._captors.setdefault(value, []).append(op)

    def is_stored(self, op: Op) -> bool:
        """Whether `op` is a stored constant."""
        return not op.operands and self._stored(op)

    def readers(self, value: Value) -> list[Op]:
        """The operators of this graph that read `value`, themselves or in a body."""
        graph = self.graph
        found = [op for op, _ in value.uses if op.graph is graph]
        return found + self._captors[value] if value in self._captors else found

    def reads(self, op: Op) -> list[Value]:
        """The tensors that `op` reads and this graph computes or is given; no stored constants."""
        operands = [v for v in op.operands if v is not None and (v.producer is None or not self.is_stored(v.producer))]
        if op not in self._captures:
            return operands
        captured = [v for v in self._captures[op] if v.producer is None or not self.is_stored(v.producer)]
        return [*operands, *captured]

    def next(self, node: Node) -> Sequence[Node]:
        """One step with the data."""
        return self.readers(node) if isinstance(node, Value) else node.results

    def previous(self, node: Node) -> Sequence[Node]:
        """One step against the data."""
        if isinstance(node, Op):
            return self.reads(node)
        producer = node.producer
        return () if producer is None or producer.graph is not self.graph else (producer,)


def reachable(
    start: Iterable[Node], step: Callable[[Node], Sequence[Node]], avoid: frozenset[Node] | set[Node] = frozenset()
) -> dict[Node, None]:
    """`start` and everything that steps lead to, without entering `avoid`."""
    seen: dict[Node, None] = dict.fromkeys(node for node in start if node not in avoid)
    todo = list(seen)
    while todo:
        for node in step(todo.pop()):
            if node not in seen and node not in avoid:
                seen[node] = None
                todo.append(node)
    return seen


def between(
    flow: Flow,
    starts: Sequence[Node] | None,
    ends: Sequence[Node] | None,
    through: Sequence[Sequence[Node]] = (),
    avoiding: Iterable[Node] = (),
) -> dict[Node, None]:
    """The nodes on the paths from any start to any end, both included, in no particular order.

    Without starts a path may begin anywhere, without ends it may end anywhere. A path must touch at least one node
    of each group of `through` and none of `avoiding`.
    """
    avoid = set(avoiding)
    if through:
        return _through(flow, starts, ends, through, avoid)
    down = None if starts is None else reachable(starts, flow.next, avoid)
    up = None if ends is None else reachable(ends, flow.previous, avoid)
    if down is None or up is None:
        both = up if down is None else down
        assert both is not None
        return both
    return {node: None for node in up if node in down}


def _through(
    flow: Flow,
    starts: Sequence[Node] | None,
    ends: Sequence[Node] | None,
    through: Sequence[Sequence[Node]],
    avoid: set[Node],
) -> dict[Node, None]:
    """`between` with groups to pass: for each node, which sets of groups the paths before and behind it can touch.

    A set of groups is a number with one bit a group; a set of such sets is a number with one bit for each of them.
    """
    bits: dict[Node, int] = {}
    for number, group in enumerate(through):
        for node in group:
            bits[node] = bits.get(node, 0) | 1 << number
    every = (1 << len(through)) - 1
    down = _touched(_anywhere(ends, flow.previous, avoid) if starts is None else starts, flow.next, bits, avoid)
    up = _touched(_anywhere(starts, flow.next, avoid) if ends is None else ends, flow.previous, bits, avoid)
    return {node: None for node in up if node in down and _complete(down[node], up[node], every)}


def _anywhere(other: Sequence[Node] | None, step: Callable[[Node], Sequence[Node]], avoid: set[Node]) -> list[Node]:
    """Where a path can begin when nothing says so: at every node that leads to its other end."""
    assert other is not None
    return list(reachable(other, step, avoid))


def _touched(
    start: Iterable[Node], step: Callable[[Node], Sequence[Node]], bits: dict[Node, int], avoid: set[Node]
) -> dict[Node, int]:
    """For each node, the sets of groups that a walk from `start` to it (it included) can have touched."""
    found: dict[Node, int] = {}
    todo = [(node, _add(1, bits.get(node, 0))) for node in start if node not in avoid]
    while todo:
        node, sets = todo.pop()
        known = found.get(node, 0)
        if sets | known == known:
            continue
        found[node] = known | sets
        for following in step(node):
            if following not in avoid:
                todo.append((following, _add(sets, bits.get(following, 0))))
    return found


def _add(sets: int, groups: int) -> int:
    """Each set of `sets` with `groups` added."""
    if not groups:
        return sets
    return sum(1 << mask for mask in {mask | groups for mask in _members(sets)})


def _members(sets: int) -> list[int]:
    return [mask for mask in range(sets.bit_length()) if sets >> mask & 1]


def _complete(down: int, up: int, every: int) -> bool:
    return any(a | b == every for a in _members(down) for b in _members(up))


def around(flow: Flow, centre: Iterable[Op], distance: int) -> dict[Op, None]:
    """`centre`, what feeds it within `distance` edges and what it feeds; an edge joins maker and reader."""
    found: dict[Op, None] = dict.fromkeys(centre)
    for step in (flow.previous, flow.next):
        layer = list(dict.fromkeys(centre))
        seen: set[Node] = set(layer)
        for _ in range(distance):
            values = [value for op in layer for value in step(op)]
            near = dict.fromkeys(op for value in values for op in step(value) if isinstance(op, Op))
            layer = [op for op in near if op not in seen]
            if not layer:
                break
            seen.update(layer)
            found.update(dict.fromkeys(layer))
    return found
