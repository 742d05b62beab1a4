"""Local functions: types inside one follow from the calls of it, and a cut inside one needs its attributes bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from subcut.compiler.errors import user_error
from subcut.compiler.formats.onnx.types import agreed, encode_type
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.types import Type

Run = Callable[[Any], Any]
Take = Callable[[Graph, Any], None]


def key_of(value: Value) -> str | None:
    """The function whose body, or a body in it, defines `value`."""
    graph = value.graph
    while graph is not None and graph.owner is not None:
        graph = graph.owner.graph
    if graph is None or graph.model.functions.get(graph.name) is not graph:
        return None
    return graph.name


def infer(model: Model, keys: Iterable[str], proto: Any, run: Run, take: Take) -> None:
    """Set the types inside functions: what all calls of one agree on. Callers come before what they call."""
    heads = {_key(head): head for head in proto.functions}
    done: set[str] = set()
    waiting = [(key, False) for key in sorted(keys, reverse=True)]
    while waiting:
        key, callers_done = waiting.pop()
        if key in done:
            continue
        calls = [op for graph in model.graphs() for op in graph.ops if key in op.symbols]
        if not callers_done:
            callers = [one for op in calls if (one := _function_around(op)) != key]
            waiting.append((key, True))
            waiting += [(one, False) for one in dict.fromkeys(callers) if one is not None and one not in done]
            continue
        done.add(key)
        _infer_one(model, model.functions[key], heads[key], proto, calls, run, take)


def _function_around(op: Op) -> str | None:
    return key_of(op.results[0]) if op.results else None


def _key(head: Any) -> str:
    return f"{head.domain}::{head.name}" + (f":{head.overload}" if head.overload else "")


def _infer_one(model: Model, graph: Graph, head: Any, proto: Any, calls: list[Op], run: Run, take: Take) -> None:
    inputs = [agreed(*(_operand_type(op, i) for op in calls)) for i in range(len(graph.inputs))]
    for value, known in zip(graph.inputs, inputs, strict=True):
        value.type = known if value.type is None else value.type
    alone = proto.__class__()
    alone.ir_version = proto.ir_version
    alone.opset_import.extend(head.opset_import)
    alone.functions.extend(one for one in proto.functions if one.name != head.name or one.domain != head.domain)
    alone.graph.name = head.name
    alone.graph.node.extend(head.node)
    alone.graph.value_info.extend(head.value_info)
    for value in graph.inputs:
        info = alone.graph.input.add(name=value.name)
        if value.type is not None:
            info.type.ParseFromString(encode_type(value.type))
    _bind(alone.graph, head, _same_attributes(calls))
    found = run(alone)
    if found is not None:
        take(graph, found.graph)


def _operand_type(op: Op, slot: int) -> Type | None:
    operand = op.operands[slot] if slot < len(op.operands) else None
    return operand.type if operand is not None else None


def _same_attributes(calls: list[Op]) -> Mapping[str, Any]:
    """Attributes that every call sets to the same plain value."""
    if not calls:
        return {}
    first = dict(calls[0].attributes)
    return {name: value for name, value in first.items() if all(op.attributes.get(name) == value for op in calls)}


def _bind(graph: Any, head: Any, given: Mapping[str, Any]) -> None:
    """Put values in the place of references to the function's attributes; unknown ones are left out."""
    defaults = {one.name: one for one in head.attribute_proto}
    graphs = [graph]
    while graphs:
        for node in graphs.pop().node:
            for attribute in list(node.attribute):
                graphs += [attribute.g] if attribute.HasField("g") else []
                if not attribute.ref_attr_name:
                    continue
                reference, name = attribute.ref_attr_name, attribute.name
                if reference not in given and reference in defaults:
                    attribute.CopyFrom(defaults[reference])
                    attribute.name = name
                elif isinstance(given.get(reference), (int, float)):
                    _set(attribute, name, given[reference])
                elif isinstance(given.get(reference), list):
                    _set_list(attribute, name, given[reference])
                else:
                    node.attribute.remove(attribute)


def _set(attribute: Any, name: str, value: int | float) -> None:
    attribute.Clear()
    attribute.name = name
    if isinstance(value, int):
        attribute.i, attribute.type = value, 2
    else:
        attribute.f, attribute.type = value, 1


def _set_list(attribute: Any, name: str, values: list[Any]) -> None:
    attribute.Clear()
    attribute.name = name
    if all(isinstance(one, int) for one in values):
        attribute.ints.extend(values)
        attribute.type = 7
    elif all(isinstance(one, float) for one in values):
        attribute.floats.extend(values)
        attribute.type = 6


def check_bound(graph: Graph, chosen: Mapping[Op, None]) -> None:
    """Refuse a cut inside a function that keeps an operator whose attribute only a caller sets."""
    if graph.model.functions.get(graph.name) is not graph:
        return
    for top in chosen:
        for op in top.walk():
            for name, value in op.attributes.items():
                if isinstance(value, dict) and isinstance(value.get("ref"), str):
                    raise user_error(
                        "function-attribute",
                        f"`{op.label}` takes its attribute `{name}` from the caller of the function `{graph.name}`",
                        help="cut in the graph that calls the function, or leave this operator out",
                    )
