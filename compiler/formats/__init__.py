"""The formats, and which of them a file is in: by content first, then by its ending.

Each is a package of the same shape: `claims`, `read` and `write` in its `__init__`, and `run` in its `run.py`,
imported only when a model is executed.
"""

from __future__ import annotations

import importlib
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from subcut.compiler.errors import ModelError
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.rope import Progress

if TYPE_CHECKING:
    import numpy as np

FORMATS = {
    "onnx": "subcut.compiler.formats.onnx",
    "ascend": "subcut.compiler.formats.ascend",
    "tensorflow": "subcut.compiler.formats.tensorflow",
    "caffe": "subcut.compiler.formats.caffe",
}
"""In the order in which they are asked whether a file is theirs: those with the plainest marks first."""

HEAD = 1 << 16
"""How many first bytes `claims` is shown."""


@dataclass(frozen=True)
class ReadOptions:
    """How to read a model."""

    weights: Path | None = None
    """Caffe: the `.caffemodel`; None finds it beside the `.prototxt`."""
    beside: Path | None = None
    """Caffe: a folder in which files that layers name may lie too, as those of a cut lie beside the whole net."""
    phase: str = "TEST"
    level: int = 0
    stages: tuple[str, ...] = ()
    """Caffe: the state that `include` and `exclude` rules are evaluated for."""
    signature: str = "serving_default"
    """TensorFlow: which signature of a SavedModel is frozen; one that is the only one is taken whatever its name."""


@dataclass(frozen=True)
class WriteOptions:
    """How to write a model."""

    stem: str = "dump"
    link: bool = False
    """ONNX: weights stay where they are, and the cut points at them; dump files are linked and not copied."""
    progress: Progress | None = None
    bin_type: str = "float16"
    """Aligned models: the element type of the `.bin` files of what a device computed, `device_data.BIN_TYPES`."""
    final: Path | None = None
    """Where the folder will be in the end, for relative paths to the original."""


class Format(Protocol):
    """What a format's package offers."""

    ENDINGS: tuple[str, ...]

    def claims(self, path: Path, head: bytes, size: int) -> bool:
        """Whether the content looks like this format; `head` is the beginning of a file of `size` bytes."""
        ...

    def read(self, path: Path, options: ReadOptions) -> Model:
        """Read a model. Raises ModelError, or UserError where an option is wrong."""
        ...

    def write(self, model: Model, folder: Path, options: WriteOptions) -> list[Path]:
        """Write `model` into an existing folder; returns the files, the model first."""
        ...


class Runner(Protocol):
    """What a format's `run` module offers."""

    def run(
        self, model: Model, feeds: Mapping[str, np.ndarray[Any, Any]], fetch: Sequence[str]
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Execute a model in its framework, optimisation off.

        `feeds` are by the name of a graph input, `fetch` names any tensors of the main graph; a tensor on a branch
        not taken is missing from the result. Raises MissingExtra where the framework is not installed.
        """
        ...


class Pieces(Protocol):
    """A model that is run piece by piece, as an emulator of a device does; a format's `pieces` module offers it."""

    def run(
        self,
        feeds: Mapping[Value, np.ndarray[Any, Any]],
        fetch: Sequence[Value],
        weights: Mapping[Op, Sequence[np.ndarray[Any, Any]]],
    ) -> list[np.ndarray[Any, Any]]:
        """Compute `fetch` from `feeds`, which are any tensors of the main graph, stored ones included.

        `weights` take the place of what operators store themselves (Caffe's blobs). Only what lies between is run.
        """
        ...

    def close(self) -> None:
        """Give back what was held open."""
        ...


def open_pieces(name: str, model: Model) -> Pieces:
    """A model of a format, made ready to be run piece by piece. Raises MissingExtra without the framework."""
    module = importlib.import_module(FORMATS[name] + ".pieces")
    return cast(Pieces, module.Pieces(model))


class Prepared(Protocol):
    """A model that is run again and again on the same feeds, a slice of its tensors at a time.

    A format's `prepared` module offers it. What it gives is what the format's `Runner` gives, bit by bit; random
    operators give the same numbers in every slice.
    """

    version: str
    """The framework and its version, such as `onnxruntime 1.23.0`."""
    drawn: list[Op]
    """Operators of the main graph whose numbers are not a function of what they read."""

    def files(self) -> list[SourceFile]:
        """The files that the model is in, once something was run; the model file first."""
        ...

    def sizes(self, fetch: Sequence[str]) -> dict[str, int | None]:
        """The bytes of tensors of the main graph; None where only giving a tensor out tells.

        One on a branch not taken, and what is no tensor of numbers, is missing.
        """
        ...

    def overhead(self) -> int:
        """The bytes that a run takes beside what the process has now and the tensors: weights, loaded and packed."""
        ...

    def run(self, fetch: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Compute these tensors, and hand them over one after another; at most one exists twice.

        What is on a branch not taken is left out, and what is no array (a sequence, an empty optional) comes as None.
        """
        ...

    def close(self) -> None:
        """Give back what was held open."""
        ...


def open_prepared(name: str, model: Model, feeds: Mapping[str, np.ndarray[Any, Any]], scratch: Path) -> Prepared:
    """A model of a format, made ready to be run in slices. `scratch` is a folder for big weights, emptied by `close`.

    Raises MissingExtra without the framework, UserError where it does not take the model or the feeds.
    """
    module = importlib.import_module(FORMATS[name] + ".prepared")
    return cast(Prepared, module.Prepared(model, feeds, scratch))


def package(name: str) -> Format:
    """The package of a format, imported now."""
    return cast(Format, importlib.import_module(FORMATS[name]))


def runner(name: str) -> Runner:
    """The `run` module of a format, imported now."""
    return cast(Runner, importlib.import_module(FORMATS[name] + ".run"))


def recognise(path: Path) -> str:
    """The name of the format that `path` is in."""
    head, size = _head(path)
    names = sorted(FORMATS, key=lambda name: not str(path).lower().endswith(package(name).ENDINGS))
    for name in names:
        if package(name).claims(path, head, size):
            return name
    if path.is_dir():
        raise ModelError(path, "is a folder and no model", expected="a model file, or the folder of a SavedModel")
    if size and str(path).lower().endswith(package(names[0]).ENDINGS):
        return names[0]  # whoever reads it can say what is damaged
    known = ", ".join(ending for name in FORMATS for ending in package(name).ENDINGS)
    raise ModelError(path, "is in no format that subcut reads", offset=0, expected=f"one of {known}")


def _head(path: Path) -> tuple[bytes, int]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return b"", 0
        if not stat.S_ISREG(mode):  # a pipe would be waited for
            raise ModelError(path, "is not a file")
        with open(path, "rb") as file:
            head = file.read(HEAD)
            size = file.seek(0, 2)
    except FileNotFoundError:
        raise ModelError(path, "no such file") from None
    except OSError as error:
        raise ModelError(path, f"cannot be read: {error.strerror}") from None
    if not head:
        raise ModelError(path, "the file is empty", offset=0, expected="a model")
    return head, size
