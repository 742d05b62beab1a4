"""How many results an operator has and of what types, as its signature and its record say, without inference."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from subcut.compiler.formats.tensorflow import records
from subcut.compiler.formats.tensorflow.elements import decode_shape
from subcut.compiler.formats.tensorflow.signatures import Arg, Signature, signature
from subcut.compiler.ir.graph import Op
from subcut.compiler.ir.types import Dim, TensorType
from subcut.compiler.storage.wire import WireError

OUTPUT_SHAPES = "_output_shapes"
SCALAR_PLACEHOLDERS = 21
"""In graphs of this version and older a Placeholder's empty shape means that it is unknown (source: array_ops.cc)."""
MOST = 1 << 16
"""More results than any operator has: a larger count is damage."""

_LENGTH = rb"[\x80-\xff]*[\x00-\x7f]"
_TENSOR_HEAD = re.compile(
    rb"\n\x05value\x12" + _LENGTH + rb"B" + _LENGTH + rb"\x08[\x00-\x7f]\x12([\x00-\x7f])", re.DOTALL
)
"""The usual beginning of a Const's attribute `value`, up to the length of its shape."""


@dataclass(frozen=True)
class Results:
    """What one operator gives: the type of each result, and which results each output argument covers."""

    types: tuple[TensorType | None, ...]
    ranges: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class _Plan:
    signature: Signature
    names: tuple[str, ...]
    prefixes: tuple[bytes, ...]


class ResultTypes:
    """Answers for the operators of one model, each combination of operator and deciding attributes worked out once."""

    def __init__(self, functions: Mapping[str, Signature], producer: int) -> None:
        self._functions = functions
        self._producer = producer
        self._plans: dict[str, _Plan | None] = {}
        self._known: dict[tuple[bytes | str, ...], Results] = {}

    def of(self, op_type: str, attributes: Sequence[bytes]) -> Results | None:
        """The results of an operator with these encoded attributes; None for an operator nobody knows.

        Raises ValueError when an attribute that decides them is missing or damaged.
        """
        if op_type not in self._plans:
            self._plans[op_type] = self._plan(op_type)
        plan = self._plans[op_type]
        if plan is None:
            return None
        prefixes = plan.prefixes
        key: tuple[bytes | str, ...] = (op_type, *[e for e in attributes if e.startswith(prefixes)])
        if op_type == "Const":
            key += (_stored_shape(attributes),)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._work_out(op_type, plan, attributes)
        return found

    def _plan(self, op_type: str) -> _Plan | None:
        found = self._functions.get(op_type) or signature(op_type)
        if found is None:
            return None
        names = list(dict.fromkeys(name for arg in found.outputs for name in arg.attributes()))
        names.append(OUTPUT_SHAPES)
        names += ["shape"] if op_type in ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault") else []
        prefixes = tuple(b"\n" + bytes([len(n.encode())]) + n.encode() + b"\x12" for n in names)
        return _Plan(found, tuple(names), prefixes)

    def _work_out(self, op_type: str, plan: _Plan, attributes: Sequence[bytes]) -> Results:
        values: dict[str, bytes] = {}
        for encoded in attributes:
            name, start, stop = records.entry(encoded, 0, len(encoded))
            if name in plan.names or (name == "value" and op_type == "Const"):
                values[name] = encoded[start:stop]
        types: list[TensorType | None] = []
        ranges: dict[str, tuple[int, int]] = {}
        for arg in plan.signature.outputs:
            elements = _elements(arg, values, plan.signature.defaults)
            ranges[arg.name] = (len(types), len(elements))
            types += [None if e is None else TensorType(e) for e in elements]
        shapes = self._shapes(op_type, values, len(types))
        return Results(tuple(_with_shape(t, s) for t, s in zip(types, shapes, strict=True)), ranges)

    def _shapes(self, op_type: str, values: Mapping[str, bytes], count: int) -> list[tuple[Dim, ...] | None]:
        """What the record itself says of the results' shapes."""
        shapes: list[tuple[Dim, ...] | None] = [None] * count
        stated = values.get(OUTPUT_SHAPES)
        if stated is not None:
            listed = records.shape_list(stated, 0, len(stated))
            if len(listed) == count:
                shapes = listed
        if op_type == "Const" and "value" in values:
            return [_tensor_shape(values["value"])]
        shape = values.get("shape")
        if shape is not None and count == 1:
            found = records.value_field(shape, 0, len(shape), 7)
            stated_shape = decode_shape(shape, *found) if found else None
            if stated_shape or self._producer > SCALAR_PLACEHOLDERS:
                return [stated_shape]
        return shapes


def _with_shape(type: TensorType | None, shape: tuple[Dim, ...] | None) -> TensorType | None:
    return type if type is None or shape is None else TensorType(type.element, shape)


def _elements(arg: Arg, values: Mapping[str, bytes], defaults: Mapping[str, str]) -> list[str | None]:
    """The element type of each tensor that an output argument stands for."""
    if arg.types:
        stated = values.get(arg.types)
        if stated is None:
            default = defaults.get(arg.types, "")
            return [e or None for e in default.split(",")] if default else []
        return records.type_list(stated, 0, len(stated))
    element: str | None = arg.element or None
    if arg.attribute:
        stated = values.get(arg.attribute)
        element = defaults.get(arg.attribute) if stated is None else records.type_value(stated, 0, len(stated))
    return [element] * _count(arg, values, defaults)


def _count(arg: Arg, values: Mapping[str, bytes], defaults: Mapping[str, str]) -> int:
    if not arg.number:
        return 1
    stated = values.get(arg.number)
    number = int(defaults.get(arg.number, "1")) if stated is None else records.int_value(stated, 0, len(stated))
    if number is None or not 0 <= number < MOST:
        raise ValueError(f"attribute `{arg.number}` says that there are {number} results")
    return number


def _stored_shape(attributes: Sequence[bytes]) -> bytes:
    """What tells the shapes of two stored tensors apart: the shape's bytes or, where it is not at once found, all."""
    for encoded in attributes:
        if encoded.startswith(b"\n\x05value\x12"):
            head = _TENSOR_HEAD.match(encoded)
            return encoded[head.end() : head.end() + head[1][0]] if head else encoded
    return b""


def _tensor_shape(value: bytes) -> tuple[Dim, ...] | None:
    tensor = records.value_field(value, 0, len(value), 8)
    if tensor is None:
        raise WireError(0, "a Const without a tensor")
    shape = records.value_field(value, *tensor, 2)
    return () if shape is None else decode_shape(value, *shape)


def operand_element(op: Op, slot: int) -> str | None:
    """The element type that an operator asks of an operand; None where its signature or attributes do not say."""
    found = signature(op.type)
    for arg in found.inputs if found else ():
        values: dict[str, bytes] = {}
        for name in arg.attributes():
            stated = records.attribute(op, name)
            if stated is None:
                return None
            values[name] = bytes(stated[0][stated[1] : stated[2]])
        elements = _elements(arg, values, {})
        if slot < len(elements):
            return elements[slot]
        slot -= len(elements)
    return None
