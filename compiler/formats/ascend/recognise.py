"""Which of Ascend's forms a file is in, by its first bytes."""

from __future__ import annotations

import re

from subcut.compiler.formats.ascend.definition import ATTRIBUTE, CUSTOM_VERSION, GRAPH, GRAPH_OP, NAME, VERSION
from subcut.compiler.formats.ascend.origin import AIR, JSON, OFFLINE, TEXT
from subcut.compiler.storage.wire import LEN, VARINT, WireError, fields, read_varint

_JSON = re.compile(
    rb'\s*\{\s*"(?:attr"\s*:\s*\[\s*\{\s*"key"|custom_version"\s*:\s*"|'
    rb'graph"\s*:\s*\[\s*\{\s*"(?:attr|input|name|op)")'
)
_TEXT = re.compile(rb"(?:\A|\n)graph\s*\{\s*(?:#[^\n]*\s*)*(?:name\s*:|input\s*:|op\s*\{)")
_TEXT_OP = re.compile(rb"\n\s*op\s*\{\s*(?:name|type|input|attr|id)\b")
_FIELDS = {NAME: LEN, VERSION: VARINT, CUSTOM_VERSION: LEN, GRAPH: LEN, ATTRIBUTE: LEN, 12: LEN}
_GRAPH_FIELDS = {1: LEN, 4: LEN, 5: LEN, GRAPH_OP: LEN, 11: LEN, 12: LEN}


def claimed_form(head: bytes) -> str:
    """The form of a file that begins with `head`; empty for anything else."""
    if head.startswith((b"IMOD", b"PICO")):
        return OFFLINE
    if _JSON.match(head):
        return JSON
    if b"\0" not in head and _TEXT.search(head) and _TEXT_OP.search(head):
        return TEXT
    return AIR if _is_definition(head) else ""


def form_of(head: bytes, ending: str) -> str:
    """The form of a file; by its ending where its content says nothing, for whoever reads it to tell the damage."""
    return claimed_form(head) or {".json": JSON, ".air": AIR, ".txt": TEXT}.get(ending, OFFLINE)


def _is_definition(head: bytes) -> bool:
    """Whether `head` is the beginning of a ModelDef: behind nothing but the fields before it, its graph begins."""
    at = 0
    try:
        while at < len(head):
            key, content = read_varint(head, at, len(head))
            number, kind = key >> 3, key & 7
            if _FIELDS.get(number) != kind:
                return False
            value, content = read_varint(head, content, len(head))
            if number == GRAPH:
                return _is_graph(head, content, min(content + value, len(head)))
            at = content + value if kind == LEN else content
    except WireError:
        return False
    return False


def _is_graph(head: bytes, start: int, stop: int) -> bool:
    """Whether the fields that begin there are a GraphDef's; the last may be cut off."""
    found: set[int] = set()
    try:
        for number, kind, _, at, end in fields(head, start, stop):
            if _GRAPH_FIELDS.get(number) != kind:
                return False
            if number == 1:
                head[at:end].decode()
            found.add(number)
    except UnicodeDecodeError:
        return False
    except WireError:
        return bool(found)
    return bool(found)
