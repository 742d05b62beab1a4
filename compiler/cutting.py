"""One cut, from the model file to the result folder: what `subcut MODEL SELECTION` does, and the viewer's export."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from subcut.compiler.errors import UserError, user_error
from subcut.compiler.export import default_folder, load, save
from subcut.compiler.formats import ReadOptions, WriteOptions
from subcut.compiler.ir.graph import Model
from subcut.compiler.pipeline import Pipeline, Timing, no_collection

if TYPE_CHECKING:
    from subcut.compiler.alignment.twin import TwinOptions


class Telling(Protocol):
    """Who is told how far the work is."""

    def stage(self, text: str) -> None:
        """Something else is being done now."""
        ...

    def advance(self, count: int, size: int) -> None:
        """So many more bytes are written, of a file of `size`."""
        ...


@dataclass(frozen=True)
class Order:
    """What is to be cut, and where the result goes."""

    model: Path
    pipeline: Pipeline
    reading: ReadOptions = field(default_factory=ReadOptions)
    device: TwinOptions | None = None
    writing: WriteOptions = field(default_factory=WriteOptions)
    folder: Path | None = None
    """None: the name that `as` gives, made a path by `named`; else a new `dump_result_…` in `parent`."""
    parent: Path = field(default_factory=Path.cwd)
    named: Callable[[str], Path] = Path
    force: bool = False
    check: Callable[[Path, dict[str, Any]], object] | None = None
    """Called with folder and manifest before the folder appears; may refuse it."""


@dataclass(frozen=True)
class Made:
    """A cut that was written."""

    model: Model
    manifest: dict[str, Any]
    folder: Path


def make(order: Order, telling: Telling, timing: Timing | None = None) -> Made:
    """Read, cut and write. Raises UserError and ModelError, and then leaves nothing behind."""
    timing = timing or Timing()
    telling.stage("reading")
    # Frozen before any collection looks at it: the model is all in use.
    with timing.phase("read"), no_collection():
        model = load(order.model, order.reading)
        gc.freeze()
    if order.device is not None:
        from subcut.compiler.alignment.twin import attach

        telling.stage("aligning")
        with timing.phase("attach"):
            attach(model, order.device)
    telling.stage("cutting")
    order.pipeline.run(model)
    with timing.phase("write"):
        manifest, folder = _write(model, order, telling)
    return Made(model, manifest, folder)


def folder_name(name: str) -> str:
    """The name of a cut as a folder: it must be one, inside the output folder. Raises UserError."""
    if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise user_error("bad-name", f"`{name}` cannot be the name of a folder", help='name the cut: `as "stage2"`')
    return name


def _write(model: Model, order: Order, telling: Telling) -> tuple[dict[str, Any], Path]:
    """Write the result folder; returns the manifest and where it is."""
    name = model.options.name if model.options else ""
    chosen = order.folder or (order.named(name) if name else None)
    writing = replace(order.writing, progress=telling.advance)
    while True:
        folder = chosen or default_folder(order.parent)
        telling.stage("writing")
        try:
            force = order.force and chosen is not None
            return save(model, folder, options=writing, force=force, check=order.check), folder
        except UserError as error:
            if chosen is not None or error.code != "folder-exists":
                raise  # else another process took the name of this second
