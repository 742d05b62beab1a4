"""Pieces of a selection: what a path chooses, and how `plus`, `minus` and `within` put two pieces together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from subcut.compiler.ir.graph import Graph, Op, Value
from subcut.dsl import ast
from subcut.dsl.lookup import Lookup
from subcut.dsl.paths import Flow, Node, between

Group = Sequence[tuple[ast.Item, Sequence[Node]]]
"""The names in one list of a path, each with what it means."""


@dataclass
class Part:
    """Operators of one graph, with the edges that the selection names. See `ir.selection.Selection`."""

    graph: Graph
    ops: dict[Op, None]
    entries: dict[Value, None] = field(default_factory=dict[Value, None])
    ends: dict[Value, None] | None = None
    leaving: bool = False


# ---- paths


def path_part(
    lookup: Lookup,
    flow: Flow,
    path: ast.Path,
    starts: Group,
    ends: Group,
    avoiding: Group,
    through: Sequence[Group],
) -> Part:
    """What `from … to …` and its relatives choose. Raises UserError when no path is there."""
    for item, nodes in [*starts, *ends]:
        if any(isinstance(node, Op) and flow.is_stored(node) for node in nodes):
            help = ["name its tensor to cut there: `from %x` makes it an input"]
            lookup.fail(item.span, "constant-end", f"`{lookup.spelled(item)}` is a stored constant, on no path", help)
    found = between(
        flow,
        _all(starts) if starts else None,
        _all(ends) if ends else None,
        [_all(group) for group in through],
        _all(avoiding),
    )
    _check_reached(lookup, flow, path, starts, ends, found)
    ops = {node: None for node in found if isinstance(node, Op)}
    part = Part(flow.graph, ops)
    _leave_out(flow, part, path, starts, ends)
    for item, nodes in ends:
        if not path.before and not any(_maker(node) in part.ops for node in nodes):
            _not_made(lookup, flow, path, item, nodes)
    if not part.ops:
        lookup.fail(path.span, "empty-selection", "the selection holds no operator")
    _name_edges(flow, part, path, starts, ends)
    return part


def _all(group: Group) -> list[Node]:
    return [node for _, nodes in group for node in nodes]


def _end_ops(path: ast.Path, ends: Group) -> list[Op]:
    """The operators that `before` leaves out: those named, and the makers of the tensors named."""
    if not path.before:
        return []
    return [op for node in _all(ends) if (op := _maker(node)) is not None]


def _maker(node: Node) -> Op | None:
    """The operator itself, or the one that makes the tensor."""
    return node if isinstance(node, Op) else node.producer


def _leave_out(flow: Flow, part: Part, path: ast.Path, starts: Group, ends: Group) -> None:
    outside: list[Node] = [node for node in _all(starts) if path.after]
    for op in [*outside, *_end_ops(path, ends)]:
        if isinstance(op, Op):
            part.ops.pop(op, None)


def _name_edges(flow: Flow, part: Part, path: ast.Path, starts: Group, ends: Group) -> None:
    """Set the entries and ends of a path's part."""
    for node in _all(starts):
        if isinstance(node, Value):
            part.entries[node] = None
        elif path.after:
            read = [v for v in node.results if any(op in part.ops for op in flow.readers(v))]
            part.entries.update(dict.fromkeys(read))
    if path.before:
        read_by_ends = [value for op in _end_ops(path, ends) for value in flow.reads(op)]
        part.ends = {value: None for value in read_by_ends if value.producer in part.ops}
    elif ends:
        results = [v for node in _all(ends) for v in (node.results if isinstance(node, Op) else [node])]
        part.ends = {value: None for value in results if value.name and value.producer in part.ops}


def _check_reached(
    lookup: Lookup, flow: Flow, path: ast.Path, starts: Group, ends: Group, found: dict[Node, None]
) -> None:
    """Raise unless every start leads to an end and every end is reached from a start."""
    limited = bool(path.through or path.avoiding)
    if not (starts and ends) and not limited:
        return
    for item, nodes in [*starts, *ends]:
        if any(node in found for node in nodes):
            continue
        if limited:
            _blocked(lookup, flow, path, starts, ends)
        _disconnected(lookup, flow, path, item, starts, ends)


def _blocked(lookup: Lookup, flow: Flow, path: ast.Path, starts: Group, ends: Group) -> None:
    """Raise when paths exist, and `through` or `avoiding` is what excludes them."""
    free = between(flow, _all(starts) if starts else None, _all(ends) if ends else None)
    if not all(any(node in free for node in nodes) for _, nodes in [*starts, *ends]):
        return
    said = [("passes", group) for group in path.through]
    said += [("avoids", path.avoiding)] if path.avoiding else []
    wanted = " and ".join(f"{verb} {_spelled(lookup, items)}" for verb, items in said)
    lookup.fail(said[0][1][0].span, "disconnected-selection", f"no path {_between(lookup, path)} {wanted}")


