"""Protobuf's text format as a lossless syntax tree: every node is a byte range of the source, nothing is thrown away.

Source of the grammar: protobuf.dev/reference/protobuf/textformat-spec. No schema is needed, so every fork's fields
are read. Comments are no nodes: they lie in the gaps between nodes, and `extents` says whose they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn, Union

from subcut.compiler.errors import ModelError
from subcut.compiler.storage.files import SourceFile

DEPTH = 100
"""How deep messages and lists may nest, as in protobuf's own parsers."""

_BLANK = re.compile(rb"\s*(?:#[^\n]*\s*)*").match
_NAME = re.compile(rb"[A-Za-z_]\w*|\d+(?!\w)|\[[\w./\-\s]*\]").match
_STRING = re.compile(rb"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'").match
_PLAIN = re.compile(
    rb"(?:0[xX][0-9a-fA-F]+|0[0-7]+(?![\d.eE])|(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[fF]?)(?![\w.])"
    rb"|[A-Za-z_]\w*"
).match
_SIGNED_WORD = re.compile(rb"(?i)inf(?:inity)?(?!\w)|nan(?!\w)").match
# The common case in one match: a name with one plain value that nothing can follow on, or with `{`, or a `}`.
_FAST = re.compile(
    rb"\s*(?:([A-Za-z_]\w*)\s*(?::\s*(\"[^\"\\\n]*\"|[A-Za-z_]\w*|-?(?:0|[1-9]\d*)(?:\.\d+)?)(?![\w.\"'+-])"
    rb"(?=\s*[A-Za-z_}])|:?\s*(\{))|(\}))"
).match


class Scalar:
    """A number, a word or (adjacent pieces of) a string."""

    __slots__ = ("start", "stop")

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop


class Message:
    """Fields between braces, which are part of the range; the whole file for the outermost one."""

    __slots__ = ("fields", "start", "stop")

    def __init__(self, start: int, stop: int, fields: list[Field]) -> None:
        self.start, self.stop, self.fields = start, stop, fields


Node = Union[Scalar, Message]


class Field:
    """A name with its value, or the several of the notation `[1, 2]`; a separator behind it is part of the range."""

    __slots__ = ("name", "start", "stop", "values")

    def __init__(self, name: str, start: int, stop: int, values: tuple[Node, ...]) -> None:
        self.name, self.start, self.stop, self.values = name, start, stop, values


def parse(file: SourceFile) -> Message:
    """The syntax tree of a text file. Raises ModelError with the byte and the line where it is no text format."""
    return _Parser(file).parse()


def line_of(file: SourceFile, offset: int) -> str:
    """`line N` of a byte, for a message."""
    return f"line {file.data[:offset].count(10) + 1}"


