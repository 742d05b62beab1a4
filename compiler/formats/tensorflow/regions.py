"""Refuse cuts that TensorFlow could not run, or would run to another result, and say what would complete them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from subcut.compiler.errors import user_error
from subcut.compiler.formats.tensorflow.elements import HANDLES
from subcut.compiler.formats.tensorflow.flow import EXIT, MERGE, NEXT, SWITCH, Flow, Frame, flow_of, is_loop_merge
from subcut.compiler.formats.tensorflow.signatures import signature
from subcut.compiler.ir.graph import Graph, Op, Value
from subcut.compiler.ir.types import TensorType

VARIABLES = ("Variable", "VariableV2", "VarHandleOp", "_VarHandlesOp", "AutoReloadVariable", "TemporaryVariable")
TABLES = ("HashTable", "HashTableV2")
"""Tables that fail when they are asked before an operator has filled them."""
_FILLING = ("InitializeTable", "LookupTableImport")
_PASSED_ON = ("Identity", "ReadVariableOp", "RefIdentity", "Enter", "RefEnter")
"""Operators that give a variable's numbers on as they are."""
FREEZE_HELP = (
    "freeze the model first: `tf.compat.v1.graph_util.convert_variables_to_constants(session, graph_def, outputs)`",
    "or give subcut the SavedModel folder, or the `.keras` file: it has TensorFlow freeze it",
)

_SHOWN = 12
"""How many operators a message names; what to add is said whole."""


def check_region(graph: Graph, chosen: Mapping[Op, None]) -> None:
    """Raise UserError where the cut could not run, with the code that says why."""
    if graph.origin.polymorphic:
        raise user_error(
            "function-attribute",
            f"the function `{graph.name}` leaves types to its callers, so that its body is no graph by itself",
        )
    selection = graph.model.selection
    entries = selection.entries if selection is not None else {}
    ends = selection.ends if selection is not None and selection.ends is not None else {}
    _check_variables(chosen, [v for v in _edges(chosen, chosen) if v not in entries])
    flow = flow_of(graph)
    _check_tables(chosen)
    for value in (*entries, *ends):
        _check_named(flow, value, value in entries)
    _check_complete(flow, chosen, entries)


def _edges(ops: Iterable[Op], inside: Container[Op | None]) -> list[Value]:
    """What `ops` read from elsewhere than `inside`."""
    return [v for op in ops for v in op.operands if v is not None and v.producer not in inside]


def _check_variables(chosen: Mapping[Op, None], edges: Iterable[Value]) -> None:
    reached = {op: op for op in chosen if op.type in VARIABLES}
    for value in dict.fromkeys(edges):
        op = value.producer
        while op is not None and op.type in _PASSED_ON and op.operands[0] is not None:
            op = op.operands[0].producer
        if op is not None and op.type in VARIABLES:
            reached[op] = op
    if not reached:
        return
    first = next(iter(reached))
    more = f" and {len(reached) - 1} others" if len(reached) > 1 else ""
    raise user_error(
        "unfrozen-variable",
        f"the cut needs the variable `{first.name}`{more}, whose numbers are not in the model",
        help=FREEZE_HELP,
    )


def _check_tables(chosen: Mapping[Op, None]) -> None:
    for op in [op for op in chosen if op.type in TABLES]:
        filling = [user for user in op.results[0].consumers() if user.type.startswith(_FILLING)]
        if any(user in chosen for user in filling):
            continue
        add = [f'add `plus "{user.name}"`, and run that operator first' for user in filling[:1]]
        raise user_error(
            "empty-table",
            f"the cut needs the table `{op.name}`, and nothing in it fills the table",
            help=add or ["the model does not hold what fills it: cut before the lookup, or after it"],
        )


def _check_named(flow: Flow, value: Value, entry: bool) -> None:
    """A tensor named as a start or an end must be one that can be fed or fetched."""
    if flow.in_loop(value) and value.producer is not None:
        frame = flow.frames[value.producer]
        exits = [op for op in frame.ops if op.type in EXIT]
        whole = _completion(list(frame.ops), frame.ops, {}).removeprefix("plus ")
        raise user_error(
            "loop-cut",
            f"`%{value.name}` is inside the loop `{frame.name}`, where it exists once an iteration",
            help=[
                "cut before the loop or after it, at " + ", ".join(f"`{op.name}`" for op in exits),
                f"the operators of the whole loop are `{whole}`",
            ],
        )
    if entry and is_token(value):
        raise user_error("handle-edge", f"`%{value.name}` is a handle, for which no numbers can be fed")


