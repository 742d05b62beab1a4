"""Runs pieces of a Caffe net, one after another, fed with whatever tensors they start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subcut.compiler.formats.caffe.run import run
from subcut.compiler.ir.graph import Model, Op, Value

Array = NDArray[Any]


class Pieces:
    """See `subcut.compiler.formats.Pieces`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def run(
        self, feeds: Mapping[Value, Array], fetch: Sequence[Value], weights: Mapping[Op, Sequence[Array]]
    ) -> list[Array]:
        """Run what lies between. Every tensor is of 32-bit floats."""
        found = run(self.model, {value.name: array for value, array in feeds.items()}, [v.name for v in fetch], weights)
        return [np.asarray(found[value.name]) for value in fetch]

    def close(self) -> None:
        """Nothing is held open."""
