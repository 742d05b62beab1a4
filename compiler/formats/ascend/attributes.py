"""Attributes of operators and tensors, decoded when asked for; stored tensors stay byte ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from subcut.compiler.device.enums import ELEMENTS, type_name
from subcut.compiler.errors import ModelError
from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.compression import decoded, resolve
from subcut.compiler.formats.ascend.definition import OP_ATTRIBUTE, Definition, Place, stored_data
from subcut.compiler.formats.ascend.origin import damaged
from subcut.compiler.ir.graph import Attribute, Constant, Op
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.wire import LEN, fields

if TYPE_CHECKING:
    import numpy as np

    from subcut.compiler.formats.ascend.weights import Source

UNKNOWN_RANK = -2
"""The one dimension of a shape of unknown rank; -1 is an unknown size."""


def tensor_type(desc: Any) -> TensorType:
    """The type that a descriptor states: device shape and device layout."""
    element = ELEMENTS.get(type_name(desc.dtype))
    dims = desc.shape.dim
    if UNKNOWN_RANK in dims:
        return TensorType(element, None, desc.layout)
    return TensorType(element, tuple(None if dim < 0 else dim for dim in dims), desc.layout)


def decode_attributes(op: Op) -> dict[str, Attribute]:
    """The attributes of an operator, then its descriptors and its place in the execution.

    `input_desc` and `output_desc` are lists of `{dtype, layout, shape, attr}`. Raises ModelError.
    """
    definition, place = op.origin
    try:
        with definition.reading(f"operator `{op.name}`"):
            return _Decoder(definition).op(place)
    except ValueError as error:
        raise damaged(op, error) from None


class _Decoder:
    def __init__(self, definition: Definition) -> None:
        self.definition = definition

    def op(self, place: Place) -> dict[str, Attribute]:
        """Of the operator whose record is there."""
        record = schema.decode("OpDef", self.definition.record(place))
        data = self._stored(place)
        found: dict[str, Attribute] = {}
        for number, entry in enumerate(record.attr):
            key, texts = resolve(entry, self.definition.tables)
            found[key] = self.value(entry.value, record, data.get(number)) if texts is None else _attribute(texts)
        for name in ("input_desc", "output_desc"):
            descs = getattr(record, name)
            if len(descs):
                found.setdefault(name, [self.descriptor(desc) for desc in descs])
        found.setdefault("id", record.id)
        found.setdefault("stream_id", record.stream_id)
        return found

    def _stored(self, place: Place) -> dict[int, Place]:
        """Where the tensors are whose numbers stand in the record itself, by the number of the attribute."""
        data, found = self.definition.data, dict[int, Place]()
        entries = [(at, end) for n, k, _, at, end in fields(data, *place) if n == OP_ATTRIBUTE and k == LEN]
        for number, (at, end) in enumerate(entries):
            start, stop = stored_data(data, at, end)
            if stop > start:
                found[number] = (start, stop)
        return found

    def descriptor(self, desc: Any) -> dict[str, Attribute]:
        """A tensor's descriptor."""
        shape: list[Attribute] = list(desc.shape.dim)
        found: dict[str, Attribute] = {"dtype": type_name(desc.dtype), "layout": desc.layout, "shape": shape}
        if desc.name:
            found["name"] = desc.name
        if desc.size:
            found["size"] = desc.size
        attributes: dict[str, Attribute] = {}
        for entry in desc.attr:
            key, texts = resolve(entry, self.definition.tables)
            attributes[key] = self.value(entry.value) if texts is None else _attribute(texts)
        found["attr"] = attributes
        return found

    def value(self, value: Any, op: Any = None, data: Place | None = None) -> Attribute:
        """What an `AttrDef` holds."""
        held = value.WhichOneof("value")
        if held is None:
            return None
        content = getattr(value, held)
        if held == "t":
            return self.tensor(content, op, data)
        decode = _DECODERS.get(held)
        return decode(self, content) if decode is not None else content

    def function(self, func: Any) -> Attribute:
        """A name with attributes of its own."""
        return {"name": func.name, "attr": {entry.key: self.value(entry.value) for entry in func.attr}}

    def items(self, items: Any) -> Attribute:
        """A list of whatever it has."""
        for field, content in items.ListFields():
            if field.name == "s":
                return [decoded(raw) for raw in content]
            if field.name == "td":
                return [self.descriptor(one) for one in content]
            if field.name == "t":
                return [self.tensor(one, None, None) for one in content]
            if field.name == "g":
                return [{"graph": one.name} for one in content]
            if field.name == "na":
                return [self.function(one) for one in content]
            if field.name != "val_type":
                return list(content)
        return []

    def tensor(self, tensor: Any, op: Any, data: Place | None) -> Attribute:
        """A stored tensor: in the record, in the model's weights, or in a file of its own."""
        from subcut.compiler.formats.ascend.weights import source_of

        source = source_of(self.definition, tensor, op, data)
        type, dims = tensor_type(tensor.desc), tuple(tensor.desc.shape.dim)
        name = type_name(tensor.desc.dtype)
        return Constant(type, lambda: _load(source, name, dims, self.definition))


def _attribute(texts: str | bytes | list[str | bytes]) -> Attribute:
    return list(texts) if isinstance(texts, list) else texts


def _load(source: Source, name: str, dims: tuple[int, ...], definition: Definition) -> np.ndarray[Any, Any]:
    from subcut.compiler.device.layouts import LayoutError, decode

    try:
        return decode(source.bytes(), name, dims)
    except LayoutError as error:
        raise ModelError(definition.path, str(error), offset=source.offset, where="a stored tensor") from None


_DECODERS: Mapping[str, Callable[[_Decoder, Any], Attribute]] = {
    "s": lambda _, raw: decoded(raw),
    "expression": lambda _, raw: decoded(raw),
    "list": _Decoder.items,
    "func": _Decoder.function,
    "td": _Decoder.descriptor,
    "g": lambda _, graph: {"graph": graph.name},
    "list_list_int": lambda _, lists: [list(one.list_i) for one in lists.list_list_i],
    "list_list_float": lambda _, lists: [list(one.list_f) for one in lists.list_list_f],
}
"""By the field of an `AttrDef`; the others are plain numbers and bytes."""
