"""Which of Ascend's forms a file is in, by its first bytes."""

from __future__ import annotations

import re

from subcut.compiler.storage.wire import LEN, VARINT, WireError, fields, read_varint

OFFLINE, JSON, TEXT, AIR = "om", "json", "txt", "air"
"""The forms, by the ending with which each is written."""
NAME, VERSION, CUSTOM_VERSION, GRAPH, ATTRIBUTE, GROUPS = 1, 2, 3, 7, 11, 12
"""Fields of ModelDef; a GraphDef's name, attributes and groups have the same numbers."""
GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_OP = 4, 5, 6
_JSON = re.compile(
    rb'\s*\{\s*"(?:attr"\s*:\s*\[\s*\{\s*"key"|custom_version"\s*:\s*"|'
    rb'graph"\s*:\s*\[\s*\{\s*"(?:attr|input|name|op)")'
)
_TEXT = re.compile(rb"(?:\A|\n)graph\s*\{\s*(?:#[^\n]*\s*)*(?:name\s*:|input\s*:|op\s*\{)")
_TEXT_OP = re.compile(rb"\n\s*op\s*\{\s*(?:name|type|input|attr|id)\b")
_FIELDS = {NAME: LEN, VERSION: VARINT, CUSTOM_VERSION: LEN, GRAPH: LEN, ATTRIBUTE: LEN, GROUPS: LEN}
_GRAPH_FIELDS: dict[int, int] = dict.fromkeys((NAME, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_OP, ATTRIBUTE, GROUPS), LEN)


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
