"""Lowering of convolution, deconvolution, im2col, pooling, SPP, crop and the region poolings.

Source: BVLC caffe, src/caffe/layers/{base_conv,conv,deconv,im2col,pooling,spp,crop}_layer.cpp, pooling_layer.cu
(stochastic pooling while testing).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from subcut.compiler.formats.caffe.layer import Dims, count
from subcut.compiler.formats.caffe.lowering.program import Array, Lowered, f32, i64
from subcut.compiler.formats.caffe.shape_rules_windows import (
    Pool,
    Window,
    conv_window,
    crop_offsets,
    pool_window,
    spp_pools,
)
from subcut.compiler.formats.caffe.shapes import blob_shapes

LOWEST = np.finfo(np.float32).min
"""What a maximum starts from, Caffe's -FLT_MAX."""


def convolution(at: Lowered) -> None:
    """Every bottom by the same weights; axes before the channels are taken together."""
    _convolve(at, "Conv")


def deconvolution(at: Lowered) -> None:
    """The transpose of a convolution."""
    _convolve(at, "ConvTranspose")


def _convolve(at: Lowered, type: str) -> None:
    window, shapes = conv_window(at.layer), blob_shapes(at.layer)
    operands = [at.blob(0, shapes[0] if window.kernel else (*shapes[0], 1))]
    if len(shapes) > 1:
        operands.append(at.blob(1, shapes[1]))
    settings = _settings(window)
    plain = window.axis == 1 and bool(window.kernel)
    for value, out in zip(at.inputs, at.outputs, strict=True):
        if plain:
            at.emit(type, value, *operands, out=out, **settings)
            continue
        shape = at.layer.bottom()
        flat = at.reshape(value, (count(shape[: window.axis]), *shape[window.axis :], *([] if window.kernel else [1])))
        at.reshape(at.emit(type, flat, *operands, **settings), at.top(), out)


def _settings(window: Window) -> dict[str, Any]:
    spatial = bool(window.kernel)
    return {
        "kernel_shape": list(window.kernel) if spatial else [1],
        "strides": list(window.stride) if spatial else [1],
        "pads": [*window.pad, *window.pad] if spatial else [0, 0],
        "dilations": list(window.dilation) if spatial else [1],
        "group": window.group,
    }


def im2col(at: Lowered) -> None:
    """Each position of the kernel as a strided slice of the padded bottom; the slices are the new channels."""
    window = conv_window(at.layer)
    first = window.axis + 1
    top = at.top()
    for value, out in zip(at.inputs, at.outputs, strict=True):
        padding = [0] * first + list(window.pad)
        padded = at.emit("Pad", value, i64(padding * 2), f32(0)) if any(padding) else value
        pieces: list[str] = []
        for place in itertools.product(*(range(k) for k in window.kernel)):
            pieces.append(at.emit("Unsqueeze", _positions(at, padded, window, place, top[first:]), i64([first])))
        stacked = at.emit("Concat", *pieces, axis=first)
        at.reshape(stacked, top, out)


def _positions(at: Lowered, value: str, window: Window, place: tuple[int, ...], sizes: Dims) -> str:
    """What the kernel's element at `place` sees at every position of the window."""
    starts = [p * d for p, d in zip(place, window.dilation, strict=True)]
    steps = zip(starts, window.stride, sizes, strict=True)
    stops = [start + stride * (int(size or 0) - 1) + 1 for start, stride, size in steps]
    axes = range(window.axis + 1, window.axis + 1 + len(starts))
    return at.emit("Slice", value, i64(starts), i64(stops), i64(axes), i64(window.stride))


def pooling(at: Lowered) -> None:
    """Maximum (its second top says where), average or stochastic."""
    pool = pool_window(at.layer)
    mask = at.outputs[1] if len(at.outputs) > 1 else None
    emit_pool(at, pool, at.outputs[0], mask)


def emit_pool(at: Lowered, pool: Pool, out: str | None, mask: str | None = None) -> str:
    """The pooling of the first bottom; returns the name of the result."""
    if pool.method == "AVE":
        return _average(at, pool, out)
    if pool.method == "STOCHASTIC":
        return _stochastic(at, pool, out)
    return _maximum(at, pool, out, mask)


def _behind(at: Lowered, pool: Pool) -> list[int]:
    """How far the last windows reach beyond the bottom's end, below and to the right."""
    _, _, *sizes = at.layer.image()
    tops = pool.sizes(*sizes)
    return [max((tops[i] - 1) * pool.stride[i] + pool.kernel[i] - sizes[i] - pool.pad[i], 0) for i in (0, 1)]


