"""An operator that ran in slices, put together: each slice wrote a dump file of its own.

Two modes, told apart by `threadMode` in the attribute that the graph engine adds (`_sgt_json_info`, a JSON text):

- automatic: hardware threads `0..slice_instance_num-1` of one task; `output_tensor_slice` and `input_tensor_slice` say
  `[thread][tensor][axis]{lower, higher}` which part of the whole each had. The header states the whole shape.
- manual: the compiler made operators `<name>_lxslice<N>`; `outputCutList` says in how many pieces each axis of each
  output was cut, and the header states the shape of the piece.

Source: the accuracy tool's `ffts_parser.py` and `dump_data_object.py`, and the graph engine's `ffts_json_util`. The
tool joins outputs along the first axis that is cut and leaves the inputs of the first slice; here the ranges decide
wherever they are stated, for inputs too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, cast

from subcut.compiler.device.dumps.names import FileName
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.record import DumpFile, DumpTensor
from subcut.compiler.device.dumps.tree import DumpPath, Entry
from subcut.compiler.device.enums import BITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ATTRIBUTE = 1 << 22
"""The longest description of slices that is looked into."""
_LIST = {"input": ("input_tensor_slice", "inputCutList"), "output": ("output_tensor_slice", "outputCutList")}

Box = tuple[tuple[int, int], ...]
"""Lower and higher bound on each axis."""


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
    say themselves; of hardware threads that includes the header's shape, which is the whole's."""


def combine(entry: Entry | Sequence[DumpPath]) -> WholeDump:
    """Read the files of one run of an operator, and put their tensors together.

    A run of one file comes back as it is. Raises ModelError where a file cannot be read.
    """
    paths = entry.files if isinstance(entry, Entry) else tuple(entry)
    return combined([path.name for path in paths], [read_dump(path.path) for path in paths])


def combined(names: Sequence[FileName], files: Sequence[DumpFile]) -> WholeDump:
    """The same for files that were read already: they are the slices of one run, in their order."""
    made = WholeDump(list(files))
    said = _description(files[0])
    count = said.get("slice_instance_num", len(files))
    if count != len(files):
        made.problems.append(f"{len(files)} of {count} slices were dumped")
    for direction in ("input", "output"):
        for index, first in enumerate(_tensors(files[0], direction)):
            try:
                whole = _whole(first, index, names, files, said)
            except _Unfit as error:
                made.problems.append(f"{direction} {index} is not put together: {error}")
                continue
            (made.inputs if direction == "input" else made.outputs).append(whole)
    return made


class _Unfit(Exception):
    """The slices of a tensor do not make a whole."""


def _tensors(file: DumpFile, direction: str) -> list[DumpTensor]:
    return file.inputs if direction == "input" else file.outputs


def _description(file: DumpFile) -> dict[str, Any]:
    """The description of slices; nothing where the file has none."""
    for text in file.attributes.values():
        if len(text) > _ATTRIBUTE or '"threadMode"' not in text:
            continue
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict):
            return cast("dict[str, Any]", said)
    return {}


def _whole(
    first: DumpTensor, index: int, names: Sequence[FileName], files: Sequence[DumpFile], said: dict[str, Any]
) -> WholeTensor:
    slices = [_tensors(file, first.direction) for file in files]
    if any(len(tensors) <= index for tensors in slices):
        raise _Unfit("a slice lacks it")
    tensors = [tensors[index] for tensors in slices]
    ranges, cuts = _LIST[first.direction]
    if len(files) == 1:
        boxes = [tuple((0, dim) for dim in first.shape)]
    elif said.get("threadMode"):
        threads = [name.ffts.thread if name.ffts else at for at, name in enumerate(names)]
        boxes = [_box(said.get(ranges), thread, index) for thread in threads]
    else:
        boxes = _joined(tensors, _axis(said.get(cuts), index))
    if len(set(boxes)) == 1:
        boxes, tensors = boxes[:1], tensors[:1]
    return _checked(first, boxes, tensors)


def _box(said: Any, thread: int, index: int) -> Box:
    """The part that a thread had, as the description says."""
    try:
        box = tuple((int(axis["lower"]), int(axis["higher"])) for axis in said[thread][index])
    except (TypeError, LookupError, ValueError):
        raise _Unfit(f"no range of it is stated for thread {thread}") from None
    if any(not 0 <= low < high for low, high in box):
        raise _Unfit(f"the range of thread {thread} is empty or negative")
    return box


def _axis(said: Any, index: int) -> int | None:
    """The axis along which slices were cut; None where they were not."""
    try:
        cut = [axis for axis, pieces in enumerate(said[index]) if int(pieces) != 1]
    except (TypeError, LookupError, ValueError):
        raise _Unfit("how it was cut is not stated") from None
    if len(cut) > 1:
        raise _Unfit(f"it was cut along {len(cut)} axes, and the order of the pieces is not stated")
    return cut[0] if cut else None


def _joined(tensors: Sequence[DumpTensor], axis: int | None) -> list[Box]:
    """Where pieces lie that follow one another along an axis."""
    boxes: list[Box] = []
    start = 0
    for tensor in tensors:
        box = [(0, dim) for dim in tensor.shape]
        if axis is not None:
            if axis >= len(box):
                raise _Unfit(f"it was cut along axis {axis} and has {len(box)}")
            box[axis] = start, start + tensor.shape[axis]
            start += tensor.shape[axis]
        boxes.append(tuple(box))
    return boxes


def _checked(first: DumpTensor, boxes: list[Box], tensors: list[DumpTensor]) -> WholeTensor:
    """The whole, if every slice has its bytes and together they leave no gap."""
    bits = BITS.get(first.type_name)
    if bits is None or bits % 8:
        if len(boxes) > 1:
            raise _Unfit(f"elements of {first.type_name} do not fill bytes")
        return WholeTensor(first, first.shape, tuple(zip(boxes, tensors, strict=True)))
    if len({len(box) for box in boxes}) > 1:
        raise _Unfit("its slices have different numbers of axes")
    for box, tensor in zip(boxes, tensors, strict=True):
        need = prod(high - low for low, high in box) * bits // 8
        if tensor.type_name != first.type_name or need > len(tensor.data):
            raise _Unfit(f"a slice of {need} bytes of {first.type_name} has {len(tensor.data)} of {tensor.type_name}")
    shape = tuple(max(axis[1] for axis in axes) for axes in zip(*boxes, strict=True))
    if _gap(shape, boxes):
        raise _Unfit(f"its slices leave a gap in the whole of {list(shape)}")
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
