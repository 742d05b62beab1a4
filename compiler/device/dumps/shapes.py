"""Whether a shape fits the bytes that a dump promises, and what to make of it where it does not."""

from __future__ import annotations

from math import prod

from subcut.compiler.device.enums import BITS

PADDING = 64
"""Bytes that the graph engine rounds a tensor's memory up by, at most."""
_UNKNOWN = 1 << 63
"""Dimensions from here on are negative ones, stored without a sign: unknown."""


def needed(shape: tuple[int, ...], type_name: str) -> int | None:
    """Bytes that a tensor takes; None where its elements have no fixed size."""
    bits = BITS.get(type_name)
    return None if bits is None else -(-prod(shape) * bits // 8)


def fitted(shape: tuple[int, ...], type_name: str, size: int) -> tuple[tuple[int, ...], str]:
    """The shape to read `size` bytes with, and what is wrong with the one that the file states, or nothing.

    Where the file has no shape, or one of unknown dimensions, the bytes are one axis, as the accuracy tool reads them.
    """
    bits = BITS.get(type_name)
    if bits is None:
        return shape, ""
    flat = (size * 8 // bits,)
    if any(dim >= _UNKNOWN for dim in shape):
        shown = [dim - (1 << 64) if dim >= _UNKNOWN else dim for dim in shape]
        return flat, f"has the unknown shape {_text(shown)}: read as {_text(flat)}"
    need = -(-prod(shape) * bits // 8)
    if not shape and size > need + PADDING:
        return flat, "" if type_name == "UNDEFINED" else f"has no shape and {size} bytes: read as {_text(flat)}"
    if need > size:
        return shape, f"has the shape {_text(shape)} of {type_name}, {need} bytes, and only {size}"
    if size > need + PADDING:
        return shape, f"has the shape {_text(shape)} of {type_name}, {need} bytes, and {size}: the rest is left out"
    return shape, ""


def _text(shape: tuple[int, ...] | list[int]) -> str:
    return "[" + ",".join(str(dim) for dim in shape) + "]"
