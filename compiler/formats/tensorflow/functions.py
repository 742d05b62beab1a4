"""Functions of the library as graphs: `node:result:index` inputs, arguments and what is returned.

Source: tensorflow/core/framework/function.proto, and how InstantiateFunction in function.cc resolves names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from subcut.compiler.formats.tensorflow import records
from subcut.compiler.formats.tensorflow.library import Function
from subcut.compiler.formats.tensorflow.origin import GraphOrigin
from subcut.compiler.formats.tensorflow.results import OUTPUT_SHAPES
from subcut.compiler.ir.graph import Graph, Op, Value
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.wire import LEN, fields

if TYPE_CHECKING:
    from subcut.compiler.formats.tensorflow.reader import Node, Reader

ARGUMENT_ATTRIBUTES, NODES, RETURNS = 7, 3, 4


class Scope:
    """The names in one function's body."""

    def __init__(self, graph: Graph, nodes: list[Node]) -> None:
        self.arguments: dict[str, list[Value]] = {}
        self.nodes: Mapping[str, Node] = {node.op.name: node for node in nodes}
        self.graph = graph

    def find(self, text: str) -> list[Value]:
        """What `argument`, `argument:index`, `node:result` or `node:result:index` means; empty when nothing."""
        name, *rest = text.split(":")
        if name in self.arguments:
            return _pick(self.arguments[name], rest)
        node = self.nodes.get(name)
        if node is None or not rest:
            return []
        if node.results is None:
            return self._unknown(node.op, rest)
        covered = node.results.ranges.get(rest[0])
        if covered is None:
            return []
        return _pick(node.op.results[covered[0] : covered[0] + covered[1]], rest[1:])

    def _unknown(self, op: Op, rest: list[str]) -> list[Value]:
        """A result of an operator of unknown signature: it has those that are read, in order of first use.

        Their `origin` keeps what the body calls them.
        """
        wanted = (rest[0], int(rest[1]) if len(rest) > 1 and rest[1].isdecimal() else 0)
        for value in op.results:
            if value.origin == wanted:
                return [value]
        fresh = op.results[0] if op.results[0].origin is None else op.add_result(f"{op.name}:{len(op.results)}")
        fresh.origin = wanted
        return [fresh]


def _pick(values: list[Value], index: list[str]) -> list[Value]:
    if not index:
        return values
    if len(index) > 1 or not index[0].isdecimal() or int(index[0]) >= len(values):
        return []
    return [values[int(index[0])]]


def read_function(reader: Reader, function: Function) -> Graph:
    """The body of a function as a graph whose inputs are its arguments and whose outputs are what it returns."""
    from subcut.compiler.formats.tensorflow.reader import type_by_readers

    graph = Graph(reader.model, function.name)
    data = reader.file.data
    places, returned = list[tuple[int, int, int]](), dict[str, str]()
    for number, kind, _, at, end in fields(data, *function.span):
        if number == NODES and kind == LEN:
            places.append((at, at, end))
        elif number == RETURNS and kind == LEN:
            key, low, high = records.entry(data, at, end)
            returned[key] = records.text(data, low, high)
    graph.origin = GraphOrigin(reader.file, True, function.polymorphic)
    scope = Scope(graph, reader.nodes(graph, places, typed=not function.polymorphic))
    if len(scope.nodes) < len(places):
        raise reader.fail(f"two nodes of the function `{function.name}` have one name")
    graph.origin.names = set(scope.nodes)
    _add_arguments(reader, function, scope)
    if function.polymorphic:
        return graph  # its types, and so what its names mean, are known at each call only
    _connect(reader, scope)
    type_by_readers(list(scope.nodes.values()))
    for name in function.outputs:
        found = scope.find(returned.get(name, ""))
        if not found:
            raise reader.fail(
                f"the function `{function.name}` returns `{returned.get(name, name)}`, which does not exist"
            )
        graph.outputs += found
    return graph


def _add_arguments(reader: Reader, function: Function, scope: Scope) -> None:
    shapes = _argument_shapes(reader, function)
    for place, arg in enumerate(function.signature.inputs):
        type = TensorType(arg.element, shapes.get(place)) if arg.element else None
        scope.arguments[arg.name] = [scope.graph.add_input(f"{arg.name}:0", type)]
        scope.graph.origin.names.add(arg.name)


def _argument_shapes(reader: Reader, function: Function) -> dict[int, tuple[int | str | None, ...] | None]:
    """The `_output_shapes` that `arg_attr` may state of an argument, by its place."""
    data = reader.file.data
    shapes: dict[int, tuple[int | str | None, ...] | None] = {}
    for number, kind, _, low, high in fields(data, *function.span):
        if number != ARGUMENT_ATTRIBUTES or kind != LEN:
            continue
        place = records.int_value(data, low, high, 1) or 0
        value = records.value_field(data, low, high, 2)
        for _, _, _, at, end in fields(data, *value) if value else ():
            name, start, stop = records.entry(data, at, end)
            listed = records.shape_list(data, start, stop) if name == OUTPUT_SHAPES else []
            if len(listed) == 1:
                shapes[place] = listed[0]
    return shapes


def _connect(reader: Reader, scope: Scope) -> None:
    for op, inputs, _ in scope.nodes.values():
        operands, controls = list[Value](), list[Op]()
        for text in inputs:
            if text.startswith("^"):
                waited = scope.nodes.get(text[1:])
                if waited is None and text[1:] not in scope.arguments:
                    raise reader.fail(f"waits for `{text[1:]}`, which does not exist", op)
                controls += [waited.op] if waited else []
                continue
            found = scope.find(text)
            if not found:
                raise reader.fail(f"reads `{text}`, which does not exist", op)
            operands += found
        for slot, value in enumerate(operands):
            value.uses.append((op, slot))
        op.operands, op.controls = tuple(operands), tuple(controls)
