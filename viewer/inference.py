"""The types that the file does not state: found in a process of its own after the graph is on the screen (row S4).

Inference may import a framework, which takes seconds and memory that the server shall not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from subcut.compiler.errors import SubcutError
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.types import TensorType

Found = list[Any]
"""A type as JSON has it: element, shape, layout."""


def lacking(model: Model) -> list[Value]:
    """The tensors of the main graph whose element type or shape nobody has said, in order."""
    return [value for value in model.main.values() if value.name and _lacks(value)]


def _lacks(value: Value) -> bool:
    type = value.type
    return type is None or (isinstance(type, TensorType) and (type.element is None or type.shape is None))


def infer(model: Model) -> dict[str, list[Any]]:
    """What inference finds of the tensors that lack something: each type once, and the place of each tensor's.

    What cannot be inferred stays unknown: it is said where it matters, when the model is cut.
    """
    model.dialect.annotate(model)
    wanted = lacking(model)
    if wanted:
        try:
            model.dialect.infer(model, wanted)
        except SubcutError:
            model.dialect.infer(model, wanted, framework=False)
    types: dict[TensorType | None, int] = {}
    of = [types.setdefault(v.type if isinstance(v.type, TensorType) else None, len(types)) for v in wanted]
    return {"types": [_record(type) for type in types], "of": of}


def take(values: Iterable[Value], types: Sequence[Found | None], of: Iterable[int]) -> None:
    """Set the types that `infer` found in another process of the same tensors."""
    made = [_type(one) for one in types]
    for value, place in zip(values, of, strict=True):
        type = made[place]
        if type is not None:
            value.type = type.merged(value.type) if isinstance(value.type, TensorType) else type


def _record(type: TensorType | None) -> Found | None:
    return None if type is None else [type.element, None if type.shape is None else list(type.shape), type.layout]


def _type(found: Found | None) -> TensorType | None:
    if found is None:
        return None
    element, shape, layout = found
    return TensorType(element, None if shape is None else tuple(shape), layout)
