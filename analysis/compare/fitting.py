"""Two tensors side by side: what a device stored in the layout and shape of the ground truth, as the tool does.

Source: msaccucmp's `tensor_conversion` and `format_manager`; the layouts themselves are those of `compiler/device`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from subcut.analysis.compare.rules import NotComparable
from subcut.analysis.metrics import is_scalar
from subcut.compiler.device.enums import LAYOUTS
from subcut.compiler.device.layouts import LayoutError, from_origin, to_origin

_FOUR = ("NCHW", "NHWC", "HWCN")
_RENAMED = {
    "FRACTAL_DECONV_SP_STRIDE_TRANS": "DECONV_SP_STRIDE_TRANS",
    "FRACTAL_DECONV_SP_STRIDE8_TRANS": "DECONV_SP_STRIDE8_TRANS",
    "HASHTABLE_LOOKUP_LOOKUPS": "LOOKUP_LOOKUPS",
    "HASHTABLE_LOOKUP_KEYS": "LOOKUP_KEYS",
    "HASHTABLE_LOOKUP_VALUE": "LOOKUP_VALUE",
    "HASHTABLE_LOOKUP_OUTPUT": "LOOKUP_OUTPUT",
    "HASHTABLE_LOOKUP_HITS": "LOOKUP_HITS",
}
_KNOWN = {*(_RENAMED.get(name, name) for name in LAYOUTS[: LAYOUTS.index("NYUV")]), "YUV", "YUV_A", "MAX"}
"""Layouts that the tool knows by name."""
_CONVERTED = {
    ("FRACTAL_NZ", "NCHW"), ("FRACTAL_NZ", "ND"), ("FRACTAL_NZ", "NHWC"), ("FRACTAL_Z", "HWCN"), ("FRACTAL_Z", "NCHW"),
    ("HWCN", "FRACTAL_Z"), ("HWCN", "NCHW"), ("HWCN", "NHWC"), ("NC1HWC0", "HWCN"), ("NC1HWC0", "NCHW"),
    ("NC1HWC0", "NHWC"), ("NCHW", "FRACTAL_Z"), ("NCHW", "NHWC"), ("NDC1HWC0", "NCDHW"), ("NDC1HWC0", "ND"),
    ("NHWC", "FRACTAL_Z"), ("NHWC", "HWCN"), ("NHWC", "NCHW"),
}  # fmt: skip
"""What the tool can convert; where a layout is another one, it compares nothing."""


@dataclass(frozen=True)
class Side:
    """A tensor of one side."""

    array: Any
    """Flat."""
    shape: tuple[int, ...]
    layout: str
    """Empty where nothing is known of it."""
    original_shape: tuple[int, ...] = ()
    group: int = 0


def fit(op_name: str, left: Side, right: Side) -> tuple[Any, Any, tuple[int, ...]]:
    """Both as flat arrays of the same length, and the shape that the left one then has.

    `right.layout` and `right.original_shape` are what the offline model says of the original. Raises NotComparable.
    """
    wanted = left.layout
    if right.layout:
        wanted = _wanted(right)
    known = left.original_shape or right.original_shape
    mine, golden = left.array, right.array
    flat = wanted == "ND" and left.layout not in ("FRACTAL_NZ", "NDC1HWC0")
    if not flat and not is_scalar(left.shape):
        mine = _changed(op_name, left, wanted, known)
        golden = golden.reshape(right.shape)
    if left.layout != "ND" or (not is_scalar(left.shape) and mine.size != golden.size):
        mine = _cut(op_name, mine, golden.shape)
    if mine.size != golden.size:
        raise _unlike(op_name, (mine.size,), (golden.size,), one=True)
    return mine.reshape(-1), golden.reshape(-1), tuple(mine.shape)


def restored(side: Side) -> Any:
    """What a device stored in the original's layout and shape, as far as its dump says them; else as it is stored.

    As the tool does it where both sides are a device's: four axes become NCHW, two or three are matrices.
    """
    layout = "ND" if side.layout in _FOUR and len(side.shape) != 4 else side.layout
    known = side.original_shape
    wanted = {4: "NCHW", 3: "ND", 2: "ND"}.get(len(known), layout)
    if layout == wanted or (layout, wanted) not in _CONVERTED:
        return side.array
    try:
        array = _converted(side.array.reshape(side.shape), layout, wanted, known, side.group)
    except (LayoutError, ValueError):
        return side.array
    try:
        return _cut("", array, known) if known else array
    except NotComparable:
        return array


def _wanted(right: Side) -> str:
    """The ground truth's layout: NHWC for NCHW and the other way round, where its shape shows it."""
    if right.layout not in _KNOWN:
        raise NotComparable(f'The format " {right.layout} " is not supported.')
    said, have = right.original_shape, right.shape
    if right.layout in ("NCHW", "NHWC") and len(said) == len(have) == 4 and said != have:
        if right.layout == "NHWC" and said == (have[0], have[2], have[3], have[1]):
            return "NCHW"
        if right.layout == "NCHW" and said == (have[0], have[3], have[1], have[2]):
            return "NHWC"
    return right.layout


