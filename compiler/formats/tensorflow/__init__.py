"""TensorFlow: frozen GraphDefs, binary or text; SavedModels and Keras files are frozen by TensorFlow first.

A cut is always written as a binary GraphDef, `dump.pb`, whatever it was read from.
"""

from __future__ import annotations

from pathlib import Path

from subcut.compiler.formats import ReadOptions, WriteOptions
from subcut.compiler.formats.tensorflow.recognise import kind_of
from subcut.compiler.ir.graph import Model

ENDINGS = (".pb", ".pbtxt", ".keras", ".h5", ".hdf5")


def claims(path: Path, head: bytes, size: int) -> bool:
    """Whether this is a GraphDef, a SavedModel (its folder, or the file in it), or a Keras model."""
    if not head:
        return path.is_dir() and any((path / f"saved_model.{end}").is_file() for end in ("pb", "pbtxt"))
    return path.name == "saved_model.pb" or bool(kind_of(head, size, path.suffix))


def read(path: Path, options: ReadOptions) -> Model:
    """Read a model. Raises ModelError where it is damaged."""
    from subcut.compiler.formats.tensorflow.load import load

    return load(path, options)


def write(model: Model, folder: Path, options: WriteOptions) -> list[Path]:
    """Write `model` as a binary GraphDef into `folder`."""
    from subcut.compiler.formats.tensorflow import writer

    return writer.write(model, folder, options)