class _Parser:
    def __init__(self, file: SourceFile) -> None:
        self.file, self.data, self.size = file, file.data, file.size
        self.names: dict[bytes, str] = {}

    def parse(self) -> Message:
        fields, _ = self.fields(3 if self.data[:3] == b"\xef\xbb\xbf" else 0, b"", 0)
        return Message(0, self.size, fields)

    def fail(self, at: int, message: str, expected: str = "") -> NoReturn:
        where = line_of(self.file, at)
        raise ModelError(self.file.path, message, offset=at, expected=expected, where=where)

    def fields(self, at: int, closer: bytes, depth: int) -> tuple[list[Field], int]:
        """Fields from `at` on, and the offset of the `closer` behind them."""
        data, names, fast, found = self.data, self.names, _FAST, list[Field]()
        while True:
            match = fast(data, at)
            kind = 0 if match is None else match.lastindex
            if match is None or kind == 4:
                if match is not None and closer == b"}":
                    return found, match.start(4)
                at = self.skip(at, found)
                if at == self.size or data[at : at + 1] == closer:
                    return self.closed(found, at, closer)
                field = self.field(at, depth)
                found.append(field)
                at = field.stop
                continue
            raw = match[1]
            name = names.get(raw)
            if name is None:
                name = names[raw] = raw.decode()
            if kind == 2:
                start, at = match.span(2)
                found.append(Field(name, match.start(1), at, (Scalar(start, at),)))
                continue
            body = self.message(match.start(3), depth + 1)
            at = body.stop
            found.append(Field(name, match.start(1), at, (body,)))

    def closed(self, found: list[Field], at: int, closer: bytes) -> tuple[list[Field], int]:
        if at == self.size and closer:
            self.fail(at, "the file ends inside a message", f"`{closer.decode()}`")
        return found, at

    def skip(self, at: int, found: list[Field]) -> int:
        """The offset of the next token; one separator on the way becomes part of the last field."""
        at = self.blank(at)
        if self.data[at : at + 1] not in (b";", b",") or at == self.size:
            return at
        if not found:
            self.fail(at, "a separator without a field before it", "a field")
        found[-1].stop = at + 1
        return self.blank(at + 1)

    def blank(self, at: int) -> int:
        match = _BLANK(self.data, at)
        return match.end() if match else at

    def message(self, start: int, depth: int) -> Message:
        """The message whose brace stands at `start`."""
        if depth > DEPTH:
            self.fail(start, f"messages are nested more than {DEPTH} deep")
        closer = b"}" if self.data[start : start + 1] == b"{" else b">"
        fields, at = self.fields(start + 1, closer, depth)
        return Message(start, at + 1, fields)

    def field(self, start: int, depth: int) -> Field:
        """A field in any notation."""
        match = _NAME(self.data, start)
        if match is None:
            self.fail(start, f"{self.shown(start)} where a field should begin", "a field name")
        name = re.sub(rb"\s+", b"", match[0]).decode()
        at = self.blank(match.end())
        colon = self.data[at : at + 1] == b":"
        if colon:
            at = self.blank(at + 1)
        opener = self.data[at : at + 1]
        if opener == b"[":
            values, at = self.list(at, depth + 1)
            if values and not colon and isinstance(values[0], Scalar):
                self.fail(at, f"no `:` between `{name}` and its list", "`:`")
            return Field(name, start, at, tuple(values))
        if opener not in (b"{", b"<") and not colon:
            self.fail(at, f"{self.shown(at)} behind the field name `{name}`", "`:` or `{`")
        value = self.value(at, depth)
        return Field(name, start, value.stop, (value,))

    def list(self, at: int, depth: int) -> tuple[list[Node], int]:
        """The values of `[a, b]`, and the offset behind it."""
        values: list[Node] = []
        at = self.blank(at + 1)
        if self.data[at : at + 1] == b"]":
            return values, at + 1
        while True:
            values.append(self.value(at, depth))
            at = self.blank(values[-1].stop)
            token = self.data[at : at + 1]
            if token == b"]":
                return values, at + 1
            if token != b",":
                self.fail(at, f"{self.shown(at)} in a list", "`,` or `]`")
            at = self.blank(at + 1)

    def value(self, at: int, depth: int) -> Node:
        """A message or a scalar."""
        if self.data[at : at + 1] in (b"{", b"<") and at < self.size:
            return self.message(at, depth + 1)
        match = _STRING(self.data, at)
        if match is not None:
            return Scalar(at, self.strings(match.end()))
        start = at
        if self.data[at : at + 1] == b"-":
            at = self.blank(at + 1)
            match = _SIGNED_WORD(self.data, at)
            if match is None and self.data[at : at + 1].isalpha():
                self.fail(start, "a `-` before what is no number", "a number")
        match = match or _PLAIN(self.data, at)
        if match is None:
            self.fail(at, f"{self.shown(at)} where a value should stand", "a string, a number or a word")
        return Scalar(start, match.end())

    def strings(self, stop: int) -> int:
        """The end of the last of the string pieces that follow the one that ends at `stop`."""
        while True:
            match = _STRING(self.data, self.blank(stop))
            if match is None:
                return stop
            stop = match.end()

    def shown(self, at: int) -> str:
        """What stands at `at`, for a message."""
        if at >= self.size:
            return "the end of the file"
        line = self.data[at : at + 24].split(b"\n")[0].decode("utf-8", "backslashreplace").strip()
        return f"`{line.split(' ')[0]}`" if line else "a line end"


_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.S)
_SIMPLE = {
    b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
    b"\\": b"\\", b"'": b"'", b'"': b'"', b"?": b"?",
}  # fmt: skip
_WORDS: dict[bytes, bool | float] = {
    b"true": True, b"True": True, b"t": True, b"false": False, b"False": False, b"f": False,
    b"inf": float("inf"), b"infinity": float("inf"), b"nan": float("nan"),
}  # fmt: skip


