"""Types, attributes, strings and names in MLIR's spelling, for the text form of the IR.

Source: mlir.llvm.org/docs/LangRef and docs/Dialects/Builtin. What MLIR (16, the oldest that is tested) has no
spelling for is an opaque type or attribute of the dialect `subcut`: `!subcut.seq<…>`, `!subcut.f8E8M0FNU`,
`#subcut.bytes<"…">`. Symbolic dimensions and the layout of a tensor are its encoding:
`tensor<?x3xf32, {dims = ["N", unit], layout = "NC"}>`.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping

from subcut.compiler.ir.graph import Attribute, Constant, Symbol
from subcut.compiler.ir.types import MapType, OptionalType, SequenceType, SparseType, TensorType, Type

BUILTIN = frozenset("f16 f32 f64 bf16 f8E4M3FN f8E5M2 i1 i2 i4 i8 i16 i32 i64 ui2 ui4 ui8 ui16 ui32 ui64".split())
"""Element types that MLIR spells as we do."""
COMPLEX = {"c64": "complex<f32>", "c128": "complex<f64>"}
UNKNOWN = "!subcut.unknown"
NONE = "!subcut.none"
CONTROL = "!subcut.control"
RESERVED = "subcut."
"""Attributes of this prefix are the text form's own."""
ESCAPED = "subcut.attr."
"""Put before the name of an attribute that MLIR would refuse (the empty one) or that is reserved."""

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_$.]*\Z")
_PLAIN = re.compile(r'[^\x00-\x1f"\\\x7f\ud800-\udfff]*\Z')
_UNSAFE = re.compile(r'[\x00-\x1f"\\\x7f]|[\ud800-\udfff]+')
_NOT_ID = re.compile(r"[^A-Za-z0-9_$.-]")


def string(text: str) -> str:
    """A string literal. Bytes that are not UTF-8 (lone surrogates, as `surrogateescape` leaves them) are kept."""
    if _PLAIN.match(text):
        return f'"{text}"'
    return '"' + _UNSAFE.sub(lambda m: hexed(m[0].encode("utf-8", "surrogateescape")), text) + '"'


def hexed(data: bytes) -> str:
    """Every byte as a backslash and two digits."""
    return "".join(f"\\{byte:02X}" for byte in data)


def identifier(name: str) -> str:
    """An SSA name near to `name`, without the sigil: letters, digits and `_ $ . -`, the first one no digit."""
    text = _NOT_ID.sub("_", name.removesuffix(":0"))
    return text if text[:1].isalpha() else f"_{text}"


def key(name: str) -> str:
    """The name of an attribute or dictionary entry."""
    if not name or name.startswith(RESERVED):
        name = ESCAPED + name
    return name if _BARE.match(name) else string(name)


def type_text(type: Type | None) -> str:
    """A type; None is `!subcut.unknown`."""
    if type is None:
        return UNKNOWN
    if isinstance(type, TensorType):
        return _tensor(type)
    if isinstance(type, SparseType):
        return f"!subcut.sparse<{_tensor(TensorType(type.element, type.shape))}>"
    if isinstance(type, SequenceType):
        return f"!subcut.seq<{type_text(type.item)}>"
    if isinstance(type, OptionalType):
        return f"!subcut.optional<{type_text(type.item)}>"
    assert isinstance(type, MapType)
    return f"!subcut.map<{type.key}, {type_text(type.value)}>"


def _tensor(type: TensorType) -> str:
    element = element_text(type.element)
    if type.shape is None:
        if type.layout:  # MLIR gives an unranked tensor no encoding
            return f"!subcut.unranked<{element}, {string(type.layout)}>"
        return f"tensor<*x{element}>"
    dims = "".join(f"{d}x" if isinstance(d, int) and d >= 0 else "?x" for d in type.shape)
    encoding: dict[str, Attribute] = {}
    if dims.count("?") > type.shape.count(None):
        encoding["dims"] = [None if isinstance(d, int) and d >= 0 else d for d in type.shape]
    if type.layout:
        encoding["layout"] = type.layout
    return f"tensor<{dims}{element}{', ' + attribute(encoding) if encoding else ''}>"


def element_text(element: str | None) -> str:
    """An element type."""
    if element is None:
        return UNKNOWN
    if element in BUILTIN:
        return element
    return COMPLEX.get(element) or f"!subcut.{element}"


def attribute(value: Attribute) -> str:
    """An attribute's value; a stored tensor is a stub that tells its type."""
    if value is None:
        return "unit"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _real(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, bytes):
        return f'#subcut.bytes<"{hexed(value)}">'
    if isinstance(value, Symbol):
        return f"@{value.name}" if _BARE.match(value.name) else f"@{string(value.name)}"
    if isinstance(value, Constant):
        return f"dense_resource<__elided__> : {_tensor(value.type)}"
    if isinstance(value, list):
        return f"[{', '.join(map(attribute, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key(k)} = {attribute(v)}" for k, v in value.items()) + "}"
    return type_text(value)


def _integer(value: int) -> str:
    if -(1 << 63) <= value < 1 << 63:
        return f"{value} : i64"
    return f"{value} : i{value.bit_length() + 1}"


def _real(value: float) -> str:
    """A float as the short `f32` where that is exact, else as `f64`; what is not finite by its bits."""
    if not math.isfinite(value):
        return f"0x{struct.pack('>d', value).hex().upper()} : f64"
    if abs(value) < 3.4e38 and struct.unpack("<f", struct.pack("<f", value))[0] == value:
        short = next(s for s in (f"{value:.{n}g}" for n in (6, 7, 8, 9)) if _as_f32(s) == value)
        return f"{_pointed(short)} : f32"
    return f"{_pointed(repr(value))} : f64"


def _as_f32(text: str) -> float:
    result: float = struct.unpack("<f", struct.pack("<f", float(text)))[0]
    return result


def _pointed(text: str) -> str:
    """MLIR tells a float by its point: `1e-05` is written `1.0e-05`."""
    if "." in text:
        return text
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}.0{e}{exponent}"
