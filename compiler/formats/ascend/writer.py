"""Write a model that was read from one of Ascend's forms: the file as it was, because it stays whole."""

from __future__ import annotations

from pathlib import Path

from subcut.compiler.formats import WriteOptions
from subcut.compiler.formats.ascend.dialect import whole_only
from subcut.compiler.formats.ascend.origin import ModelOrigin
from subcut.compiler.ir.graph import Model
from subcut.compiler.storage.files import Span
from subcut.compiler.storage.rope import Rope


def write(model: Model, folder: Path, options: WriteOptions) -> list[Path]:
    """Write `model` into `folder` in the form it was read from. Raises UserError for a part of one."""
    origin: ModelOrigin = model.origin
    untouched = model.main is origin.main and len(model.main.ops) == origin.count
    if not untouched or any(op.changed for op in model.main.ops):
        raise whole_only(model)
    path = folder / f"{options.stem}.{origin.form}"
    Rope([Span(origin.file, 0, origin.file.size)]).write(path, options.progress)
    return [path]
