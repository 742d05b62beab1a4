"""Copying between views of different order, fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subcut.compiler.device.layouts.names import Array


def copy(to: Array, source: Array) -> None:
    """`to[...] = source` for arrays of one shape and type."""
    import numpy as np

    np.copyto(to, source)
