"""Ascend: the offline model `.om`, the JSON and text forms of it, and the graph engine's `.air`, as dialect `ge`.

They are read to be listed, shown, selected in and aligned with the network they were compiled from; they are never
cut, and written only whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from subcut.compiler.formats.ascend.recognise import claimed_form

if TYPE_CHECKING:
    from subcut.compiler.formats import ReadOptions, WriteOptions
    from subcut.compiler.ir.graph import Model

ENDINGS = (".om", ".air", ".json")


def claims(path: Path, head: bytes, size: int) -> bool:
    """Whether this is an offline model, its JSON or text form, or an `.air`."""
    return bool(claimed_form(head))


def read(path: Path, options: ReadOptions) -> Model:
    """Read a model. Raises ModelError where it is damaged."""
    from subcut.compiler.formats.ascend.load import load

    return load(path)


def write(model: Model, folder: Path, options: WriteOptions) -> list[Path]:
    """Write `model` in the form it was read from. Raises UserError for a part of one."""
    from subcut.compiler.formats.ascend import writer

    return writer.write(model, folder, options)
