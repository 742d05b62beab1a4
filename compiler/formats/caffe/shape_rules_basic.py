"""Shapes of the layers that keep, join, split, reduce or rearrange axes, of recurrent layers and of losses.

Source: BVLC caffe, src/caffe/layers/ (each rule's layer under its own name); `Permute` from weiliu89/caffe, branch ssd.
"""

from __future__ import annotations

from subcut.compiler.formats.caffe.layer import Dims, Layer, Shape, canonical, count, legacy, text


def same(layer: Layer) -> list[Dims | None]:
    """Every top is shaped as the first bottom."""
    return [layer.bottom()] * layer.tops


def image(layer: Layer) -> list[Dims | None]:
    """As the first bottom, which must have 4 axes (LRN)."""
    return [layer.image()]


def channelled(layer: Layer) -> list[Dims | None]:
    """As the first bottom, which must have channels (PReLU, Normalize)."""
    return [layer.bottom(axes=2)]


def lrn(layer: Layer) -> list[Dims | None]:
    """As the bottom; `local_size` must be odd."""
    if layer.param("lrn_param").integer("local_size", 5) % 2 == 0:
        raise ValueError("`local_size` must be odd")
    return image(layer)


def mvn(layer: Layer) -> list[Dims | None]:
    """As the bottom, but always of 4 axes."""
    return [legacy(layer.bottom())]


def softmax(layer: Layer) -> list[Dims | None]:
    """As the bottom, which must have the axis."""
    canonical(layer.param("softmax_param").integer("axis", 1), layer.bottom())
    return same(layer)


def affine_axes(layer: Layer, param: str) -> tuple[int, Shape]:
    """First axis and shape of what a `Scale` or `Bias` layer multiplies by or adds."""
    shape, p = layer.bottom(), layer.param(param)
    if len(layer.bottoms) > 1:
        second = layer.bottom(1)
        axis = canonical(p.integer("axis", 1), shape) if second else 0
        if shape[axis : axis + len(second)] != second:
            raise ValueError(f"the second bottom {text(second)} does not match {text(shape)} from axis {axis} on")
        return axis, second
    axis, axes = canonical(p.integer("axis", 1), shape), p.integer("num_axes", 1)
    if axes < -1 or axis + axes > len(shape):
        raise ValueError(f"{axes} axes from axis {axis} on reach beyond the bottom {text(shape)}")
    return axis, shape[axis:] if axes == -1 else shape[axis : axis + axes]


def scale(layer: Layer) -> list[Dims | None]:
    """As the first bottom."""
    affine_axes(layer, "scale_param")
    return same(layer)


def bias(layer: Layer) -> list[Dims | None]:
    """As the first bottom."""
    affine_axes(layer, "bias_param")
    return same(layer)


def eltwise(layer: Layer) -> list[Dims | None]:
    """As the bottoms, which must be shaped alike."""
    shape = layer.bottom()
    for i in range(1, len(layer.bottoms)):
        if layer.bottom(i) != shape:
            raise ValueError(f"bottoms must have one shape, not {text(shape)} and {text(layer.bottom(i))}")
    coefficients = layer.param("eltwise_param").reals("coeff")
    if coefficients and len(coefficients) != len(layer.bottoms):
        raise ValueError(f"{len(coefficients)} coefficients are given for {len(layer.bottoms)} bottoms")
    return [shape]


def axis_of(layer: Layer, param: str, old: str) -> int:
    """The axis that `axis`, or its predecessor `old`, names."""
    shape, p = layer.bottom(), layer.param(param)
    if p.has("axis") and p.has(old):
        raise ValueError(f"either `axis` or `{old}` may be given, not both")
    return canonical(p.integer(old) if p.has(old) else p.integer("axis", 1), shape)


