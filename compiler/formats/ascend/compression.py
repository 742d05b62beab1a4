"""Attribute names and values that CANN 8 writes as numbers, turned back into text.

Where the model attribute `om_compress_version` is 1, `attr_name_enum` lists the names, `attr_value_enum` the texts, and
`attrs_use_string_value` says of each name whether its value is a number into the second list. A key then is NUL and
digits of base 127, least significant first, each stored as one more than it is. Keys of operators and of their input
and output descriptors are written so; those of models, graphs and values inside attributes are not.

Source: the graph engine's `model_compress_manager.cc` and `enum_attr_utils.cc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from subcut.compiler.formats.ascend.schema import LIST_TYPES

VERSION, NAMES, VALUES, USES_TEXT = "om_compress_version", "attr_name_enum", "attr_value_enum", "attrs_use_string_value"
HELPERS = frozenset([VERSION, NAMES, VALUES, USES_TEXT])
"""Attributes of the model that hold the tables."""
_BASE = 127


@dataclass(frozen=True)
class Tables:
    """The names and texts that numbers stand for."""

    names: Sequence[str]
    values: Sequence[bytes]
    uses_text: Sequence[bool]

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


def expand(model: Any, root: Tables | None = None) -> None:
    """Write the names and texts of a ModelDef out, and drop its tables.

    `root` has the tables of the first model of the file: the tables of the others may be written with numbers
    themselves. Raises ValueError for a number that no table has.
    """
    own = tables(model.attr)
    if own is None and root is None:
        return
    kept = [entry for entry in model.attr if entry.key not in HELPERS]
    del model.attr[:]
    model.attr.extend(kept)
    chain = [one for one in (own, root) if one is not None]
    for graph in model.graph:
        for op in graph.op:
            expand_entries(op.attr, chain)
            for desc in (*op.input_desc, *op.output_desc):
                expand_entries(desc.attr, chain)


def expand_entries(entries: Any, chain: Sequence[Tables]) -> None:
    """Write out the keys, and the values that are numbers of texts, of a list of attributes, by each table in turn."""
    for entry in entries:
        for one in chain:
            if not entry.key.startswith("\0"):
                break
            entry.key, is_text = one.name(entry.key)
            if is_text:
                _write_out(entry.value, one)


def _write_out(value: Any, by: Tables) -> None:
    held = value.WhichOneof("value")
    if held == "i":
        value.s = by.text(value.i)
    elif held == "list":
        texts = [by.text(index) for index in value.list.i]
        del value.list.i[:]
        value.list.s.extend(texts)
        value.list.val_type = LIST_TYPES["VT_LIST_STRING"]
