"""What TensorFlow's operators take and give, known without TensorFlow: `ops.json`, which `make_ops.py` writes."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

from subcut.compiler.formats.tensorflow.elements import element_of_number


class Arg(NamedTuple):
    """An argument or result of an operator: one tensor, `number` many of one type, or one for each of `types`."""

    name: str
    element: str = ""
    """A fixed element type, or empty."""
    attribute: str = ""
    """The attribute that holds the element type, or empty."""
    number: str = ""
    """The attribute that says how many tensors this is, or empty for one."""
    types: str = ""
    """The attribute that lists the element types, or empty."""

    def attributes(self) -> list[str]:
        """The attributes that decide what this is."""
        return [name for name in (self.attribute, self.number, self.types) if name]


@dataclass(frozen=True)
class Signature:
    """An operator's arguments and results, and whether it does more than compute."""

    inputs: tuple[Arg, ...]
    outputs: tuple[Arg, ...]
    stateful: bool
    defaults: Mapping[str, str]
    """Of the attributes that decide the results, as text."""


def known() -> Mapping[str, str]:
    """Every operator's line of `ops.json`, by name."""
    return _table()


@functools.cache
def signature(op_type: str) -> Signature | None:
    """The signature of a TensorFlow operator; None for an operator that TensorFlow 2.21 does not have."""
    line = _table().get(op_type)
    if line is None:
        return None
    left, _, right = line.partition(">")
    words = right.split()
    outputs = [word for word in words if ":" in word]
    defaults = dict(word.split("=", 1) for word in words if "=" in word)
    return Signature(_args(left.split()), _args(outputs), "!" in words, defaults)


def from_definition(definition: Any) -> Signature:
    """The signature of a function of the library, from its OpDef."""
    inputs, outputs = (
        tuple(Arg(a.name, element_of_number(a.type) or "", a.type_attr, a.number_attr, a.type_list_attr) for a in side)
        for side in (definition.input_arg, definition.output_arg)
    )
    return Signature(inputs, outputs, True, {})


@functools.cache
def _table() -> dict[str, str]:
    text = resources.files("subcut.compiler.formats.tensorflow").joinpath("ops.json").read_text("ascii")
    table: dict[str, str] = json.loads(text)["ops"]
    return table


def _args(words: list[str]) -> tuple[Arg, ...]:
    return tuple(_arg(word) for word in words)


def _arg(word: str) -> Arg:
    name, _, kind = word.partition(":")
    if kind.startswith("#"):
        return Arg(name, types=kind[1:])
    count, star, element = kind.rpartition("*")
    if element.startswith("@"):
        return Arg(name, attribute=element[1:], number=count if star else "")
    return Arg(name, element=element, number=count if star else "")
