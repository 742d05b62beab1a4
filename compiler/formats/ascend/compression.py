"""Attribute names and values that CANN 8 writes as numbers, turned back into text.

Where the model attribute `om_compress_version` is 1, `attr_name_enum` lists the names, `attr_value_enum` the texts, and
`attrs_use_string_value` says of each name whether its value is a number into the second list. A key then is NUL and
digits of base 127, least significant first, each stored as one more than it is. Keys of operators and of their input
and output descriptors are written so; those of models, graphs and values inside attributes are not.

Source: the graph engine's `model_compress_manager.cc` and `enum_attr_utils.cc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from subcut.compiler.formats.ascend.schema import LIST_TYPES

VERSION, NAMES, VALUES, USES_TEXT = "om_compress_version", "attr_name_enum", "attr_value_enum", "attrs_use_string_value"
HELPERS = frozenset([VERSION, NAMES, VALUES, USES_TEXT])
"""Attributes of the model that hold the tables."""
_BASE = 127
SPARE, GROWTH = 1 << 24, 64
"""What all texts of a model may come to when they are written out: bytes, and more of them for each of the model's."""


@dataclass(frozen=True)
class Tables:
    """The names and texts that numbers stand for."""

    names: Sequence[str]
    values: Sequence[bytes]
    uses_text: Sequence[bool]
    shared: dict[int, str | bytes] = field(default_factory=dict[int, "str | bytes"], repr=False)
    """The texts that were decoded: one object each, however many attributes have it."""

    def name(self, key: str) -> tuple[str, bool]:
        """The attribute that `key` stands for, and whether its value is a number of a text.

        A key that is a name stays. Raises ValueError for a number beyond the table.
        """
        if not key.startswith("\0"):
            return key, False
        index = decode_number(key)
        if index >= len(self.names) or index >= len(self.uses_text):
            raise ValueError(f"attribute name {index} of a table of {len(self.names)}")
        return self.names[index], self.uses_text[index]

    def text(self, index: int) -> bytes:
        """The text with that number. Raises ValueError where there is none."""
        if not 0 <= index < len(self.values):
            raise ValueError(f"attribute value {index} of a table of {len(self.values)}")
        return self.values[index]

    def string(self, index: int) -> str | bytes:
        """The same, decoded; bytes where it is no UTF-8."""
        known = self.shared.get(index)
        if known is None:
            known = self.shared[index] = decoded(self.text(index))
        return known

    def strings(self, value: Any) -> str | bytes | list[str | bytes] | None:
        """What an `AttrDef` that holds numbers of texts stands for; None where it holds something else."""
        held = value.WhichOneof("value")
        if held == "i":
            return self.string(value.i)
        return [self.string(index) for index in value.list.i] if held == "list" else None


def decoded(raw: bytes) -> str | bytes:
    """A text; the bytes themselves where they are no UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def resolve(entry: Any, chain: Sequence[Tables]) -> tuple[str, str | bytes | list[str | bytes] | None]:
    """The plain name of an attribute, and its value where that is written as numbers of texts."""
    key: str = entry.key
    value: str | bytes | list[str | bytes] | None = None
    for one in chain:
        if not key.startswith("\0"):
            break
        key, is_text = one.name(key)
        if is_text:
            value = one.strings(entry.value)
    return key, value


def decode_number(key: str) -> int:
    """The number in a compressed key. Raises ValueError for one beyond 32 bits."""
    if len(key) > 6:
        raise ValueError("an attribute name of more than five digits")
    return sum((ord(digit) - 1) * _BASE**place for place, digit in enumerate(key[1:]))


def encode_number(index: int) -> str:
    """The compressed key of a number."""
    digits = "\0" + chr(index % _BASE + 1)
    while index >= _BASE:
        index //= _BASE
        digits += chr(index % _BASE + 1)
    return digits


def tables(attributes: Any) -> Tables | None:
    """The tables that a model's attributes hold, None where its names are plain."""
    found = {entry.key: entry.value for entry in attributes if entry.key in HELPERS}
    if VERSION not in found or found[VERSION].i != 1:
        return None
    lists = {key: found[key].list if key in found else None for key in (NAMES, VALUES, USES_TEXT)}
    names, values, uses = lists[NAMES], lists[VALUES], lists[USES_TEXT]
    return Tables(
        [raw.decode(errors="replace") for raw in names.s] if names else [],
        list(values.s) if values else [],
        list(uses.b) if uses else [],
    )


def expand(model: Any) -> None:
    """Write the names and texts of a ModelDef out, and drop its tables.

    Raises ValueError for a number that no table has, and for texts that together are beyond all proportion.
    """
    table = tables(model.attr)
    if table is None:
        return
    left = SPARE + GROWTH * model.ByteSize()
    kept = [entry for entry in model.attr if entry.key not in HELPERS]
    del model.attr[:]
    model.attr.extend(kept)
    for graph in model.graph:
        for op in graph.op:
            for holder in (op, *op.input_desc, *op.output_desc):
                left = _expand_entries(holder.attr, table, left)


def _expand_entries(entries: Any, table: Tables, left: int) -> int:
    """Write out the attributes of one holder; returns how many bytes of text are left to be written."""
    for entry in entries:
        if not entry.key.startswith("\0"):
            continue
        entry.key, is_text = table.name(entry.key)
        held = entry.value.WhichOneof("value") if is_text else None
        if held not in ("i", "list"):
            continue
        texts = [table.text(index) for index in (entry.value.list.i if held == "list" else [entry.value.i])]
        left -= sum(map(len, texts))
        if left < 0:
            raise ValueError("compressed texts that are out of proportion to the model")
        _write_out(entry.value, held, texts)
    return left


def _write_out(value: Any, held: str, texts: list[bytes]) -> None:
    if held == "i":
        value.s = texts[0]
        return
    del value.list.i[:]
    value.list.s.extend(texts)
    value.list.val_type = LIST_TYPES["VT_LIST_STRING"]
