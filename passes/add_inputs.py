"""Give the cut its inputs: one for every tensor that still crosses into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from subcut.compiler.diagnostics import Diagnostic
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.report import Edge, Report
from subcut.compiler.ir.selection import CutOptions
from subcut.compiler.ir.stated import Contradiction, Stated
from subcut.compiler.ir.types import TensorType
from subcut.passes.base import Pass
from subcut.passes.cut import take_output_types


@dataclass(frozen=True)
class AddInputs(Pass):
    """Add an input for every input edge, in order of first use.

    1. An edge whose type the format must write and nobody knows is an error that shows the clause to add.
    2. An input of the model that is still read stays the very same input.
    3. Types that the user stated decide the types of all that is computed from them. A cut that could not run with
       them is an error that names the operator.
    """

    name: ClassVar[str] = "add-inputs"

    def apply(self, model: Model) -> bool:
        """Add the inputs; each edge's `new` is the value that stands for it."""
        report, graph = model.report, model.main
        if report is None:
            raise user_error("no-cut", "nothing was cut", help="run the pass `cut` before `add-inputs`")
        missing = [d for edge in report.inputs if (d := _missing(model, edge)) is not None]
        if missing:
            raise UserError(missing)
        old_inputs = list(graph.inputs)
        if not report.whole:
            graph.inputs = []
        count: Counter[Op] = Counter()
        for edge in report.inputs:
            if edge.value.producer is None and edge.value in old_inputs:
                edge.new = edge.value
                if not report.whole:
                    graph.inputs.append(edge.value)
                continue
            start = edge.consumers[0]
            edge.new = model.dialect.add_input(graph, edge.value, start, count[start])
            count[start] += 1
            edge.value.replace_by(edge.new)
            _replace_in_bodies(edge)
        _settle(model, report)
        return bool(report.inputs) or graph.inputs != old_inputs


def _settle(model: Model, report: Report) -> None:
    """Let the types in the cut follow from those that the user stated, or refuse these."""
    stands_for = {edge.new or edge.value: edge.value for edge in (*report.inputs, *report.kept)}
    known = {new: report.known[old] for new, old in stands_for.items() if old in report.known}
    options = model.options or CutOptions()
    if not known:
        return
    stated = Stated.of(model.main, known)
    try:
        unchecked = model.dialect.settle(model, stated, framework=report.framework)
    except Contradiction as found:
        roots = [stands_for[new] for new in stated.roots(found.op) if stands_for[new] in options.types]
        raise UserError([_contradiction(found, roots or [*options.types], report, options)]) from None
    take_output_types(report, options)
    if unchecked:
        model.notes.setdefault("limits", []).extend({"what": what} for what in unchecked)


def _contradiction(found: Contradiction, roots: Sequence[Value], report: Report, options: CutOptions) -> Diagnostic:
    """What to say of an operator that cannot take the types stated of `roots`."""
    what = " and ".join(f"`%{value.name}` as {options.types[value]}" for value in roots)
    at = next((options.places[value] for value in roots if value in options.places), None)
    op = found.op
    name = f"`{op.label}`" + (f" ({op.type})" if op.name else "")
    known = [(value.name, report.known[value]) for value in roots if report.known[value] is not None]
    help = [f"`%{name}` is {type} in the model" for name, type in known if "*" not in str(type)]
    reads = [f"`%{value.name}` as {value.type}" for value in op.reads() if value.type is not None]
    help += [f"`{op.label}` reads {', '.join(reads[:4])}"] if reads else []
    return Diagnostic("type-contradiction", f"with {what}, {name} cannot run: {found}", at, help)


def _replace_in_bodies(edge: Edge) -> None:
    """A body may give out a captured value as it is."""
    for op in edge.consumers:
        for inner in op.walk() if op.regions else ():
            for region in inner.regions:
                region.outputs = [edge.new if v is edge.value and edge.new else v for v in region.outputs]


def _missing(model: Model, edge: Edge) -> Diagnostic | None:
    """What to say of an edge whose element type or shape is needed and unknown."""
    need_element, need_shape = model.dialect.needs_type(edge.value)
    type = edge.type
    if type is not None and not isinstance(type, TensorType):
        return None
    no_element = need_element and (type is None or type.element is None)
    no_shape = need_shape and (type is None or type.shape is None)
    if not no_element and not no_shape:
        return None
    what = " and ".join(["element type"] * no_element + ["shape"] * no_shape)
    example = "1x3x224x224x" + (type.element if type is not None and type.element else "f32")
    return Diagnostic(
        "untyped-edge",
        f"nobody knows the {what} of `%{edge.value.name}`, which `{edge.consumers[0].label}` reads",
        help=[f"state it in the selection: `; input %{edge.value.name} : {example}`, with the real type"],
    )
