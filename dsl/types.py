"""Types as `input %x : …` states them: tensors, and ONNX's sequences, optionals, maps and sparse tensors."""

from __future__ import annotations

import re

from subcut.compiler.diagnostics import Location, nearest
from subcut.compiler.errors import user_error
from subcut.compiler.ir.types import (
    ELEMENT_TYPES,
    MapType,
    OptionalType,
    SequenceType,
    SparseType,
    Type,
    parse_type,
)

_OTHER_SPELLINGS = {
    "float": "f32", "float32": "f32", "fp32": "f32", "double": "f64", "float64": "f64", "half": "f16",
    "float16": "f16", "fp16": "f16", "bfloat16": "bf16", "bool": "i1", "boolean": "i1", "int": "i32", "int8": "i8",
    "int16": "i16", "int32": "i32", "int64": "i64", "long": "i64", "uint8": "ui8", "u8": "ui8", "uint16": "ui16",
    "u16": "ui16", "uint32": "ui32", "u32": "ui32", "uint64": "ui64", "u64": "ui64", "string": "str",
    "complex64": "c64", "complex128": "c128",
}  # fmt: skip
MAX_DEPTH = 20


def read_type(text: str, at: Location | None = None) -> Type:
    """The type that `text`, which holds no blanks, spells: `1x3xf32`, `seq<f32>`, `map<i64,f32>` …

    Raises UserError `bad-type`.
    """
    try:
        return _read(text, MAX_DEPTH)
    except ValueError as error:
        raise user_error("bad-type", f"`{text}` is no type: {error}", at=at, help=_help(text)) from None


def _read(text: str, depth: int) -> Type:
    if not depth:
        raise ValueError("it is nested too deep")
    match = re.fullmatch(r"(\w+)<(.*)>", text)
    if match is None:
        return parse_type(text)
    kind, inner = match.groups()
    if kind == "seq":
        return SequenceType(_read(inner, depth - 1))
    if kind == "optional":
        return OptionalType(_read(inner, depth - 1))
    if kind == "sparse":
        dense = parse_type(inner)
        return SparseType(dense.element, dense.shape)
    if kind == "map":
        key, comma, value = inner.partition(",")
        if not comma or key not in ELEMENT_TYPES:
            raise ValueError("a map is written `map<i64, f32>`")
        return MapType(key, _read(value, depth - 1))
    raise ValueError(f"`{kind}<…>` is none of `seq`, `optional`, `map`, `sparse`")


def _help(text: str) -> list[str]:
    """What was probably meant."""
    pieces = re.split(r"[^\w?*]+|(?<=[\d?*])x", text)
    words = [piece for piece in pieces if re.match("[A-Za-z]", piece)]
    for word in words:
        element = _OTHER_SPELLINGS.get(word.lower()) or next(iter(nearest(word, ELEMENT_TYPES, 1)), "")
        sizes = [piece for piece in pieces if piece.isdecimal() or piece == "?"]
        for guess in (text.replace(word, element), "x".join([*sizes, element])):
            if element and _is_type(guess):
                return [f"did you mean `{guess}`?"]
    return ["a type is written `1x3x224x224xf32`, with `?` for an unknown size and `*xf32` for an unknown rank"]


def _is_type(text: str) -> bool:
    try:
        _read(text, MAX_DEPTH)
    except ValueError:
        return False
    return True
