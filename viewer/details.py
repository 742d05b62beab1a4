"""Everything about one operator, put together when somebody clicks it (row S3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import SubcutError
from subcut.compiler.ir.graph import Attribute, Constant, Graph, Op, Symbol, Value
from subcut.compiler.ir.text_literals import attribute as spelled
from subcut.compiler.ir.types import TensorType
from subcut.dsl.names import handle
from subcut.viewer.columns import Ids, label
from subcut.viewer.preview import preview
from subcut.viewer.session import Shown

if TYPE_CHECKING:
    from subcut.compiler.alignment.twin import Twin

LONGEST = 4000
"""Characters of an attribute that are shown."""
PREVIEWED = 12
"""Constants of one operator whose numbers are looked at."""


def details(shown: Shown, graph: Graph, op: Op) -> dict[str, Any]:
    """The answer to `POST /api/op`; `problems` says what could not be read."""
    ids = shown.ids(graph)
    dialect = shown.model.dialect
    found: dict[str, Any] = {
        "name": op.name or handle(op),
        "type": op.type,
        "label": op.label,
        "attributes": [],
        "operands": [_operand(shown, graph, slot, value) for slot, value in enumerate(op.operands)],
        "results": [
            {"tensor": v.name, "type": shown.label(v), "readers": ids.many(v.consumers()), "output": v.index}
            for v in op.results
        ],
        "controls": ids.many(op.controls),
        "bodies": shown.inner(op),
        "constants": [],
        "record": "",
    }
    problems: list[str] = []
    for key, work in (
        ("attributes", lambda: [_attribute(name, value) for name, value in op.attributes.items()]),
        ("constants", lambda: list(_constants(shown, op))),
        ("record", lambda: dialect.record_text(op)),
    ):
        try:
            found[key] = work()
        except (SubcutError, ValueError) as error:  # a damaged record: the rest is still worth showing
            problems.append(f"{key}: {error}")
    found["problems"] = problems
    if shown.twin is not None and graph is shown.model.main:
        found["offline"] = _offline(shown.twin, ids, op)
    return found


def _offline(twin: Twin, ids: Ids, op: Op) -> dict[str, Any]:
    """Which offline operators cover this one, and where each of its tensors was stored, or why it was not."""
    from subcut.compiler.device_data import row_record

    groups = twin.groups([op])
    rows = [row_record(row) for value in op.results if (row := twin.row(value)) is not None]
    return {
        "groups": [
            {"name": group.holder, "type": group.type, "ops": ids.many(twin.members(group.holder))} for group in groups
        ],
        "group": ", ".join(group.holder for group in groups),
        "files": [path.name for group in groups for path in group.files],
        "rows": rows,
    }


def searchable(op: Op) -> str:
    """The attributes of an operator as one text in small letters: `kernel_shape=[3, 3]`, a line each."""
    try:
        return "\n".join(f"{name}={_text(value)[:LONGEST]}" for name, value in op.attributes.items()).casefold()
    except (SubcutError, ValueError):
        return ""


def _operand(shown: Shown, graph: Graph, slot: int, value: Value | None) -> dict[str, Any]:
    if value is None:
        return {"slot": slot, "tensor": "", "type": "", "producer": -1, "why": "left out"}
    place = shown.ids(graph).source(value)
    found: dict[str, Any] = {"slot": slot, "tensor": value.name, "type": shown.label(value), "producer": max(place, -1)}
    if place >= 0:
        producer = graph.ops[place]
        return {**found, "stored": not producer.operands and shown.model.dialect.is_stored(producer)}
    if value.producer is None and value.graph is graph:
        return {**found, "why": "an input of the model" if graph is shown.model.main else "an input of this graph"}
    if value.graph is graph:
        return {**found, "why": "made by an operator that was left out when the model was read"}
    return {**found, "why": "from the graph around"}


def _attribute(name: str, value: Attribute) -> dict[str, Any]:
    text = _text(value)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text)} characters)"
    return {"name": name, "type": _kind(value), "text": text}


def _kind(value: Attribute) -> str:
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "bool"), (int, "int"), (float, "float"), ((str, bytes), "string"), (Constant, "tensor"),
        (Symbol, "function"), (TensorType, "type"), (list, "list"), (dict, "message"),
    )  # fmt: skip
    return next((word for kind, word in kinds if isinstance(value, kind)), "none")


def _text(value: Attribute) -> str:
    """An attribute as people write it: without the types that the IR's text form adds."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, str)):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, Constant):
        return label(value.type)
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key}: {_text(one)}" for key, one in value.items()) + " }"
    return spelled(value)


def _constants(shown: Shown, op: Op) -> Iterator[dict[str, Any]]:
    """What the operator stores, then what it reads from stored constants; of the first few also the numbers."""
    for number, (name, constant) in enumerate(_named_constants(shown, op)):
        found = {"tensor": name, "type": label(constant.type)}
        yield {**found, "preview": preview(constant)} if number < PREVIEWED else found


def _named_constants(shown: Shown, op: Op) -> Iterator[tuple[str, Constant]]:
    dialect = shown.model.dialect
    own = dialect.stored_tensors(op)
    if len(own) == 1 and len(op.results) == 1 and dialect.is_stored(op):
        yield op.results[0].name, own[0]
    else:
        yield from ((f"{op.label} [{number}]", constant) for number, constant in enumerate(own))
    for value in op.reads():
        producer = value.producer
        if producer is not None and not producer.operands and dialect.is_stored(producer):
            for constant in dialect.stored_tensors(producer)[:1]:
                yield value.name, constant
