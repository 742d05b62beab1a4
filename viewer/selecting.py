"""Text to operators and back: the server alone reads and writes the selection language (rows S7 to S9).

The model is only looked at: an export reads it anew, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from subcut.compiler.diagnostics import Location, SourceText
from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Graph, Op, Value
from subcut.compiler.ir.report import MODEL_INPUT, NAMED_START, Edge, Report
from subcut.compiler.ir.selection import CutOptions, Selection
from subcut.compiler.ir.types import TensorType
from subcut.dsl import ast, words
from subcut.dsl.format import format_selection
from subcut.dsl.lookup import Lookup
from subcut.dsl.names import Scope, first_result
from subcut.dsl.parser import parse
from subcut.dsl.resolve import resolve
from subcut.passes import Snap
from subcut.passes.cut import examine
from subcut.viewer.columns import Ids
from subcut.viewer.session import Shown

SOURCE = "<selection>"


@dataclass(frozen=True)
class Chosen:
    """A text that was understood."""

    selection: Selection
    options: CutOptions
    report: Report
    starts: list[Op]
    ends: list[Op]


def parsed(text: str, freezes: Iterable[str]) -> ast.Cut:
    """The tree of a selection. A file that it names must be among `freezes`: the page names no files.

    Raises UserError.
    """
    if not text.strip():
        raise user_error("empty-selection", "the selection is empty", help="say what to keep: `from A to B`, or `all`")
    cut = parse(text, SOURCE)
    for option in cut.options:
        if isinstance(option, ast.Freeze) and option.path not in freezes:
            at = Location(SourceText(SOURCE, text), option.span.start, option.span.stop)
            message = f"the page may not make the server read `{option.path}`"
            help = "give a selection with `freeze` on the command line of `subcut view`"
            raise user_error("freeze-in-page", message, at=at, help=help)
    return cut


def choose(shown: Shown, cut: ast.Cut, text: str) -> Chosen:
    """What a selection means on a model, and what its cut would take in and give out. Raises UserError."""
    model, source = shown.model, SourceText(SOURCE, text)
    selection, options = resolve(cut, model, source, names=shown.names)
    try:
        model.selection, model.options = selection, options
        Snap().apply(model)
        selection = model.selection
    finally:
        model.selection = model.options = None
    report = examine(selection, options, shown.constants)
    starts, ends = _ends(Lookup(shown.names, source), cut.selection, selection)
    return Chosen(selection, options, report, starts, ends)


def _ends(lookup: Lookup, tree: ast.Select, selection: Selection) -> tuple[list[Op], list[Op]]:
    """The operators that a path begins and ends with; none for a selection of another kind."""
    if not isinstance(tree, ast.Path):
        return [], []
    starts: dict[Op, None] = {}
    ends: dict[Op, None] = {}
    for item in tree.starts:
        for node in lookup.nodes(item).nodes:
            if isinstance(node, Op) and not tree.after:
                starts[node] = None
            values = [node] if isinstance(node, Value) else node.results if tree.after else []
            starts.update(dict.fromkeys(op for value in values for op in value.consumers() if op in selection.ops))
    for item in tree.ends:
        for node in lookup.nodes(item).nodes:
            makers = [node] if isinstance(node, Op) else [node.producer]
            if tree.before:
                makers = [value.producer for op in makers if op is not None for value in op.reads()]
            ends.update(dict.fromkeys(op for op in makers if op is not None and op in selection.ops))
    return list(starts), list(ends)


def answer(shown: Shown, chosen: Chosen) -> dict[str, Any]:
    """What the page is told of a selection that holds."""
    selection, report = chosen.selection, chosen.report
    ids = shown.ids(selection.graph)
    dialect = shown.model.dialect
    folded = [e for e in report.inputs if e.reason != NAMED_START and dialect.static_value(e.value) is not None]
    entering = [edge for edge in report.inputs if edge not in folded]
    return {
        "ok": True,
        "text": selection.text,
        "graph": shown.key(selection.graph),
        "ops": [ids.of[op] for op in selection.ops],
        "starts": ids.many(chosen.starts),
        "ends": ids.many(chosen.ends),
        "inputs": [{**_edge(edge, shown, ids), "side": _is_side(edge, chosen)} for edge in entering],
        "outputs": [_edge(edge, shown, ids) for edge in report.outputs],
        "constants": len(report.constants),
        "folded": [edge.value.name for edge in folded],
        "needs": [edge.value.name for edge in entering if _lacks_type(dialect.needs_type(edge.value), edge)],
    }


def _edge(edge: Edge, shown: Shown, ids: Ids) -> dict[str, Any]:
    producer = edge.producer
    return {
        "tensor": edge.value.name,
        "type": shown.label(edge.value),
        "producer": ids.of.get(producer, -1) if producer is not None else -1,
        "output": edge.value.index,
        "consumers": ids.many(edge.consumers),
        "reason": edge.reason,
    }


def _is_side(edge: Edge, chosen: Chosen) -> bool:
    """Whether a tensor enters elsewhere than at the start, as a mask does."""
    return (
        bool(chosen.starts)
        and edge.reason not in (NAMED_START, MODEL_INPUT)
        and not any(op in chosen.starts for op in edge.consumers)
    )


def _lacks_type(needs: tuple[bool, bool], edge: Edge) -> bool:
    """Whether the export has to infer something of an input that nobody states."""
    type = edge.type
    if type is not None and not isinstance(type, TensorType):
        return False
    return (needs[0] and (type is None or type.element is None)) or (needs[1] and (type is None or type.shape is None))


def compose(shown: Shown, graph: Graph, starts: Sequence[Op], ends: Sequence[Op]) -> str:
    """The text for everything between `starts` and `ends`, in canonical form. Raises UserError.

    Without starts it is everything the ends depend on, without ends everything that depends on the starts.
    """
    if not starts and not ends:
        raise user_error("empty-selection", "neither a start nor an end is chosen")
    scope = shown.names.scope_of(graph)
    named = [tuple(_name(scope, op) for op in ops) for ops in (starts, ends)]
    return format_selection(ast.Path(starts=named[0], ends=named[1]))


def _name(scope: Scope, op: Op) -> ast.Item:
    """How the language calls an operator: by its name, or by its first result's where that says nothing."""
    result = first_result(op)
    for name in (op.name, result.name if result is not None else ""):
        if name and scope.op(name) is op and not scope.duplicates(name):
            glob = words.escape(name)
            return ast.Scoped(words.escape(scope.address) + "/" + glob) if scope.address else ast.Name(glob)
    raise user_error("no-result", f"`{op.label}` makes no tensor, and shares its name", help="choose one beside it")
