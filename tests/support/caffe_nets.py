"""Small nets and weights files made by hand, for what no file at hand has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from subcut.compiler.export import save
from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.pipeline import standard
from subcut.compiler.storage.wire import bytes_field, int_field, tag, varint

CAFFE = package("caffe")


def net(folder: Path, text: str | bytes, weights: bytes | None = None, **options: Any) -> Model:
    """Read a net that `text` spells, with the weights beside it."""
    path = folder / "net.prototxt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    if weights is not None:
        path.with_suffix(".caffemodel").write_bytes(weights)
    return CAFFE.read(path, ReadOptions(**options))


def cut(model: Model, selection: str, folder: Path) -> tuple[dict[str, Any], Model]:
    """Cut and write a model; returns the manifest and the model that the written files hold."""
    pipeline = standard(selection)
    pipeline.verify_each = True
    manifest = save(pipeline.run(model), folder)
    return manifest, CAFFE.read(folder / "dump.prototxt", ReadOptions())


def by_name(model: Model) -> dict[str, Op]:
    """The operators of the main graph."""
    return {op.name: op for op in model.main.ops}


def wiring(model: Model) -> dict[str, list[str]]:
    """What every layer reads, by the layer that makes it; an input by its own name."""
    return {
        op.name: [v.producer.name if v.producer else f"%{v.name}" for v in op.operands if v is not None]
        for op in model.main.ops
    }


def packed(numbers: Sequence[float], kind: str = "<f4") -> bytes:
    """Numbers as a packed field's payload."""
    return np.asarray(numbers, kind).tobytes()


def blob(numbers: Sequence[float], shape: Sequence[int] | None = None) -> bytes:
    """A `BlobProto` as today's Caffe writes it."""
    dims = [len(numbers)] if shape is None else shape
    return bytes_field(7, bytes_field(1, b"".join(map(varint, dims)))) + bytes_field(5, packed(numbers))


def legacy_blob(numbers: Sequence[float], four: Sequence[int]) -> bytes:
    """A `BlobProto` with the four dimensions of old."""
    dims = b"".join(int_field(i + 1, dim) for i, dim in enumerate(four))
    return dims + bytes_field(5, packed(numbers))


def single(numbers: Sequence[float], field: int = 5) -> bytes:
    """Numbers that are not packed: a tag before each."""
    kind, dtype = (5, "<f4") if field in (5, 6) else (1, "<f8")
    return b"".join(tag(field, kind) + packed([number], dtype) for number in numbers)


def layer(name: str, *blobs: bytes, type: str = "") -> bytes:
    """A layer record of the current generation."""
    fields = bytes_field(1, name) + (bytes_field(2, type) if type else b"")
    return bytes_field(100, fields + b"".join(bytes_field(7, b) for b in blobs))


def v1_layer(name: str, *blobs: bytes) -> bytes:
    """A V1 record: bottoms and tops come before the name."""
    fields = bytes_field(2, "bottom") + bytes_field(3, "top") + bytes_field(4, name)
    return bytes_field(2, fields + b"".join(bytes_field(6, b) for b in blobs))


def v0_layer(name: str, *blobs: bytes) -> bytes:
    """A V0 record: the layer within the connection."""
    inner = bytes_field(1, name) + b"".join(bytes_field(50, b) for b in blobs)
    return bytes_field(2, bytes_field(1, inner) + bytes_field(2, "bottom"))


def caffemodel(*records: bytes, name: str = "net") -> bytes:
    """A weights file."""
    return bytes_field(1, name) + b"".join(records)
