"""The numbers of a tensor as the device had them, in the original's layout, shape and element type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.alignment.stored import Dumps
from subcut.compiler.device.dumps.record import DumpTensor
from subcut.compiler.device.layouts import STORED, LayoutError, decode, primary
from subcut.compiler.device.tensors import in_layout
from subcut.compiler.errors import user_error
from subcut.compiler.ir.alignment import Row
from subcut.compiler.ir.types import TensorType, Type, numpy_dtype
from subcut.compiler.number_files import read_npy

if TYPE_CHECKING:
    import numpy as np

_FOUR_AXES = ("NCHW", "NHWC", "HWCN", "CHWN")


def read_numbers(row: Row, dumps: Dumps | None) -> np.ndarray[Any, Any]:
    """What the device had of the tensor of `row`, which must be stored.

    One that was reshaped, by an operator that the compiler removed, keeps the shape of what it was made of where the
    model does not say its own: `shape_is_known` tells. Raises LayoutError where the stored shape does not fit the
    original's.
    """
    stored = row.stored
    assert stored is not None
    if stored.direction in ("fed", "answer"):
        return whole_file(row, stored.path)
    assert dumps is not None
    whole = dumps.tensor(stored)
    tensor = whole.like
    array = decode(whole.buffer().data, tensor.type_name, whole.shape)
    if tensor.shape != whole.shape:  # the dump, like the offline model, states the shape of a slice
        tensor, row = replace(tensor, original_shape=None), replace(row, shape=None)
    shape = None if tensor.original_shape else _sizes(row.shape) or _static(row)
    layout = _wanted(row, tensor, tensor.original_shape or shape)
    if primary(tensor.layout) in STORED and shape is None and not tensor.original_shape:
        raise LayoutError(f"{whole.shape} is stored in blocks, and nothing says how much of it is padding")
    return _fitted(in_layout(array, tensor, layout, shape)[0], row)


def shape_is_known(row: Row, array: np.ndarray[Any, Any]) -> bool:
    """Whether `array`, the numbers of `row`, can have the shape of the tensor, not of what it was made of."""
    return not row.reshaped or _static(row) is not None or _solved(row, array.size) is not None


def _sizes(shape: Sequence[int] | None) -> tuple[int, ...] | None:
    """A shape whose every size is known; the offline model writes -1 and -2 for others."""
    return None if shape is None or any(size < 0 for size in shape) else tuple(shape)


def _wanted(row: Row, tensor: DumpTensor, shape: Sequence[int] | None) -> str:
    """The original's layout; where nothing names it the one that the dump does, or NCHW as most networks have."""
    layout = row.layout
    if not layout and tensor.origin is not None and tensor.origin.layout != "RESERVED":
        layout = tensor.origin.layout
    four = shape is not None and len(shape) == 4
    if not layout:
        return "NCHW" if four else "ND"
    return "ND" if layout in _FOUR_AXES and not four else layout


def whole_file(row: Row, path: Path) -> np.ndarray[Any, Any]:
    """The tensor of a `.npy`, or of the raw bytes of one in the original's shape and element type."""
    import numpy as np

    if path.suffix == ".npy":
        return _fitted(read_npy(path), row)
    type, size = row.value.type, path.stat().st_size
    element = type.element if isinstance(type, TensorType) and type.element else "f32"
    for shape in (_sizes(row.shape), _static(row)):
        for name in (element, "f16"):
            if shape is not None and numpy_dtype(name).itemsize * _count(shape) == size:
                found: Any = np.fromfile(path, numpy_dtype(name))
                return _fitted(found.reshape(shape), row)
    message = f"{path} has {size} bytes, and `%{row.value.name}` is {type}"
    raise user_error("wrong-size", message, help="give the file of this tensor; as `.npy` where its shape is not known")


def _fitted(array: np.ndarray[Any, Any], row: Row) -> np.ndarray[Any, Any]:
    """In the shape and element type of the original, where these are known and the count of elements fits.

    Raises LayoutError where the offline model states another count: such numbers are of another model.
    """
    type, held = row.value.type, _sizes(row.shape)
    if held is not None and array.size != _count(held):
        raise LayoutError(f"{array.shape} is stored, and {held} in the offline model: is it of another model?")
    turned = _turned(array, type)
    held, array = (held if turned is array else turned.shape), turned
    shape = _static(row) or (row.reshaped and _solved(row, array.size)) or held
    if shape is not None and array.shape != shape:
        if array.size == _count(shape) and (row.reshaped or _in_order(array.shape, shape)):
            whole: Any = array
            array = whole.reshape(shape)
        elif array.size == _count(shape) or row.reshaped or len(array.shape) != len(shape):
            raise LayoutError(f"the device stored {array.shape}, and the original is {shape}")
    if isinstance(type, TensorType) and type.element not in (None, "str"):
        wanted = numpy_dtype(type.element or "f32")
        if wanted != array.dtype and (wanted.kind == "f" or array.dtype.name == "bfloat16"):
            array = array.astype(wanted)
    return array


def _turned(array: np.ndarray[Any, Any], type: Type | None) -> np.ndarray[Any, Any]:
    """With channels where the model has them, should the compiler have changed their place; as the tool does it too."""
    dims = type.shape if isinstance(type, TensorType) else None
    if dims is None or len(dims) != 4 or array.ndim != 4 or _agree(array.shape, dims):
        return array
    whole: Any = array
    for axes in ((0, 3, 1, 2), (0, 2, 3, 1)):
        turned: np.ndarray[Any, Any] = whole.transpose(axes)
        if _agree(turned.shape, dims):
            return turned
    return array


def _agree(shape: Sequence[int], dims: Sequence[object]) -> bool:
    """Whether all sizes that are known are the same, but that of a batch."""
    return all(dim in (size, -1) or not isinstance(dim, int) for size, dim in zip(shape[1:], dims[1:], strict=True))


def _in_order(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether shapes of as many elements differ in axes of one element, or neighbours that one of them has as one."""
    if 0 in one:
        return True
    short, long = sorted(([dim for dim in shape if dim != 1] for shape in (one, other)), key=len)
    rest = iter(long)
    for dim in short:
        merged = 1
        while merged < dim:
            merged *= next(rest, dim + 1)
        if merged != dim:
            return False
    return True


def _solved(row: Row, count: int) -> tuple[int, ...] | None:
    """The shape of a tensor with unknown sizes: what the device was fed tells them, or, a single one, the count."""
    if row.fed_shape is not None and _count(row.fed_shape) == count:
        return row.fed_shape
    type = row.value.type
    dims = type.shape if isinstance(type, TensorType) else None
    known = [dim for dim in dims or () if isinstance(dim, int)]
    rest = _count(known)
    if dims is None or len(known) != len(dims) - 1 or not rest or count % rest:
        return None
    return tuple(dim if isinstance(dim, int) else count // rest for dim in dims)


def _static(row: Row) -> tuple[int, ...] | None:
    type = row.value.type
    if isinstance(type, TensorType) and type.static and type.shape is not None:
        return tuple(int(dim) for dim in type.shape if isinstance(dim, int))
    return None


def _count(shape: Sequence[int]) -> int:
    count = 1
    for dim in shape:
        count *= dim
    return count
