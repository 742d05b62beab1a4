"""Running an offline model: refused, because only the device that it was compiled for can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from subcut.compiler.errors import user_error

if TYPE_CHECKING:
    import numpy as np

    from subcut.compiler.ir.graph import Model


def run(model: Model, feeds: Mapping[str, np.ndarray[Any, Any]], fetch: Sequence[str]) -> NoReturn:
    """Raise UserError `cannot-run`."""
    raise user_error(
        "cannot-run",
        f"`{model.name}` was compiled for the device, and runs nowhere else",
        help="what the device computed is in its dumps: give them with `--dump`, and this model with `--om`, to a cut",
    )
