"""Dump files and trees for tests: random ones, and the names that real ones have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from subcut.compiler.device.dumps.names import Ffts, make_name
from subcut.compiler.device.dumps.record import DumpFile, DumpTensor, Origin
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump
from subcut.compiler.device.enums import BITS, ELEMENTS, GE_TYPES, LAYOUTS

TIME = 1_600_000_000_000_000
NANO_TYPES = sorted(set(BITS) & set(GE_TYPES))
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@st.composite
def tensors(draw: st.DrawFn, direction: str, types: list[str]) -> NewTensor:
    """Any element type and layout; a shape, and bytes that it fits."""
    kind = draw(st.sampled_from(types))
    shape = tuple(draw(st.lists(st.integers(0, 5), max_size=5)))
    count = 1
    for dim in shape:
        count *= dim
    data = draw(st.binary(min_size=(size := -(-count * BITS[kind] // 8)), max_size=size))
    origin = None
    if direction == "output":
        element = st.sampled_from([None, *sorted({ELEMENTS[name] for name in ELEMENTS if name in GE_TYPES})])
        named = st.builds(Origin, TEXT.filter(bool).filter(lambda t: not t.endswith("\0")), st.integers(0, 9), element,
                          st.sampled_from(LAYOUTS))  # fmt: skip
        origin = draw(st.none() | named)
    return NewTensor(
        data,
        kind,
        draw(st.sampled_from(LAYOUTS)),
        shape,
        tuple(draw(st.lists(st.integers(0, 1 << 40), max_size=4))),
        draw(st.integers(0, 65535)),
        origin,
        draw(st.integers(0, (1 << 64) - 1)),
    )


def dumps(types: list[str]) -> st.SearchStrategy[NewDump]:
    """A whole file's content."""
    return st.builds(
        NewDump,
        TEXT,
        st.lists(tensors("input", types), max_size=3),
        st.lists(tensors("output", types), max_size=3),
        st.integers(0, 1 << 60),
        st.lists(st.tuples(st.sampled_from(["l1buffer", "space"]), st.binary(max_size=9)), max_size=2).map(sorted),
        st.dictionaries(TEXT, TEXT, max_size=2),
        message=TEXT,
    )


def stated(tensor: NewTensor | DumpTensor) -> tuple[Any, ...]:
    """What a tensor is, to compare what was written with what was read."""
    data = tensor.data.bytes() if isinstance(tensor, DumpTensor) else bytes(tensor.data)
    return (
        tensor.type_name, tensor.layout, tensor.group, tensor.shape, tensor.original_shape, data, tensor.origin,
        tensor.address, tensor.argument,
    )  # fmt: skip


def contents(dump: NewDump | DumpFile) -> tuple[Any, ...]:
    """The same of a whole file, without what the nano form has no place for."""
    return [stated(one) for one in dump.inputs], [stated(one) for one in dump.outputs]


def dump(op_name: str = "conv1", value: bytes = b"\0\0\x80\x3f") -> NewDump:
    """A small file: one input, one output, both float32."""
    one = NewTensor(value, "FLOAT", "ND", (len(value) // 4,), (len(value) // 4,), address=16)
    return NewDump(op_name, [one], [one], TIME)


def plant(folder: Path, op_name: str = "conv1", time: int = TIME, *, op_type: str = "Conv2D", **more: Any) -> Path:
    """Write `dump` of an operator into a folder under the name that the runtime gives it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / make_name(op_type, op_name, more.pop("task", 3), time, **more)
    write_dump(path, dump(op_name))
    return path


Bounds = Sequence[tuple[int, int]]


def ranges(boxes: Sequence[Bounds]) -> list[Any]:
    """`[thread][tensor][axis]` of one tensor."""
    return [[[{"lower": low, "higher": high} for low, high in box]] for box in boxes]


def write_threads(
    folder: Path, whole: np.ndarray[Any, Any], boxes: Sequence[Bounds], cuts: list[int], *, header_shape: bool = True
) -> None:
    """One file a hardware thread, each with its part of an output, and of an input that is the same."""
    said = {
        "threadMode": True, "slice_instance_num": len(boxes), "outputCutList": [cuts], "inputCutList": [cuts],
        "output_tensor_slice": ranges(boxes), "input_tensor_slice": ranges(boxes),
    }  # fmt: skip
    for thread, box in enumerate(boxes):
        part = whole[tuple(slice(low, high) for low, high in box)]
        one = NewTensor(part, "FLOAT", "ND", whole.shape if header_shape else part.shape, address=8)
        name = make_name("Add", "x", 2, TIME + thread, stream=9, ffts=Ffts(4, 5, thread, 0))
        write_dump(folder / name, NewDump("x", [one], [one], TIME, attributes={"_sgt_json_info": json.dumps(said)}))


def write_pieces(folder: Path, parts: Sequence[np.ndarray[Any, Any]], cuts: Sequence[int], count: int) -> None:
    """One file a slice that the compiler made."""
    said = {"threadMode": False, "slice_instance_num": count, "outputCutList": [list(cuts)], "inputCutList": [[1, 1]]}
    for number, part in enumerate(parts):
        output = NewTensor(part, "FLOAT16", "ND", part.shape, address=8)
        shared = NewTensor(np.float16([[7, 8]]), "FLOAT16", "ND", (1, 2), address=8)
        name = make_name("Add", "x", 2, TIME - number, stream=9, ffts=Ffts(4, 5 + number, 0, 0), lxslice=number)
        write_dump(folder / name, NewDump("x", [shared], [output], TIME, attributes={"json": json.dumps(said)}))