def _maximum(at: Lowered, pool: Pool, out: str | None, mask: str | None) -> str:
    behind, value = _behind(at, pool), at.inputs[0]
    pads = [*pool.pad, *behind]
    padded = any(b >= k for b, k in zip(behind, pool.kernel, strict=True))
    if padded:
        # A window may lie behind the bottom altogether (strides beyond the kernel): it keeps the start value.
        value = at.emit("Pad", value, i64([0, 0, *pool.pad, 0, 0, *behind]), f32(LOWEST))
    settings: dict[str, Any] = {"kernel_shape": list(pool.kernel), "strides": list(pool.stride)}
    settings["pads"] = [0] * 4 if padded else pads
    if not mask:
        return at.emit("MaxPool", value, out=out, **settings)
    result, places = at.emit_many("MaxPool", [value], [out, None], **settings)
    _mask(at, pads if padded else [0] * 4, result, places, mask)
    return result


def _mask(at: Lowered, pads: list[int], result: str, places: str, out: str) -> None:
    """Where in its plane each maximum is, -1 for none; `places` count through the whole bottom with its `pads`."""
    _, _, height, width = at.layer.image()
    top, left, bottom, right = pads
    wide = left + width + right
    place = at.emit("Mod", places, i64((top + height + bottom) * wide))
    row = at.emit("Sub", at.emit("Div", place, i64(wide)), i64(top))
    column = at.emit("Sub", at.emit("Mod", place, i64(wide)), i64(left))
    index = at.emit("Add", at.emit("Mul", row, i64(width)), column)
    found = at.emit("Greater", result, f32(LOWEST))
    at.cast(at.emit("Where", found, index, i64(-1)), np.float32, out)


def _average(at: Lowered, pool: Pool, out: str | None) -> str:
    """Padding counts as zeros, but what lies beyond the padding does not count."""
    total, areas = _sum(at, pool), _areas(at, pool)
    full = pool.kernel[0] * pool.kernel[1]
    if bool((areas == full).all()):
        return at.emit("Identity", total, out=out)
    with np.errstate(divide="ignore"):
        return at.emit("Mul", total, f32(full) / areas, out=out)


def _sum(at: Lowered, pool: Pool, square: bool = False) -> str:
    """The sums over the windows, divided by the kernel's full size."""
    value = at.emit("Mul", at.inputs[0], at.inputs[0]) if square else at.inputs[0]
    behind = _behind(at, pool)
    settings: dict[str, Any] = {"kernel_shape": list(pool.kernel), "strides": list(pool.stride)}
    if any(b >= k for b, k in zip(behind, pool.kernel, strict=True)):
        value = at.emit("Pad", value, i64([0, 0, *pool.pad, 0, 0, *behind]), f32(0))
        return at.emit("AveragePool", value, **settings)
    return at.emit("AveragePool", value, pads=[*pool.pad, *behind], count_include_pad=1, **settings)


def _areas(at: Lowered, pool: Pool) -> Array:
    """How many numbers each window is said to hold."""
    _, _, *sizes = at.layer.image()
    spans: list[Array] = []
    for i, tops in enumerate(pool.sizes(*sizes)):
        starts = np.arange(tops) * pool.stride[i] - pool.pad[i]
        spans.append(np.minimum(starts + pool.kernel[i], sizes[i] + pool.pad[i]) - starts)
    return np.outer(*spans).astype(np.float32)


def _stochastic(at: Lowered, pool: Pool, out: str | None) -> str:
    """While testing: the mean weighted by the numbers themselves, 0 where their sum is not positive."""
    total, squares = _sum(at, pool), _sum(at, pool, square=True)
    positive = at.emit("Greater", total, f32(0))
    safe = at.emit("Where", positive, total, f32(1))
    return at.emit("Where", positive, at.emit("Div", squares, safe), f32(0), out=out)


def spp(at: Lowered) -> None:
    """The poolings of the pyramid, flattened and joined."""
    pools = spp_pools(at.layer)
    if len(pools) == 1:
        emit_pool(at, pools[0], at.outputs[0])
        return
    num = at.layer.bottom()[0]
    levels = [at.reshape(emit_pool(at, pool, None), (num, -1)) for pool in pools]
    at.emit("Concat", *levels, out=at.outputs[0], axis=1)


def padding(at: Lowered) -> None:
    """V0's layer of its own for the zeros around an image."""
    pad = at.layer.param("padding_param").integer("pad")
    at.emit("Pad", at.inputs[0], i64([0, 0, pad, pad, 0, 0, pad, pad]), out=at.outputs[0])


def crop(at: Lowered) -> None:
    """A piece of the first bottom as large as the second."""
    offsets, top = crop_offsets(at.layer), at.top()
    stops = [start + int(size or 0) for start, size in zip(offsets, top, strict=True)]
    at.emit("Slice", at.inputs[0], i64(offsets), i64(stops), i64(range(len(top))), out=at.outputs[0])
