"""From a path to a model: a GraphDef as it is, anything else by way of one in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from subcut.compiler.errors import ModelError
from subcut.compiler.formats import HEAD, ReadOptions
from subcut.compiler.formats.tensorflow.dialect import TensorFlowDialect
from subcut.compiler.formats.tensorflow.freeze import freeze
from subcut.compiler.formats.tensorflow.pbtxt import to_binary
from subcut.compiler.formats.tensorflow.reader import Reader
from subcut.compiler.formats.tensorflow.recognise import KERAS, TEXT, kind_of
from subcut.compiler.ir.graph import Model
from subcut.compiler.storage.files import SourceFile


def load(path: Path, options: ReadOptions) -> Model:
    """Read a GraphDef, binary or text, a SavedModel or a Keras file."""
    folder = path.parent if path.name in ("saved_model.pb", "saved_model.pbtxt") else path
    if folder.is_dir():
        sources = [SourceFile(file) for file in _files(folder)]
        return _by_way_of(folder, sources, lambda target: freeze(folder, target, options.signature))
    file = SourceFile(path)
    kind = kind_of(file.data[:HEAD], file.size, path.suffix)
    if kind == KERAS:
        return _by_way_of(path, [file], lambda target: freeze(path, target, options.signature))
    if kind == TEXT:
        return _by_way_of(path, [file], lambda target: _as_binary(path, target))
    return _read(path, file, [file])


def _files(folder: Path) -> list[Path]:
    """What a SavedModel consists of, the graph first."""
    graph = [folder / name for name in ("saved_model.pb", "saved_model.pbtxt") if (folder / name).is_file()]
    inside = [p for part in ("variables", "assets") for p in sorted((folder / part).rglob("*")) if p.is_file()]
    files = [p for p in [*graph[:1], *inside] if p.stat().st_size]
    if not graph:
        raise ModelError(folder, "holds no SavedModel", expected="saved_model.pb")
    return files


def _by_way_of(path: Path, sources: list[SourceFile], make: Callable[[Path], list[str]]) -> Model:
    """The model in a GraphDef that `make` writes, telling its outputs. It stays readable after its name is gone."""
    with tempfile.TemporaryDirectory(prefix="subcut-") as folder:
        target = Path(folder) / "frozen.pb"
        outputs = dict.fromkeys(make(target))
        file = SourceFile(target)
        file.path = path
        model = _read(path, file, sources)
    values = {value.name: value for value in model.main.values()} if outputs else {}
    model.main.outputs = [values[name] for name in outputs if name in values]
    return model


def _as_binary(path: Path, target: Path) -> list[str]:
    target.write_bytes(to_binary(path))
    return []


def _read(path: Path, file: SourceFile, sources: list[SourceFile]) -> Model:
    model = Reader(file, TensorFlowDialect(), path.stem).read()
    model.sources = sources
    return model
