"""Runs a Caffe net again and again on the same feeds, giving out a slice of its tensors each time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subcut.compiler.formats.caffe.lower import UnknownShape, build
from subcut.compiler.formats.caffe.run import onnxruntime_module, run
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.storage.files import SourceFile

Array = NDArray[Any]


class Prepared:
    """See `subcut.compiler.formats.Prepared`. Every tensor is of 32-bit floats, whose numbers nothing draws."""

    def __init__(self, model: Model, feeds: Mapping[str, Array], scratch: Path) -> None:
        self.version = f"onnxruntime {onnxruntime_module().__version__}, lowered to ONNX"
        self.drawn = list[Op]()
        self._model = model
        self._feeds = {name: np.asarray(array, np.float32, order="C") for name, array in feeds.items()}
        self._weights = 0

    def files(self) -> list[SourceFile]:
        """The model's own."""
        return list(self._model.sources)

    def sizes(self, fetch: Sequence[str]) -> dict[str, int | None]:
        """As the shape rules have them; what they cannot know is computed first."""
        known = dict(self._feeds)
        while True:
            rest = [name for name in fetch if name not in known]
            try:
                program = build(self._model, rest, {name: array.shape for name, array in known.items()})
                break
            except UnknownShape as error:
                if not error.tensors or known.keys() & error.tensors:
                    raise
                known |= run(self._model, known, error.tensors)
        self._weights = sum(array.nbytes for array in program.constants.values())
        sizes: dict[str, int | None] = {name: known[name].nbytes for name in fetch if name in known}
        return sizes | {name: _bytes(program.outputs[name]) for name in rest}

    def overhead(self) -> int:
        """The weights as they are read, handed over, and packed by kernels."""
        return 3 * self._weights

    def run(self, fetch: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Each array is let go here when the next one is asked for."""
        found = run(self._model, self._feeds, fetch, frugal=True)
        for name in fetch:
            yield name, found.pop(name)

    def close(self) -> None:
        """Nothing is held open."""


def _bytes(dims: Sequence[int | str | None] | None) -> int | None:
    if dims is None or not all(isinstance(dim, int) for dim in dims):
        return None
    count = 4
    for dim in dims:
        count *= dim if isinstance(dim, int) else 1
    return count
