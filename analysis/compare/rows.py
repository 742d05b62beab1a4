"""The rows of the result file: a tensor each, or an operator of which there is none.

Source: msaccucmp's `compare_result` and `vector_comparison`, whose file is the one that is exchanged.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from subcut.analysis.metrics import METRICS, NAN, Compared, number

if TYPE_CHECKING:
    from subcut.analysis.compare.further import Further

_FORMULA = re.compile(r"^[＝＋－+\-=%@]|;[＝＋－+\-=%@]")
"""What a spreadsheet would take for a formula."""


@dataclass
class Row:
    """A line of the result file, and what it leaves out."""

    index: int
    """Of the group of operators."""
    op_type: str
    left: str
    """Names of the device's operators."""
    right: str
    """Names of the originals."""
    tensor: str = NAN
    """Such as `conv1:input:0`."""
    shape: str = NAN
    left_type: str = NAN
    right_type: str = NAN
    left_address: str = NAN
    right_address: str = NAN
    compared: Compared = field(default_factory=Compared)
    note: str = ""
    """What else there is to say."""
    missing: str = ""
    """`left` or `right` where that side has nothing."""
    original: str = ""
    """The original tensor, such as `conv1:0`."""
    left_path: str = ""
    right_path: str = ""
    verdict: str = ""
    """`ok`, `bad` or `not compared`."""
    broken: list[str] = field(default_factory=list[str])
    """The thresholds that it is beyond."""
    limit: float | None = None
    """What the relative Euclidean distance must stay below, where a precision was stated."""
    further: Further | None = None

    @property
    def was_compared(self) -> bool:
        """Whether there are metrics at all."""
        return self.left_type != NAN

    @property
    def reason(self) -> str:
        """Why there is no number, as the result file says it."""
        return ",".join(self.compared.messages)

    def value(self, metric: str) -> float | None:
        """A metric as a number; None where there is none."""
        return number(self.compared.values[metric])

    def cells(self, columns: Columns) -> list[str]:
        """The row of the result file."""
        addresses = ([self.left_address] * columns.left_address, [self.right_address] * columns.right_address)
        return [
            str(self.index), self.op_type, self.left, self.left_type, *addresses[0], self.right, self.right_type,
            *addresses[1], self.tensor, self.shape, *self.compared.values.values(), self.reason,
        ]  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Which columns there are: a folder of `.npy` files has no addresses."""

    left_address: bool = True
    right_address: bool = True

    @property
    def names(self) -> list[str]:
        """The first line of the result file."""
        left, right = (["Address"] * has for has in (self.left_address, self.right_address))
        return [
            "Index", "OpType", "NPUDump", "DataType", *left, "GroundTruth", "DataType", *right, "TensorIndex", "Shape",
            *METRICS, "CompareFailReason",
        ]  # fmt: skip


def csv_text(rows: Iterable[Row], columns: Columns) -> str:
    """The whole result file. A cell that a spreadsheet would compute gets a blank before it; the tool refuses it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns.names)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row.cells(columns)])
    return out.getvalue()


def shape_text(shape: Sequence[int]) -> str:
    """A shape as the result file has it."""
    return f"[{','.join(map(str, shape))}]"


def _harmless(cell: str) -> str:
    if not _FORMULA.search(cell):
        return cell
    try:
        float(cell)
    except ValueError:
        return " " + cell
    return cell
