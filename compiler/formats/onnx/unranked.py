"""Outputs whose type nobody knows: `onnx.checker` wants it stated, so they are refused, with the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from subcut.compiler.diagnostics import Diagnostic
from subcut.compiler.errors import UserError
from subcut.compiler.formats.onnx import fold, schema
from subcut.compiler.formats.onnx.records import body, info_of, model_record_of, reading, record_of
from subcut.compiler.formats.onnx.types import decode_info, is_ranked
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.types import TensorType, Type

EACH_WAY, FARTHEST = 2, 1000
"""How many tensors to end at instead are named in each direction, and how many are looked at."""


def check(model: Model) -> None:
    """Refuse an output of unknown element type or rank, unless the user chose it, or the original has such edges too.

    The user does by stating the rank as open (`output %x : *xf32`), or that nothing is to be inferred. Raises UserError
    `untyped-edge`.
    """
    with reading(model_record_of(model).file.path):
        unknown = [value for value in model.main.outputs if not is_ranked(value.type or _stated(value))]
        if not unknown:
            return
        stated = model.options.outputs if model.options else {}
        refused = [value for value in unknown if value not in stated or not _element(value)]
        inferring = model.report is None or model.report.framework
        if refused and inferring and not _is_open(model):
            raise UserError([_diagnostic(model, value) for value in refused])
    for value in unknown:
        what = f"the {_lacking(value)} of output `{value.name}` is not known: the cut runs, onnx.checker refuses it"
        model.notes.setdefault("limits", []).append({"what": what})


def _stated(value: Value) -> Type | None:
    """What the file says of a value that nobody asked the type of."""
    place = info_of(value)
    if place is None or value.graph is None:
        return None
    data = record_of(value.graph).file.data
    return decode_info(data[body(data, *place) : place[1]])[1]


def _is_open(model: Model) -> bool:
    """Whether the model as it was read has an edge of unknown type, so that `onnx.checker` refuses it anyway."""
    main = model_record_of(model).main
    record, data = record_of(main), record_of(main).file.data
    for names, number in ((record.inputs, schema.INPUT), (record.outputs, schema.OUTPUT)):
        for at, stop in (record.named(number)[name] for name in names):
            if not is_ranked(decode_info(data[body(data, at, stop) : stop])[1]):
                return True
    return False


def _lacking(value: Value) -> str:
    return "rank" if _element(value) else "element type"


def _diagnostic(model: Model, value: Value) -> Diagnostic:
    source = _source(value)
    maker, reason = source.producer, ""
    if maker is not None:
        name = f"`{maker.label}`" + (f" ({maker.type})" if maker.name else "")
        reason = (
            f": {name} {_why(maker)}" if maker.results[0] is value else f": it follows from {name}, which {_why(maker)}"
        )
    element = _element(value) or "f32"
    help = [f"state it in the selection: `; output %{value.name} : 1x64x{element}`, with the real type"]
    if maker is not None and maker.type == "If" and maker.operands[0] is not None:
        deciding = [f"`%{root.name}`" for root in fold.static_roots(maker.operands[0])]
        if deciding:
            help.append(
                f"the size of {', '.join(deciding)} decides the branch: with an `input` that states it, it is known"
            )
    nearest = [f"`%{one.name}`" for one in _nearest(model, value)]
    if nearest:
        help.append(f"the nearest tensors that are known: {', '.join(nearest)}")
    help.append(f"leave it open: `; output %{value.name} : *x{element}`; the cut runs, and onnx.checker refuses it")
    return Diagnostic(
        "untyped-edge", f"nobody knows the {_lacking(value)} of the output `%{value.name}`{reason}", help=help
    )


def _source(value: Value) -> Value:
    """The tensor that `value` has its unknown rank from: one whose operator knows the types of all it reads."""
    seen = {value}
    while value.producer is not None:
        unknown = [one for one in _read(value.producer) if not is_ranked(one.type) and one not in seen]
        if not unknown:
            return value
        value = unknown[0]
        seen.add(value)
    return value


def _read(op: Op) -> Iterator[Value]:
    return (value for value in op.operands if value is not None and value.name)


def _why(op: Op) -> str:
    if op.type == "If":
        ranks = [
            {
                len(one.type.shape)
                for one in region.outputs
                if isinstance(one.type, TensorType) and one.type.shape is not None
            }
            for region in op.regions
        ]
        if len(ranks) == 2 and ranks[0] != ranks[1] and all(ranks):
            return "gives tensors of different ranks in its two branches"
        return "gives what one of its branches gives, whose types are not known"
    if "." in op.type:
        return "is of a domain whose operators ONNX's shape inference does not know"
    return "computes its shape while the model runs, or has no shape inference"


def _nearest(model: Model, value: Value) -> list[Value]:
    """Tensors of known type and the same elements, nearest first: two that `value` is made of, two made of it."""
    leaving = [
        op for edge in (model.report.outputs if model.report else ()) for op in edge.consumers if edge.value is value
    ]

    def before(one: Value) -> list[Value]:
        return one.producer.reads() if one.producer is not None else []

    def behind(one: Value) -> list[Value]:
        readers = [_beside(op, value) for op in (*one.consumers(), *(leaving if one is value else ()))]
        return [result for op in readers if op is not None for result in op.results]

    return [*_walk(model, value, before), *_walk(model, value, behind)]


def _walk(model: Model, value: Value, step: Callable[[Value], list[Value]]) -> list[Value]:
    """The first tensors on the way from `value` that an output of the cut could be."""
    found: list[Value] = []
    seen, todo = {value}, [value]
    for current in todo:  # which grows meanwhile
        for one in step(current):
            maker = one.producer
            if one in seen or maker is None or not one.name or model.dialect.is_stored(maker):
                continue
            seen.add(one)
            todo.append(one)
            if is_ranked(one.type) and _element(one) in (_element(value) or _element(one), None):
                found.append(one)
        if len(found) >= EACH_WAY or len(seen) > FARTHEST:
            break
    return found[:EACH_WAY]


def _beside(op: Op, value: Value) -> Op | None:
    """The operator of the graph of `value` that is `op`, or in whose bodies `op` is."""
    current: Op | None = op
    while current is not None and current.graph is not value.graph:
        current = current.graph.owner if current.graph is not None else None
    return current


def _element(value: Value) -> str | None:
    return value.type.element if isinstance(value.type, TensorType) else None
