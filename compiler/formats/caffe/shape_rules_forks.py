"""Shapes of the layers of well-known forks: SSD's, SegNet's, DeepLab's, R-FCN's, YOLO's, SENet's.

Sources: weiliu89/caffe (branch ssd), alexgkendall/caffe-segnet (Upsample), cdmh/deeplab-public (Interp),
rbgirshick/caffe-fast-rcnn (ROIPooling), daijifeng001/caffe-rfcn (PSROIPooling), hujie-frank/SENet (Axpy),
farmingyard/ShuffleNet (ShuffleChannel), gklz1982/caffe-yolov2 (Reorg), openvinotoolkit/training_toolbox_caffe (branch
person_reid: Proposal).
"""

from __future__ import annotations

from subcut.compiler.formats.caffe.layer import Dims, Layer, legacy, text


def aspect_ratios(layer: Layer) -> list[float]:
    """The aspect ratios of a `PriorBox`: 1 first, each new one followed by its inverse when they are flipped."""
    p = layer.param("prior_box_param")
    ratios = [1.0]
    for ratio in p.reals("aspect_ratio"):
        if ratio <= 0:
            raise ValueError("`aspect_ratio` must be positive")
        if any(abs(ratio - known) < 1e-6 for known in ratios):
            continue
        ratios += [ratio, 1 / ratio] if p.flag("flip", True) else [ratio]
    return ratios


def prior_box(layer: Layer) -> list[Dims | None]:
    """Boxes and variances, four numbers for each box at each place."""
    p = layer.param("prior_box_param")
    small, big = p.reals("min_size"), p.reals("max_size")
    if not small or min(small) <= 0:
        raise ValueError("`min_size` must be given, and positive")
    if big and len(big) != len(small):
        raise ValueError(f"there are {len(small)} of `min_size` and {len(big)} of `max_size`")
    _, _, height, width = legacy(layer.bottom())
    return [(1, 2, height * width * (len(aspect_ratios(layer)) * len(small) + len(big)) * 4)]


def detection_output(layer: Layer) -> list[Dims | None]:
    """As many rows of 7 as boxes are found."""
    p = layer.param("detection_output_param")
    classes = p.integer("num_classes")
    if classes <= 0:
        raise ValueError("`num_classes` must be positive")
    location, confidence, priors = layer.known(0), layer.known(1), layer.known(2)
    if location and confidence and priors:
        boxes = legacy(priors)[2] // 4
        places = 1 if p.flag("share_location", True) else classes
        if legacy(location)[1] != boxes * places * 4 or legacy(confidence)[1] != boxes * classes:
            raise ValueError(
                f"{boxes} priors do not match locations {text(location)} and confidences {text(confidence)}"
            )
    return [(1, 1, None, 7)]


def detection_evaluate(layer: Layer) -> list[Dims | None]:
    """Rows of 5."""
    del layer
    return [(1, 1, None, 5)]


def annotated_data(layer: Layer) -> list[Dims | None]:
    """Images as the data base has them; how many boxes the labels hold is known only when it runs."""
    del layer
    return [None, (1, 1, None, 8)]


def interp_size(layer: Layer, size: int, name: str) -> int:
    """Height or width (`name`) of an `Interp`'s output for an input of `size`."""
    p = layer.param("interp_param")
    size += p.integer("pad_beg") + p.integer("pad_end")
    shrink, zoom = p.integer("shrink_factor", 1), p.integer("zoom_factor", 1)
    if shrink < 1 or zoom < 1:
        raise ValueError("`shrink_factor` and `zoom_factor` must be positive")
    if p.has("shrink_factor") or p.has("zoom_factor"):
        size = (size - 1) // shrink + 1
        size += (size - 1) * (zoom - 1)
    elif p.has(name):
        size = p.integer(name)
    elif len(layer.bottoms) > 1:
        size = layer.image(1)[2 if name == "height" else 3]
    else:
        raise ValueError(f"`{name}` is not given")
    if size <= 0:
        raise ValueError("nothing is left of the output")
    return size


def interp(layer: Layer) -> list[Dims | None]:
    """Stated, computed from factors, or taken from the second bottom."""
    num, channels, height, width = layer.image()
    return [(num, channels, interp_size(layer, height, "height"), interp_size(layer, width, "width"))]


def upsample(layer: Layer) -> list[Dims | None]:
    """Stated, or `scale` times the bottom less the padding."""
    num, channels, height, width = layer.image()
    p = layer.param("upsample_param")
    scale = p.integer("scale", 2)
    high = p.integer("upsample_h", height * p.integer("scale_h", scale) - (1 if p.flag("pad_out_h") else 0))
    wide = p.integer("upsample_w", width * p.integer("scale_w", scale) - (1 if p.flag("pad_out_w") else 0))
    if high <= 0 or wide <= 0:
        raise ValueError("nothing is left of the output")
    return [(num, channels, high, wide)]


def shuffle_channel(layer: Layer) -> list[Dims | None]:
    """As the bottom."""
    num, channels, height, width = layer.image()
    group = layer.param("shuffle_channel_param").integer("group", 1)
    if group < 1 or channels % group:
        raise ValueError(f"{channels} channels do not divide into {group} groups")
    return [(num, channels, height, width)]


def axpy(layer: Layer) -> list[Dims | None]:
    """As the second bottom, which the first scales by channel and to which the third is added."""
    factors, shape, added = layer.bottom(), layer.image(1), layer.bottom(2)
    if shape != added or factors[:2] != shape[:2] or any(d != 1 for d in factors[2:]):
        raise ValueError(f"bottoms {text(factors)}, {text(shape)} and {text(added)} do not match")
    return [shape]


def roi_pooling(layer: Layer) -> list[Dims | None]:
    """`pooled_h` by `pooled_w` for each region."""
    p = layer.param("roi_pooling_param")
    high, wide = p.integer("pooled_h"), p.integer("pooled_w")
    if high <= 0 or wide <= 0:
        raise ValueError("`pooled_h` and `pooled_w` must be positive")
    return [(layer.bottom(1, axes=1)[0], layer.image()[1], high, wide)]


def psroi_pooling(layer: Layer) -> list[Dims | None]:
    """`group_size` squared for each region and output channel."""
    p = layer.param("psroi_pooling_param")
    outputs, group = p.integer("output_dim"), p.integer("group_size")
    if outputs <= 0 or group <= 0:
        raise ValueError("`output_dim` and `group_size` must be positive")
    if layer.image()[1] != outputs * group * group:
        raise ValueError(f"{layer.image()[1]} channels are not {outputs} x {group} x {group}")
    return [(layer.bottom(1, axes=1)[0], outputs, group, group)]


def proposal(layer: Layer) -> list[Dims | None]:
    """As many regions (image, x1, y1, x2, y2) as are found, and their scores."""
    del layer
    return [(None, 5), (None,)]


def reorg(layer: Layer) -> list[Dims | None]:
    """Squares of `stride` by `stride` as channels, or the reverse."""
    num, channels, height, width = layer.image()
    p = layer.param("reorg_param")
    stride = p.integer("stride", 2)
    square = stride * stride
    if stride < 1:
        raise ValueError("`stride` must be positive")
    if p.flag("reverse"):
        if channels % square:
            raise ValueError(f"{channels} channels do not divide into squares of {stride}")
        return [(num, channels // square, height * stride, width * stride)]
    if height % stride or width % stride:
        raise ValueError(f"{height}x{width} does not divide into squares of {stride}")
    return [(num, channels * square, height // stride, width // stride)]
