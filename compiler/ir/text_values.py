"""Reads types and attributes of the text form: the other direction of `text_literals`."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import NoReturn, TypeVar, Union, cast

from subcut.compiler.diagnostics import Location, SourceText
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir.graph import Attribute, Constant, Symbol
from subcut.compiler.ir.text_literals import BUILTIN, COMPLEX, CONTROL, ESCAPED, NONE
from subcut.compiler.ir.types import (
    ELEMENT_TYPES,
    Dim,
    MapType,
    OptionalType,
    SequenceType,
    SparseType,
    TensorType,
    Type,
)

T = TypeVar("T")

Signature = Union[Type, None, str]
"""What an operand or result is: a type, None for an unknown one, or `NONE` or `CONTROL` for the text form's own."""

DEEPEST = 80
"""How deep regions, attributes and types may nest, counted together."""

_BLANK = re.compile(r"(?:\s+|//[^\n]*)*")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_ESCAPE = re.compile(rb'\\(?:([0-9A-Fa-f]{2})|([nt"\\]))')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$.]*")
_REAL = re.compile(r"-?\d+\.\d*(?:[eE][-+]?\d+)?")
_HEX = re.compile(r"0x[0-9A-Fa-f]+")
_INTEGER = re.compile(r"-?\d+")
_NUMBER_TYPE = re.compile(r"\s*:\s*(f32|f64|[us]?i\d+)\b")
_DIMS = re.compile(r"\*x|(?:(?:\d+|\?)x)*")
_ELEMENT = re.compile(r"complex<f32>|complex<f64>|!subcut\.(\w+)|\w+")
_SIMPLE = re.compile(r'tensor<[^<>{}"]*>')
_OPAQUE = re.compile(r"!subcut\.(\w+)")
_COMPLEX = {text: element for element, text in COMPLEX.items()}


