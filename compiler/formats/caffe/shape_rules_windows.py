"""Shapes of the layers that slide a window: convolution, deconvolution, im2col, pooling, SPP, crop.

Source: BVLC caffe, src/caffe/layers/{base_conv,conv,deconv,im2col,pooling,spp,crop}_layer.cpp.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from subcut.compiler.formats.caffe.layer import Dims, Layer, Message, Shape, canonical, count, text


@dataclass(frozen=True)
class Window:
    """What a convolution or pooling slides over the spatial axes: one number for each of them."""

    axis: int
    """The channel axis; the spatial axes follow it."""
    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape
    group: int = 1

    @property
    def extent(self) -> Shape:
        """How many positions the dilated kernel spans."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))


DEPTHWISE = ("ConvolutionDepthwise", "DepthwiseConvolution")
"""Forks' convolutions with one group a channel."""


def conv_window(layer: Layer) -> Window:
    """The window that `convolution_param` describes over the first bottom."""
    shape = layer.bottom()
    p = layer.param("convolution_param")
    axis = canonical(p.integer("axis", 1), shape)
    spatial = len(shape) - axis - 1
    kernel = _per_axis(p, "kernel_size", ("kernel_h", "kernel_w"), spatial, None)
    stride = _per_axis(p, "stride", ("stride_h", "stride_w"), spatial, 1)
    pad = _per_axis(p, "pad", ("pad_h", "pad_w"), spatial, 0)
    dilation = _per_axis(p, "dilation", None, spatial, 1)
    if any(k <= 0 for k in (*kernel, *stride, *dilation)):
        raise ValueError("kernel, stride and dilation must be positive")
    group = p.integer("group", shape[axis] if layer.type in DEPTHWISE else 1)
    return Window(axis, kernel, stride, pad, dilation, group)


def _per_axis(p: Message, name: str, by_axis: tuple[str, str] | None, spatial: int, default: int | None) -> Shape:
    """A setting given once, or once a spatial axis, or for a 2-D window as `_h` and `_w`."""
    values = p.integers(name)
    if by_axis and (p.has(by_axis[0]) or p.has(by_axis[1])):
        if values:
            raise ValueError(f"either `{name}` or `{by_axis[0]}` and `{by_axis[1]}` may be given, not both")
        if spatial != 2:
            raise ValueError(f"`{by_axis[0]}` and `{by_axis[1]}` need 2 spatial axes, and there are {spatial}")
        return tuple(p.integer(n, default or 0) for n in by_axis)
    if not values and default is not None:
        return (default,) * spatial
    if len(values) == 1:
        return tuple(values) * spatial
    if len(values) != spatial:
        raise ValueError(f"`{name}` is given {len(values)} times for {spatial} spatial axes")
    return tuple(values)


def _channels(layer: Layer, window: Window) -> tuple[int, int]:
    """Channels of the bottom, and `num_output`."""
    channels = layer.bottom()[window.axis]
    p = layer.param("convolution_param")
    outputs = p.integer("num_output", channels if layer.type in DEPTHWISE else 0)
    if outputs <= 0:
        raise ValueError("`num_output` must be positive")
    if window.group <= 0 or channels % window.group or outputs % window.group:
        raise ValueError(f"{channels} channels and {outputs} outputs do not divide into {window.group} groups")
    return channels, outputs


