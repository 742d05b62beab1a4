"""The two sides of a comparison: a device's dump tree, or a folder of `.npy` files; what each has of a tensor."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.analysis.compare.fitting import Side
from subcut.analysis.compare.rules import NotComparable
from subcut.compiler.device.dumps.slices import WholeTensor, combine
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.device.layouts import LayoutError, decode
from subcut.compiler.device.layouts.elements import Bytes
from subcut.compiler.errors import ModelError, user_error
from subcut.compiler.storage.folder import MANIFEST
from subcut.compiler.storage.places import HERE, Place

if TYPE_CHECKING:
    from subcut.compiler.device.dumps.tree import Entry

_SINGLE = ("BF16", "UINT1")
"""Types that the accuracy tool turns into float32 or takes apart before it says their type."""
_LOW = ("FLOAT8_E4M3FN", "FLOAT8_E5M2", "HIFLOAT8")
_SMALL = 1 << 20
"""Files up to this size are read, not mapped."""


@dataclass(frozen=True)
class Dumped:
    """What a device stored of one run of an operator."""

    path: str
    inputs: list[WholeTensor] = field(default_factory=list[WholeTensor])
    outputs: list[WholeTensor] = field(default_factory=list[WholeTensor])
    problems: tuple[str, ...] = ()

    def tensors(self, direction: str) -> list[WholeTensor]:
        """Those that it read, or those that it made."""
        return self.inputs if direction == "input" else self.outputs


@dataclass(frozen=True)
class Golden:
    """A ground-truth file, read."""

    path: str
    array: Any
    """Flat; of a large file, mapped."""
    shape: tuple[int, ...]


def open_side(path: str | Path, likely: tuple[str, ...] = ()) -> DumpTree:
    """Index a side. Raises UserError where it holds both kinds of files, or none."""
    tree = DumpTree.open(path, likely=likely)
    shown = tree.place.shown(tree.execution.folder)
    if tree.counts["dump"] and tree.counts["truth"]:
        raise user_error(
            "bad-arguments",
            f"`{shown}` holds dump files of a device and ground truth, {tree.counts['dump']} and "
            f"{tree.counts['truth']} files",
            help="give each a folder of its own",
        )
    if not tree.counts["dump"] and not tree.counts["truth"]:
        raise user_error("no-dump-files", f"`{shown}` holds no file with the numbers of a tensor")
    return tree


def is_truth(tree: DumpTree) -> bool:
    """Whether a side is a folder of `.npy` files."""
    return bool(tree.counts["truth"])


def read_run(tree: DumpTree, entry: Entry) -> Dumped:
    """Read the dump file of a run of an operator, or its slices. Raises ModelError."""
    whole = combine(entry, tree.source)
    problems = (*(problem for file in whole.files for problem in file.problems), *whole.problems)
    return Dumped(tree.place.real(entry.path), whole.inputs, whole.outputs, problems)


def side_of(tensor: WholeTensor) -> Side:
    """A stored tensor's numbers. Raises NotComparable where they cannot be read."""
    like = tensor.like
    data = b"" if 0 in tensor.shape else tensor.buffer().data
    array = numbers(data, like.type_name, tensor.shape)
    return Side(array, tensor.shape, like.layout, tuple(like.original_shape or ()), like.group)


def numbers(buffer: Bytes, type_name: str, shape: tuple[int, ...]) -> Any:
    """Bytes as a flat array, in a type that numpy has. Raises NotComparable where they are none of numbers."""
    import numpy as np

    try:
        array: Any = np.zeros(0) if 0 in shape else decode(buffer, type_name, shape)
    except LayoutError as error:
        raise NotComparable(note=str(error)) from None
    kind = "float32" if type_name == "BF16" else "float64" if type_name in _LOW else None
    return array.reshape(-1) if kind is None else array.reshape(-1).astype(kind)


def truth_path(tree: DumpTree, name: str, index: int) -> Path:
    """The ground-truth file of an original tensor. Raises NotComparable."""
    found = tree.find_truth(name, index)
    if not found:
        raise NotComparable(missing=True, note=f"no ground truth for {name}:{index}")
    return found[-1].path


def read_truth(path: Path, place: Place = HERE) -> Golden:
    """A ground-truth file. Raises NotComparable where it is none of numbers."""
    import numpy as np

    name = place.shown(path)
    try:
        with place.reading(path) as held:
            large = path.suffix == ".npy" and held.stat().st_size > _SMALL
            array: Any = np.load(held, mmap_mode="r" if large else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise NotComparable(note=f"{name} cannot be read: {error}") from None
    if path.suffix != ".npy" or array.dtype.kind not in "biufcV" or array.dtype.names:
        raise NotComparable(note=f"{name} holds no numbers")
    if array.dtype.kind == "V":
        raise NotComparable(note=f"{name} says nothing of its element type: write float32")
    return Golden(place.real(path), array.reshape(-1), tuple(array.shape))


def explained(error: ModelError, place: Place = HERE) -> str:
    """What is wrong with a dump file, in one line."""
    where = f", byte {error.offset}" if error.offset is not None else ""
    return f"{place.shown(error.path)}{where}: {error.message}"


def told(folder: Path, place: Place) -> Any:
    """The manifest of a folder of ground truth that `subcut run` wrote; None elsewhere."""
    try:
        with place.reading(folder / MANIFEST) as held:
            return json.loads(held.read_text("utf-8"))
    except (OSError, ValueError):
        return None
