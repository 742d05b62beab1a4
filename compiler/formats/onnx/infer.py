"""Types that the file does not state, found by ONNX's own shape inference on a skeleton without weights."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

from subcut.compiler.errors import MissingExtra
from subcut.compiler.formats.onnx import functions, missing
from subcut.compiler.formats.onnx.placing import Skeleton
from subcut.compiler.formats.onnx.records import info_of
from subcut.compiler.formats.onnx.tensors import DataFiles
from subcut.compiler.formats.onnx.types import decode_type, encode_type, is_ranked
from subcut.compiler.formats.onnx.writer import model_rope
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.types import TensorType, Type


def infer(model: Model, wanted: Sequence[Value], files: DataFiles) -> None:
    """Set the types of `wanted`, and of whatever else comes to light, as far as inference can.

    What the user stated (`Value.type` that no record states) is given to the inference. Raises MissingExtra.
    """
    onnx = onnx_module()
    proto = decoded_skeleton(onnx, model, files)
    if proto is None:
        return
    found = run_inference(onnx, proto)
    take(model.main, (found or proto).graph)
    found = found or proto
    if not all(is_ranked(value.type) for value in wanted):
        found = missing.settle(model.main, found, lambda one: run_inference(onnx, one), take)
    for value in wanted:
        _take_from_copies(value)
    called = {key for value in wanted if (key := functions.key_of(value)) is not None}
    if called:
        functions.infer(model, called, found, lambda one: run_inference(onnx, one), take)


def onnx_module() -> Any:
    """The package, with what inference needs of it. Raises MissingExtra."""
    try:
        importlib.import_module("onnx.checker")
        importlib.import_module("onnx.shape_inference")
    except ImportError:
        raise MissingExtra("onnx", "onnx", "infer the types of tensors") from None
    return importlib.import_module("onnx")


def decoded_skeleton(onnx: Any, model: Model, files: DataFiles) -> Any:
    """The model without its weights, and with what is known of its types.

    None where bodies nest deeper than protobuf decodes, which is no reason not to cut them.
    """
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.ModelProto.FromString(model_rope(model, Skeleton(files)).bytes())
    except DecodeError:
        return None
    _state(model.main, proto.graph)
    return proto


def run_inference(onnx: Any, proto: Any) -> Any:
    """The model with what could be inferred; None where the inference gives up on the model as a whole."""
    for follow_values in (True, False):
        try:
            return onnx.shape_inference.infer_shapes(proto, data_prop=follow_values)
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError):
            # A model that the inference cannot take has edges of unknown type, and the cut asks for these.
            continue
    return None


def _state(graph: Graph, proto: Any) -> None:
    """Tell the inference what is known of tensors beyond what the file says of them."""
    inputs = {info.name: info for info in proto.input}
    for sparse in proto.sparse_initializer:  # ONNX's inference knows no type for these
        inputs.setdefault(sparse.values.name, proto.input.add(name=sparse.values.name))
    del proto.sparse_initializer[:]
    for value in graph.values():
        if value.type is None:
            continue
        if value.name in inputs:
            inputs[value.name].type.ParseFromString(encode_type(value.type))
        elif value.name and value.producer is not None and value.producer.operands and info_of(value) is None:
            proto.value_info.add(name=value.name).type.ParseFromString(encode_type(value.type))


def take(graph: Graph, proto: Any) -> None:
    """Set the types that a GraphProto states, in its bodies too."""
    todo = [(graph, proto)]
    while todo:
        graph, proto = todo.pop()
        infos = {info.name: info for info in (*proto.value_info, *proto.output, *proto.input)}
        for value in graph.values():
            info = infos.get(value.name)
            if info is not None and not is_complete(value.type):
                value.type = joined(value.type, decode_type(info.type.SerializeToString()))
        nodes = [op for op in graph.ops if not _is_initializer(op)]
        for op, node in zip(nodes, proto.node, strict=True):
            if op.regions:
                todo += zip(op.regions, _bodies(node), strict=True)


def _take_from_copies(value: Value) -> None:
    """What `Identity` copies has one type; a graph's output, which is often such a copy, has it stated.

    A copy inside a body says nothing: the branch of an `If` may suppose what made it be taken.
    """
    seen = {value: None}
    todo = [value]
    while todo and not is_ranked(value.type):
        current = todo.pop()
        value.type = joined(value.type, current.type)
        readers = [op for op, _ in current.uses if op.type == "Identity" and op.graph is value.graph]
        copies = [result for op in readers for result in op.results]
        if current.producer is not None and current.producer.type == "Identity":
            copies += [one for one in current.producer.operands if one is not None and one.graph is value.graph]
        todo += [copy for copy in copies if copy not in seen]
        seen.update(dict.fromkeys(copies))


def _is_initializer(op: Op) -> bool:
    return op.type in ("initializer", "sparse_initializer") and not op.operands


def _bodies(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def is_complete(type: Type | None) -> bool:
    """Whether there is nothing left that inference could add."""
    return type.element is not None and type.static if isinstance(type, TensorType) else type is not None


def joined(known: Type | None, found: Type | None) -> Type | None:
    """What is known, with what was found where that says more."""
    if isinstance(known, TensorType) and isinstance(found, TensorType):
        return known.merged(found)
    return found if known is None else known
