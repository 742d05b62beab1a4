"""Types that the model does not state, found by TensorFlow's own shape inference on a skeleton of the model.

The skeleton has only what the wanted tensors are computed from, without the numbers of stored tensors beyond a few
kilobytes, so that it is small whatever the model is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.tensorflow import records
from subcut.compiler.formats.tensorflow.elements import NUMBERS, element_of_number
from subcut.compiler.formats.tensorflow.framework import tensorflow
from subcut.compiler.formats.tensorflow.inputs import placeholder
from subcut.compiler.formats.tensorflow.origin import GraphOrigin, ModelOrigin
from subcut.compiler.formats.tensorflow.reader import LIBRARY, NODE, VERSIONS
from subcut.compiler.formats.tensorflow.records import reference
from subcut.compiler.formats.tensorflow.signatures import signature
from subcut.compiler.ir.dialect import reachable_functions
from subcut.compiler.ir.graph import Graph, Model, Op, Value, topological
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.rope import Rope

_STAND_IN = "subcut_stand_in"


def infer(model: Model, wanted: Sequence[Value]) -> None:
    """Set the types of `wanted`, and of everything they are computed from, as far as they follow from the model."""
    graphs = dict.fromkeys(value.graph for value in wanted)
    for graph in graphs:
        if graph is not None and not graph.origin.polymorphic:
            _infer_graph(model, graph, [value for value in wanted if value.graph is graph])


def _infer_graph(model: Model, graph: Graph, wanted: Sequence[Value]) -> None:
    problem = infer_ops(model, graph, [value.producer for value in wanted if value.producer is not None])
    if problem:
        model.notes.setdefault("inference", []).append({"graph": graph.name, "problem": problem})


def infer_ops(model: Model, graph: Graph, ops: Sequence[Op]) -> str:
    """Set the types of what `ops` make and are computed from; returns what TensorFlow objects to, if anything."""
    skeleton = _Skeleton(graph)
    skeleton.grow(ops)
    if not skeleton.ops:
        return ""
    shapes, problem = _run(model.origin.file.path, skeleton.encoded(model), [op.name for op in skeleton.ops])
    for op in skeleton.ops:
        for value, found in zip(op.results, shapes.get(op.name, ()), strict=False):
            value.type = value.type.merged(found) if isinstance(value.type, TensorType) else found
    return problem


@dataclass
class _Skeleton:
    """Part of a graph in which some tensors are replaced by placeholders."""

    graph: Graph
    ops: dict[Op, None] = field(default_factory=dict[Op, None])
    names: dict[Value, str] = field(default_factory=dict[Value, str])
    """What stands in for a tensor."""
    broken: set[Op] = field(default_factory=set[Op])
    """Operators that cannot be in it, because a type they read is unknown."""

    def grow(self, roots: Sequence[Op]) -> None:
        """Take in `roots` and all that they are computed from, up to where a type is known for certain."""
        origin: GraphOrigin = self.graph.origin
        reached: dict[Op, None] = {}
        stack = list(roots)
        while stack:
            op = stack.pop()
            if op in reached:
                continue
            reached[op] = None
            stack += [v.producer for v in op.operands if v is not None and v.producer and v not in origin.stated]
        for op in topological([op for op in self.graph.ops if op in reached]):
            if self._stands_for_itself(op) and all(self._can_read(v) for v in op.operands if v is not None):
                self.ops[op] = None

    def _stands_for_itself(self, op: Op) -> bool:
        """Whether TensorFlow knows the operator and its record is small."""
        if op.type == "Const":
            record = records.record_of(op)
            return record.stop - record.start <= records.PAYLOAD
        return signature(op.type) is not None or op.type in self.graph.model.functions

    def _can_read(self, value: Value) -> bool:
        """Whether an operand is in the skeleton already or, by its type, can be stood in for."""
        origin: GraphOrigin = self.graph.origin
        stated = value in origin.stated
        if value in self.names or (value.producer in self.ops and not stated):
            return True
        if value.producer is not None and value.producer.type in ("NextIteration", "RefNextIteration"):
            return True
        type = value.type
        if not isinstance(type, TensorType) or type.element not in NUMBERS:
            return False
        self.names[value] = f"{_STAND_IN}_{len(self.names)}"
        return True

    def encoded(self, model: Model) -> bytes:
        """The skeleton as a GraphDef."""
        origin: ModelOrigin = model.origin
        rope = Rope()
        for value, name in self.names.items():
            rope.add_field(NODE, placeholder(name, value.type))
        for op in self.ops:
            rope.add_field(NODE, self._node(op))
        for number, start, stop in [*origin.before, *origin.after]:
            if number == VERSIONS:
                rope.add_range(origin.file, start, stop)
        if any(op.symbols for op in self.ops):
            rope.add_field(LIBRARY, origin.library.written(origin.file, reachable_functions(model, self.ops)))
        return rope.bytes()

    def _node(self, op: Op) -> bytes:
        """The record with stand-ins for operands, and waiting for nothing."""
        inputs = [self.names.get(value) or reference(value) for value in op.operands if value is not None]
        try:
            keep = op not in self.graph.origin.restated
            return records.edit(records.record_of(op), inputs, lambda _: False, keep_shapes=keep).bytes()
        except ValueError as error:
            raise records.damaged(op, error) from None


def _run(path: Path, encoded: bytes, names: Sequence[str]) -> tuple[dict[str, list[TensorType]], str]:
    """The types of each operator's results, by TensorFlow; and what it objected to.

    Raises ModelError for a record that TensorFlow cannot decode: the reader looks into records only where it must.
    """
    tf = tensorflow("infer shapes")
    from google.protobuf.message import DecodeError

    try:
        definition = tf.compat.v1.GraphDef.FromString(encoded)
    except DecodeError as error:
        raise ModelError(path, f"an operator cannot be decoded: {error}", expected="a GraphDef") from None
    graph = tf.Graph()
    problem = ""
    with graph.as_default():
        try:
            tf.graph_util.import_graph_def(definition, name="")
        except (ValueError, TypeError, tf.errors.OpError) as error:
            problem = str(error).splitlines()[0]
            return {}, problem
    operation: Callable[[str], Any] = graph.get_operation_by_name
    return {name: [_type(tensor) for tensor in operation(name).outputs] for name in names}, problem


def _type(tensor: Any) -> TensorType:
    element = element_of_number(tensor.dtype.as_datatype_enum)
    if tensor.shape.rank is None:
        return TensorType(element)
    return TensorType(element, tuple(tensor.shape.as_list()))
