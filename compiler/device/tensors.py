"""A stored tensor in the layout of the original, in whatever layout its original shape is written down."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from subcut.compiler.device.dumps.record import DumpTensor
from subcut.compiler.device.layouts import MATRICES, ORIGINS, STORED, LayoutError, full_shape, primary, to_origin

if TYPE_CHECKING:
    from subcut.compiler.device.layouts.names import Array

_USUAL = ("NCHW", "NHWC", "HWCN", "NCDHW", "NDHWC", "DHWCN")
"""Layouts that an original shape may be written in, where nothing says which."""


def in_layout(array: Array, tensor: DumpTensor, wanted: str | None, shape: tuple[int, ...] | None) -> tuple[Array, str]:
    """A stored tensor in the layout `wanted`, and the layout that it then has.

    A tensor without axes of its own (`ND`, a scalar, four axes that are not there) stays as it is. The shape is
    `shape`, else the original shape in the dump, which may be written in another layout than the one wanted:
    that of the original tensor where the dump says it, and in any case one in which it fits what is stored.
    """
    layout, group = tensor.layout, max(tensor.group, 1)
    if wanted is None or wanted == layout:
        return array, layout
    if primary(layout) in STORED:
        return _unblocked(array, tensor, wanted, shape, group), wanted
    if layout not in ORIGINS and layout != "ND":
        raise LayoutError(f"how the layout {layout} is stored is not known")
    if layout == "ND" or array.ndim != len(layout) or wanted == "ND":
        return array, "ND"
    made = to_origin(array, layout, wanted)
    if shape is not None:
        made = _cut(made, shape)
    return made, wanted


def _unblocked(array: Array, tensor: DumpTensor, wanted: str, shape: tuple[int, ...] | None, group: int) -> Array:
    given = shape or tensor.original_shape or None
    if given is None:
        return to_origin(array, tensor.layout, wanted, group=group)
    if primary(tensor.layout) in MATRICES or wanted == "ND":
        return to_origin(array, tensor.layout, "ND", given, group=group)
    said = (tensor.origin.layout,) if tensor.origin else ()
    tried = (wanted,) if shape else tuple(dict.fromkeys((*said, wanted, *_USUAL)))
    whole = _whole(array.shape, tensor.layout, wanted, given, tried, group)
    return to_origin(array, tensor.layout, wanted, whole, group=group)


def _whole(
    stored: tuple[int, ...], layout: str, wanted: str, given: tuple[int, ...], tried: tuple[str, ...], group: int
) -> tuple[int, ...]:
    """The original shape in the layout `wanted`, given in the first of those `tried` in which it fits."""
    for other in tried:
        if other in ORIGINS and sorted(other) == sorted(wanted):
            with contextlib.suppress(LayoutError):
                whole = full_shape(stored, layout, other, given, group=group)
                return tuple(whole[other.index(axis)] for axis in wanted)
    return full_shape(stored, layout, wanted, given, group=group)  # says what does not fit


def _cut(array: Array, shape: tuple[int, ...]) -> Array:
    if len(shape) != array.ndim or any(have < want for have, want in zip(array.shape, shape, strict=True)):
        raise LayoutError(f"a tensor of shape {array.shape} cannot be cut to {shape}")
    return array[tuple(slice(size) for size in shape)]
