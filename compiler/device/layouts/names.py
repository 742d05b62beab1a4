"""What the layouts' names say: axes of the original ones, the order in which a device stores blocks of them.

Sources: the graph engine's `base/formats/format_transfers` and `transfer_shape_utils.cc` (hicann/ge).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]

Shape = tuple[int, ...]

ORIGINS = frozenset("NCHW NHWC HWCN CHWN NDHWC NCDHW DHWCN DHWNC NCL CN NC".split())
"""Layouts of original models: each is its axes, in order."""
STORED = {
    "NC1HWC0": "N C1 H W C0",
    "NC1HWC0_C04": "N C1 H W C0",
    "NDC1HWC0": "N D C1 H W C0",
    "FRACTAL_Z": "C1*H*W N1 N0 C0",
    "FRACTAL_Z_3D": "D*C1*H*W N1 N0 C0",
    "FRACTAL_Z_3D_TRANSPOSE": "D*N1*H*W C1 C0 N0",
    "FRACTAL_Z_C04": "P1 N1 N0 P0*C0",
    "C1HWNCoC0": "C1 H W N C0",
    "FRACTAL_NZ": "K1 M1 M0 K0",
    "FRACTAL_ZZ": "M1 K1 M0 K0",
}
"""Dimensions of what a device stores: `C1` counts blocks of the axis `C`, `C0` is the place in a block, `*` is one
dimension for several. `M` and `K` are the last two axes, whatever they are called, behind any number of others. `P` is
`H` and `W` in one. C1HWNCoC0 is stored with `C0` twice, and nothing beside that diagonal."""
MATRICES = frozenset({"FRACTAL_NZ", "FRACTAL_ZZ"})
FRACTAL = 16
"""Rows of a fractal: the block size of the axis that is not `C0`'s, of every element type."""
_NARROW = {"NC1HWC0_C04": 4, "FRACTAL_Z_C04": 4}
_SHORT = {
    "NCHW": ("", "C", "CH", "CHW"), "NHWC": ("", "C", "HW", "HWC"), "HWCN": ("", "C", "CN", "WCN"),
    "CHWN": ("", "C", "WN", "HWN"), "NDHWC": ("", "C", "WC", "HWC", "DHWC"), "NCDHW": ("", "C", "HW", "DHW", "CDHW"),
    "DHWCN": ("", "C", "CN", "WCN", "HWCN"), "DHWNC": ("", "C", "NC", "WNC", "HWNC"),
}  # fmt: skip
"""Which axes a shape with fewer dimensions means when nothing else is said (hicann/ge, `expand_dimension.cc`)."""


class LayoutError(ValueError):
    """A layout that is not known, or shapes that do not belong together; the message has both shapes."""


def spelled(shape: Sequence[int]) -> str:
    """A shape as messages show it, such as `1,3,224,224`."""
    return "(" + ",".join(map(str, shape)) + ")"


def count(shape: Sequence[int]) -> int:
    """How many elements a shape has."""
    return math.prod(shape)


def ceil(size: int, block: int) -> int:
    """How many blocks cover `size`."""
    return -(-size // block)


def split_group(layout: str) -> tuple[str, int]:
    """`FRACTAL_Z:96`, as a model writes a grouped weight's layout, is `FRACTAL_Z` in 96 groups."""
    name, colon, group = layout.partition(":")
    return (name, int(group)) if colon and group.isdecimal() else (layout, 1)


def primary(layout: str) -> str:
    """The layout that this one is a variant of: `FRACTAL_NZ_C0_8` is FRACTAL_NZ."""
    return "FRACTAL_NZ" if re.fullmatch(r"FRACTAL_NZ_C0_\d+", layout) else layout


def default_c0(layout: str, itemsize: int) -> int:
    """The length of a block of `C` (32 bytes, but 16 elements of the wide types) where no stored shape says it.

    The graph engine's default; some chips take 8 for float32.
    """
    if layout.startswith("FRACTAL_NZ_C0_"):
        return int(layout.removeprefix("FRACTAL_NZ_C0_"))
    return 4 if layout == "NC1HWC0_C04" else 32 if itemsize == 1 else 16


def axes(origin: str, rank: int) -> str:
    """The axes of an original layout; those of `ND` are NCHW's or NCDHW's. Raises LayoutError where it is none."""
    if origin == "ND":
        return "NCDHW" if rank == 5 else "NCHW"
    if origin not in ORIGINS:
        raise LayoutError(f"`{origin}` is no layout of an original model; there is ND, {', '.join(sorted(ORIGINS))}")
    return origin


def readings(origin: str, shape: Shape) -> list[Shape]:
    """The shapes with every axis of `origin` that a shape with fewer may mean, the usual one first."""
    letters = axes(origin, len(shape))
    if len(shape) == len(letters):
        return [shape]
    if len(shape) > len(letters):
        raise LayoutError(f"the shape {spelled(shape)} has {len(shape)} dimensions, which {origin} has not")
    usual = _SHORT.get(letters, ())
    first = usual[len(shape)] if len(shape) < len(usual) else ""
    chosen = [c for c in ("".join(c) for c in combinations(letters, len(shape))) if c != first]
    return [_spread(letters, c, shape) for c in ([first] if len(first) == len(shape) else []) + chosen]


def _spread(letters: str, chosen: str, shape: Shape) -> Shape:
    sizes = dict(zip(chosen, shape, strict=True))
    return tuple(sizes.get(letter, 1) for letter in letters)


def padded_shape(stored: Sequence[int], layout: str, origin: str) -> Shape | None:
    """The shape in `origin` of everything stored, padding included; None where the stored shape does not say it.

    That is so for the layouts that keep several axes in one dimension (FRACTAL_Z and its kin).
    """
    name = primary(layout)
    if name not in STORED or "*" in STORED[name] or len(stored) < 4:
        return None
    if name in MATRICES:
        *batch, a, b, rows, columns = stored
        return (*batch, *((b * rows, a * columns) if name == "FRACTAL_NZ" else (a * rows, b * columns)))
    dims = STORED[name].split()
    sizes = dict(zip(dims, stored, strict=False))
    if len(stored) != len(dims) + (name == "C1HWNCoC0"):
        return None
    letters = axes(origin, 5 if name == "NDC1HWC0" else 4)
    if any(letter not in sizes and f"{letter}1" not in sizes for letter in letters):
        return None
    return tuple(sizes[c] if c in sizes else sizes[f"{c}1"] * sizes[f"{c}0"] for c in letters)
