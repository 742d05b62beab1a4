"""A model with weights in files beside it, and what the tests of weights do with one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.external_data_helper import set_external_data

from subcut.compiler.export import load
from subcut.compiler.export import save as write
from subcut.compiler.formats import WriteOptions
from subcut.compiler.formats.onnx import run
from subcut.compiler.pipeline import standard
from support.onnx_graphs import plain

X = np.random.default_rng(0).standard_normal((2, 64)).astype(np.float32)


def external(folder: Path, stating: Callable[[str], str | None] | None = None) -> Path:
    """`plain`, its weights in three files, one of them in a folder, with odd offsets and no length for the last.

    The first tensor of each file states that file's checksum, or what `stating` makes of it.
    """
    made = plain()
    places = [("one.bin", 100), ("sub/two.bin", 0), ("one.bin", 100 + 64 * 64 * 4 + 12), ("sub/three.bin", None)]
    tensors = [*made.graph.initializer, made.graph.node[3].attribute[0].t]
    (folder / "sub").mkdir(parents=True)
    raws = [tensor.raw_data for tensor in tensors]
    for raw, (location, offset) in zip(raws, places, strict=True):
        with open(folder / location, "ab") as file:
            file.write(b"\7" * ((offset or 0) - file.tell()) + raw)
    for i, (tensor, (location, offset)) in enumerate(zip(tensors, places, strict=True)):
        checksum = None if i == 2 else hashlib.sha1((folder / location).read_bytes()).hexdigest()
        if checksum and stating:
            checksum = stating(checksum)
        length = None if offset is None else len(raws[i])
        set_external_data(tensor, location, offset=offset, length=length, checksum=checksum)
        tensor.ClearField("raw_data")
    onnx.save(made, str(folder / "model.onnx"))
    return folder / "model.onnx"


def cut(path: Path, selection: str, folder: Path, **options: Any) -> dict:
    passes = standard(selection)
    passes.verify_each = True
    return write(passes.run(load(path)), folder, options=WriteOptions(**options))


def outputs(path: Path, feeds: dict[str, Any]) -> dict[str, Any]:
    read = load(path)
    return run.run(read, feeds, [value.name for value in read.main.outputs])


def entries(path: Path) -> list[dict[str, str]]:
    made = onnx.load(str(path), load_external_data=False)
    return [{entry.key: entry.value for entry in one.external_data} for one in made.graph.initializer]
