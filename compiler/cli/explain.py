"""Say why each edge of a cut is an edge, without writing anything.

subcut explain model.onnx "from conv1 to relu3"
"""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Iterator, Sequence

from subcut.compiler.cli import options
from subcut.compiler.export import load
from subcut.compiler.ir import report as why
from subcut.compiler.ir.graph import Op
from subcut.compiler.ir.report import Edge, Report
from subcut.compiler.pipeline import Pipeline
from subcut.passes import Cut, Fold, Select

SHOWN = 4
"""How many operators a sentence names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    parser.add_argument("selection", metavar="SELECTION", help="what would be kept, such as 'from conv1 to relu3'")
    parser.add_argument("--no-infer", action="store_true", help="do not infer the types of edges")
    parser.add_argument("--no-fold", action="store_true", help="keep inputs whose value follows from static shapes")


def run(args: argparse.Namespace) -> int:
    """Cut as far as the edges are known, and explain them."""
    model = load(args.model, options.read_options(args))
    Pipeline(Select(args.selection), Cut(not args.no_infer), Fold(not args.no_fold)).run(model)
    assert model.report is not None
    width = shutil.get_terminal_size((100, 0)).columns
    for line in lines(model.report):
        print(textwrap.fill(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False))
    return 0


def lines(report: Report) -> Iterator[str]:
    """A heading for each kind of thing that happens at the border, and a sentence for each thing."""
    yield f"{_count(len(report.operators), 'operator')} of graph `{report.graph}` kept"
    yield _heading([*report.inputs, *report.kept], "input")
    for edge in report.inputs:
        yield f"  {_tensor(edge)} enters because {_entering(edge)}"
    for edge in report.kept:
        yield f"  {_tensor(edge)} enters because `{edge.value.name}` is an input of the model, and selected"
    yield _heading(report.outputs, "output")
    for edge in report.outputs:
        yield f"  {_tensor(edge)} leaves because {_leaving(edge)}"
    if report.folded:
        yield _heading(report.folded, "constant folded", "constants folded")
    for value, type, source in report.folded:
        yield f"  `%{value.name}` : {type or '?'} need not enter because its value is known: {source}"
    if report.constants:
        yield _heading(report.constants, "constant comes along", "constants come along")
        yield f"  {_named(report.constants)}: stored, or computed from what is stored alone"
    if report.controls:
        yield _heading(report.controls, "control dependency dropped", "control dependencies dropped")
    for op, other in report.controls:
        yield f"  `{op.label}` no longer waits for `{other.label}`, which is left out"


def _heading(things: Sequence[object], one: str, many: str = "") -> str:
    return f"{_count(len(things), one, many)}{':' if things else ''}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number or 'no'} {one if number == 1 else many or one + 's'}"


def _tensor(edge: Edge) -> str:
    return f"`%{edge.value.name}` : {edge.type or '?'}"


def _entering(edge: Edge) -> str:
    readers = f"{_named(edge.consumers)}, inside, {_verb(edge.consumers, 'read')} it"
    if edge.reason == why.MADE_OUTSIDE:
        return f"{_maker(edge)}, outside, makes it and {readers}"
    if edge.reason == why.CAPTURED:
        return f"{readers} from the graph around, where {_maker(edge)} makes it"
    if edge.reason == why.NAMED_START:
        return f"the selection names it as where to start: {readers}"
    return f"it is {edge.reason} and {readers}"


def _leaving(edge: Edge) -> str:
    outside = f"{_named(edge.consumers)}, outside, {_verb(edge.consumers, 'read')} it"
    if edge.reason == why.LEAVES:
        return f"{_maker(edge)}, inside, makes it and {outside}"
    if edge.reason == why.UNREAD:
        return f"{_maker(edge)}, inside, makes it and nobody reads it"
    reasons = {
        why.NAMED_END: "the selection names it, or what makes it, as an end",
        why.TAPPED: "the selection taps it",
    }
    reason = reasons.get(edge.reason, f"it is {edge.reason}")
    return f"{reason}: {_maker(edge)}, inside, makes it" + (f" and {outside}" if edge.consumers else "")


def _maker(edge: Edge) -> str:
    return f"`{edge.producer.label}` ({edge.producer.type})" if edge.producer is not None else "an input of that graph"


def _named(ops: Sequence[Op]) -> str:
    """`a`, `b` and `c`; of many the first few."""
    names = [f"`{op.label}`" for op in ops[:SHOWN]]
    if len(ops) > SHOWN:
        names[SHOWN - 1 :] = [f"{len(ops) - SHOWN + 1} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _verb(ops: Sequence[Op], verb: str) -> str:
    return verb + "s" if len(ops) == 1 else verb
