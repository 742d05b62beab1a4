r"""The C escapes in which the JSON and text forms keep bytes: `\n`, `\"`, three octal digits for what is no ASCII.

Source: `CEscape` and `CUnescape` of protobuf's strutil, which the graph engine calls.
"""

from __future__ import annotations

import re

_PLAIN = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 39: "\\'", 92: "\\\\"}
_ESCAPED = [_PLAIN.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in range(256)]
_SEQUENCE = re.compile(r"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|[abfnrtv\\'\"?])")
_LETTERS = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34, "?": 63}


def escape(raw: bytes) -> str:
    """`raw` as printable ASCII."""
    return "".join([_ESCAPED[byte] for byte in raw])


def unescape(text: str) -> bytes:
    r"""The bytes that `text` stands for.

    A backslash that begins no escape stands for itself: tools older than the escaping wrote text as it is.
    """
    if "\\" not in text:
        return text.encode(errors="replace")
    out, at = bytearray(), 0
    for found in _SEQUENCE.finditer(text):
        out += text[at : found.start()].encode(errors="replace")
        out.append(_byte(found[1]))
        at = found.end()
    return bytes(out + text[at:].encode(errors="replace"))


def _byte(sequence: str) -> int:
    if sequence in _LETTERS:
        return _LETTERS[sequence]
    return int(sequence[1:], 16) if sequence[0] in "xX" else int(sequence, 8) & 0xFF
