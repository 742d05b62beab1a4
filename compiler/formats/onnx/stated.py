"""Whether a cut can run with the types that the user stated of its inputs, and what types follow from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from subcut.compiler.errors import MissingExtra
from subcut.compiler.formats.onnx import missing, sizes
from subcut.compiler.formats.onnx.infer import decoded_skeleton, onnx_module, run_inference, take
from subcut.compiler.formats.onnx.records import GraphRecord
from subcut.compiler.formats.onnx.tensors import DataFiles
from subcut.compiler.formats.onnx.types import encode_type
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.stated import Contradiction, Stated
from subcut.compiler.ir.types import TensorType, Type

_MARK = "subcut:"
_NAMED = re.compile(_MARK + r"(\d+)\)")


def settle(model: Model, stated: Stated, files: DataFiles, framework: bool) -> list[str]:
    """See `Dialect.settle`: ONNX's strict inference on the cut, then what that does not compare."""
    stated.forget()
    _forget_records(model.main, stated)
    trusted = f"the type stated of {stated.names} is taken on trust"
    unchecked: list[str] = []
    inferred = False
    if framework:
        try:
            inferred = _infer(model, stated, files)
        except MissingExtra:
            unchecked = [f"onnx is not installed: most of {trusted}"]
        else:
            unchecked = [] if inferred else [f"onnx objects to the model itself: most of {trusted}"]
    else:
        unchecked = [f"there was no inference: most of {trusted}"]
    stated.check(sizes.check, None if inferred else sizes.pass_on)
    gaps = stated.gaps() if inferred else []
    stated.restore()
    return unchecked + gaps


def _forget_records(main: Graph, stated: Stated) -> None:
    """What the file says of tensors whose types follow from the stated ones is written no more."""
    if stated.refines and all(value.type == type for value, type in stated.known.items()):
        return
    graphs = [main, *(region for op in stated.ops for inner in op.walk() for region in inner.regions)]
    outputs = {value.name for value in main.outputs}
    gone = {value.name for value in stated.before} - outputs
    for graph in graphs:
        if isinstance(graph.origin, GraphRecord):
            graph.origin.restate(gone)


def _infer(model: Model, stated: Stated, files: DataFiles) -> bool:
    """Set the types that follow; whether inference could tell. Raises Contradiction."""
    onnx = onnx_module()
    proto = decoded_skeleton(onnx, model, files)
    if proto is None:
        return False
    nodes = [op for op in model.main.ops if op.operands or op.type not in ("initializer", "sparse_initializer")]
    for number, node in enumerate(proto.graph.node):
        node.name = f"{_MARK}{number}"
    _strip(proto, stated)
    found, problem = _strict(onnx, proto)
    if problem is not None:
        found = run_inference(onnx, proto)
        foreign = any(not isinstance(value.type, TensorType) for value in stated.known)
        if any(_blames(onnx, problem, weaker, foreign) for weaker in _with_weaker_inputs(proto, stated.known)):
            if found is not None:
                take(model.main, found.graph)
            _raise(problem, nodes, stated)
        if found is None:
            return False  # it objects to the model whatever was stated
    take(model.main, found.graph)
    missing.settle(model.main, found, lambda one: run_inference(onnx, one), take)
    return True


def _strict(onnx: Any, proto: Any) -> tuple[Any, str | None]:
    """The model with its types, or what strict inference objects to."""
    problem = ""
    for follow_values in (True, False):
        try:
            inferred = onnx.shape_inference.infer_shapes(
                proto, check_type=True, strict_mode=True, data_prop=follow_values
            )
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError) as error:
            problem = str(error)
            continue
        return inferred, None
    return None, problem


def _blames(onnx: Any, problem: str, weaker: Any, foreign: bool) -> bool:
    """Whether it is the stated types that inference objects to: it does not with those of `weaker`.

    Where it misses a type there, an objection to an element type is to the one stated, and any objection is where
    what is stated is `foreign`: no tensor.
    """
    _, before = _strict(onnx, weaker)
    if before is None or _place(before) != _place(problem):
        return True
    return "but instead is null" in before and (foreign or re.search("typestr|inconsistent type", problem) is not None)


def _raise(problem: str, nodes: list[Op], stated: Stated) -> None:
    """Raise what inference objects to, of the operator that it names."""
    place = _place(problem)
    op = nodes[place] if place is not None else next(iter(stated.ops), None)
    if op is None:
        return
    reason = _NAMED.split(problem, 1)[-1].splitlines()[0]
    reason = re.sub(r"^.*(?:\[\w+Error\]|Inference error\(s\):)\s*", "", reason.lstrip(": ")).strip()
    raise Contradiction(op, reason or "onnx's inference refuses it")


def _place(problem: str) -> int | None:
    """The number of the operator that an objection names."""
    match = _NAMED.search(problem)
    return int(match[1]) if match is not None else None


def _strip(proto: Any, stated: Stated) -> None:
    """Leave out what the file says of everything that depends on the stated types, in bodies too."""
    gone = {value.name for value in stated.before}
    graphs = [(proto.graph, True)]
    while graphs:
        graph, main = graphs.pop()
        kept = [info for info in graph.value_info if info.name not in gone]
        del graph.value_info[:]
        graph.value_info.extend(kept)
        for info in (*graph.output, *(() if main else graph.input)):
            if info.name not in gone:
                continue
            if main:
                info.ClearField("type")
            elif info.type.HasField("tensor_type"):
                info.type.tensor_type.ClearField("shape")
        attributes = [attribute for node in graph.node for attribute in node.attribute]
        graphs += [(body, False) for one in attributes for body in ([one.g] if one.HasField("g") else one.graphs)]


def _with_weaker_inputs(proto: Any, known: Mapping[Value, Type | None]) -> Iterator[Any]:
    """The model with what it says itself of the inputs whose types are stated, or with less than is stated."""
    names = {value.name: type for value, type in known.items()}
    for typed in (True, False):
        weaker = proto.__class__()
        weaker.CopyFrom(proto)
        for info in weaker.graph.input:
            if info.name not in names:
                continue
            type = names[info.name]
            if type is not None:
                info.type.ParseFromString(encode_type(type))
            elif typed and info.type.HasField("tensor_type"):
                info.type.tensor_type.ClearField("shape")
            else:
                info.ClearField("type")
        yield weaker