def _check_complete(flow: Flow, chosen: Mapping[Op, None], entries: Container[Value]) -> None:
    """Everything that must come with what is chosen is chosen; else say all that is missing, at once."""
    missing: dict[Op, None] = {}
    causes: list[tuple[str, str]] = []
    harmless: dict[Op, None] = {}
    todo = list(chosen)
    while todo:
        new: dict[Op, None] = {}
        for code, message, group, needed in _demands(flow, todo, {**chosen, **missing}, entries):
            harmless.update(group)
            short = [op for op in needed if op not in chosen and op not in missing]
            new.update(dict.fromkeys(short))
            if any(op.type != "Const" for op in short):
                causes.append((code, message))
        missing.update(new)
        todo = list(new)
    absent = [op for op in missing if op.type != "Const"]
    if absent:
        code, message = causes[0]
        words = _completion(absent, harmless, chosen)
        names = ", ".join(f"`{op.name}`" for op in absent[:_SHOWN]) + (" …" if len(absent) > _SHOWN else "")
        count = f"{len(absent)} operators" if len(absent) > 1 else "one operator"
        raise user_error(
            code, f"{message}, {count} short of what can run", help=[f"add `{words}`", f"missing: {names}"]
        )


Demand = tuple[str, str, Mapping[Op, None], Iterable[Op]]
"""Code and message of the error, the operators that belong together, and those of them that are needed."""


def _demands(flow: Flow, ops: Iterable[Op], have: Mapping[Op, None], entries: Container[Value]) -> Iterator[Demand]:
    """What each of `ops` must not be without."""
    for frame in dict.fromkeys(flow.frames[op] for op in ops if op in flow.frames):
        message = f"the selection holds a part of the loop `{frame.name}`"
        yield "loop-cut", message, frame.ops, _whole_loop(frame, have)
    for op in ops:
        if op.type in MERGE and not is_loop_merge(op) and op not in flow.frames:
            inside = _inside_branches(flow, op)
            message = f"the selection holds `{op.name}` without all of the branches that meet there"
            yield "branch-cut", message, inside, inside
    for value in _edges(ops, have):
        if value not in entries and is_token(value):
            message = f"the selection reads `%{value.name}`, a handle for which no numbers can be fed"
            maker = {value.producer: None} if value.producer is not None else {}
            if not maker:
                raise user_error("handle-edge", message)
            yield "handle-edge", message, maker, maker


def is_token(value: Value) -> bool:
    """Whether a tensor stands for something else than its numbers: a handle, or the order of accesses to one."""
    seen: set[Value] = set()
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value.type, TensorType) and value.type.element in HANDLES:
            return True
        producer = value.producer
        if producer is None or value in seen:
            continue
        seen.add(value)
        if producer.type.startswith("TensorArray") and _is_flow(producer, value.index):
            return True
        if producer.type in (*_PASSED_ON, *EXIT, *MERGE, *NEXT, *SWITCH) and producer.operands:
            stack += [v for v in producer.operands[:1] if v is not None]
    return False


def _is_flow(op: Op, index: int) -> bool:
    found = signature(op.type)
    return found is not None and index < len(found.outputs) and found.outputs[index].name.startswith("flow")


def _whole_loop(frame: Frame, have: Container[Op]) -> list[Op]:
    """What a loop needs to run and give what it is to give, in the graph's order."""
    exits = [op for op in frame.ops if op.type in EXIT]
    needed: set[Op] = set()
    stack = [op for op in frame.ops if op in have]
    if not any(op in have for op in exits):
        stack += exits
    while stack:
        op = stack.pop()
        if op in needed or op not in frame.ops:
            continue
        needed.add(op)
        stack += [v.producer for v in op.operands if v is not None and v.producer is not None]
        stack += op.controls
    return [op for op in frame.ops if op in needed]


def _inside_branches(flow: Flow, merge: Op) -> dict[Op, None]:
    """Everything between a `Merge` and the `Switch` operators that decide which of its inputs is alive."""
    level = len(flow.op_branches.get(merge, ()))
    inside: dict[Op, None] = {}
    stack = [merge]
    while stack:
        op = stack.pop()
        behind = [v.producer for v in op.operands if v is not None and len(flow.branches.get(v, ())) > level]
        behind += [other for other in op.controls if len(flow.op_branches.get(other, ())) > level]
        for other in behind:
            if other is not None and other not in inside:
                inside[other] = None
                stack.append(other)
    return inside


def _completion(missing: list[Op], harmless: Container[Op], chosen: Container[Op]) -> str:
    """Words that complete a selection: `plus "scope/*"` for a scope that holds nothing else, else operators by name."""
    scopes: dict[str, list[Op]] = {}
    for op in missing:
        scopes.setdefault(op.name.rpartition("/")[0], []).append(op)
    scope = _common_scope([name for name in scopes if len(scopes[name]) > 1])
    graph = missing[0].graph
    assert graph is not None
    covered = [op for op in graph.ops if scope and op.name.startswith(scope + "/")]
    whole = all(op in harmless or op in chosen or op.type == "Const" for op in covered)
    rest = [op for op in missing if not whole or op not in covered]
    words = [f'plus "{scope}/*"'] if len(rest) < len(missing) else []
    return " ".join([*words, *(f'plus "{op.name}"' for op in rest)])


def _common_scope(scopes: list[str]) -> str:
    """The innermost scope that holds all of these."""
    if not scopes:
        return ""
    common = scopes[0].split("/")
    for scope in scopes[1:]:
        parts = scope.split("/")
        common = [a for i, a in enumerate(common) if common[: i + 1] == parts[: i + 1]]
    return "/".join(common)