_INT64_DIGITS = 20
"""No integer field holds a longer number; protobuf takes one for a float or double field only."""


def raw_string(file: SourceFile, node: Node) -> bytes:
    """The bytes that a string means; a word's own letters. Raises ModelError for an escape that there is none of."""
    raw = file.data[node.start : node.stop]
    if raw[0] == 34 and b"\\" not in raw and raw.find(b'"', 1) == len(raw) - 1:
        return raw[1:-1]
    if raw[:1] not in (b'"', b"'"):
        return raw
    pieces: list[bytes] = []
    at = 0
    while at < len(raw):
        match = _STRING(raw, at)
        if match is None:
            blank = _BLANK(raw, at)
            at = blank.end() if blank else len(raw)
            continue
        try:
            pieces.append(_ESCAPE.sub(_unescaped, match[0][1:-1]))
        except ValueError as error:
            start = node.start + at
            raise ModelError(file.path, str(error), offset=start, where=line_of(file, start)) from None
        at = match.end()
    return b"".join(pieces)


def _unescaped(match: re.Match[bytes]) -> bytes:
    octal, hexadecimal, short, long, simple = match.groups()
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    if hexadecimal is not None:
        return bytes([int(hexadecimal, 16)])
    if short is not None or long is not None:
        return chr(int(short or long, 16)).encode("utf-8", "surrogatepass")
    if simple not in _SIMPLE:
        raise ValueError(f"`\\{simple.decode('utf-8', 'backslashreplace')}` is no escape")
    return _SIMPLE[simple]


def shown(raw: bytes) -> str:
    """A string of the file as text; bytes that are no UTF-8 as `\\xNN`."""
    return raw.decode("utf-8", "backslashreplace")


def scalar(file: SourceFile, node: Scalar) -> bool | int | float | str:
    """What a scalar means without a schema: `true` is a bool, a word that is no number an enum's name, a str."""
    raw = file.data[node.start : node.stop]
    first = raw[:1]
    if first in (b'"', b"'"):
        return shown(raw_string(file, node))
    if first == b"-":
        at = _BLANK(raw, 1)
        value = number(raw[at.end() if at else 1 :])
        return -value if not isinstance(value, str) else "-" + value
    return number(raw)


def number(raw: bytes) -> bool | int | float | str:
    """A number or a word without its sign."""
    if not raw[:1].isdigit() and raw[:1] != b".":
        word = _WORDS.get(raw)
        if word is None:
            word = _WORDS.get(raw.lower()) if raw.lower() in (b"inf", b"infinity", b"nan") else None
        return raw.decode() if word is None else word
    if raw[:2] in (b"0x", b"0X"):
        return int(raw, 16)
    if raw.isdigit():
        if len(raw) > 1 and raw[:1] == b"0":
            return int(raw, 8)
        return int(raw) if len(raw) <= _INT64_DIGITS else float(raw)
    return float(raw.rstrip(b"fF"))


def quoted(raw: bytes) -> bytes:
    """A string literal that means `raw`; letters of any script stay readable."""
    if raw.isascii() or _is_utf8(raw):
        escaped = re.sub(rb'[\\"]', rb"\\\g<0>", raw)
        return b'"' + re.sub(rb"[\x00-\x1f\x7f]", _octal, escaped) + b'"'
    return b'"' + re.sub(rb'[\x00-\x1f\x7f-\xff\\"]', _octal, raw) + b'"'


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _octal(match: re.Match[bytes]) -> bytes:
    return b"\\%03o" % match[0][0]


def extents(file: SourceFile, fields: list[Field]) -> Iterator[tuple[int, int]]:
    """The range of each of the file's outermost fields with the comments that belong to it, in order.

    What follows a field on its last line is its own, what stands above it too. What stands above the first field,
    up to the last empty line, is the file's: that range comes first, and is empty where there is none.
    """
    data = file.data
    first = fields[0].start if fields else file.size
    head = max(data.rfind(b"\n\n", 0, first) + 2, data.rfind(b"\n\r\n", 0, first) + 3)
    start = head if head > 2 else 0
    yield 0, start
    for field, following in zip(fields, [*fields[1:], None], strict=True):
        stop = file.size
        if following is not None:
            line_end = data.find(b"\n", field.stop, following.start)
            stop = field.stop if line_end < 0 else line_end + 1
        yield start, stop
        start = stop
