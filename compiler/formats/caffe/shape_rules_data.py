"""Shapes of the layers that bring data in, as far as the net itself says them.

Source: BVLC caffe, src/caffe/layers/{input,data,*_data,parameter}_layer.cpp and data_transformer.cpp.
What only the data base or file knows stays unknown.
"""

from __future__ import annotations

from subcut.compiler.formats.caffe.layer import Dims, Layer, Message, Shape


def input_(layer: Layer) -> list[Dims | None]:
    """`shape` once for all tops, or once a top."""
    return _spread([tuple(m.integers("dim")) for m in layer.param("input_param").messages("shape")], layer.tops)


def _spread(shapes: list[Shape], tops: int) -> list[Dims | None]:
    if not shapes:
        return [None] * tops
    if len(shapes) not in (1, tops):
        raise ValueError(f"`shape` is given {len(shapes)} times for {tops} tops")
    return list(shapes) if len(shapes) == tops else [shapes[0]] * tops


def dummy_data(layer: Layer) -> list[Dims | None]:
    """`shape`, or the older `num`, `channels`, `height` and `width`: each once, or once a top."""
    p = layer.param("dummy_data_param")
    if p.messages("shape"):
        return _spread([tuple(m.integers("dim")) for m in p.messages("shape")], layer.tops)
    columns = [_column(p, name, layer.tops) for name in ("num", "channels", "height", "width")]
    return list(zip(*columns, strict=True))


def _column(p: Message, name: str, tops: int) -> list[int]:
    values = p.integers(name)
    if len(values) not in (1, tops):
        raise ValueError(f"`{name}` is given {len(values)} times for {tops} tops")
    return values if len(values) == tops else values * tops


def parameter(layer: Layer) -> list[Dims | None]:
    """The shape of the parameter."""
    p = layer.param("parameter_param")
    return [p.shape("shape") if p.has("shape") else None]


def memory_data(layer: Layer) -> list[Dims | None]:
    """Images and labels."""
    p = layer.param("memory_data_param")
    batch = p.integer("batch_size")
    return [(batch, p.integer("channels"), p.integer("height"), p.integer("width")), (batch,)]


def _crop(layer: Layer, p: Message) -> int:
    """Size that images are cropped to, 0 where they are not; nets of older generations say it in the data layer."""
    return layer.param("transform_param").integer("crop_size", p.integer("crop_size"))


def data(layer: Layer) -> list[Dims | None]:
    """Labels; the images' channels, and often their size, are in the data base."""
    return [None, (layer.param("data_param").integer("batch_size"),)]


def image_data(layer: Layer) -> list[Dims | None]:
    """Images where they are cropped or resized, and labels."""
    p = layer.param("image_data_param")
    batch, channels, crop = p.integer("batch_size", 1), 3 if p.flag("is_color", True) else 1, _crop(layer, p)
    high, wide = (crop, crop) if crop else (p.integer("new_height"), p.integer("new_width"))
    return [(batch, channels, high, wide) if high > 0 and wide > 0 else None, (batch,)]


def window_data(layer: Layer) -> list[Dims | None]:
    """Windows of colour images and labels."""
    p = layer.param("window_data_param")
    batch, crop = p.integer("batch_size"), _crop(layer, p)
    return [(batch, 3, crop, crop) if crop else None, (batch,)]


def elsewhere(layer: Layer) -> list[Dims | None]:
    """Only the file that the layer names knows (HDF5Data, VideoData)."""
    return [None] * layer.tops