class Cursor:
    """A place in a text, and the reading of everything that is smaller than an operator."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.text = source.text
        self.at = 0
        self.depth = 0
        self._types: dict[str, Type | None] = {}

    def error(self, message: str, at: int | None = None, stop: int | None = None) -> UserError:
        """The error to raise about the text from `at` (here) to `stop` (one character)."""
        start = self.at if at is None else at
        return user_error("bad-ir-text", message, at=Location(self.source, start, stop or start + 1))

    def fail(self, wanted: str) -> NoReturn:
        """Refuse what stands here."""
        self.skip()
        found = self.text[self.at : self.at + 20].partition("\n")[0]
        raise self.error(f"expected {wanted}, found {f'`{found}`' if found else 'the end'}")

    def skip(self) -> None:
        """Go over blanks and comments."""
        match = _BLANK.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What matches here, after blanks; the cursor moves behind it."""
        self.skip()
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def accept(self, literal: str) -> bool:
        """Whether `literal` stands here, after blanks; the cursor moves behind it."""
        self.skip()
        if not self.text.startswith(literal, self.at):
            return False
        self.at += len(literal)
        return True

    def expect(self, literal: str) -> None:
        """Go over `literal`, which must stand here."""
        if not self.accept(literal):
            self.fail(f"`{literal}`")

    def listed(self, item: Callable[[], T], close: str) -> list[T]:
        """Items with commas between them, up to and with `close`."""
        items: list[T] = []
        if self.accept(close):
            return items
        while True:
            items.append(item())
            if self.accept(close):
                return items
            self.expect(",")

    def nested(self, part: Callable[[], T]) -> T:
        """A part that may hold parts of its own kind; a bomb of brackets is refused."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"nested more than {DEEPEST} deep")
        result = part()
        self.depth -= 1
        return result

    def string(self) -> str:
        """A string literal."""
        match = self.take(_STRING)
        if match is None:
            self.fail("a string")
        return self._unescaped(match).decode("utf-8", "surrogateescape")

    def _unescaped(self, match: re.Match[str]) -> bytes:
        raw = match[0][1:-1]
        data = raw.encode("utf-8", "surrogateescape")
        return _ESCAPE.sub(_byte, data) if "\\" in raw else data

    def attributes(self) -> dict[str, Attribute]:
        """The dictionary behind an operator, its keys as they are written, or an empty one."""
        if not self.accept("{"):
            return {}
        return dict(self.listed(self._entry, "}"))

    def _entry(self) -> tuple[str, Attribute]:
        name = self.take(_NAME)
        text = name[0] if name is not None else self.string()
        return text, self.value() if self.accept("=") else None

    def value(self) -> Attribute:
        """An attribute's value."""
        self.skip()
        start = self.text[self.at : self.at + 1]
        if start == '"':
            return self.string()
        if start == "[":
            self.at += 1
            return self.nested(lambda: self.listed(self.value, "]"))
        if start == "{":
            return {unescaped(k): v for k, v in self.nested(self.attributes).items()}
        if start == "@":
            self.at += 1
            name = self.take(_NAME)
            return Symbol(name[0] if name is not None else self.string())
        if start == "#":
            return self._bytes()
        if start == "-" or start.isdigit():
            return self._number()
        return self._word()

    def _word(self) -> Attribute:
        for word, value in (("unit", None), ("true", True), ("false", False)):
            if self.accept(word):
                return value
        if self.accept("dense_resource<__elided__>"):
            self.expect(":")
            at = self.at
            type = self.type()
            if not isinstance(type, TensorType):
                raise self.error("a stored tensor is of tensor type", at)
            return Constant(type, _elided)
        return cast(Attribute, self.type())

    def _bytes(self) -> bytes:
        self.expect("#subcut.bytes<")
        match = self.take(_STRING)
        if match is None:
            self.fail("a string")
        self.expect(">")
        return self._unescaped(match)

    def _number(self) -> int | float:
        at = self.at
        match = self.take(_REAL) or self.take(_HEX) or self.take(_INTEGER)
        if match is None:
            self.fail("a number")
        kind = _NUMBER_TYPE.match(self.text, self.at)
        if kind is not None:
            self.at = kind.end()
        text, type = match[0], kind[1] if kind is not None else "f64"  # what MLIR leaves out in lists
        if text.startswith("0x"):
            code, size = (">f", 8) if type == "f32" else (">d", 16)
            if not type.startswith("f") or len(text) != size + 2:
                raise self.error("a hexadecimal number is the bits of an `f32` or `f64`", at, self.at)
            return float(struct.unpack(code, bytes.fromhex(text[2:]))[0])
        if "." not in text:
            return int(text)
        if type != "f32":
            return float(text)
        try:
            return float(struct.unpack("<f", struct.pack("<f", float(text)))[0])
        except OverflowError:
            raise self.error("too large for an `f32`", at, self.at) from None

    def signature(self) -> Signature:
        """The type of an operand or result."""
        for own in (NONE, CONTROL):
            if self.accept(own):
                return own
        return self.type()

    def type(self) -> Type | None:
        """A type; None for `!subcut.unknown`."""
        simple = self.take(_SIMPLE)
        if simple is None:
            return self._opaque() if self.text.startswith("!", self.at) else self._tensor()
        text = simple[0]
        if text not in self._types:
            self.at = simple.start()
            self._types[text] = self._tensor()
        return self._types[text]

    def _tensor(self) -> TensorType:
        at = self.at
        if not self.accept("tensor<"):
            self.fail("a type or a value")
        dims = self.take(_DIMS)
        assert dims is not None
        element = self._element()
        encoding: Attribute = {}
        if self.accept(","):
            encoding = self.value()
        self.expect(">")
        if not isinstance(encoding, dict):
            raise self.error("the encoding of a tensor is a dictionary", at, self.at)
        if dims[0] == "*x":
            return TensorType(element, None)
        shape: list[Dim] = [None if d == "?" else int(d) for d in dims[0].split("x")[:-1]]
        named = encoding.get("dims")
        if isinstance(named, list):
            if len(named) != len(shape):
                raise self.error("`dims` tells of another number of dimensions", at, self.at)
            shape = [d if n is None else cast(Dim, n) for d, n in zip(shape, named, strict=True)]
        return TensorType(element, tuple(shape), str(encoding.get("layout", "")))

    def _element(self) -> str | None:
        match = self.take(_ELEMENT)
        if match is None:
            self.fail("an element type")
        text = match[0]
        name = _COMPLEX.get(text) or match[1] or text
        if name == "unknown":
            return None
        if text not in BUILTIN and text not in _COMPLEX and (match[1] is None or name not in ELEMENT_TYPES):
            raise self.error(f"`{text}` is no element type", match.start(), match.end())
        return name

    def _opaque(self) -> Type | None:
        match = self.take(_OPAQUE)
        if match is None:
            self.fail("a type")
        if match[1] == "unknown":
            return None
        self.expect("<")
        type = self.nested(lambda: self._opaque_body(match))
        self.expect(">")
        return type

    def _opaque_body(self, match: re.Match[str]) -> Type:
        if match[1] == "seq":
            return SequenceType(self.type())
        if match[1] == "optional":
            return OptionalType(self.type())
        if match[1] == "sparse":
            dense = self._tensor()
            return SparseType(dense.element, dense.shape)
        if match[1] == "map":
            key = self.take(_NAME)
            self.expect(",")
            return MapType(key[0] if key is not None else "", self.type())
        if match[1] == "unranked":
            element = self._element()
            self.expect(",")
            return TensorType(element, None, self.string())
        raise self.error(f"`{match[0]}` is no type", match.start(), match.end())


def unescaped(name: str) -> str:
    """The name of an attribute as it is in the IR."""
    return name.removeprefix(ESCAPED)


def _byte(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes.fromhex(match[1].decode())
    return {b"n": b"\n", b"t": b"\t"}.get(match[2], match[2])


def _elided() -> NoReturn:
    raise ValueError("the text form does not hold the numbers of a stored tensor")
