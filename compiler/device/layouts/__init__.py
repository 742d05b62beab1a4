"""Layouts: how a device lays out a tensor that the original model knows as NCHW, NHWC, …, both ways, in numpy alone.

`decode` makes an array of stored bytes; `to_origin` and `from_origin` change its layout, each with one copy or none.
"""

from subcut.compiler.device.layouts.change import device_shape, from_origin, full_shape, nonzero_padding, to_origin
from subcut.compiler.device.layouts.copying import contiguous
from subcut.compiler.device.layouts.elements import decode, dtype_of, encode
from subcut.compiler.device.layouts.names import (
    MATRICES,
    ORIGINS,
    STORED,
    LayoutError,
    padded_shape,
    primary,
    split_group,
)

__all__ = [
    "MATRICES",
    "ORIGINS",
    "STORED",
    "LayoutError",
    "contiguous",
    "decode",
    "device_shape",
    "dtype_of",
    "encode",
    "from_origin",
    "full_shape",
    "nonzero_padding",
    "padded_shape",
    "primary",
    "split_group",
    "to_origin",
]
