"""An operator that ran in slices, put together: each slice wrote a dump file of its own.

Two modes, told apart by `threadMode` (see slice_info.py):

- automatic: hardware threads `0..slice_instance_num-1` of one task. The header states the whole's shape, and ranges say
  which part each thread had.
- manual: the compiler made operators `<name>_lxslice<N>`, which it cut along an axis. The header states the piece's.

Source: the accuracy tool's `ffts_parser.py`. It joins outputs along the first axis that is cut and leaves the inputs of
the first slice; here the ranges decide wherever they are stated, for inputs too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.device.dumps.names import FileName
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.record import DumpFile, DumpTensor
from subcut.compiler.device.dumps.slice_info import Box, Unfit, cut_axis, description, parts_of
from subcut.compiler.device.dumps.tree import DumpPath, Entry
from subcut.compiler.device.enums import BITS
from subcut.compiler.storage.files import SourceFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_AXES = 31
"""One fewer than every numpy has: the bytes of an element are an axis too."""


@dataclass(frozen=True, slots=True)
class WholeTensor:
    """A tensor put together from slices. `like` is the first slice's, whose shape and data are not the whole's."""

    like: DumpTensor
    shape: tuple[int, ...]
    parts: tuple[tuple[Box, DumpTensor], ...]
    """Where each slice lies in the whole; one that covers it where nothing was cut."""

    def buffer(self) -> NDArray[np.uint8]:
        """The whole's bytes, in C order, with as many bytes an element as the file has."""
        import numpy as np

        if len(self.parts) == 1:
            data = self.parts[0][1].data
            return np.frombuffer(data.file.data, np.uint8, len(data), data.start)
        width = BITS[self.like.type_name] // 8
        whole: Any = np.empty((*self.shape, width), np.uint8)
        for box, tensor in self.parts:
            shape = [*(high - low for low, high in box), width]
            raw: Any = np.frombuffer(tensor.data.file.data, np.uint8, prod(shape), tensor.data.start)
            whole[tuple(slice(low, high) for low, high in box)] = raw.reshape(shape)
        flat: NDArray[np.uint8] = whole.reshape(-1)
        return flat


@dataclass
class WholeDump:
    """One run of an operator, its slices put together."""

    files: list[DumpFile]
    """What was read, in order of the slices."""
    inputs: list[WholeTensor] = field(default_factory=list[WholeTensor])
    outputs: list[WholeTensor] = field(default_factory=list[WholeTensor])
    problems: list[str] = field(default_factory=list[str])
    """What could not be put together, and why; such a tensor is in neither list. What is wrong with single files they
    say themselves."""


def combine(entry: Entry | Sequence[DumpPath], opened: Callable[[Path], SourceFile] = SourceFile) -> WholeDump:
    """Read the files of one run of an operator, and put their tensors together.

    `opened` opens a file (`DumpTree.source`). A run of one file comes back as it is. Raises ModelError where a file
    cannot be read.
    """
    paths = entry.files if isinstance(entry, Entry) else tuple(entry)
    return combined([path.name for path in paths], [read_dump(opened(path.path)) for path in paths])


def combined(names: Sequence[FileName], files: Sequence[DumpFile]) -> WholeDump:
    """The same for files that were read already: they are the slices of one run, in their order."""
    made = WholeDump(list(files))
    said = description(files[0].attributes)
    count = said.get("slice_instance_num", len(files))
    if count != len(files):
        made.problems.append(f"{len(files)} of {count} slices were dumped")
    for direction in ("input", "output"):
        for index, first in enumerate(_tensors(files[0], direction)):
            try:
                whole = _whole(first, index, names, files, said)
            except Unfit as error:
                made.problems.append(f"{direction} {index} is not put together: {error}")
                continue
            (made.inputs if direction == "input" else made.outputs).append(whole)
    return made


def _tensors(file: DumpFile, direction: str) -> list[DumpTensor]:
    return file.inputs if direction == "input" else file.outputs


def _whole(
    first: DumpTensor, index: int, names: Sequence[FileName], files: Sequence[DumpFile], said: dict[str, Any]
) -> WholeTensor:
    slices = [_tensors(file, first.direction) for file in files]
    if any(len(tensors) <= index for tensors in slices):
        raise Unfit("a slice lacks it")
    tensors = [tensors[index] for tensors in slices]
    count = said.get("slice_instance_num", len(files))
    if len(files) == 1 and count == 1:
        boxes = whole = [tuple((0, dim) for dim in first.shape)]
    elif said.get("threadMode"):
        whole = parts_of(said, first.direction, index)
        threads = [name.ffts.thread if name.ffts else at for at, name in enumerate(names)]
        if max(threads) >= len(whole):
            raise Unfit(f"no range of it is stated for thread {max(threads)}")
        boxes = [whole[thread] for thread in threads]
    else:
        axis = cut_axis(said, first.direction, index)
        if axis is not None and count != len(files):
            raise Unfit(f"{len(files)} of its {count} pieces are there")
        boxes = whole = _joined(tensors, axis)
    if len(set(boxes)) == 1:
        boxes, tensors = boxes[:1], tensors[:1]
    return _checked(first, whole, boxes, tensors)


def _joined(tensors: Sequence[DumpTensor], axis: int | None) -> list[Box]:
    """Where pieces lie that follow one another along an axis."""
    boxes: list[Box] = []
    start = 0
    for tensor in tensors:
        box = [(0, dim) for dim in tensor.shape]
        if axis is not None:
            if axis >= len(box):
                raise Unfit(f"it was cut along axis {axis} and has {len(box)}")
            box[axis] = start, start + tensor.shape[axis]
            start += tensor.shape[axis]
        boxes.append(tuple(box))
    return boxes


def _checked(first: DumpTensor, whole: list[Box], boxes: list[Box], tensors: list[DumpTensor]) -> WholeTensor:
    """The whole, which is as large as its slices reach, if those that are there have their bytes and leave no gap."""
    bits = BITS.get(first.type_name)
    if bits is None or bits % 8:
        if len(boxes) > 1:
            raise Unfit(f"elements of {first.type_name} do not fill bytes")
        return WholeTensor(first, first.shape, tuple(zip(boxes, tensors, strict=True)))
    if len({len(box) for box in whole}) > 1:
        raise Unfit("its slices have different numbers of axes")
    if len(whole[0]) > _AXES and len(boxes) > 1:
        raise Unfit(f"it has {len(whole[0])} axes")
    for box, tensor in zip(boxes, tensors, strict=True):
        need = prod(high - low for low, high in box) * bits // 8
        if tensor.type_name != first.type_name or need > len(tensor.data):
            raise Unfit(f"a slice of {need} bytes of {first.type_name} has {len(tensor.data)} of {tensor.type_name}")
    shape = tuple(max(axis[1] for axis in axes) for axes in zip(*whole, strict=True))
    if _gap(shape, boxes):
        raise Unfit(f"its slices leave a gap in the whole of {list(shape)}")
    return WholeTensor(first, shape, tuple(zip(boxes, tensors, strict=True)))


def _gap(shape: tuple[int, ...], boxes: list[Box]) -> bool:
    """Whether some element is in no box; overlaps are allowed, as windows of a convolution make them."""
    volume, covered = prod(shape), sum(prod(high - low for low, high in box) for box in boxes)
    if covered < volume:
        return True
    import numpy as np

    seen = np.zeros(shape, np.bool_)
    for box in boxes:
        seen[tuple(slice(low, high) for low, high in box)] = True
    return not bool(seen.all())
