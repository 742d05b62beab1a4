"""From a path to a model: a GraphDef as it is, anything else by way of one."""

from __future__ import annotations

from pathlib import Path

from subcut.compiler.formats import ReadOptions
from subcut.compiler.formats.tensorflow.dialect import TensorFlowDialect
from subcut.compiler.formats.tensorflow.reader import Reader
from subcut.compiler.ir.graph import Model
from subcut.compiler.storage.files import SourceFile


def load(path: Path, options: ReadOptions) -> Model:
    """Read a GraphDef, binary or text, a SavedModel or a Keras file."""
    file = SourceFile(path)
    model = Reader(file, TensorFlowDialect(), path.stem).read()
    model.sources = [file]
    return model
