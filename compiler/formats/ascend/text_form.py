"""The text form of a ModelDef, `ge_proto_*.txt`, encoded in one sweep as protobuf would: whatever its size, no tree.

Source: protobuf.dev/reference/protobuf/textformat-spec. Fields that no schema of ours has are passed over. A dump
may be broken off: what is open where the text ends is left out, but for the graph and the model.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import NoReturn

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.escapes import unescape
from subcut.compiler.formats.ascend.json_form import float_of
from subcut.compiler.storage.wire import I32, VARINT, bytes_field, tag, varint

_BLANK = re.compile(r"(?:[\s,;]+|#[^\n]*)*")
_NAME = re.compile(r"([A-Za-z_][\w.]*|\[[^\]\n]*\])(?=[\s:{<])")
_WORD = re.compile(r"[^\s{}<>\[\],;\"'#]+")
_OPEN = re.compile(r"\s*:?\s*([{<])")
_COLON = re.compile(r"\s*:\s*")
DEPTH = 100
"""Messages may not be nested deeper, as in protobuf's own parser."""
_BOOLS = ("false", "true", "False", "True", "f", "t", "0", "1")


def parse(path: Path, raw: bytes) -> tuple[bytes, bool]:
    """The encoded ModelDef, and whether the text is whole.

    Raises ModelError with the line and column at which the text is none.
    """
    return _Parser(path, raw.decode(errors="replace")).model()


class _End(Exception):
    """The text ends inside a field."""


class _Frame:
    """A message that is being read. `kind` is None in a message that no schema has."""

    __slots__ = ("closing", "field", "kind", "out")

    def __init__(self, kind: str | None, field: int, closing: str) -> None:
        self.kind, self.field, self.closing = kind, field, closing
        self.out = bytearray()


class _Parser:
    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text
        self.at: int = 0
        self.stack = [_Frame("ModelDef", 0, "")]

    def fail(self, message: str) -> NoReturn:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - (self.text.rfind("\n", 0, self.at) + 1) + 1
        raise ModelError(
            self.path, message, expected="a ModelDef as text", where=f"line {line}, column {column}"
        )  # fmt: skip

    def model(self) -> tuple[bytes, bool]:
        """The whole text, and whether it ends where a model ends."""
        whole = True
        try:
            while self._field():
                pass
        except _End:
            whole = False
        whole = whole and len(self.stack) == 1
        graph_is_open = len(self.stack) > 1 and self.stack[1].kind == "GraphDef"
        del self.stack[2 if graph_is_open else 1 :]
        if graph_is_open:
            self._close()
        return bytes(self.stack[0].out), whole

    def _blank(self) -> None:
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _field(self) -> bool:
        """Read one field, or the end of a message; False at the end of the text."""
        self._blank()
        if self.at >= len(self.text):
            return False
        frame = self.stack[-1]
        if self.text[self.at] == frame.closing:
            self.at += 1
            self._close()
            return True
        name = _NAME.match(self.text, self.at)
        if name is None:
            if self.text[self.at :].strip().isidentifier():
                raise _End
            self.fail(f"`{self.text[self.at : self.at + 20]}` where a field or the end of a message is expected")
        self.at = name.end()
        known = schema.fields_of(frame.kind).get(name[1]) if frame.kind else None
        opening = _OPEN.match(self.text, self.at)
        if opening:
            self.at = opening.end()
            self._open(known, opening[1])
            return True
        colon = _COLON.match(self.text, self.at)
        if colon is None:
            self._ended()
            self.fail(f"`{name[1]}` without a value")
        self.at = colon.end()
        self._values(frame, known)
        return True

    def _ended(self) -> None:
        """Pass over blanks. Raises _End where nothing follows."""
        self._blank()
        if self.at >= len(self.text):
            raise _End

    def _open(self, known: schema.Field | None, opening: str) -> None:
        if len(self.stack) > DEPTH:
            self.fail(f"messages nested deeper than {DEPTH}")
        message = known is not None and known.kind not in schema.SCALARS and known.kind not in schema.ENUMS
        if known is not None and not message:
            self.fail(f"a message where a {known.kind} is expected")
        kind, number = (known.kind, known.number) if known is not None else (None, 0)
        self.stack.append(_Frame(kind, number, "}" if opening == "{" else ">"))

    def _close(self) -> None:
        frame = self.stack.pop()
        if frame.kind is not None:
            self.stack[-1].out += bytes_field(frame.field, bytes(frame.out))

    def _values(self, frame: _Frame, known: schema.Field | None) -> None:
        """A value, or a list of them in brackets."""
        self._ended()
        if self.text[self.at] != "[":
            self._value(frame, known)
            return
        self.at += 1
        while True:
            self._blank()
            self._ended()
            if self.text[self.at] == "]":
                self.at += 1
                return
            self._value(frame, known)

    def _value(self, frame: _Frame, known: schema.Field | None) -> None:
        start = self.at
        if self.text[start] in "\"'":
            raw = self._string()
            word = ""
        else:
            found = _WORD.match(self.text, start)
            if found is None:
                self.fail(f"`{self.text[start]}` where a value is expected")
            raw, word = b"", found[0]
            self.at = found.end()
            if self.at == len(self.text) and len(self.stack) > 1:
                raise _End  # the word may be cut off
        if known is None:
            return
        scalar = known.kind in schema.SCALARS or known.kind in schema.ENUMS
        if not scalar or (known.kind in ("string", "bytes")) == bool(word):
            self.at = start
            self.fail(f"a {known.kind} is expected")
        try:
            frame.out += _encode(known, raw, word)
        except (ValueError, struct.error, OverflowError):
            self.at = start
            self.fail(f"`{word or raw.decode(errors='replace')}` is no {known.kind}")

    def _string(self) -> bytes:
        """The text in quotes at the place reached, with those that follow it at once."""
        parts: list[bytes] = []
        while self.at < len(self.text) and self.text[self.at] in "\"'":
            end = self._quote(self.text[self.at])
            parts.append(unescape(self.text[self.at + 1 : end]))
            self.at = end + 1
            self._blank()
        return b"".join(parts)

    def _quote(self, mark: str) -> int:
        """Where the string ends that begins here."""
        end = self.at
        while True:
            end = self.text.find(mark, end + 1)
            if end < 0:
                raise _End
            before = end
            while self.text[before - 1] == "\\":
                before -= 1
            if (end - before) % 2 == 0:
                return end


def _encode(field: schema.Field, raw: bytes, word: str) -> bytes:
    """A field with a value. Raises ValueError, OverflowError or struct.error where the word is none for it."""
    if field.kind == "string":
        raw.decode()
        return bytes_field(field.number, raw)
    if field.kind == "bytes":
        return bytes_field(field.number, raw)
    if field.kind == "float":
        value = float(word if "inf" in word.lower() else word.rstrip("fF"))
        return tag(field.number, I32) + struct.pack("<f", float_of(value))
    return tag(field.number, VARINT) + varint(_whole(field.kind, word))


def _whole(kind: str, word: str) -> int:
    if kind == "bool":
        return _BOOLS.index(word) % 2
    if kind in schema.ENUMS:
        return int(word) if word.lstrip("-").isdigit() else schema.enum_number(kind, word)
    number = int(word, 8) if re.fullmatch(r"-?0[0-7]+", word) else int(word, 0)
    signed = kind.startswith("int")
    bits = 64 if kind.endswith("64") else 32
    low, high = (-(1 << bits - 1), (1 << bits - 1)) if signed else (0, 1 << bits)
    if not low <= number < high:
        raise OverflowError
    return number
