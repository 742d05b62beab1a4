"""HiFloat8, which numpy has no type for: the number that each of its 256 bytes is.

Source: "Ascend HiFloat8 Format for Deep Learning" (arXiv 2409.16626). A sign; a prefix code for the width of the
exponent (`11` four bits, `10` three, `01` two, `001` one, `0001` none; `0000` marks the small numbers); the exponent as
sign and magnitude without its leading one; the rest is mantissa.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subcut.compiler.device.layouts.names import Array

_PREFIXES = ((0b11, 2, 4), (0b10, 2, 3), (0b01, 2, 2), (0b001, 3, 1), (0b0001, 4, 0))
"""Prefix, its length, the width of the exponent."""
_INFINITY, _NAN = 0b1101111, 0b10000000


def table() -> Array:
    """`table()[byte]` is the number, as float32."""
    import numpy as np

    return np.array([_number(byte) for byte in range(256)], np.float32)


def _number(byte: int) -> float:
    sign, rest = (-1.0 if byte >> 7 else 1.0), byte & 0x7F
    if byte == _NAN:
        return float("nan")
    if rest == _INFINITY:
        return sign * float("inf")
    for prefix, length, width in _PREFIXES:
        if rest >> (7 - length) == prefix:
            bits = 7 - length - width
            mantissa = 1 + (rest & ((1 << bits) - 1)) / (1 << bits)
            return sign * mantissa * 2.0 ** _exponent((rest >> bits) & ((1 << width) - 1), width)
    return sign * 2.0 ** (rest - 23) if rest else 0.0


def _exponent(stored: int, width: int) -> int:
    """Sign, then the magnitude behind its leading one; nothing stored is zero."""
    if width == 0:
        return 0
    leading = 1 << (width - 1)
    magnitude = leading | (stored & (leading - 1))
    return -magnitude if stored & leading else magnitude