def _between(lookup: Lookup, path: ast.Path) -> str:
    start = f"from {_spelled(lookup, path.starts)}" if path.starts else ""
    end = f"to {_spelled(lookup, path.ends)}" if path.ends else ""
    return f"{start} {end}".strip()


def _spelled(lookup: Lookup, items: Sequence[ast.Item]) -> str:
    listed = ", ".join(lookup.spelled(item) for item in items[:3]) + (", …" if len(items) > 3 else "")
    return f"`{listed}`"


def _disconnected(lookup: Lookup, flow: Flow, path: ast.Path, item: ast.Item, starts: Group, ends: Group) -> NoReturn:
    """Raise: `item` is a start that leads to no end, or an end that no start leads to."""
    mine = next(nodes for other, nodes in [*starts, *ends] if other is item)
    is_start = any(other is item for other, _ in starts)
    others = ends if is_start else starts
    name = lookup.spelled(item)
    back = between(flow, _all(others), mine) if is_start else between(flow, mine, _all(others))
    far = _spelled(lookup, [other for other, _ in others])
    if back and any(node in back for node in mine):
        verb, order = ("after", (far, name)) if is_start else ("before", (name, far))
        first, last = (text.strip("`") for text in order)
        message = f"`{name}` comes {verb} {far}: the two are the wrong way round"
        lookup.fail(item.span, "reversed-selection", message, [f"did you mean `from {first} to {last}`?"])
    if is_start:
        lookup.fail(item.span, "disconnected-selection", f"nothing leads from `{name}` to {far}")
    lookup.fail(item.span, "disconnected-selection", f"nothing leads to `{name}` from {far}")


def _not_made(lookup: Lookup, flow: Flow, path: ast.Path, item: ast.Item, nodes: Sequence[Node]) -> NoReturn:
    """Raise: the selection holds nothing that makes the end `item`."""
    makers = [_maker(node) for node in nodes]
    if all(op is None or op.graph is not flow.graph for op in makers):
        lookup.fail(item.span, "empty-selection", f"nothing computes `{lookup.spelled(item)}`: it is an input")
    if all(op is not None and flow.is_stored(op) for op in makers):
        message = f"nothing computes `{lookup.spelled(item)}`: it is a stored constant"
        lookup.fail(item.span, "empty-selection", message)
    message = f"nothing that is selected computes `{lookup.spelled(item)}`"
    lookup.fail(path.span, "empty-selection", message)


# ---- combining


def combine(flow: Flow, verb: str, left: Part, right: Part) -> Part:
    """`left VERB right`."""
    if verb == "plus":
        return _plus(left, right)
    if verb == "minus":
        return _without(flow, left, {op: None for op in left.ops if op in right.ops})
    return _without(flow, left, {op: None for op in left.ops if op not in right.ops})


def _plus(left: Part, right: Part) -> Part:
    """Both. What one of them makes is no entry of the other; with one named and one open end, both kinds are given."""
    ops = left.ops | right.ops
    entries = {v: None for v in left.entries if v.producer not in right.ops}
    entries |= {v: None for v in right.entries if v.producer not in left.ops}
    if left.ends is None and right.ends is None:
        return Part(left.graph, ops, entries)
    open_end = left.ends is None or right.ends is None
    ends = (left.ends or {}) | (right.ends or {})
    return Part(left.graph, ops, entries, ends, left.leaving or right.leaving or open_end)


def _without(flow: Flow, part: Part, gone: dict[Op, None]) -> Part:
    """`part` without some operators: what those read from the rest is given out in their place, as `before` does.

    Stored constants that only they read go with them.
    """
    if not gone:
        return part
    rest = {op: None for op in part.ops if op not in gone}
    outputs = set(part.graph.outputs)
    for op in [op for op in rest if flow.is_stored(op)]:
        readers = [reader for value in op.results for reader in flow.readers(value)]
        if readers and not any(r in rest for r in readers) and outputs.isdisjoint(op.results):
            del rest[op]
    entries = {v: None for v in part.entries if any(op in rest for op in flow.readers(v))}
    if part.ends is None:
        return replace(part, ops=rest, entries=entries)
    ends = {v: None for v in part.ends if v.producer not in gone}
    ends |= {v: None for op in gone for v in flow.reads(op) if v.producer in rest}
    return replace(part, ops=rest, entries=entries, ends=ends or None)