def _changed(op_name: str, left: Side, wanted: str, known: tuple[int, ...]) -> Any:
    """The left tensor in another layout, still with its padding where the tool cuts that off later."""
    layout, array = left.layout, left.array
    if layout == "ND" or (layout in _FOUR and len(left.shape) != 4) or layout == wanted:
        return array.reshape(left.shape)
    if layout == "FRACTAL_NZ":
        whole = prod(known[:-2]) * prod(left.shape[-4:])
        if wanted == "ND" and len(known) > 2 and array.size != whole:
            return array.reshape(left.shape)
        _check_matrix(op_name, known, left.shape)
    if (layout, wanted) not in _CONVERTED:
        raise NotComparable(note=f"how {layout} becomes {wanted} is not known to the accuracy tool")
    try:
        return _converted(array.reshape(left.shape), layout, wanted, known, left.group)
    except LayoutError as error:
        raise NotComparable(note=str(error)) from None


def _converted(array: Any, layout: str, wanted: str, known: tuple[int, ...], group: int) -> Any:
    group = max(group, 1)
    if layout == "FRACTAL_NZ":
        return _matrices(array, known)
    if wanted == "FRACTAL_Z":
        return from_origin(array, layout, wanted, group=group)
    if layout == "FRACTAL_Z":
        return to_origin(array, layout, wanted, known, group=group)
    return to_origin(array, layout, "NCDHW" if layout == "NDC1HWC0" else wanted, group=group)


def _matrices(array: Any, known: tuple[int, ...]) -> Any:
    """FRACTAL_NZ as matrices in a row, one behind the other."""
    rows, columns = ((1, *known) if len(known) == 1 else known)[-2:]
    count = prod(known[:-2])
    blocks = array.reshape(count, *array.shape[-4:]).transpose(0, 2, 3, 1, 4)
    whole = blocks.reshape(count, array.shape[-3] * array.shape[-2], array.shape[-4] * array.shape[-1])
    made = whole[:, :rows, :columns]
    return made.reshape(made.shape[1:]) if len(known) <= 2 else made


def _check_matrix(op_name: str, known: tuple[int, ...], stored: tuple[int, ...]) -> None:
    """Whether matrices of the known shape are what is stored in blocks."""
    if not known:
        raise NotComparable(f"[{op_name}] The format before transfer is FRACTAL_NZ. Please enter a valid shape.")
    if len(known) < 2 or len(stored) < 4:
        raise NotComparable(note=f"matrices stored as {_spelled(stored)} are not of shape {_spelled(known)}")
    whole = (*stored[:-4], stored[-2] * stored[-3], stored[-1] * stored[-4])
    fits = all(whole[-k] - 16 < known[-k] <= whole[-k] for k in (1, 2))
    said = f"[{op_name}] The target shape {_spelled(known)} is invalid"
    if len(known) != len(whole) or not fits:
        raise NotComparable(f"{said}. The recommended shape is {_spelled(whole)}.")
    if known[:-2] != whole[:-2]:
        raise NotComparable(f"{said}, the recommended shape is {_spelled(whole)}.")


def _cut(op_name: str, array: Any, shape: Sequence[int]) -> Any:
    """The array without what it has more than `shape` in each axis. Raises NotComparable."""
    shape = tuple(shape)
    if array.ndim < len(shape):
        mine = tuple(size for size in array.shape if size != 1)
        other = tuple(size for size in shape if size != 1)
        if mine != other:  # where one has no size but 1, the tool names it whole
            raise _unlike(op_name, mine or tuple(array.shape), other or shape)
        return array
    padded = (*array.shape, *(1,) * (4 - array.ndim))
    wanted = (*shape, *(1,) * (len(padded) - len(shape)))
    if array.size == prod(shape) and sum(size == 1 for size in array.shape) >= array.ndim - 1:
        return array
    for mine_size, size in zip(padded, wanted, strict=True):
        if mine_size < size:
            raise _unlike(op_name, padded, wanted)
        if mine_size > size:
            array = array.reshape(padded)
            return array[tuple(slice(size) for size in wanted)] if array.ndim in (4, 5) else array
    return array


def _unlike(op_name: str, left: Sequence[int], right: Sequence[int], *, one: bool = False) -> NotComparable:
    said = [f"({sizes[0]})" if one else _spelled(sizes) for sizes in (left, right)]
    where = f"[{op_name}] " if op_name else ""
    return NotComparable(
        f"{where}Due to the different shapes on the left and right,the left dump data{said[0]} can not be "
        f"compared to the right dump data{said[1]}. Please check the batch of the dump data or the shape may be "
        "changed due to optimization."
    )


def _spelled(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))})"
