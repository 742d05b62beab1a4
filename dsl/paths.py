"""What lies on the paths between operators and tensors of one graph.

A path is a walk along the data: operator, tensor it makes, operator that reads it, and so on. What a body of an
operator captures, the operator reads. Control operands make no path, and stored constants lie on none: they come
along with whoever reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Union, cast

from subcut.compiler.ir.graph import Graph, Op, Value

Node = Union[Op, Value]


class Flow:
    """The data flow of one graph, both ways, walked without copying it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._stored = graph.model.dialect.is_stored
        self.captures: dict[Op, list[Value]] = {}
        """What the bodies of an operator capture."""
        self.captors: dict[Value, list[Op]] = {}
        """The operators whose bodies capture a tensor."""
        self.places: dict[Op, int] | None = None
        """Set by `index`: the place of each operator, where each stands behind all that it reads."""
        for op in [op for op in graph.ops if op.regions]:
            self.captures[op] = op.captured()
            for value in self.captures[op]:
                self.captors.setdefault(value, []).append(op)

    def index(self) -> None:
        """Make ready for many questions: then what stands before the start of a path is not walked."""
        places = {op: place for place, op in enumerate(self.graph.ops)}
        for place, op in enumerate(self.graph.ops):
            for value in op.operands if not op.regions else (*op.operands, *self.captures[op]):
                if value is not None and value.producer is not None and places.get(value.producer, -1) >= place:
                    return
        self.places = places

    def first(self, starts: Iterable[Node]) -> int:
        """A place before which no path from `starts` has anything; 0 where that is not known."""
        if self.places is None:
            return 0
        ops = [op for node in starts for op in ([node] if isinstance(node, Op) else self.readers(node))]
        return min((self.places[op] for op in ops), default=0)

    def is_stored(self, op: Op) -> bool:
        """Whether `op` is a stored constant."""
        return not op.operands and self._stored(op)

    def readers(self, value: Value) -> list[Op]:
        """The operators of this graph that read `value`, themselves or in a body."""
        graph = self.graph
        found = [op for op, _ in value.uses if op.graph is graph]
        return found + self.captors[value] if value in self.captors else found

    def reads(self, op: Op) -> list[Value]:
        """The tensors that `op` reads and this graph computes or is given; no stored constants."""
        operands = [v for v in op.operands if v is not None and (v.producer is None or not self.is_stored(v.producer))]
        if op not in self.captures:
            return operands
        captured = [v for v in self.captures[op] if v.producer is None or not self.is_stored(v.producer)]
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
    if ends is None:
        assert starts is not None
        found = _downstream(flow, starts, avoid, None)
    else:
        found = _upstream(flow, ends, avoid, 0 if starts is None else flow.first(starts))
        if starts is not None:
            found = _downstream(flow, starts, avoid, found)
    tensors = _named_on_paths(flow, starts, ends, avoid, found)
    nodes = cast("dict[Node, None]", found)
    nodes.update(tensors)
    return nodes


def _upstream(flow: Flow, ends: Iterable[Node], avoid: set[Node], first: int) -> dict[Op, None]:
    """The operators from place `first` on that are on a path to `ends`. The hot loop of every selection, hence flat."""
    graph, stored, captures = flow.graph, flow.is_stored, flow.captures
    places = flow.places if first else None
    makers = [node if isinstance(node, Op) else node.producer for node in ends if node not in avoid]
    todo = [op for op in makers if op is not None]
    found: dict[Op, None] = {}
    while todo:
        op = todo.pop()
        if op in found or op in avoid or op.graph is not graph or (not op.operands and stored(op)):
            continue
        if places is not None and places[op] < first:
            continue
        found[op] = None
        reads = (*op.operands, *captures[op]) if op.regions else op.operands
        for value in reads:
            if value is None or value in avoid:
                continue
            maker = value.producer
            if maker is not None and maker not in found:
                todo.append(maker)
    return found


def _downstream(flow: Flow, starts: Iterable[Node], avoid: set[Node], within: dict[Op, None] | None) -> dict[Op, None]:
    """The operators on a path from `starts`, of those in `within`."""
    graph, captors = flow.graph, flow.captors
    todo = [node for node in starts if isinstance(node, Op)]
    for node in starts:
        if isinstance(node, Value) and node not in avoid:
            todo += flow.readers(node)
    found: dict[Op, None] = {}
    while todo:
        op = todo.pop()
        if op in found or (within is not None and op not in within) or op in avoid:
            continue
        found[op] = None
        for value in op.results:
            if value in avoid:
                continue
            for user, _ in value.uses:
                if user not in found and user.graph is graph:
                    todo.append(user)
            if value in captors:
                todo += captors[value]
    return found


def _named_on_paths(
    flow: Flow, starts: Sequence[Node] | None, ends: Sequence[Node] | None, avoid: set[Node], found: dict[Op, None]
) -> dict[Node, None]:
    """The tensors among `starts` and `ends` that lie on a path themselves."""
    first = {v: None for v in starts or () if isinstance(v, Value) and v not in avoid}
    last = {v: None for v in ends or () if isinstance(v, Value) and v not in avoid}
    on_path: dict[Node, None] = {}
    for value in first:
        if ends is None or value in last or any(op in found for op in flow.readers(value)):
            on_path[value] = None
    for value in last:
        if starts is None or value in first or value.producer in found:
            on_path[value] = None
    return on_path


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
    for node in starts or ():  # a stored constant that is named is a start, though paths go through no other
        if isinstance(node, Value) and node in down:
            behind = _any(_add(up[op], bits.get(node, 0)) for op in flow.readers(node) if op in up)
            up[node] = up.get(node, 0) | behind
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


def _any(many: Iterable[int]) -> int:
    found = 0
    for sets in many:
        found |= sets
    return found


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
