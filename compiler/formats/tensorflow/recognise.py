"""What kind of TensorFlow file this is, by its first bytes."""

from __future__ import annotations

import re

from subcut.compiler.storage.wire import LEN, VARINT, WireError, fields

BINARY, TEXT, KERAS = "binary", "text", "keras"

_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_BLANK = rb"(?:\s|#[^\n]*\n)*"
_TEXT = re.compile(_BLANK + rb"(?:node|library|versions)\s*:?\s*[{<]|" + _BLANK + rb"version\s*:\s*\d")
_OPERATOR = re.compile(rb"[A-Za-z_0-9.\\/>-]+")
_GRAPH_FIELDS = {1: LEN, 2: LEN, 3: VARINT, 4: LEN, 5: LEN}


def kind_of(head: bytes, size: int, ending: str) -> str:
    """`binary`, `text` or `keras` for a file of `size` bytes that begins with `head`; empty for anything else."""
    if head.startswith(_HDF5) or (head.startswith(_ZIP) and ending == ".keras"):
        return KERAS
    nodes = _plausible_nodes(head, size)
    if nodes > 0 or (nodes == 0 and ending == ".pb"):
        return BINARY
    return TEXT if b"\0" not in head and _TEXT.match(head) else ""


def _plausible_nodes(head: bytes, size: int) -> int:
    """How many nodes begin in `head`, if that is the beginning of a GraphDef; -1 if it is not."""
    nodes = 0
    try:
        for number, kind, _, at, end in fields(head, 0, size):
            if _GRAPH_FIELDS.get(number) != kind:
                return -1
            if number == 1:
                nodes += 1
                if end <= len(head) and not _is_node(head, at, end):
                    return -1
    except (WireError, IndexError):  # the head ends, or the file is damaged, which reading will tell
        return nodes or (0 if size > len(head) else -1)
    return nodes


def _is_node(head: bytes, start: int, stop: int) -> bool:
    """Whether a node begins with a name and an operator."""
    found = {n: head[at:end] for n, kind, _, at, end in fields(head, start, stop) if kind == LEN and n <= 2}
    return bool(found.get(1)) and _OPERATOR.fullmatch(found.get(2, b"")) is not None
