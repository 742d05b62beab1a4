"""Cut the selected operators out: find every edge and its reason, bring constants along, drop the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir import report as why
from subcut.compiler.ir.constants import is_constant
from subcut.compiler.ir.graph import Graph, Model, Op, Value, topological
from subcut.compiler.ir.report import Edge, Report
from subcut.compiler.ir.selection import CutOptions, Selection
from subcut.compiler.ir.stated import dependents
from subcut.compiler.ir.types import TensorType, Type, compatible
from subcut.passes.base import Pass


@dataclass(frozen=True)
class Cut(Pass):
    """Keep the selection, and say of every tensor that crosses its border why it does.

    1. A stored constant, or a pure operator of constants alone, comes along; nothing else from outside does.
    2. A random or stateful operator is never constant, whatever feeds it.
    3. A tensor named as the start is an input even where it is constant or made inside.
    4. Types that edges lack are inferred on the whole model, before anything is dropped (`infer=false` imports
       no framework for it).
    5. A control dependency on what is left out is dropped.
    6. When everything is selected, inputs and outputs stay as they are.
    """

    name: ClassVar[str] = "cut"
    infer: bool = True

    def apply(self, model: Model) -> bool:
        """Cut `model` to `model.selection`; sets `model.report`."""
        selection, options = model.selection, model.options or CutOptions()
        if selection is None:
            raise user_error("no-selection", "nothing is selected", help="run the pass `select` before `cut`")
        graph = selection.graph
        report = examine(selection, options)
        report.framework = self.infer
        report.known = _bind(model, options)
        _infer_with_stated(graph, report, self.infer)
        take_output_types(report, options)
        changed = graph is not model.main
        if changed:
            _become_main(graph, report)
        changed = graph.keep([*selection.ops, *report.constants]) or changed
        _drop_controls(graph, report)
        graph.outputs = [edge.value for edge in report.outputs]
        entering = {edge.value for edge in report.inputs}
        own = [v for v in model.dialect.feeds(model) if v.producer is not None and v not in entering]
        report.kept = [Edge(v, why.MODEL_INPUT, v.producer, v.consumers()) for v in own]
        model.report = report
        return changed


def examine(selection: Selection, options: CutOptions, known: dict[Op, bool] | None = None) -> Report:
    """What a cut to `selection` would keep, take in and give out, and why; the model is not changed.

    `known` remembers which operators are constant, for who asks again of a model that stays as it is.
    Raises UserError where the selection cannot be cut, or an option would have no effect.
    """
    graph = selection.graph
    report = Report(graph=graph.name)
    report.whole = _is_whole(selection) and not options.freeze
    order = topological(selection.ops)
    constants = _find_inputs(order, selection, report, options, {} if known is None else known)
    _check_options(selection, report, options)
    report.operators = [op for op in order if not graph.model.dialect.is_stored(op)]
    chosen = dict.fromkeys(op for op in graph.ops if op in selection.ops or op in constants)
    graph.model.dialect.check_region(graph, chosen)
    report.constants = list(constants)
    _find_outputs(selection, report, options)
    return report


def _check_options(selection: Selection, report: Report, options: CutOptions) -> None:
    """Refuse an option that would have no effect."""
    if options.snap:
        raise user_error(
            "no-dumps",
            f"`snap {options.snap}` moves edges to tensors that a device stored, and no offline model is given",
            help="give one with `--om`, or leave the option out",
        )
    entering = {edge.value for edge in report.inputs}
    for value in options.types:
        if value.producer in selection.ops and value not in entering and value.producer.operands:
            raise user_error(
                "not-an-input",
                f"`%{value.name}` is no input of the cut: `{value.producer.label}`, which is selected, makes it",
                help=f"leave its type out, or start there: `from %{value.name} …`",
            )


def _bind(model: Model, options: CutOptions) -> dict[Value, Type | None]:
    """Take the types that the user stated; what is wrong with one points at where it is stated."""
    known: dict[Value, Type | None] = {}
    for value, type in options.types.items():
        try:
            known |= model.dialect.bind(model, {value: type})
        except UserError as error:
            raise UserError([replace(d, at=d.at or options.places.get(value)) for d in error.diagnostics]) from None
    return known


def _is_whole(selection: Selection) -> bool:
    graph = selection.graph
    everything = graph is graph.model.main and not selection.entries and len(selection.ops) == len(graph.ops)
    return everything and (selection.ends is None or set(selection.ends) == set(graph.outputs))


def _find_inputs(
    order: list[Op], selection: Selection, report: Report, options: CutOptions, known: dict[Op, bool]
) -> dict[Op, None]:
    """Record the input edges, in order of first use; returns the constants that come along."""
    constants: dict[Op, None] = {}
    edges: dict[Value, Edge] = {}
    dialect = selection.graph.model.dialect
    ops, names = selection.ops, {*selection.entries, *options.freeze}
    for op in order:
        for value in op.reads() if op.regions else op.operands:
            if value is None or (value.producer in ops and value not in names):
                continue  # the most of them: this loop sees every operand of the cut
            producer = value.producer
            if value in edges:
                consumers = edges[value].consumers
                if consumers[-1] is not op:
                    consumers.append(op)
                continue
            named = value in names
            if not named and producer is not None and (producer in constants or is_constant(producer, dialect, known)):
                _add_constants(producer, constants, selection.ops)
                continue
            edges[value] = Edge(value, _input_reason(value, selection, named), producer, [op])
    report.inputs = list(edges.values())
    if report.whole:
        own = {v: edges.get(v) or Edge(v, why.MODEL_INPUT, None, []) for v in selection.graph.inputs}
        report.inputs = list({**own, **edges}.values())
    return constants


def _input_reason(value: Value, selection: Selection, named: bool) -> str:
    if named:
        return why.NAMED_START
    if value.producer is None and value.graph is selection.graph:
        return why.MODEL_INPUT
    return why.MADE_OUTSIDE if value.graph is selection.graph else why.CAPTURED


def _add_constants(root: Op, constants: dict[Op, None], chosen: Iterable[Op]) -> None:
    stack = [root]
    while stack:
        op = stack.pop()
        if op not in constants and op not in chosen:
            constants[op] = None
            stack.extend(v.producer for v in op.reads() if v.producer is not None)


def _find_outputs(selection: Selection, report: Report, options: CutOptions) -> None:
    """Record the output edges, in order of definition."""
    graph = selection.graph
    if report.whole and graph.outputs:
        report.outputs = [Edge(v, why.MODEL_OUTPUT, v.producer, []) for v in graph.outputs]
    model_outputs = set(graph.outputs)
    have = {edge.value for edge in report.outputs}
    everything = selection.ends is None and not (report.whole and graph.outputs)
    leaving = everything or selection.leaving or options.tap_leaving
    asked = {**(selection.ends or {}), **options.taps}
    makers = {value.producer for value in asked}
    for op in selection.ops if leaving else [op for op in selection.ops if op in makers]:
        if graph.model.dialect.is_stored(op) and op not in makers:
            continue
        for value in op.results:
            if value in have or not value.name or not (leaving or value in asked):
                continue
            if not graph.model.dialect.can_leave(value):
                continue
            outside = [user for user in value.consumers() if _top(user, graph) not in selection.ops]
            if selection.ends is not None and value in selection.ends:
                reason = why.NAMED_END
            elif value in options.taps:
                reason = why.TAPPED
            else:
                reason = _leaving_reason(value, outside, value in model_outputs, everything or selection.leaving)
            if reason:
                report.outputs.append(Edge(value, reason, op, outside))
    if not report.outputs and not report.whole:
        raise user_error(
            "no-output",
            "nothing that the selection makes is a tensor, so the cut would compute nothing",
            help="select operators that have results",
        )


def _leaving_reason(value: Value, outside: list[Op], is_output: bool, unread_too: bool) -> str:
    if is_output:
        return why.MODEL_OUTPUT
    if outside:
        return why.LEAVES
    return why.UNREAD if unread_too and not value.uses else ""


def _top(op: Op, graph: Graph) -> Op | None:
    """The operator of `graph` in whose bodies `op` is, or `op` itself."""
    current: Op | None = op
    while current is not None and current.graph is not graph:
        current = current.graph.owner if current.graph is not None else None
    return current


def _infer_with_stated(graph: Graph, report: Report, framework: bool) -> None:
    """Let what the user stated decide the other edges too, unless something outside the cut cannot take it."""
    model = graph.model
    stated = {value: value.type for value in report.known}
    before = {value: value.type for graph in model.graphs() for value in graph.values()} if stated else {}
    _infer(model, report, framework)
    if not stated:
        return
    if all(_complete(edge.value) for edge in report.inputs):
        follow = {value for op in dependents(graph, stated) for value in op.results}
        also = [edge.value for edge in report.inputs if edge.value in follow and edge.value not in stated]
        report.known |= {value: before[value] for value in also if before[value] != value.type}
        return
    for value, type in {**before, **report.known}.items():
        value.type = type
    _infer(model, report, framework)
    for value, type in stated.items():
        value.type = type


def _infer(model: Model, report: Report, framework: bool) -> None:
    """Find the types that inputs lack, and outputs where the format writes them down.

    Elsewhere outputs are only asked for when the framework is at work already, and after the inputs, so that no
    objection to an output's operator takes the inputs' types away; or where the device's numbers have another shape.
    """
    outputs = [edge.value for edge in report.outputs if not _complete(edge.value)]
    wanted = [edge.value for edge in report.inputs if not _complete(edge.value)]
    wanted += [root for edge in report.inputs for root in model.dialect.static_roots(edge.value) if not _complete(root)]
    if model.dialect.typed_outputs:
        wanted, outputs = wanted + outputs, []
    wanted += [value for value in outputs if _reshaped(value)]
    if wanted:
        model.dialect.infer(model, list(dict.fromkeys(wanted)), framework=framework)
    if wanted and outputs:
        model.dialect.infer(model, outputs, framework=framework)


def _reshaped(value: Value) -> bool:
    aligner = value.producer.graph.model.aligner if value.producer and value.producer.graph else None
    row = aligner.row(value) if aligner is not None else None
    return row is not None and row.reshaped


def take_output_types(report: Report, options: CutOptions) -> None:
    """Take the types that the user stated of outputs, where nobody knows otherwise."""
    given_out = {edge.value for edge in report.outputs}
    for value, type in options.outputs.items():
        at = options.places.get(value)
        if value not in given_out:
            help = f"leave its type out, or give it out: `… ; tap %{value.name}`"
            raise user_error("not-an-output", f"`%{value.name}` is no output of the cut", at=at, help=help)
        known = value.type
        if not compatible(type, known):
            message = f"`%{value.name}` is {known} in the model, which {type} is not"
            raise user_error("type-mismatch", message, at=at)
        value.type = known.merged(type) if isinstance(type, TensorType) and isinstance(known, TensorType) else type


def _complete(value: Value) -> bool:
    type = value.type
    if isinstance(type, TensorType):
        return type.element is not None and type.shape is not None
    return type is not None


def _become_main(graph: Graph, report: Report) -> None:
    """Make a body or a function the model itself; the graphs around it, and their uses of what it captures, go.

    Constants that it captured are moved into it, before its own operators.
    """
    model = graph.model
    for value in [*(edge.value for edge in report.inputs), *(v for op in report.constants for v in op.results)]:
        value.uses = [use for use in value.uses if _top(use[0], graph) is not None]
    for op in reversed(topological(op for op in report.constants if op.graph is not graph)):
        graph.insert(0, op)
    if model.functions.get(graph.name) is graph:
        del model.functions[graph.name]
    graph.owner = None
    model.main = graph


def _drop_controls(graph: Graph, report: Report) -> None:
    kept = set(graph.ops)
    for op in graph.ops:
        if op.controls:
            report.controls += [(op, other) for other in op.controls if other not in kept]
            op.set_controls(other for other in op.controls if other in kept)
