"""One layer as shape rules and lowering see it: typed access to its parameters, bottoms and stored blobs.

A rule raises ValueError where the parameters make no sense, and `Unknown` where they depend on what nobody knows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from subcut.compiler.ir.graph import Attribute
from subcut.compiler.ir.types import Dim

Shape = tuple[int, ...]
Dims = tuple[Dim, ...]
"""A shape some of whose dimensions may be unknown."""


class Unknown(Exception):
    """A shape follows from something that is not known."""


class Message:
    """A decoded protobuf message, read with the types and defaults of `caffe.proto`."""

    def __init__(self, fields: Mapping[str, Attribute], name: str = "") -> None:
        self.fields = fields
        self.name = name

    def has(self, name: str) -> bool:
        """Whether the field is given."""
        return name in self.fields

    def _last(self, name: str) -> Attribute:
        value = self.fields[name]
        return value[-1] if isinstance(value, list) and value else value

    def _wrong(self, name: str, expected: str, value: Attribute) -> ValueError:
        return ValueError(f"`{self.name}{name}` must be {expected}, not `{value!r}`")

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number."""
        return self._integer(name, self._last(name)) if name in self.fields else default

    def _integer(self, name: str, value: Attribute) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(name, "a whole number", value)
        return value

    def real(self, name: str, default: float = 0.0) -> float:
        """A number."""
        return self._real(name, self._last(name)) if name in self.fields else default

    def _real(self, name: str, value: Attribute) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(name, "a number", value)
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false; the text format also has 1, 0, t and f."""
        if name not in self.fields:
            return default
        value = self._last(name)
        if isinstance(value, bool):
            return value
        known: dict[Attribute, bool] = {1: True, 0: False, "t": True, "f": False, "true": True, "True": True}
        known |= {"false": False, "False": False}
        if not isinstance(value, (int, str)) or value not in known:
            raise self._wrong(name, "true or false", value)
        return known[value]

    def string(self, name: str, default: str = "") -> str:
        """A string, or bytes; those that are no UTF-8 as `\\xNN`."""
        if name not in self.fields:
            return default
        value = self._last(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return value

    def enum(self, name: str, values: Sequence[str], default: str) -> str:
        """The name of an enum value; `values` are the names by number."""
        if name not in self.fields:
            return default
        value = self._last(name)
        if isinstance(value, int) and 0 <= value < len(values) and values[value]:
            return values[value]
        if not isinstance(value, str) or value not in values:
            raise self._wrong(name, "one of " + ", ".join(v for v in values if v), value)
        return value

    def _items(self, name: str) -> list[Attribute]:
        value = self.fields.get(name, [])
        return value if isinstance(value, list) else [value]

    def integers(self, name: str) -> list[int]:
        """A repeated field of whole numbers."""
        return [self._integer(name, item) for item in self._items(name)]

    def reals(self, name: str) -> list[float]:
        """A repeated field of numbers."""
        return [self._real(name, item) for item in self._items(name)]

    def messages(self, name: str) -> list[Message]:
        """A repeated field of messages."""
        items = self._items(name)
        for item in items:
            if not isinstance(item, dict):
                raise self._wrong(name, "a message", item)
        return [Message(item, f"{name}.") for item in items if isinstance(item, dict)]

    def message(self, name: str) -> Message:
        """A message; an empty one, with every default, when it is not given."""
        found = self.messages(name)
        merged: dict[str, Attribute] = {}
        for part in found:
            merged.update(part.fields)
        return Message(merged, f"{name}.")

    def shape(self, name: str) -> Shape:
        """A `BlobShape`."""
        return tuple(self.message(name).integers("dim"))


@dataclass
class Layer:
    """A layer with what is known of its bottoms and stored blobs."""

    type: str
    attributes: Mapping[str, Attribute]
    bottoms: Sequence[Dims | None]
    blobs: Sequence[Shape] = ()
    tops: int = 1
    root: Message = field(init=False)

    def __post_init__(self) -> None:
        self.root = Message(self.attributes)

    def param(self, name: str) -> Message:
        """The parameter message `name`, such as `convolution_param`."""
        return self.root.message(name)

    def known(self, index: int) -> Shape | None:
        """The shape of a bottom, or None where a dimension of it is unknown or the bottom is missing."""
        dims = self.bottoms[index] if index < len(self.bottoms) else None
        if dims is None:
            return None
        shape = tuple(d for d in dims if isinstance(d, int))
        return shape if len(shape) == len(dims) else None

    def bottom(self, index: int = 0, axes: int = 0) -> Shape:
        """The shape of a bottom that must have at least so many axes; `Unknown` where it is not known."""
        if index >= len(self.bottoms):
            raise ValueError(f"needs at least {index + 1} bottom blobs and has {len(self.bottoms)}")
        shape = self.known(index)
        if shape is None:
            raise Unknown
        if len(shape) < axes:
            raise ValueError(f"needs a bottom of at least {axes} axes, not {text(shape)}")
        return shape

    def image(self, index: int = 0) -> tuple[int, int, int, int]:
        """The shape of a bottom that must have the 4 axes num, channels, height, width."""
        shape = self.bottom(index)
        if len(shape) != 4:
            raise ValueError(f"needs a bottom of 4 axes (num, channels, height, width), not {text(shape)}")
        return shape


def legacy(shape: Shape) -> tuple[int, int, int, int]:
    """`shape` as Caffe's `num()`, `channels()`, `height()`, `width()` see it: filled up with ones at the end."""
    if len(shape) > 4:
        raise ValueError(f"cannot take a bottom of more than 4 axes, such as {text(shape)}")
    n, c, h, w = (*shape, 1, 1, 1, 1)[:4]
    return n, c, h, w


def canonical(axis: int, shape: Shape) -> int:
    """`axis` counted from the front (Caffe's `CanonicalAxisIndex`)."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"axis {axis} is out of range for a bottom of shape {text(shape)}")
    return axis % len(shape)


def count(shape: Sequence[int]) -> int:
    """How many numbers a blob of this shape holds."""
    return math.prod(shape)


def text(shape: Sequence[Dim]) -> str:
    """A shape as messages show it."""
    return "x".join("?" if d is None else str(d) for d in shape) or "scalar"
