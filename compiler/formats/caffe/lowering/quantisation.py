"""Lowering of the layers that Ascend's model compression toolkit (AMCT) adds to a net to simulate its quantisation.

Source: suyuan32/atlas_200dk_caffe, src/caffe/layers/{quant,dequant,anti_quant,search_n}_layer.cpp; the arithmetic of
`IfmrQuant`, which Quant calls, is `ClipAndQuant` in hicann/amct, ifmr.cpp. A blob stays in floats: Quant gives the
number that the 8 bits stand for, not the bits.
"""

from __future__ import annotations

import re

import numpy as np

from subcut.compiler.formats.caffe.layer import Message, Shape, text
from subcut.compiler.formats.caffe.lowering.program import Array, Lowered, f32, shaped

EPSILON = float(np.finfo(np.float64).eps)
"""Least scale that AMCT takes (DBL_EPSILON)."""
LEAST, MOST = -128, 127
"""Range of the 8 bits of an activation."""
SHIFT_LEAST, SHIFT_MOST = -(2**15), 2**15 - 1
"""Range of the 16 bits of a sum that was shifted."""
MAX_SHIFT = 16
GATES = {"LSTM_X": 2, "LSTM_H": 2, "LSTM_S": 1}
"""Axis of a sum inside of a quantised LSTM along which its four gates lie, by the `layer_type` of its DeQuant."""
IN_TEXT = ("deqscale", "shift_bit", "offset")
"""Where such a DeQuant has what others store as blobs."""


def quant(at: Lowered) -> None:
    """To the nearest number that 8 bits can say: the file holds 1 / scale, and the offset in one signed byte."""
    p = at.layer.param("quant_param")
    inverse = float(np.float32(p.real("scale")))
    if not EPSILON < inverse < float("inf"):
        raise ValueError("`quant_param.scale` must be a positive number")
    scale = np.float32(1 / inverse)
    offset = _offset(p)
    steps = at.rounded(at.emit("Div", at.inputs[0], f32(scale)))
    clipped = at.emit("Clip", steps, f32(LEAST - offset), f32(MOST - offset))
    at.emit("Mul", clipped, f32(scale), out=at.outputs[0])


def _offset(p: Message) -> int:
    """The first byte of a field of bytes, as a signed number; 0 where there is none."""
    value = p.string("offset")
    # A byte that is no text by itself comes as `\xNN`.
    escaped = re.match(r"\\x([0-9a-f]{2})", value)
    first = bytes.fromhex(escaped[1]) if escaped else value.encode()[:1]
    return int.from_bytes(first, "little", signed=True)


def dequant(at: Lowered) -> None:
    """What a sum becomes in 16 bits after it was shifted; the sum itself where no shift is asked for."""
    p = at.layer.param("dequant_param")
    gates = GATES.get(p.string("layer_type"))
    scale, shift, offset = _stored(at) if gates is None else [f32(p.reals(name)) for name in IN_TEXT]
    if not 0 < scale.size == shift.size == offset.size:
        raise ValueError("its scales, shifts and offsets must be as many as each other")
    if not shift.any():
        at.emit("Identity", at.inputs[0], out=at.outputs[0])
        return
    if not ((shift >= 1) & (shift <= MAX_SHIFT)).all():
        raise ValueError(f"its shifts must all be 0, or all from 1 to {MAX_SHIFT}")
    shape = at.layer.bottom()
    scale, power = (_spread(values, shape, gates) for values in (scale, f32(np.exp2(shift))))
    sums = at.rounded(at.emit("Div", at.inputs[0], scale))
    shifted = at.emit("Clip", at.rounded(at.emit("Div", sums, power)), f32(SHIFT_LEAST), f32(SHIFT_MOST))
    at.emit("Mul", at.emit("Mul", shifted, scale), power, out=at.outputs[0])


def _stored(at: Lowered) -> list[Array]:
    """Scale, shift and offset of the weights: the blobs of the layer."""
    if len(at.blobs) != 3:
        raise ValueError(f"it stores {len(at.blobs)} blobs, not 3: scale, shift and offset (`-w FILE.caffemodel`)")
    return [shaped(blob, (-1,)) for blob in at.blobs]


def _spread(values: Array, shape: Shape, gates: int | None) -> Array:
    """One number for all, or one for each channel (each gate) of a blob of `shape`."""
    if values.size == 1:
        return values
    axis = 1 if gates is None else gates
    parts = 0 if axis >= len(shape) else shape[axis] if gates is None else 4
    if values.size != parts or shape[axis] % parts:
        raise ValueError(f"it has {values.size} scales for a bottom of {text(shape)}")
    return shaped(np.repeat(values, shape[axis] // parts), (-1, *[1] * (len(shape) - axis - 1)))
