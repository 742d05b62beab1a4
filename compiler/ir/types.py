"""Types of values: element type, shape with unknown and symbolic dimensions, layout; and what is no tensor."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import numpy as np

Dim = Union[int, str, None]
"""A dimension: its size, the name of a symbol, or unknown."""

ELEMENT_TYPES = tuple(
    "f16 f32 f64 bf16 f8E4M3FN f8E4M3FNUZ f8E5M2 f8E5M2FNUZ f8E8M0FNU f4E2M1FN f6E2M3FN f6E3M2FN "
    "i1 i2 i4 i8 i16 i32 i64 ui2 ui4 ui8 ui16 ui32 ui64 c64 c128 str "
    "qi8 qui8 qi16 qui16 qi32 resource variant".split()
)
"""MLIR's spelling where MLIR has one; `i` is signed (`i1` boolean), `ui` unsigned, `qi` TensorFlow's quantised."""

MAX_DIM = 2**63 - 1
"""The greatest size that the formats can say of a dimension."""
_NUMPY = {
    "f16": "float16", "f32": "float32", "f64": "float64", "i1": "bool", "i8": "int8", "i16": "int16",
    "i32": "int32", "i64": "int64", "ui8": "uint8", "ui16": "uint16", "ui32": "uint32", "ui64": "uint64",
    "c64": "complex64", "c128": "complex128", "str": "object", "qi8": "int8", "qui8": "uint8", "qi16": "int16",
    "qui16": "uint16", "qi32": "int32",
}  # fmt: skip
_ML_DTYPES = {
    "bf16": "bfloat16", "f8E4M3FN": "float8_e4m3fn", "f8E4M3FNUZ": "float8_e4m3fnuz", "f8E5M2": "float8_e5m2",
    "f8E5M2FNUZ": "float8_e5m2fnuz", "f8E8M0FNU": "float8_e8m0fnu", "f4E2M1FN": "float4_e2m1fn",
    "f6E2M3FN": "float6_e2m3fn", "f6E3M2FN": "float6_e3m2fn", "i4": "int4", "ui4": "uint4", "i2": "int2",
    "ui2": "uint2",
}  # fmt: skip


@dataclass(frozen=True)
class TensorType:
    """A dense tensor. `element` or `shape` is None where nobody knows it; `layout` is such as `NCHW` or empty."""

    element: str | None = None
    shape: tuple[Dim, ...] | None = None
    layout: str = ""

    def __str__(self) -> str:
        element = self.element or "?"
        if self.shape is None:
            return f"*x{element}"
        return "x".join([*("?" if d is None else str(d) for d in self.shape), element])

    @property
    def static(self) -> bool:
        """Whether rank and every dimension are known."""
        return self.shape is not None and all(isinstance(d, int) for d in self.shape)

    def merged(self, other: TensorType | None) -> TensorType:
        """This type with what it lacks filled in from `other`."""
        if other is None:
            return self
        shape = self.shape
        if shape is None:
            shape = other.shape
        elif other.shape is not None and len(other.shape) == len(shape):
            shape = tuple(b if a is None else a for a, b in zip(shape, other.shape, strict=True))
        return TensorType(self.element or other.element, shape, self.layout or other.layout)


@dataclass(frozen=True)
class SparseType:
    """ONNX's sparse tensor."""

    element: str | None = None
    shape: tuple[Dim, ...] | None = None

    def __str__(self) -> str:
        return f"sparse<{TensorType(self.element, self.shape)}>"


@dataclass(frozen=True)
class SequenceType:
    """A list of values of one type."""

    item: Type | None = None

    def __str__(self) -> str:
        return f"seq<{'?' if self.item is None else self.item}>"


@dataclass(frozen=True)
class OptionalType:
    """A value or nothing."""

    item: Type | None = None

    def __str__(self) -> str:
        return f"optional<{'?' if self.item is None else self.item}>"


@dataclass(frozen=True)
class MapType:
    """A dictionary from integers or strings to values."""

    key: str
    value: Type | None = None

    def __str__(self) -> str:
        return f"map<{self.key}, {'?' if self.value is None else self.value}>"


Type = Union[TensorType, SparseType, SequenceType, OptionalType, MapType]


def numpy_dtype(element: str) -> np.dtype[np.generic]:
    """The numpy dtype that stores `element`; a KeyError for `resource` and `variant`, which are never stored."""
    import numpy as np

    if element in _NUMPY:
        return np.dtype(_NUMPY[element])
    import ml_dtypes

    dtype: np.dtype[np.generic] = np.dtype(getattr(ml_dtypes, _ML_DTYPES[element]))
    return dtype


def element_of(dtype: np.dtype[Any]) -> str:
    """The element type that `dtype`, of native byte order, stores; the plain one of several (`i8`, not `qi8`)."""
    if dtype.kind in "OSU":
        return "str"
    wanted = str(dtype)
    for table in (_NUMPY, _ML_DTYPES):
        for element, name in table.items():
            if name == wanted:
                return element
    raise KeyError(wanted)


def parse_type(text: str) -> TensorType:
    """The tensor type that `text` spells, such as `1x3x?xNxf32`, `f32` (a scalar) or `*xf32` (any rank).

    Raises ValueError with what is wrong with it.
    """
    *dims, element = text.split("x") if "x" in text else [text]
    # `x` also occurs in no element type, so the last piece is always the element.
    if element != "?" and element not in ELEMENT_TYPES:
        raise ValueError(f"`{element}` is no element type")
    kind = None if element == "?" else element
    if dims == ["*"]:
        return TensorType(kind, None)
    return TensorType(kind, tuple(_dim(d) for d in dims))


def _dim(text: str) -> Dim:
    if text == "?":
        return None
    if text.isdecimal():
        if int(text) > MAX_DIM:
            raise ValueError(f"the dimension `{text}` is more than 64 bits hold")
        return int(text)
    if re.fullmatch(r"[^\W\d]\w*", text):
        return text
    raise ValueError(f"`{text}` is no dimension")


def compatible(one: Type | None, other: Type | None) -> bool:
    """Whether a value may have both types, as far as they are known."""
    if not isinstance(one, TensorType) or not isinstance(other, TensorType):
        return one is None or other is None or one == other
    if one.element is not None and other.element is not None and one.element != other.element:
        return False
    if one.shape is None or other.shape is None:
        return True
    sizes = zip(one.shape, other.shape, strict=False)
    return len(one.shape) == len(other.shape) and not any(
        isinstance(a, int) and isinstance(b, int) and a != b for a, b in sizes
    )


def with_shape(type: TensorType, shape: tuple[Dim, ...] | None) -> TensorType:
    """`type` with another shape."""
    return replace(type, shape=shape)
