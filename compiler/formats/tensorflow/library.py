"""The function library of a GraphDef: which functions and gradients it has, where, and which an operator uses.

Source: tensorflow/core/framework/function.proto.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from subcut.compiler.formats.tensorflow import records, schema
from subcut.compiler.formats.tensorflow.signatures import Signature, from_definition
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.rope import Rope
from subcut.compiler.storage.wire import LEN, fields

FUNCTION, GRADIENT, REGISTERED = 1, 2, 3
_GRADIENT_TYPE = b"\n\x11_gradient_op_type\x12"


@dataclass(frozen=True)
class Function:
    """One FunctionDef, not yet read further than its signature."""

    name: str
    span: tuple[int, int]
    signature: Signature
    outputs: tuple[str, ...]
    polymorphic: bool
    """Whether it leaves types or numbers in it to the caller's attributes."""


@dataclass(frozen=True)
class Item:
    """One field of the library."""

    number: int
    span: tuple[int, int]
    """With its tag."""
    function: str = ""
    """The function it defines, or without which it is of no use."""


@dataclass
class Library:
    """Everything in the library."""

    functions: list[Function] = field(default_factory=list[Function])
    signatures: dict[str, Signature] = field(default_factory=dict[str, Signature])
    gradients: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The functions that compute the gradients of a function."""
    registered: dict[str, str] = field(default_factory=dict[str, str])
    """The function that computes the gradient of operators marked with this `_gradient_op_type`."""
    items: list[Item] = field(default_factory=list[Item])

    def used_by(self, op_type: str, attributes: Sequence[bytes]) -> tuple[str, ...]:
        """The functions that an operator calls or whose gradients may be asked of it, each once."""
        names = [op_type] if op_type in self.signatures else []
        for encoded in attributes:
            if b"\x52" in encoded or b"\x4a" in encoded:  # the tags of `func` and `list.func`
                _, start, stop = records.entry(encoded, 0, len(encoded))
                names += records.function_names(encoded, start, stop)
            if self.registered and encoded.startswith(_GRADIENT_TYPE):
                names += self._registered(encoded)
        for name in names:
            names += [g for g in self.gradients.get(name, ()) if g not in names]
        return tuple(dict.fromkeys(names))

    def _registered(self, encoded: bytes) -> list[str]:
        _, start, stop = records.entry(encoded, 0, len(encoded))
        found = records.value_field(encoded, start, stop, 2)
        name = self.registered.get(records.bytes_text(encoded, *found)) if found else None
        return [name] if name else []

    def written(self, file: SourceFile, kept: Collection[str]) -> Rope:
        """The library's content with the functions in `kept` and what belongs to them; the rest of it untouched."""
        rope = Rope()
        for item in self.items:
            if not item.function or item.function in kept:
                rope.add(Span(file, *item.span))
        return rope


def read_library(file: SourceFile, spans: Sequence[tuple[int, int]]) -> Library:
    """The library in these fields of a GraphDef, each with its tag."""
    library = Library()
    data = file.data
    for start, stop in spans:
        for _, kind, _, low, high in fields(data, start, stop):
            if kind != LEN:
                raise ValueError("a library that is no message")
            for number, inner, tag_at, at, end in fields(data, low, high):
                function = _read_item(library, file, number, at, end) if inner == LEN else ""
                library.items.append(Item(number, (tag_at, end), function))
    return library


def _read_item(library: Library, file: SourceFile, number: int, start: int, stop: int) -> str:
    if number == FUNCTION:
        function = _read_signature(file, start, stop)
        library.functions.append(function)
        library.signatures[function.name] = function.signature
        return function.name
    if number in (GRADIENT, REGISTERED):
        pair = {n: records.text(file.data, at, end) for n, _, _, at, end in fields(file.data, start, stop)}
        first, second = pair.get(1, ""), pair.get(2, "")
        if number == GRADIENT:
            library.gradients.setdefault(first, []).append(second)
        else:
            library.registered[second] = first
        return first
    return ""


def _read_signature(file: SourceFile, start: int, stop: int) -> Function:
    found = records.value_field(file.data, start, stop, 1)
    if found is None:
        raise ValueError("a function without a signature")
    definition = schema.decode("OpDef", file.data[found[0] : found[1]])
    outputs = tuple(arg.name for arg in definition.output_arg)
    signature = from_definition(definition)
    return Function(definition.name, (start, stop), signature, outputs, len(definition.attr) > 0)
