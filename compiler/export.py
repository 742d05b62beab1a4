"""From a model file to a result folder: read, run the pipeline, write the cut and its manifest, whole or not at all."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from subcut.compiler import manifest
from subcut.compiler.errors import ModelError, user_error
from subcut.compiler.formats import ReadOptions, WriteOptions, package, recognise
from subcut.compiler.ir.graph import Model
from subcut.compiler.pipeline import no_collection
from subcut.compiler.storage.digest import Digests, Hashing
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.folder import MANIFEST, ResultFolder


def load(path: str | Path, options: ReadOptions | None = None) -> Model:
    """Read a model in whatever format it is. Weights stay in the file; nothing of a framework is imported.

    Raises ModelError for a file that is missing, damaged or of no known format, UserError for options that do not
    fit the model.
    """
    path, options = Path(path), options or ReadOptions()
    name = recognise(path)
    if options.weights is not None and name != "caffe":
        raise user_error("no-weights-file", f"`{path}` is no Caffe net: its weights are part of the model")
    with no_collection():
        model = package(name).read(path, options)
    default = ReadOptions()
    for option in ("phase", "level", "stages", "signature"):
        if getattr(options, option) != getattr(default, option):
            model.notes.setdefault("read", []).append({"option": option, "value": str(getattr(options, option))})
    return model


def save(
    model: Model,
    folder: str | Path,
    *,
    options: WriteOptions | None = None,
    force: bool = False,
    check: Callable[[Path, dict[str, Any]], object] | None = None,
) -> dict[str, Any]:
    """Write a model into a result folder, with its manifest, which is returned.

    The folder appears whole or not at all. `check` is called with the folder before it appears, and may refuse it.
    """
    name, options = FORMAT_OF[model.dialect.name], options or WriteOptions()
    if options.link and name != "onnx" and model.alignment is None:
        message = "only the weights of an ONNX model can be linked to, and dump files"
        raise user_error("cannot-link", message, help="leave out `--link`")
    hashing = {source: Hashing(source, sha1=source in model.checksums) for source in model.sources}
    target = Path(folder)
    read = [*(source.path for source in model.sources), *(model.aligner.files() if model.aligner else ())]
    with ResultFolder(target, force=force, sources=read) as temp:
        with no_collection():
            files = package(name).write(model, temp, replace(options, final=target))
            found = {source: job.result() for source, job in hashing.items()}
            _check_stated(model, found)
            content = manifest.build(model, files, {source.path: one.sha256 for source, one in found.items()})
        if model.alignment is not None:
            content |= _device_part(model, temp, options)
        (temp / MANIFEST).write_text(manifest.text(content) + "\n", encoding="utf-8")
        if check is not None:
            check(temp, content)
    return content


def _device_part(model: Model, folder: Path, options: WriteOptions) -> dict[str, Any]:
    """Export what the device computed into `folder`; returns what the manifest says of it."""
    from subcut.compiler import device_data

    return device_data.export_with_manifest(model, folder, link=options.link, bin_type=options.bin_type)


def _check_stated(model: Model, found: Mapping[SourceFile, Digests]) -> None:
    """Refuse a file that is not the one the model was made with, by the checksum that the model states of it."""
    for source, stated in model.checksums.items():
        for checksum, who in stated.items():
            if checksum != found[source].sha1:
                raise ModelError(
                    source.path,
                    f"the file's SHA-1 is {found[source].sha1}",
                    where=who,
                    expected=f"{checksum}, the checksum that `{model.sources[0].path.name}` states of it",
                )


FORMAT_OF = {"onnx": "onnx", "tf": "tensorflow", "caffe": "caffe", "ge": "ascend"}
"""The format that a dialect is written in."""


def default_folder(parent: Path) -> Path:
    """`dump_result_YYYY_MM_DD_HH_MM_SS` under `parent`, in local time; the next second when that is taken."""
    now = datetime.datetime.now()
    while True:
        folder = parent / now.strftime("dump_result_%Y_%m_%d_%H_%M_%S")
        if not folder.exists():
            return folder
        now += datetime.timedelta(seconds=1)
