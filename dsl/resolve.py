"""From the tree of a selection to the operators of a model: what is chosen, where it starts, what it gives out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from subcut.compiler.diagnostics import Diagnostic, Location, SourceText
from subcut.compiler.errors import UserError
from subcut.compiler.ir.graph import Graph, Model, Op
from subcut.compiler.ir.selection import CutOptions, Selection
from subcut.dsl import ast, words
from subcut.dsl.format import format_cut
from subcut.dsl.lookup import Lookup
from subcut.dsl.names import Names, Scope
from subcut.dsl.options import resolve_options
from subcut.dsl.parts import Part, combine, path_part
from subcut.dsl.paths import Flow, Node, around

T = TypeVar("T")
MAX_GROUPS = 6
"""How many `through` clauses a selection may have: the work doubles with each."""


def resolve(
    cut: ast.Cut,
    model: Model,
    source: SourceText,
    *,
    names: Names | None = None,
    lets: Iterable[str] = (),
) -> tuple[Selection, CutOptions]:
    """What `cut`, which was parsed from `source`, means on `model`.

    `names` may be shared by several cuts of one model as long as it is not changed. `lets` are names of selections,
    to suggest where an operator is not found; uses of them must have been expanded (`file.expand`). Raises UserError
    with every name that the model lacks, or else with what is wrong about the selection.
    """
    resolver = Resolver(names or Names(model), source, lets)
    part = resolver.selection(cut.selection)
    options = resolve_options(cut.options, part, resolver.lookup, resolver.problems)
    if part is not None and not part.ops and not resolver.problems:
        resolver.problem(cut.selection.span, "empty-selection", "the selection holds no operator")
    if resolver.problems:
        raise UserError(resolver.problems)
    assert part is not None
    ordered = {op: None for op in part.graph.ops if op in part.ops}
    text = format_cut(cut)
    return Selection(part.graph, ordered, part.entries, part.ends, part.leaving, text), options


class Resolver:
    """Evaluates selections over one model, and collects what is wrong instead of stopping at the first mistake."""

    def __init__(self, names: Names, source: SourceText, lets: Iterable[str] = ()) -> None:
        self.names = names
        self.lookup = Lookup(names, source, lets)
        self.problems: list[Diagnostic] = []

    def problem(self, span: ast.Span, code: str, message: str, help: Sequence[str] = ()) -> None:
        """Note a mistake."""
        self.problems.append(Diagnostic(code, message, Location(self.lookup.source, span.start, span.stop), help))

    def selection(self, selection: ast.Select) -> Part | None:
        """The operators that `selection` chooses, or None when something is wrong."""
        self.lookup.home = self._home(selection)
        return self._attempt(lambda: self._evaluate(selection))

    def _attempt(self, work: Callable[[], T | None]) -> T | None:
        try:
            return work()
        except UserError as error:
            self.problems.extend(error.diagnostics)
            return None

    def _home(self, selection: ast.Select) -> Scope:
        """The graph that the first `@` in the selection names, else the main graph."""
        for item in items_in(selection):
            if isinstance(item, ast.Scoped):
                try:
                    return self.lookup.nodes(item).scope
                except UserError:  # reported when the item is evaluated
                    continue
        return self.names.main

    def _flow(self, graph: Graph) -> Flow:
        return self.names.scope_of(graph).flow

    def _evaluate(self, selection: ast.Select) -> Part | None:
        if isinstance(selection, ast.Combined):
            return self._combined(selection)
        if isinstance(selection, ast.Path):
            return self._path(selection)
        if isinstance(selection, ast.All):
            graph = self.lookup.home.graph
            outputs = {value: None for value in graph.outputs if value.name}
            return Part(graph, dict.fromkeys(graph.ops), ends=outputs or None)
        if isinstance(selection, ast.OfType):
            return self._of_type(selection)
        assert not isinstance(selection, ast.Use), "uses of `let` are expanded before a selection is resolved"
        found = self._ops(selection.items)
        if found is None:
            return None
        graph, ops = found
        if isinstance(selection, ast.Around):
            return Part(graph, around(self._flow(graph), ops, selection.distance))
        return Part(graph, ops)

    def _combined(self, selection: ast.Combined) -> Part | None:
        left = self._attempt(lambda: self._evaluate(selection.first))
        whole = left is not None
        for verb, term in selection.steps:
            right = self._attempt(lambda term=term: self._evaluate(term))  # type: ignore[misc]
            if left is None or right is None:
                whole = False
                continue
            if left.graph is not right.graph:
                self._different(term.span, left.graph, right.graph)
                return None
            left = combine(self._flow(left.graph), verb, left, right)
        return left if whole else None

    def _of_type(self, selection: ast.OfType) -> Part | None:
        scope = self.lookup.home
        ops: dict[Op, None] = {}
        for item in selection.types:
            pattern = re.compile(item.pattern) if isinstance(item, ast.Regex) else words.matcher(item.glob)
            found = scope.ops_of_type(pattern)
            if not found:
                self._attempt(lambda item=item, pattern=pattern: self.lookup.unknown_type(item, pattern, scope))  # type: ignore[misc]
            ops |= dict.fromkeys(found)
        return Part(scope.graph, ops) if ops else None

    def _ops(self, items: Iterable[ast.Item]) -> tuple[Graph, dict[Op, None]] | None:
        """The operators that all `items` name together."""
        graph: Graph | None = None
        ops: dict[Op, None] = {}
        failed = False
        for item in items:
            found = self._attempt(lambda item=item: self.lookup.ops(item))  # type: ignore[misc]
            if found is None:
                failed = True
                continue
            if graph is not None and graph is not found[0].graph:
                self._different(item.span, graph, found[0].graph)
                return None
            graph = found[0].graph
            ops |= dict.fromkeys(found[1])
        return None if graph is None or failed else (graph, ops)

    def _path(self, path: ast.Path) -> Part | None:
        if len(path.through) > MAX_GROUPS:
            message = f"a selection can have {MAX_GROUPS} `through` clauses, this one has {len(path.through)}"
            self.problem(path.span, "too-many-clauses", message)
            return None
        groups = [path.starts, path.ends, path.avoiding, *path.through]
        found = [[self._found(item) for item in group] for group in groups]
        graphs = {f[0]: i for g, items in zip(found, groups, strict=True) for f, i in zip(g, items, strict=True) if f}
        if any(f is None for group in found for f in group):
            return None
        if len(graphs) > 1:
            (first, _), (second, item) = list(graphs.items())[:2]
            self._different(item.span, first, second)
            return None
        meant = [
            [(i, f[1]) for i, f in zip(items, g, strict=True) if f] for g, items in zip(found, groups, strict=True)
        ]
        starts, ends, avoiding, *through = meant
        return path_part(self.lookup, self._flow(next(iter(graphs))), path, starts, ends, avoiding, through)

    def _found(self, item: ast.Item) -> tuple[Graph, Sequence[Node]] | None:
        found = self._attempt(lambda: self.lookup.nodes(item))
        return None if found is None else (found.scope.graph, found.nodes)

    def _different(self, span: ast.Span, one: Graph, other: Graph) -> None:
        named = [self.names.scope_of(graph).address for graph in (one, other)]
        places = [f"`@{address}`" if address else "the main graph" for address in named]
        message = f"this is in {places[1]}, but the selection began in {places[0]}"
        self.problem(span, "different-graphs", message, ["a selection stays in one graph"])


def items_in(selection: ast.Select) -> Iterator[ast.Item]:
    """Every name in a selection, in order."""
    if isinstance(selection, ast.Combined):
        for term in (selection.first, *(term for _, term in selection.steps)):
            yield from items_in(term)
    elif isinstance(selection, ast.Path):
        yield from (*selection.starts, *selection.ends)
        for group in selection.through:
            yield from group
        yield from selection.avoiding
    elif isinstance(selection, (ast.Around, ast.Items)):
        yield from selection.items