def concat(layer: Layer) -> list[Dims | None]:
    """The sizes along the axis added up."""
    axis, first = axis_of(layer, "concat_param", "concat_dim"), layer.bottom()
    shapes = [layer.bottom(i) for i in range(len(layer.bottoms))]
    for shape in shapes:
        if len(shape) != len(first) or _without(shape, axis) != _without(first, axis):
            raise ValueError(f"{text(shape)} and {text(first)} differ on another axis than {axis}")
    return [(*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])]


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def slice_sizes(layer: Layer) -> tuple[int, list[int]]:
    """The axis that is sliced, and the size of each slice."""
    axis = axis_of(layer, "slice_param", "slice_dim")
    size, points = layer.bottom()[axis], layer.param("slice_param").integers("slice_point")
    if not points:
        if size % layer.tops:
            raise ValueError(f"{size} along axis {axis} do not divide into {layer.tops} tops")
        return axis, [size // layer.tops] * layer.tops
    ends = [*points, size]
    sizes = [stop - start for start, stop in zip([0, *points], ends, strict=True)]
    if len(sizes) != layer.tops:
        raise ValueError(f"{len(points)} slice points make {len(sizes)} slices, not {layer.tops}")
    if any(s <= 0 for s in sizes):
        raise ValueError(f"slice points {points} do not ascend within {size}")
    return axis, sizes


def slice_(layer: Layer) -> list[Dims | None]:
    """Pieces along the axis."""
    axis, sizes = slice_sizes(layer)
    shape = layer.bottom()
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def inner_product(layer: Layer) -> list[Dims | None]:
    """`num_output` in the place of the axes from `axis` on."""
    shape, p = layer.bottom(), layer.param("inner_product_param")
    return [(*shape[: canonical(p.integer("axis", 1), shape)], p.integer("num_output"))]


def flatten(layer: Layer) -> list[Dims | None]:
    """The axes from `axis` to `end_axis` as one."""
    shape, p = layer.bottom(), layer.param("flatten_param")
    start, end = canonical(p.integer("axis", 1), shape), canonical(p.integer("end_axis", -1), shape)
    if end < start:
        raise ValueError(f"`end_axis` {end} comes before `axis` {start}")
    return [(*shape[:start], count(shape[start : end + 1]), *shape[end + 1 :])]


def reshape(layer: Layer) -> list[Dims | None]:
    """New dimensions in the place of `num_axes` axes from `axis` on: 0 copies one, -1 is what remains."""
    shape, p = layer.bottom(), layer.param("reshape_param")
    axis = p.integer("axis")
    start = axis if axis >= 0 else len(shape) + axis + 1
    axes = p.integer("num_axes", -1)
    end = len(shape) if axes == -1 else start + axes
    if not 0 <= start <= len(shape) or axes < -1 or end > len(shape):
        raise ValueError(f"{axes} axes from axis {axis} on are out of range for {text(shape)}")
    new = list(p.shape("shape"))
    for i, size in enumerate(new):
        if size == 0:
            if start + i >= len(shape):
                raise ValueError(f"the 0 at place {i} has no axis of {text(shape)} to copy")
            new[i] = shape[start + i]
    if new.count(-1) > 1:
        raise ValueError("more than one dimension is -1")
    rest = count(shape[:start]) * count(shape[end:]) * count([d for d in new if d != -1])
    if -1 in new:
        if rest == 0 or count(shape) % rest:
            raise ValueError(f"{count(shape)} numbers do not divide into {text(p.shape('shape'))}")
        new[new.index(-1)] = count(shape) // rest
    result = (*shape[:start], *new, *shape[end:])
    if count(result) != count(shape):
        raise ValueError(f"{text(shape)} holds {count(shape)} numbers and {text(result)} {count(result)}")
    return [result]


def reduction(layer: Layer) -> list[Dims | None]:
    """The axes from `axis` on are gone."""
    shape = layer.bottom()
    return [shape[: canonical(layer.param("reduction_param").integer("axis"), shape)]]


def tile(layer: Layer) -> list[Dims | None]:
    """One axis repeated."""
    shape, p = layer.bottom(), layer.param("tile_param")
    axis, tiles = canonical(p.integer("axis", 1), shape), p.integer("tiles")
    if tiles <= 0:
        raise ValueError("`tiles` must be positive")
    return [(*shape[:axis], shape[axis] * tiles, *shape[axis + 1 :])]


def embed(layer: Layer) -> list[Dims | None]:
    """One more axis, of `num_output`."""
    p = layer.param("embed_param")
    if p.integer("num_output") <= 0 or p.integer("input_dim") <= 0:
        raise ValueError("`num_output` and `input_dim` must be positive")
    return [(*layer.bottom(), p.integer("num_output"))]


def argmax(layer: Layer) -> list[Dims | None]:
    """`top_k` along the axis, or over everything but the first axis, then as num x (1 or 2) x top_k."""
    shape, p = layer.bottom(axes=1), layer.param("argmax_param")
    top_k = p.integer("top_k", 1)
    if p.has("axis"):
        axis = canonical(p.integer("axis"), shape)
        room = shape[axis]
        result = (*shape[:axis], top_k, *shape[axis + 1 :])
    else:
        room = count(shape[1:])
        pair = 2 if p.flag("out_max_val") else 1
        result = (shape[0], pair, top_k, *(1,) * (len(shape) - 3))
    if not 1 <= top_k <= room:
        raise ValueError(f"`top_k` is {top_k}, and there are {room} to choose from")
    return [result]


def batch_reindex(layer: Layer) -> list[Dims | None]:
    """As many items as the second bottom has indices."""
    index = layer.bottom(1)
    if len(index) != 1:
        raise ValueError(f"the indices must have 1 axis, not {text(index)}")
    return [(index[0], *layer.bottom(axes=1)[1:])]


def filter_(layer: Layer) -> list[Dims | None]:
    """The items that the last bottom selects: how many is known only when it runs."""
    if layer.tops != len(layer.bottoms) - 1:
        raise ValueError(f"needs {len(layer.bottoms) - 1} tops and has {layer.tops}")
    return [(None, *layer.bottom(i, axes=1)[1:]) for i in range(layer.tops)]


def permute_order(layer: Layer) -> list[int]:
    """The axes in their new order; those not named follow in their old one."""
    shape, order = layer.bottom(), layer.param("permute_param").integers("order")
    if len(set(order)) != len(order) or any(not 0 <= axis < len(shape) for axis in order):
        raise ValueError(f"order {order} is no order of the {len(shape)} axes")
    return order + [axis for axis in range(len(shape)) if axis not in order]


def permute(layer: Layer) -> list[Dims | None]:
    """The axes in another order."""
    shape = layer.bottom()
    return [tuple(shape[axis] for axis in permute_order(layer))]


def recurrent(layer: Layer) -> list[Dims | None]:
    """Steps x streams x num_output; with `expose_hidden` the last state of each too."""
    shape, p = layer.bottom(axes=2), layer.param("recurrent_param")
    if len(layer.bottoms) < 2 or layer.known(1) not in (None, shape[:2]):
        raise ValueError(f"the second bottom must be {text(shape[:2])} (steps, streams)")
    steps, streams = shape[:2]
    size = p.integer("num_output")
    if size <= 0:
        raise ValueError("`num_output` must be positive")
    hidden = states(layer) if p.flag("expose_hidden") else 0
    return [(steps, streams, size), *[(1, streams, size)] * hidden]


def states(layer: Layer) -> int:
    """How many states a recurrent layer carries from step to step."""
    return 2 if layer.type == "LSTM" else 1


def static_input(layer: Layer) -> bool:
    """Whether a recurrent layer's third bottom is the input that all steps share."""
    exposed = states(layer) if layer.param("recurrent_param").flag("expose_hidden") else 0
    return len(layer.bottoms) > 2 + exposed


def lstm_unit(layer: Layer) -> list[Dims | None]:
    """Cell and hidden state, both as the first bottom."""
    state, gates = layer.bottom(), layer.bottom(1)
    if len(state) != 3 or len(gates) != 3 or gates[2] != 4 * state[2]:
        raise ValueError(f"the gates {text(gates)} must be four times as wide as the state {text(state)}")
    return [state, state]


def loss(layer: Layer) -> list[Dims | None]:
    """A scalar; a second top is shaped as the first bottom (the probabilities of a softmax)."""
    first, labels = layer.known(0), layer.known(1)
    if first and labels and first[0] != labels[0]:
        raise ValueError(f"predictions {text(first)} and labels {text(labels)} differ in their first dimension")
    return [(), layer.bottom()] if layer.tops > 1 else [()]


def accuracy(layer: Layer) -> list[Dims | None]:
    """A scalar; a second top has the accuracy of each class."""
    if layer.tops < 2:
        return [()]
    shape = layer.bottom()
    return [(), (shape[canonical(layer.param("accuracy_param").integer("axis", 1), shape)],)]


def sink(layer: Layer) -> list[Dims | None]:
    """No tops (Silence, HDF5Output)."""
    return [None] * layer.tops
