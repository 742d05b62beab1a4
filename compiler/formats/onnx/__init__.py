"""ONNX: `.onnx` files with embedded or external weights, read into the IR and written back."""

from __future__ import annotations

from pathlib import Path

from subcut.compiler.formats import ReadOptions, WriteOptions
from subcut.compiler.ir.graph import Model
from subcut.compiler.storage.wire import I32, I64, LEN, VARINT, WireError, read_varint

ENDINGS = (".onnx",)

_KINDS = {1: VARINT, 2: LEN, 3: LEN, 4: LEN, 5: VARINT, 6: LEN, 7: LEN, 8: LEN, 14: LEN, 20: LEN, 25: LEN, 26: LEN}
"""ModelProto's fields and their wire types."""


def claims(path: Path, head: bytes, size: int) -> bool:
    """Whether the file looks like a ModelProto: its fields have the right numbers and types, up to the graph.

    A GraphDef and a caffemodel begin with a field 1 of another type, a text with what is no field at all.
    """
    if path.is_dir():
        return False
    at, seen = 0, set[int]()
    try:
        while at < len(head):
            key, at = read_varint(head, at, len(head))
            number, kind = key >> 3, key & 7
            if kind not in _SIZES or _KINDS.get(number, kind) != kind or number == 0:
                return False
            seen.add(number)
            value = 0
            if kind in (VARINT, LEN):
                value, at = read_varint(head, at, len(head))
            at += value if kind == LEN else _SIZES[kind]
            if at > size:
                return False
    except WireError:
        return len(head) < size and 1 in seen
    return 7 in seen or (1 in seen and at > len(head))


_SIZES = {VARINT: 0, I64: 8, LEN: 0, I32: 4}


def read(path: Path, options: ReadOptions) -> Model:
    """Read the model at `path`. Raises ModelError."""
    from subcut.compiler.formats.onnx.reader import read_model

    del options  # none of them concerns ONNX
    return read_model(path)


def write(model: Model, folder: Path, options: WriteOptions) -> list[Path]:
    """Write `model` into `folder`; returns the model's file and, where there is one, that of its weights.

    Raises UserError where `options.link` is not possible.
    """
    from subcut.compiler.formats.onnx.writer import write_model

    return write_model(model, folder, options)