def _slid(sizes: Shape, window: Window) -> Shape:
    """Positions of the window along each spatial axis."""
    for size, pad, extent in zip(sizes, window.pad, window.extent, strict=True):
        if size + 2 * pad < extent:
            raise ValueError(f"a kernel of {extent} does not fit into {size} with {pad} of padding on each side")
    steps = zip(sizes, window.pad, window.extent, window.stride, strict=True)
    return tuple((size + 2 * pad - extent) // stride + 1 for size, pad, extent, stride in steps)


def convolution(layer: Layer) -> list[Dims | None]:
    """`(input + 2 pad - extent) / stride + 1`, rounded down."""
    window, shape = conv_window(layer), layer.bottom()
    for other in layer.bottoms[1:]:
        if other != shape and other is not None:
            raise ValueError(f"bottoms must have one shape, not {text(shape)} and {text(other)}")
    _, outputs = _channels(layer, window)
    top = (*shape[: window.axis], outputs, *_slid(shape[window.axis + 1 :], window))
    return [top] * layer.tops


def deconvolution(layer: Layer) -> list[Dims | None]:
    """`stride (input - 1) + extent - 2 pad`."""
    window, shape = conv_window(layer), layer.bottom()
    _, outputs = _channels(layer, window)
    steps = zip(shape[window.axis + 1 :], window.stride, window.extent, window.pad, strict=True)
    sizes = tuple(stride * (size - 1) + extent - 2 * pad for size, stride, extent, pad in steps)
    if any(size <= 0 for size in sizes):
        raise ValueError(f"the padding leaves nothing of the output: {text(sizes)}")
    return [(*shape[: window.axis], outputs, *sizes)] * layer.tops


def im2col(layer: Layer) -> list[Dims | None]:
    """Every position's window as a column of channels."""
    window, shape = conv_window(layer), layer.bottom()
    channels = shape[window.axis] * count(window.kernel)
    return [(*shape[: window.axis], channels, *_slid(shape[window.axis + 1 :], window))] * layer.tops


def convolution_blobs(layer: Layer) -> list[Shape]:
    """Weights (output, input / group, kernel …), for a deconvolution (input, output / group, kernel …); bias."""
    window = conv_window(layer)
    channels, outputs = _channels(layer, window)
    first, second = (channels, outputs) if layer.type == "Deconvolution" else (outputs, channels)
    weights = (first, second // window.group, *window.kernel)
    bias = layer.param("convolution_param").flag("bias_term", True)
    return [weights, (outputs,)] if bias else [weights]


METHODS = ("MAX", "AVE", "STOCHASTIC")


@dataclass(frozen=True)
class Pool:
    """A pooling of a 4-D blob."""

    method: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    floor: bool = False

    def sizes(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output."""
        return self._size(0, height), self._size(1, width)

    def _size(self, i: int, size: int) -> int:
        room = size + 2 * self.pad[i] - self.kernel[i]
        steps = room // self.stride[i] if self.floor else -(-room // self.stride[i])
        result = steps + 1
        # With padding, a last window that would start in the padding behind the input is left out.
        if any(self.pad) and (result - 1) * self.stride[i] >= size + self.pad[i]:
            result -= 1
        if result <= 0:
            kernel, pad = self.kernel[i], self.pad[i]
            raise ValueError(f"a kernel of {kernel} does not fit into {size} with {pad} of padding on each side")
        return result


def pool_window(layer: Layer) -> Pool:
    """The window that `pooling_param` describes.

    `round_mode` is BVLC's, `ceil_mode` that of forks. A kernel beside `global_pooling` is ignored, as forks do.
    """
    _, _, height, width = layer.image()
    p = layer.param("pooling_param")
    method = p.enum("pool", METHODS, "MAX")
    floor = p.enum("round_mode", ("CEIL", "FLOOR"), "CEIL") == "FLOOR" or not p.flag("ceil_mode", True)
    if p.flag("global_pooling"):
        return Pool(method, (height, width), (1, 1), (0, 0), floor)
    kernel = _pair(p, "kernel_size", "kernel_h", "kernel_w", 0)
    stride = _pair(p, "stride", "stride_h", "stride_w", 1)
    pad = _pair(p, "pad", "pad_h", "pad_w", 0)
    _check_pool(method, kernel, stride, pad)
    return Pool(method, kernel, stride, pad, floor)


def _check_pool(method: str, kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]) -> None:
    if min(kernel) <= 0 or min(stride) <= 0:
        raise ValueError("kernel and stride must be positive")
    if any(pad) and (pad[0] >= kernel[0] or pad[1] >= kernel[1]):
        raise ValueError(f"the padding {text(pad)} must be smaller than the kernel {text(kernel)}")
    if any(pad) and method == "STOCHASTIC":
        raise ValueError("stochastic pooling has no padding")


def _pair(p: Message, name: str, high: str, wide: str, default: int) -> tuple[int, int]:
    if not p.has(high) and not p.has(wide):
        return p.integer(name, default), p.integer(name, default)
    if p.has(name) and not (p.integer(name) == p.integer(high) == p.integer(wide)):
        raise ValueError(f"either `{name}` or `{high}` and `{wide}` may be given, not both")
    return p.integer(high, default), p.integer(wide, default)


def pooling(layer: Layer) -> list[Dims | None]:
    """Rounded up, unless told otherwise; the second top is the mask of a maximum."""
    num, channels, height, width = layer.image()
    return [(num, channels, *pool_window(layer).sizes(height, width))] * layer.tops


def spp_pools(layer: Layer) -> list[Pool]:
    """The poolings of a spatial pyramid: level `i` has `2^i` bins along each side."""
    _, _, height, width = layer.image()
    p = layer.param("spp_param")
    method = p.enum("pool", METHODS, "MAX")
    pools: list[Pool] = []
    for level in range(p.integer("pyramid_height")):
        bins = 2**level
        kernel = (math.ceil(height / bins), math.ceil(width / bins))
        pad = ((kernel[0] * bins - height + 1) // 2, (kernel[1] * bins - width + 1) // 2)
        _check_pool(method, kernel, kernel, pad)
        pools.append(Pool(method, kernel, kernel, pad))
    if not pools:
        raise ValueError("`pyramid_height` must be positive")
    return pools


def spp(layer: Layer) -> list[Dims | None]:
    """The levels flattened and concatenated; a pyramid of one level is a plain pooling."""
    num, channels, height, width = layer.image()
    sizes = [pool.sizes(height, width) for pool in spp_pools(layer)]
    if len(sizes) == 1:
        return [(num, channels, *sizes[0])]
    return [(num, channels * sum(h * w for h, w in sizes))]


def crop_offsets(layer: Layer) -> list[int]:
    """Where the crop begins on each axis of the first bottom."""
    shape = layer.bottom()
    p = layer.param("crop_param")
    axis, given = canonical(p.integer("axis", 2), shape), p.integers("offset")
    if len(given) > 1 and axis + len(given) != len(shape):
        raise ValueError(f"{len(given)} offsets are given for the {len(shape) - axis} axes from {axis} on")
    tail = given if len(given) > 1 else (given or [0]) * (len(shape) - axis)
    return [0] * axis + tail


def padding(layer: Layer) -> list[Dims | None]:
    """Zeros around an image: a layer of its own in generation V0, which Caffe's upgrade joins to the next one."""
    n, c, h, w = layer.image()
    pad = layer.param("padding_param").integer("pad")
    return [(n, c, h + 2 * pad, w + 2 * pad)]


def crop(layer: Layer) -> list[Dims | None]:
    """The second bottom's sizes from `axis` on."""
    shape, like, offsets = layer.bottom(), layer.bottom(1), crop_offsets(layer)
    axis = canonical(layer.param("crop_param").integer("axis", 2), shape)
    if len(like) < len(shape):
        raise ValueError(f"the reference {text(like)} has fewer axes than the bottom {text(shape)}")
    for i in range(axis, len(shape)):
        if shape[i] - offsets[i] < like[i]:
            raise ValueError(f"cropping axis {i} to {like[i]} at {offsets[i]} leaves the bottom's {shape[i]}")
    return [(*shape[:axis], *like[axis : len(shape)])]
