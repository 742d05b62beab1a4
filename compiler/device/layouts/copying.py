"""Copying between views of different order, as fast as numpy alone can.

Three things make it faster than an assignment: runs of bytes that both sides hold together move as one element;
what is read across its order is read in tiles that stay in the cache; large arrays are copied by all processors
(numpy lets other threads run while it copies).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import numpy as np

    from subcut.compiler.device.layouts.names import Array

_RUN = 16
"""Bytes from which on a run is worth moving as one element."""
_TILE = 1 << 22
"""Bytes of the source that are read again and again before going on. Measured: more than the last cache's share of a
processor is slow, and so is less than long stretches of the target."""
_PARALLEL = 16 << 20
"""Bytes that are worth a thread of their own."""
_THREADS = 4


def copy(to: Array, source: Array) -> None:
    """`to[...] = source` for arrays of one shape and type, which do not overlap."""
    to, source = _in_runs(to, source)
    parts = _shares(to, source)
    if len(parts) == 1:
        return _copy_tiles(to, source)
    threads = [threading.Thread(target=_copy_tiles, args=part) for part in parts[1:]]
    for thread in threads:
        thread.start()
    _copy_tiles(*parts[0])
    for thread in threads:
        thread.join()
    return None


def contiguous(array: Array) -> Array:
    """The array itself where it is in C order, else a copy that is."""
    import numpy as np

    if array.flags.c_contiguous:
        return array
    made = np.empty(array.shape, array.dtype)
    copy(made, array)
    return made


def view_as(array: Any, dtype: np.dtype[Any]) -> Array:
    """The same bytes as elements of another type."""
    viewed: Array = array.view(dtype)
    return viewed


def _in_runs(to: Array, source: Array) -> tuple[Array, Array]:
    """Both arrays with one element for every run of bytes that lies together in both."""
    import numpy as np

    size = to.itemsize
    for axis in range(to.ndim):
        run = to.shape[axis] * size
        if to.strides[axis] == source.strides[axis] == size and run >= max(_RUN, 2 * size):
            dtype = np.dtype((np.void, run))
            ends = np.moveaxis(to, axis, -1), np.moveaxis(source, axis, -1)
            return view_as(ends[0], dtype)[..., 0], view_as(ends[1], dtype)[..., 0]
    return to, source


def _shares(to: Array, source: Array) -> list[tuple[Array, Array]]:
    """Both arrays cut into a share for each thread, along the axis that is farthest out in `to`."""
    count = min(to.nbytes // _PARALLEL, _THREADS)
    axes = [axis for axis in range(to.ndim) if to.shape[axis] > 1]
    if count < 2 or not axes or (count := min(count, os.cpu_count() or 1)) < 2:
        return [(to, source)]
    axis = max(axes, key=lambda axis: abs(to.strides[axis]))
    step = -(-to.shape[axis] // count)
    return [_cut(to, source, axis, start, start + step) for start in range(0, to.shape[axis], step)]


def _copy_tiles(to: Array, source: Array) -> None:
    import numpy as np

    for part in _tiles(to, source):
        np.copyto(*part)


def _tiles(to: Array, source: Array) -> Iterator[tuple[Array, Array]]:
    """Both arrays in pieces; numpy goes through each in the order of `to`.

    Every index along the axis that lies together in `source` makes numpy read all that is farther in along `to`
    once more.
    """
    axes = sorted((axis for axis in range(to.ndim) if to.shape[axis] > 1), key=lambda axis: -abs(to.strides[axis]))
    if not axes:
        return iter([(to, source)])
    together = min(axes, key=lambda axis: abs(source.strides[axis]))
    inner = axes[axes.index(together) + 1 :]
    return _split(to, source, together, inner)


def _split(to: Array, source: Array, together: int, inner: list[int]) -> Iterator[tuple[Array, Array]]:
    row = max(to.shape[together] * abs(source.strides[together]), 64)
    size = row
    for axis in inner:
        size *= to.shape[axis]
    if not inner or size <= _TILE:
        yield to, source
        return
    axis, *rest = inner
    each = size // to.shape[axis]
    step = max(_TILE // each, 1)
    for start in range(0, to.shape[axis], step):
        part = _cut(to, source, axis, start, start + step)
        if each > _TILE:
            yield from _split(*part, together, rest)
        else:
            yield part


def _cut(to: Array, source: Array, axis: int, start: int, stop: int) -> tuple[Array, Array]:
    index: tuple[Union[slice, int], ...] = (slice(None),) * axis + (slice(start, stop),)
    return to[index], source[index]
