"""One tensor of a dump: its numbers in the layout, shape and element type that are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from subcut.compiler.device.dumps.record import DumpTensor
from subcut.compiler.device.layouts import contiguous, decode, encode
from subcut.compiler.device.tensors import in_layout

if TYPE_CHECKING:
    from subcut.compiler.device.layouts.names import Array

_IN_FILES = {"bfloat16": "float32", "int4": "int8", "int2": "int8", "uint2": "uint8"}
"""What a `.npy` file holds for types that it has no name for; small floats become `float32` too."""


@dataclass(frozen=True)
class Converted:
    """A tensor's numbers."""

    array: Array
    """In C order; flat bytes where they go without a header."""
    shape: tuple[int, ...]
    layout: str
    """Of the numbers; the device's own where it was not changed."""
    element: str
    """The name of the element type, for file names."""


def stored(tensor: DumpTensor) -> Array:
    """The tensor as the device stored it, read in place where its elements are whole bytes."""
    span = tensor.data
    return decode(memoryview(span.file.data)[span.start : span.stop], tensor.type_name, tensor.shape)


def convert_tensor(
    tensor: DumpTensor, wanted: str | None, shape: tuple[int, ...] | None, element: str | None, bare: bool
) -> Converted:
    """The numbers to write. `bare`: they go without a header, so that every element type can be kept."""
    array, layout = in_layout(stored(tensor), tensor, wanted, shape)
    if element is not None:
        made = contiguous(array.astype(element))
        return Converted(made, array.shape, layout, element)
    name = str(array.dtype)
    if bare:
        kept = "FLOAT" if tensor.type_name == "HIFLOAT8" else tensor.type_name
        return Converted(encode(contiguous(array), kept), array.shape, layout, name)
    if name in _IN_FILES or name.startswith(("float8", "float4")):
        array = array.astype(_IN_FILES.get(name, "float32"))
    return Converted(contiguous(array), array.shape, layout, name)
