"""TensorFlow: frozen GraphDefs, binary or text; SavedModels and Keras files are frozen by TensorFlow first.

A cut is always written as a binary GraphDef, `dump.pb`, whatever it was read from.
"""

from __future__ import annotations

import re
from pathlib import Path

from subcut.compiler.formats import ReadOptions, WriteOptions
from subcut.compiler.ir.graph import Model
from subcut.compiler.storage.wire import LEN, VARINT, WireError, fields

ENDINGS = (".pb", ".pbtxt", ".keras", ".h5", ".hdf5")

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_TEXT = re.compile(rb"(?:\s|#[^\n]*\n)*(?:node|library|versions|version)\s*:?\s*[{<\d]")
_OPERATOR = re.compile(rb"[A-Za-z_0-9.\\/>-]*")
_GRAPH_FIELDS = {1: LEN, 2: LEN, 3: VARINT, 4: LEN, 5: LEN}


def claims(path: Path, head: bytes, size: int) -> bool:
    """Whether this is a GraphDef, a SavedModel (its folder, or the file in it), or a Keras model."""
    if not head:
        return path.is_dir() and any((path / f"saved_model.{end}").is_file() for end in ("pb", "pbtxt"))
    if head.startswith(_HDF5):
        return True
    if head.startswith(_ZIP):
        return path.suffix == ".keras"
    return path.name == "saved_model.pb" or _is_graph(head, size) or _is_text(head)


def _is_text(head: bytes) -> bool:
    return b"\0" not in head and _TEXT.match(head) is not None and b"layer" not in head[:64]


def _is_graph(head: bytes, size: int) -> bool:
    """Whether the fields that begin in `head` are a GraphDef's, and the first node names an operator."""
    nodes = 0
    try:
        for number, kind, _, at, end in fields(head, 0, size):
            if _GRAPH_FIELDS.get(number) != kind:
                return False
            if number == 1:
                nodes += 1
                if end <= len(head) and not _is_node(head, at, end):
                    return False
    except (WireError, IndexError):
        return nodes > 0 or size > len(head)
    return True


def _is_node(head: bytes, start: int, stop: int) -> bool:
    found = {n: head[at:end] for n, kind, _, at, end in fields(head, start, stop) if kind == LEN and n <= 2}
    return bool(found.get(1)) and _OPERATOR.fullmatch(found.get(2, b" ")) is not None


def read(path: Path, options: ReadOptions) -> Model:
    """Read a model. Raises ModelError where it is damaged."""
    from subcut.compiler.formats.tensorflow.load import load

    return load(path, options)


def write(model: Model, folder: Path, options: WriteOptions) -> list[Path]:
    """Write `model` as a binary GraphDef into `folder`."""
    from subcut.compiler.formats.tensorflow import writer

    return writer.write(model, folder, options)
