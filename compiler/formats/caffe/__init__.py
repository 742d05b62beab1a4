"""Caffe: nets in protobuf's text format, with weights in a binary `.caffemodel` that is matched by layer name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subcut.compiler.formats import ReadOptions, WriteOptions
    from subcut.compiler.ir.graph import Model

ENDINGS = (".prototxt", ".prototext", ".caffemodel")

_FIRST_FIELD = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:#[^\n]*\s*)*([A-Za-z_]\w*)\s*([:{<\[])")
_TOP_FIELDS = (b"input", b"input_dim", b"input_shape", b"layer", b"layers")
_LATER_FIELD = re.compile(rb"^[ \t]*(?:input|input_dim|input_shape|layers?)\s*[:{<\[]", re.M)
_NOT_OURS = (b"node", b"library", b"versions", b"version", b"ir_version", b"opset_import", b"graph", b"saved_model")


def claims(path: Path, head: bytes, size: int) -> bool:
    """Whether the content is a net in text, or a `.caffemodel`; with our ending, any text that is nobody else's."""
    from subcut.compiler.formats.caffe.caffemodel import looks_like_weights

    if head[:4] == b"\x89HDF":
        return ".caffemodel" in path.name.lower()
    first = _FIRST_FIELD.match(head)
    if first is not None and first[1] in _TOP_FIELDS:
        return True
    if first is not None and first[1] in _NOT_OURS:
        return False
    if first is not None and first[1] == b"name" and _LATER_FIELD.search(head):
        return True
    if looks_like_weights(head, size):
        return True
    ours = str(path).lower().endswith(ENDINGS[:2])
    return ours and b"\0" not in head


def read(path: Path, options: ReadOptions) -> Model:
    """Read a net. Raises ModelError for a damaged file, UserError for weights without a net."""
    from subcut.compiler.formats.caffe.reader import read as read_caffe

    return read_caffe(path, options)


def write(model: Model, folder: Path, options: WriteOptions) -> list[Path]:
    """Write `model` into an existing folder; returns the files, the net first."""
    from subcut.compiler.formats.caffe.writer import write as write_caffe

    return write_caffe(model, folder, options)
