"""What a model is, apart from the identity of its objects, the files behind it and the numbers it stores."""

from __future__ import annotations

import struct
from typing import Any

from subcut.compiler.ir.graph import Constant, Graph, Model, Op, Symbol, Value


def structure(model: Model) -> dict[str, Any]:
    """Nested plain data that is equal for equal models."""
    graphs = [model.main, *model.functions.values()]
    numbers = _numbers(graphs)
    return {
        "dialect": model.dialect.name,
        "name": model.name,
        "functions": list(model.functions),
        "graphs": [_graph(graph, numbers) for graph in graphs],
    }


def _numbers(graphs: list[Graph]) -> dict[Any, int]:
    """A number for every value and operator, in an order that does not depend on uses."""
    numbers: dict[Any, int] = {}
    todo = list(reversed(graphs))
    while todo:
        graph = todo.pop()
        for value in (*graph.inputs, *graph.absent):
            numbers[value] = len(numbers)
        for op in graph.ops:
            numbers[op] = len(numbers)
            for value in op.results:
                numbers[value] = len(numbers)
            todo += reversed(op.regions)
    return numbers


def _graph(graph: Graph, numbers: dict[Any, int]) -> dict[str, Any]:
    return {
        "name": graph.name,
        "owner": numbers.get(graph.owner),
        "inputs": [_value(v, numbers) for v in graph.inputs],
        "absent": [(v.producer.type, v.producer.name, _value(v, numbers)) for v in graph.absent if v.producer],
        "ops": [_op(op, numbers) for op in graph.ops],
        "outputs": [numbers[v] for v in graph.outputs],
    }


def _value(value: Value, numbers: dict[Any, int]) -> tuple[Any, ...]:
    uses = sorted((numbers[op], slot) for op, slot in value.uses)
    return numbers[value], value.name, repr(value.type), value.index, uses


def _op(op: Op, numbers: dict[Any, int]) -> dict[str, Any]:
    return {
        "type": op.type,
        "name": op.name,
        "operands": [None if v is None else numbers[v] for v in op.operands],
        "results": [_value(v, numbers) for v in op.results],
        "controls": [numbers[before] for before in op.controls],
        "symbols": op.symbols,
        "attributes": {name: plain(value) for name, value in op.attributes.items()},
        "regions": [_graph(body, numbers) for body in op.regions],
    }


def plain(value: Any) -> Any:
    """An attribute as data in which `1`, `1.0` and `True` differ, and a NaN equals itself."""
    if isinstance(value, float):
        return "float", struct.pack(">d", value)
    if isinstance(value, (Constant, Symbol)):
        return repr(value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return type(value).__name__, repr(value)
