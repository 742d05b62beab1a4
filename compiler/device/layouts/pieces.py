"""Pieces: which part of what a device stores is which part of the original tensor, as pairs of views.

Both directions of a change of layout copy over the same pairs. Whole blocks of an axis are one piece and the last,
partly filled one is another, so that padding is never copied.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Union

from subcut.compiler.device.layouts.names import FRACTAL, MATRICES, STORED, LayoutError, Shape, axes, ceil

if TYPE_CHECKING:
    from subcut.compiler.device.layouts.names import Array

Index = tuple[Union[slice, int], ...]


@dataclass(frozen=True)
class Plan:
    """How one tensor is stored.

    `axes` and `shape` are the original's, with every axis; groups are an axis `G` in front of `N`. `blocks` are block
    sizes.
    """

    axes: tuple[str, ...]
    shape: Shape
    dims: tuple[tuple[str, ...], ...]
    """The factors of every stored dimension: an axis, `C1` or `C0`."""
    blocks: dict[str, int]
    group: int = 1
    diagonal: bool = False
    """Whether the last dimension is stored twice, and only its diagonal is filled."""

    @property
    def factors(self) -> list[str]:
        """The factors of all stored dimensions, in order."""
        return [factor for dim in self.dims for factor in dim]

    def sizes(self) -> dict[str, int]:
        """The size of every factor."""
        by_axis = dict(zip(self.axes, self.shape, strict=True))
        sizes: dict[str, int] = {}
        for factor in self.factors:
            axis, part = factor[0], factor[1:]
            block = self.blocks.get(axis, 1)
            sizes[factor] = block if part == "0" else ceil(by_axis[axis], block) if part == "1" else by_axis[axis]
        return sizes

    @property
    def stored(self) -> Shape:
        """The shape of what is stored."""
        if self.group > 1:
            return Grouped.of(self).stored
        sizes = self.sizes()
        shape = tuple(math.prod(sizes[factor] for factor in dim) for dim in self.dims)
        return (*shape, shape[-1]) if self.diagonal else shape

    def pieces(self, device: Array) -> Iterator[tuple[Index, Array]]:
        """Index of a piece of the original array, and the view of `device` with its numbers.

        The indexed piece has fewer dimensions than the view where an axis consists of blocks: it has to be reshaped
        to the shape of the view, which only ever splits dimensions.
        """
        if 0 in self.shape:
            return iter(())
        if self.group > 1:
            return Grouped.of(self).pieces(device)
        return self._blocked(device)

    def _blocked(self, device: Array) -> Iterator[tuple[Index, Array]]:
        import numpy as np

        if self.diagonal:
            device = np.einsum("...ii->...i", device)  # a view that can be written, unlike numpy.diagonal's
        sizes = self.sizes()
        split = np.reshape(device, [sizes[factor] for factor in self.factors])
        choices = [self._ranges(axis, size) for axis, size in zip(self.axes, self.shape, strict=True)]
        for choice in product(*choices):
            where: list[slice] = []
            index: dict[str, slice | int] = {}
            order: list[str] = []
            for start, stop, selected in choice:
                where.append(slice(start, stop))
                index.update(selected)
                order += [factor for factor, chosen in selected.items() if not isinstance(chosen, int)]
            kept = [factor for factor in self.factors if not isinstance(index[factor], int)]
            view = split[tuple(index[factor] for factor in self.factors)]
            yield tuple(where), np.transpose(view, [kept.index(factor) for factor in order])

    def _ranges(self, axis: str, size: int) -> list[tuple[int, int, dict[str, slice | int]]]:
        """From where to where a piece goes along an axis, and what that selects of the factors."""
        block = self.blocks.get(axis)
        if block is None:
            return [(0, size, {axis: slice(None)})]
        outer, inner = f"{axis}1", f"{axis}0"
        if outer not in self.factors:
            return [(0, size, {inner: slice(0, size)})]
        full, rest = divmod(size, block)
        if full == 1 and not rest:
            full, rest = 0, size  # one block is no dimension of its own, so that a view may do
        ranges: list[tuple[int, int, dict[str, slice | int]]] = []
        if full:
            ranges.append((0, full * block, {outer: slice(0, full), inner: slice(None)}))
        if rest:
            ranges.append((full * block, size, {outer: full, inner: slice(0, rest)}))
        return ranges


@dataclass(frozen=True)
class Grouped:
    """FRACTAL_Z of a grouped convolution: several groups share fractals, along a diagonal of output and channel.

    Source: `format_transfer_fractal_z.cc` of hicann/ge. The vendor's accuracy tool computes another place for
    groups behind the first fractal; weights in real models lie where this does.
    """

    plan: Plan
    together: int
    """How many groups share fractals."""
    outputs: int
    """Of one group."""
    channels: int

    @classmethod
    def of(cls, plan: Plan) -> Grouped:
        """The arrangement of a plan with groups."""
        by_axis = dict(zip(plan.axes, plan.shape, strict=True))
        outputs, channels, c0 = by_axis["N"], by_axis["C"], plan.blocks["C"]
        if not outputs or not channels:
            raise LayoutError("a grouped weight without outputs or channels")
        share = math.lcm(math.lcm(channels, c0) // channels, math.lcm(outputs, FRACTAL) // outputs)
        return cls(plan, min(share, plan.group), outputs, channels)

    @property
    def sizes(self) -> Shape:
        """(group blocks, C1, H, W, N, C0): the stored dimensions one by one."""
        by_axis = dict(zip(self.plan.axes, self.plan.shape, strict=True))
        c0 = self.plan.blocks["C"]
        return (
            ceil(self.plan.group, self.together),
            ceil(self.together * self.channels, c0),
            by_axis["H"],
            by_axis["W"],
            ceil(self.together * self.outputs, FRACTAL) * FRACTAL,
            c0,
        )

    @property
    def stored(self) -> Shape:
        """The shape of what is stored."""
        blocks, c1, h, w, n, c0 = self.sizes
        return blocks * c1 * h * w, n // FRACTAL, FRACTAL, c0

    def pieces(self, device: Array) -> Iterator[tuple[Index, Array]]:
        """As `Plan.pieces`: one piece for every place in a shared fractal and every block of channels."""
        import numpy as np

        split = np.reshape(device, self.sizes)
        c0 = self.sizes[-1]
        for place in range(self.together):
            groups = slice(place, None, self.together)
            blocks = len(range(self.plan.group)[groups])
            at = slice(place * self.outputs, (place + 1) * self.outputs)
            done = 0
            while done < self.channels:
                c1, first = divmod(place * self.channels + done, c0)
                size = min(c0 - first, self.channels - done)
                view = split[:blocks, c1, :, :, at, first : first + size]
                ranges = {"G": groups, "C": slice(done, done + size)}
                where = tuple(ranges.get(axis, slice(None)) for axis in self.plan.axes)
                yield where, np.transpose(view, ["GHWNC".index(axis) for axis in self.plan.axes])
                done += size


def make_plan(layout: str, origin: str, shape: Shape, c0: int, rows: int, group: int) -> Plan:
    """The plan of a tensor of `shape` (with every axis of `origin`) in the device layout `layout`.

    `c0` and `rows` are the block sizes of the last two stored dimensions, where these are blocks.
    """
    letters = tuple(axes(origin, len(shape)))
    dims = tuple(tuple(dim.split("*")) for dim in STORED[layout].split())
    if layout in MATRICES:
        batch = tuple(chr(ord("a") + i) for i in range(len(shape) - 2))
        dims = (*((letter,) for letter in batch), *dims)
        return Plan((*batch, "M", "K"), shape, dims, {"M": rows, "K": c0})
    needed = {factor[0] for dim in dims for factor in dim}
    if layout == "FRACTAL_Z_C04":
        return _narrow(letters, shape, dims, c0)
    if ("D" not in needed and "D" in letters) or set(letters) != needed:
        raise LayoutError(f"{layout} stores no tensor of layout {origin}")
    blocks = {"C": c0}
    if layout == "FRACTAL_Z_3D_TRANSPOSE":
        blocks = {"N": c0, "C": FRACTAL}
    elif ("N1",) in dims:
        blocks["N"] = rows
    if group > 1:
        letters, shape = _split_groups(letters, shape, group)
    return Plan(letters, shape, dims, blocks, group, diagonal=layout == "C1HWNCoC0")


def _split_groups(letters: tuple[str, ...], shape: Shape, group: int) -> tuple[tuple[str, ...], Shape]:
    """The outputs `N` as groups `G` of outputs `N`."""
    at = letters.index("N")
    if shape[at] % group:
        raise LayoutError(f"{shape[at]} outputs cannot be split into {group} groups")
    return (*letters[:at], "G", *letters[at:]), (*shape[:at], group, shape[at] // group, *shape[at + 1 :])


def _narrow(letters: tuple[str, ...], shape: Shape, dims: tuple[tuple[str, ...], ...], c0: int) -> Plan:
    """FRACTAL_Z_C04: the rows of a matrix are outputs, its columns (h, w, c) with four channels to each place."""
    by_axis = dict(zip(letters, shape, strict=True))
    if by_axis.get("C", 5) > 4 or c0 % 4 or set(letters) != set("NCHW"):
        raise LayoutError(f"FRACTAL_Z_C04 with C0 {c0} stores up to four channels, not {''.join(letters)} {shape}")
    merged = tuple("".join(letters).replace("HW", "P"))
    by_axis["P"] = by_axis["H"] * by_axis["W"]
    return Plan(merged, tuple(by_axis[a] for a in merged), dims, {"P": c0 // 4, "N": FRACTAL, "C": 4})
