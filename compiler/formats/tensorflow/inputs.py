"""New operators for a cut: a Placeholder that takes the name of the tensor it replaces, and a Const."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import user_error
from subcut.compiler.formats.tensorflow import records
from subcut.compiler.formats.tensorflow.elements import NUMBERS, data_type_name, encode_shape, shape_text
from subcut.compiler.formats.tensorflow.origin import GraphOrigin
from subcut.compiler.formats.tensorflow.records import reference
from subcut.compiler.ir.graph import Graph, Op, Value
from subcut.compiler.ir.types import TensorType, Type
from subcut.compiler.storage.wire import bytes_field

if TYPE_CHECKING:
    import numpy as np


def placeholder(name: str, type: Type | None) -> bytes:
    """The NodeDef of a Placeholder of an element type and a shape, as far as that is known."""
    if not isinstance(type, TensorType) or type.element is None:
        raise user_error("untyped-edge", f"nobody knows the element type of `%{name}`")
    if type.element not in NUMBERS:
        raise user_error("untyped-edge", f"TensorFlow has no element type `{type.element}`, as `%{name}` has")
    shape = bytes_field(7, encode_shape(type.shape))
    return records.encode_node(
        name, "Placeholder", {"dtype": records.type_attribute(NUMBERS[type.element]), "shape": shape}
    )


def add_placeholder(graph: Graph, value: Value) -> Value:
    """Put a Placeholder for `value` first into the graph, called as the operator that made it where that is possible.

    It is not for another port than the first, nor while that operator itself is kept: then every reader's record
    changes, and `model.notes["rewired"]` says so.
    """
    name = free_name(graph, value)
    op = Op("Placeholder", name)
    op.origin = placeholder(name, value.type)
    graph.insert(0, op)
    _note_rewiring(graph, value, name)
    return op.add_result(f"{name}:0", value.type)


def constant(graph: Graph, value: Value, array: np.ndarray[Any, Any]) -> Op:
    """A Const, not yet in the graph, that stands for `value`, called as `add_placeholder` would call it."""
    from subcut.compiler.formats.tensorflow.tensors import encode, type_of

    element = value.type.element if isinstance(value.type, TensorType) else None
    name = free_name(graph, value)
    op = Op("Const", name)
    attributes = {
        "dtype": records.type_attribute(NUMBERS[element or type_of(array).element or ""]),
        "value": bytes_field(8, encode(array, element)),
    }
    op.origin = records.encode_node(name, "Const", attributes)
    op.graph = graph
    _note_rewiring(graph, value, name)
    op.add_result(f"{name}:0", TensorType(element or type_of(array).element, type_of(array).shape))
    return op


def free_name(graph: Graph, value: Value) -> str:
    """The name of the operator that makes `value` or, if that cannot be had, a new one made from it.

    A new name is no operator's of the original graph either, so that no later input finds its own name taken.
    """
    producer = value.producer
    own = producer.name if producer is not None else value.name.removesuffix(":0")
    taken = _names(graph)
    base = own
    if value.index or own in taken:
        origin: GraphOrigin = graph.origin
        base = f"{own}_{value.index}"
        count = 0
        while base in taken or base in origin.names:
            count += 1
            base = f"{own}_{value.index}_{count}"
    taken.add(base)
    return base


def _names(graph: Graph) -> set[str]:
    """The names of the graph's operators; remembered from one new input to the next."""
    origin: GraphOrigin = graph.origin
    if origin.taken is None or origin.taken[0] is not graph.ops:
        origin.taken = (graph.ops, {op.name for op in graph.ops})
    return origin.taken[1]


def _note_rewiring(graph: Graph, value: Value, name: str) -> None:
    old = reference(value)
    if old == name:
        return
    for op, slot in value.uses:
        note = {"operator": op.name, "operand": str(slot), "from": old, "to": name}
        graph.model.notes.setdefault("rewired", []).append(note)


def node_text(name: str, type: TensorType) -> str:
    """A Placeholder as protobuf's text format writes it in a GraphDef, on one line."""
    number = NUMBERS[type.element or ""]
    dtype = f'attr {{ key: "dtype" value {{ type: {data_type_name(number)} }} }}'
    shape = f'attr {{ key: "shape" value {{ shape {{ {shape_text(type)} }} }} }}'
    literal = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'node {{ name: "{literal}" op: "Placeholder" {dtype} {shape} }}'
