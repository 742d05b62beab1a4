"""What a precision must cost: the error that each tensor has where the emulator computes the model in it.

The emulator rounds what every operator reads and makes, as a device does, and errors add up on their way through the
network. So what is expected of a tensor knows both the operator and all before it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subcut.analysis.compare.rows import Row
from subcut.analysis.compare.run import compare
from subcut.analysis.compare.sides import told
from subcut.analysis.compare.verdicts import METRIC, judge
from subcut.compiler.errors import user_error
from subcut.compiler.formats import ReadOptions
from subcut.compiler.number_files import read_npy
from subcut.compiler.storage.places import place_of

ROUNDING = {"fp16": 2.0**-11, "bf16": 2.0**-8, "int8": 2.0**-7}
"""The relative error of one rounding: no tensor is expected to have less. 8 bits are 127 steps up to the largest."""
FACTOR = 4.0
"""How many times the emulator's error a device's may be: its sums are added in another order."""


@dataclass(frozen=True)
class Expected:
    """The errors of the original's tensors in a precision."""

    precision: str
    factor: float = FACTOR
    errors: dict[str, float] = field(default_factory=dict[str, float])
    """The relative Euclidean distance by tensor, `operator:output`."""

    def limit(self, original: str) -> float | None:
        """What a tensor's distance must stay below; None where the emulator has no such tensor."""
        error = self.errors.get(original)
        return None if error is None else self.factor * max(error, ROUNDING[self.precision])

    def judge(self, row: Row) -> None:
        """Write a row's verdict: by its limit where there is one, by the fixed limits elsewhere."""
        judge(row)
        limit, distance = self.limit(row.original), row.value(METRIC)
        if limit is None or distance is None or not row.was_compared:
            return
        row.limit = limit
        row.broken = [] if distance < limit else [METRIC]
        row.verdict = "bad" if row.broken else "ok"


def expect(
    model: Path,
    golden: str | Path,
    precision: str,
    *,
    factor: float = FACTOR,
    weights: Path | None = None,
    jobs: int = 1,
) -> Expected:
    """Emulate a model in a precision, on the inputs of its ground truth, which `subcut run` wrote.

    Raises UserError for an unknown precision, ground truth without inputs, and what the emulator refuses.
    """
    from subcut.emulator import emulate

    if precision not in ROUNDING:
        raise user_error("bad-arguments", f"`{precision}` is no precision", help=f"there is {', '.join(ROUNDING)}")
    read = ReadOptions(weights=weights)
    with tempfile.TemporaryDirectory(prefix="subcut-") as temp:
        made = emulate(model, _inputs(golden), Path(temp) / "emulated", precision=precision, read=read)
        found = compare(made.dumps, golden, om=made.om, quantised=made.quantised, jobs=jobs)
    errors: dict[str, float] = {}
    for row in found.rows:
        distance = row.value(METRIC)
        if row.original and distance is not None and distance == distance:
            errors[row.original] = max(distance, errors.get(row.original, 0.0))
    return Expected(precision, factor, errors)


def _inputs(golden: str | Path) -> dict[str, Any]:
    """What the model was fed, as the manifest of its ground truth says."""
    folder, place = place_of(golden)
    try:
        files = {str(entry["name"]): str(entry["file"]) for entry in told(folder, place)["inputs"]}
    except (KeyError, TypeError):
        raise user_error(
            "bad-arguments",
            f"`{golden}` does not say what the model was fed",
            help="give ground truth that `subcut run` wrote, or the model itself",
        ) from None
    found: dict[str, Any] = {}
    for name, file in files.items():
        path = folder / Path(file).name
        try:
            with place.reading(path) as held:
                found[name] = read_npy(held)
        except OSError as error:
            raise user_error("bad-npy", f"`{place.shown(path)}` cannot be read: {error.strerror}") from None
    place.close()
    return found
