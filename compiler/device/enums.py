"""The numbers that Ascend's files use for element types and layouts.

Source: `ge_ir.proto` and `dump_data.proto` of the graph engine (the numbering called IR here), and its C++ enums
`ge::DataType` and `ge::Format` (called GE here), which some places store instead.
"""

from __future__ import annotations


def _names(text: str) -> list[str]:
    return text.split()


IR_TYPES = _names(
    "UNDEFINED FLOAT FLOAT16 INT8 UINT8 INT16 UINT16 INT32 INT64 UINT32 UINT64 BOOL DOUBLE STRING DUAL_SUB_INT8 "
    "DUAL_SUB_UINT8 COMPLEX64 COMPLEX128 QINT8 QINT16 QINT32 QUINT8 QUINT16 RESOURCE STRING_REF DUAL VARIANT BF16 INT4 "
    "UINT1 INT2 UINT2 COMPLEX32 HIFLOAT8 FLOAT8_E5M2 FLOAT8_E4M3FN FLOAT8_E8M0 FLOAT6_E3M2 FLOAT6_E2M3 FLOAT4_E2M1 "
    "FLOAT4_E1M2 HIFLOAT4 HIFLOAT4_SCALE"
)
"""Names by IR number, without the prefix `DT_`: what a `ModelDef` and a dump's header store."""

GE_TYPES = _names(
    "FLOAT FLOAT16 INT8 INT32 UINT8 ? INT16 UINT16 UINT32 INT64 UINT64 DOUBLE BOOL STRING DUAL_SUB_INT8 DUAL_SUB_UINT8 "
    "COMPLEX64 COMPLEX128 QINT8 QINT16 QINT32 QUINT8 QUINT16 RESOURCE STRING_REF DUAL VARIANT BF16 UNDEFINED INT4 "
    "UINT1 INT2 UINT2 COMPLEX32 HIFLOAT8 FLOAT8_E5M2 FLOAT8_E4M3FN FLOAT8_E8M0 FLOAT6_E3M2 FLOAT6_E2M3 FLOAT4_E2M1 "
    "FLOAT4_E1M2 HIFLOAT4"
)
"""Names by GE number: attributes such as `dt`, nano dumps, the description of inputs and outputs."""

LAYOUTS = _names(
    "NCHW NHWC ND NC1HWC0 FRACTAL_Z NC1C0HWPAD NHWC1C0 FSR_NCHW FRACTAL_DECONV C1HWNC0 FRACTAL_DECONV_TRANSPOSE "
    "FRACTAL_DECONV_SP_STRIDE_TRANS NC1HWC0_C04 FRACTAL_Z_C04 CHWN FRACTAL_DECONV_SP_STRIDE8_TRANS HWCN NC1KHKWHWC0 "
    "BN_WEIGHT FILTER_HWCK HASHTABLE_LOOKUP_LOOKUPS HASHTABLE_LOOKUP_KEYS HASHTABLE_LOOKUP_VALUE "
    "HASHTABLE_LOOKUP_OUTPUT HASHTABLE_LOOKUP_HITS C1HWNCoC0 MD NDHWC FRACTAL_ZZ FRACTAL_NZ NCDHW DHWCN NDC1HWC0 "
    "FRACTAL_Z_3D CN NC DHWNC FRACTAL_Z_3D_TRANSPOSE FRACTAL_ZN_LSTM FRACTAL_Z_G RESERVED ALL NULL ND_RNN_BIAS "
    "FRACTAL_ZN_RNN NYUV NYUV_A NCL FRACTAL_Z_WINO C1HWC0 FRACTAL_NZ_C0_16 FRACTAL_NZ_C0_32 FRACTAL_NZ_C0_2 "
    "FRACTAL_NZ_C0_4 FRACTAL_NZ_C0_8"
)
"""Names by number, the same in dumps and in `ge::Format`."""

ELEMENTS = {
    "FLOAT": "f32", "FLOAT16": "f16", "DOUBLE": "f64", "BF16": "bf16", "INT8": "i8", "INT16": "i16", "INT32": "i32",
    "INT64": "i64", "UINT8": "ui8", "UINT16": "ui16", "UINT32": "ui32", "UINT64": "ui64", "BOOL": "i1", "INT4": "i4",
    "INT2": "i2", "UINT2": "ui2", "COMPLEX64": "c64", "COMPLEX128": "c128", "STRING": "str", "QINT8": "qi8",
    "QUINT8": "qui8", "QINT16": "qi16", "QUINT16": "qui16", "QINT32": "qi32", "RESOURCE": "resource",
    "VARIANT": "variant", "FLOAT8_E5M2": "f8E5M2", "FLOAT8_E4M3FN": "f8E4M3FN", "FLOAT8_E8M0": "f8E8M0FNU",
    "FLOAT6_E3M2": "f6E3M2FN", "FLOAT6_E2M3": "f6E2M3FN", "FLOAT4_E2M1": "f4E2M1FN", "DUAL_SUB_INT8": "i8",
    "DUAL_SUB_UINT8": "ui8",
}  # fmt: skip
"""The IR's element type (compiler/ir/types.py) by Ascend's name; types without one are absent."""

BITS = {
    "UNDEFINED": 8, "FLOAT": 32, "FLOAT16": 16, "INT8": 8, "UINT8": 8, "INT16": 16, "UINT16": 16, "INT32": 32,
    "INT64": 64, "UINT32": 32, "UINT64": 64, "BOOL": 8, "DOUBLE": 64, "DUAL_SUB_INT8": 8, "DUAL_SUB_UINT8": 8,
    "COMPLEX64": 64, "COMPLEX128": 128, "QINT8": 8, "QINT16": 16, "QINT32": 32, "QUINT8": 8, "QUINT16": 16,
    "RESOURCE": 64, "BF16": 16, "INT4": 4, "UINT1": 1, "INT2": 2, "UINT2": 2, "COMPLEX32": 32, "HIFLOAT8": 8,
    "FLOAT8_E5M2": 8, "FLOAT8_E4M3FN": 8, "FLOAT8_E8M0": 8, "FLOAT4_E2M1": 4, "FLOAT4_E1M2": 4, "HIFLOAT4": 4,
}  # fmt: skip
"""Bits that an element takes in a file; types whose elements have no fixed or no known size are absent."""

TYPE_NAMES = {element: name for name, element in reversed(ELEMENTS.items())}
"""Ascend's name of an element type of the IR."""


def layout_name(number: int) -> str:
    """The layout with that number; `FORMAT_<number>` where nobody has named it."""
    return LAYOUTS[number] if 0 <= number < len(LAYOUTS) else f"FORMAT_{number}"


def layout_number(name: str) -> int:
    """The number of a layout; that of `RESERVED` for a name that is none."""
    return LAYOUTS.index(name) if name in LAYOUTS else LAYOUTS.index("RESERVED")


def type_name(number: int, table: list[str] = IR_TYPES) -> str:
    """The element type with that number in a numbering; `UNDEFINED` where the number is beyond it."""
    return table[number] if 0 <= number < len(table) else "UNDEFINED"
