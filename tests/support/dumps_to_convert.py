"""Dump files of made-up operators, with tensors in the layouts that devices have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.writer import Data, NewDump, NewTensor, write_dump
from subcut.compiler.device.enums import IR_TYPES, layout_number
from subcut.compiler.device.layouts import encode, from_origin


def numbers(shape: tuple[int, ...], seed: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(-100, 100, shape).astype("float32")


def tensor(
    array: np.ndarray[Any, Any],
    layout: str,
    *,
    origin: str = "NCHW",
    element: str = "FLOAT16",
    original: tuple[int, ...] | None = None,
    c0: int | None = None,
    group: int = 0,
) -> NewTensor:
    """A tensor as a device stores it; padding is zero, as there."""
    import ml_dtypes

    types = {"FLOAT16": "float16", "FLOAT": "float32", "INT8": "int8", "BOOL": "bool", "INT32": "int32",
             "BF16": ml_dtypes.bfloat16, "FLOAT8_E5M2": ml_dtypes.float8_e5m2, "INT4": ml_dtypes.int4}  # fmt: skip
    array = array.astype(types[element])
    device = from_origin(array, origin, layout, c0=c0, group=max(group, 1)) if layout not in ("ND", origin) else array
    stored = encode(device, element)
    shape = tuple(array.shape) if original is None else original
    return NewTensor(stored, element, layout, device.shape, shape, group=group)


def write(
    folder: Path, name: str, inputs: list[NewTensor], outputs: list[NewTensor], *,
    op_name: str = "block/conv1", form: str = "big", buffers: tuple[tuple[str, Data], ...] = (),
    attributes: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    made = NewDump(op_name, inputs, outputs, 1_600_000_000_000_000, buffers=buffers, attributes=attributes or {})
    write_dump(folder / name, made, form)
    return folder / name


def header(path: Path) -> dict[str, Any]:
    """What the vendor's library says of the header of a dump in the ordinary form."""
    dump = read_dump(path)
    assert dump.form == "big"

    def described(tensors: list[Any]) -> list[dict[str, Any]]:
        return [
            {
                "data_type": IR_TYPES.index(one.type_name),
                "format": layout_number(one.layout),
                "shape": {"dim": list(one.shape)},
                "original_shape": {"dim": list(one.original_shape or ())},
                "size": one.size,
                "sub_format": one.group,
            }
            for one in tensors
        ]

    made: dict[str, Any] = {"op_name": dump.op_name, "input": described(dump.inputs), "output": described(dump.outputs)}
    made["attr"] = [{"name": name, "value": value} for name, value in dump.attributes.items()]
    made["buffer"] = [{"buffer_type": 0, "size": len(data)} for kind, data in dump.buffers if kind == "l1buffer"]
    made["space"] = [{"size": len(data)} for kind, data in dump.buffers if kind == "space"]
    return made
