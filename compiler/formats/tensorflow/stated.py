"""Whether a cut can run with the types that the user stated of its inputs, and what types follow from them."""

from __future__ import annotations

import re

from subcut.compiler.errors import MissingExtra
from subcut.compiler.formats.tensorflow import sizes
from subcut.compiler.formats.tensorflow.infer import infer_ops
from subcut.compiler.formats.tensorflow.inputs import placeholder
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.ir.stated import Contradiction, Stated
from subcut.compiler.ir.types import TensorType


def settle(model: Model, stated: Stated, framework: bool) -> list[str]:
    """See `Dialect.settle`: TensorFlow's shape inference on the cut, or what of it we can do without."""
    graph = model.main
    graph.origin.stated.update(dict.fromkeys(stated.known))
    for value, known in stated.known.items():
        if value.producer is not None and value.producer.type == "Placeholder" and value.type != known:
            value.producer.origin = placeholder(value.producer.name, value.type)
    if not stated.refines:
        graph.origin.restated.update(stated.ops)
    stated.forget()
    unchecked: list[str] = []
    inferred = False
    try:
        inferred = framework and _infer(model, stated)
        if not inferred:
            why = "TensorFlow objects to the model itself" if framework else "there was no inference"
            unchecked = [f"{why}: most of the type stated of {stated.names} is taken on trust"]
    except MissingExtra:
        unchecked = [f"TensorFlow is not installed: most of the type stated of {stated.names} is taken on trust"]
    stated.check(sizes.check, None if inferred else sizes.pass_on)
    gaps = stated.gaps() if inferred else []
    stated.restore()
    return unchecked + gaps


def _infer(model: Model, stated: Stated) -> bool:
    """Set the types that follow; whether TensorFlow could tell. Raises Contradiction."""
    graph = model.main
    problem = infer_ops(model, graph, stated.ops)
    if not problem:
        return True
    now = {value: value.type for value in stated.known}
    for value, known in stated.known.items():
        element = value.type.element if isinstance(value.type, TensorType) else None
        value.type = TensorType(element) if known is None else known
    baseline = infer_ops(model, graph, stated.ops)
    stated.forget()
    for value, type in now.items():
        value.type = type
    if baseline and _place(baseline) == _place(problem):
        return False  # it objects to the model whatever was stated
    named = {op.name: op for op in stated.ops}
    op: Op = next((named[name] for name in _place(problem) if name in named), stated.ops[0])
    infer_ops(model, graph, [value.producer for value in op.operands if value is not None and value.producer])
    raise Contradiction(op, re.sub(r" for '\{\{node.*?(?=with input shapes|$)", " ", problem).strip())


def _place(problem: str) -> list[str]:
    """The operators that an objection names."""
    return re.findall(r"\{\{node ([^}]+)\}\}", problem)
