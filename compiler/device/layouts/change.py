"""Changing a layout: from what a device stores to the original's layout and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from subcut.compiler.device.layouts.copying import copy
from subcut.compiler.device.layouts.names import (
    FRACTAL,
    MATRICES,
    ORIGINS,
    STORED,
    LayoutError,
    Shape,
    axes,
    default_c0,
    padded_shape,
    primary,
    readings,
    spelled,
    split_group,
)
from subcut.compiler.device.layouts.pieces import Plan, make_plan

if TYPE_CHECKING:
    from subcut.compiler.device.layouts.names import Array


def to_origin(array: Array, layout: str, origin: str, shape: Sequence[int] | None = None, *, group: int = 1) -> Array:
    """A stored array in the original's layout, cut to `shape` (None: with its padding, where that is known).

    `array` has the stored shape, from which every block size is taken. The result is a view of it where one can
    say it, else a new array in C order. Raises LayoutError, with both shapes, where they do not belong together.
    """
    import numpy as np

    layout, group = _grouped(layout, group)
    stored = tuple(array.shape)
    if not _blocked(layout):
        return _permuted(array, layout, origin, shape)
    wanted = padded_shape(stored, layout, origin) if shape is None else tuple(shape)
    if wanted is None:
        raise LayoutError(f"{layout} {spelled(stored)} does not say its original shape, so it has to be given")
    plan = _read_plan(stored, layout, origin, wanted, group)
    pieces = list(plan.pieces(array))
    if len(pieces) == 1 and pieces[0][1].shape == plan.shape:
        return np.reshape(pieces[0][1], wanted)
    out = np.empty(plan.shape, array.dtype)
    for where, view in pieces:
        copy(np.reshape(out[where], view.shape), view)
    return np.reshape(out, wanted)


def from_origin(array: Array, origin: str, layout: str, *, c0: int | None = None, group: int = 1) -> Array:
    """An array of the original's layout as a device stores it, padded with zeros.

    `c0` is the block size of the channels (None: the graph engine's default for the element type). The result is
    a new array, or a view where the layouts only differ in the order of axes.
    """
    import numpy as np

    layout, group = _grouped(layout, group)
    if not _blocked(layout):
        return _permuted(array, origin, layout, None)
    c0 = c0 or default_c0(layout, array.dtype.itemsize)
    plan = _write_plan(tuple(array.shape), origin, layout, c0, group)
    device = np.zeros(plan.stored, array.dtype)
    whole = np.reshape(array, plan.shape)
    for where, view in plan.pieces(device):
        copy(view, np.reshape(whole[where], view.shape))
    return device


def device_shape(shape: Sequence[int], origin: str, layout: str, *, c0: int = 16, group: int = 1) -> Shape:
    """The stored shape of a tensor of that original shape."""
    layout, group = _grouped(layout, group)
    if not _blocked(layout):
        letters, wanted = _letters(origin, layout, tuple(shape))
        sizes = dict(zip(letters, shape, strict=True))
        return tuple(sizes[letter] for letter in wanted)
    return _write_plan(tuple(shape), origin, layout, c0, group).stored


def full_shape(stored: Sequence[int], layout: str, origin: str, shape: Sequence[int], *, group: int = 1) -> Shape:
    """`shape` with every axis of `origin`, those of one too that it leaves out, as the stored shape has it.

    Raises LayoutError as `to_origin` does; so it tells whether a shape, read as `origin`, is that of a stored array.
    """
    layout, group = _grouped(layout, group)
    plan = _read_plan(tuple(stored), layout, origin, tuple(shape), group)
    if primary(layout) in MATRICES or layout == "FRACTAL_Z_C04":
        return tuple(shape)
    sizes = dict(zip(plan.axes, plan.shape, strict=True))
    sizes["N"] = sizes.get("N", 1) * sizes.pop("G", 1)
    return tuple(sizes[axis] for axis in axes(origin, len(sizes)))


def nonzero_padding(array: Array, layout: str, origin: str, shape: Sequence[int], *, group: int = 1) -> int:
    """How many elements of the padding of a stored array are not zero. It costs a copy of the array."""
    import numpy as np

    layout, group = _grouped(layout, group)
    if not _blocked(layout):
        return 0
    rest = np.array(array)
    for _, view in _read_plan(tuple(array.shape), layout, origin, tuple(shape), group).pieces(rest):
        view[...] = 0
    return int(np.count_nonzero(rest))


def _blocked(layout: str) -> bool:
    """Whether a layout is one that only devices have."""
    return primary(layout) in STORED


def _grouped(layout: str, group: int) -> tuple[str, int]:
    """The layout by its plain name, and the number of groups, from wherever it is said."""
    name, inside = split_group(layout)
    groups = max(group, inside, 1)
    if groups > 1 and _blocked(name) and name != "FRACTAL_Z":
        raise LayoutError(f"how {name} stores {groups} groups is not known")
    return name, groups


def _write_plan(shape: Shape, origin: str, layout: str, c0: int, group: int) -> Plan:
    name = primary(layout)
    if name in MATRICES:
        rows = c0 if name == "FRACTAL_ZZ" else FRACTAL
        return make_plan(name, origin, _matrix(shape), c0, rows, 1)
    if name == "NC1HWC0_C04":
        c0 = 4
    origin = _axes_of(name, origin, shape)
    return make_plan(name, origin, readings(origin, shape)[0], c0, FRACTAL, group)


def _read_plan(stored: Shape, layout: str, origin: str, shape: Shape, group: int) -> Plan:
    """The plan that fits both shapes. A shape with fewer dimensions than the layout has axes may mean several."""
    name = primary(layout)
    if len(stored) < 4 or 0 in stored[-2:]:
        raise _misfit(stored, layout, origin, shape)
    c0, rows = stored[-1], stored[-2]
    if name in MATRICES:
        wanted = [_matrix(shape)] if len(shape) != 1 else [_matrix(shape), (*shape, 1)]
        plans = [make_plan(name, origin, reading, c0, rows, 1) for reading in wanted]
        fitting = [plan for plan in plans if plan.stored == stored][:1]
    else:
        origin = _axes_of(name, origin, shape)
        plans = [make_plan(name, origin, reading, c0, FRACTAL, group) for reading in readings(origin, shape)]
        fitting = [plan for plan in plans if plan.stored == stored]
    if not fitting:
        raise _misfit(stored, layout, origin, shape, plans[0].stored)
    if fitting[0] is not plans[0] and len({_meaning(plan) for plan in fitting}) > 1:
        raise LayoutError(
            f"{layout} {spelled(stored)} may hold {origin} {spelled(shape)} in several ways: give all dimensions"
        )
    return fitting[0]


def _axes_of(name: str, origin: str, shape: Shape) -> str:
    """The layout whose axes a shape has: a matrix of weights is (C, N), whatever its layout is called."""
    return "HWCN" if name == "FRACTAL_Z" and len(shape) == 2 else origin


def _meaning(plan: Plan) -> tuple[tuple[str, int], ...]:
    return tuple((axis, size) for axis, size in zip(plan.axes, plan.shape, strict=True) if size != 1)


def _matrix(shape: Shape) -> Shape:
    """A shape with two dimensions at least; one alone is a row."""
    return (1,) * (2 - len(shape)) + shape


def _misfit(stored: Shape, layout: str, origin: str, shape: Shape, expected: Shape | None = None) -> LayoutError:
    would = "" if expected is None else f", which would be stored as {spelled(expected)}"
    return LayoutError(f"{layout} {spelled(stored)} does not hold {origin} {spelled(shape)}{would}")


def _permuted(array: Array, layout: str, origin: str, shape: Sequence[int] | None) -> Array:
    """Between layouts that store the axes as they are: a view."""
    import numpy as np

    letters, wanted = _letters(layout, origin, tuple(array.shape))
    view: Array = np.transpose(array, [letters.index(letter) for letter in wanted])
    if shape is not None and view.shape != tuple(shape):
        if view.ndim != len(shape) and [d for d in view.shape if d != 1] == [d for d in shape if d != 1]:
            return np.reshape(view, tuple(shape))
        raise _misfit(tuple(array.shape), layout, origin, tuple(shape))
    return view


def _letters(layout: str, origin: str, shape: Shape) -> tuple[str, str]:
    """The axes of both layouts. A shape without the axes that its layout names has none: it stays as it is."""
    for name in (layout, origin):
        if name not in ORIGINS and name != "ND":
            raise LayoutError(f"how the layout {name} is stored is not known")
    plain = "".join(chr(ord("a") + i) for i in range(len(shape)))
    if "ND" in (layout, origin) or layout == origin or len(shape) != len(layout):
        return plain, plain
    if set(layout) != set(origin):
        raise LayoutError(f"{layout} {spelled(shape)} has not the axes of {origin}")
    return axes(layout, len(shape)), axes(origin, len(shape))
