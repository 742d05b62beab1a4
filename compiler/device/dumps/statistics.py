"""Statistics files: what a device writes instead of tensors when only their figures were asked for.

Source: the runtime's `dump_task.cpp` (`ProcessDumpStats`): a line a tensor, the shape as `1x3x4`, `-` where there is
none, and empty figures where the tensor had no address or a type that is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

from subcut.compiler.errors import ModelError
from subcut.compiler.storage.files import SourceFile

LIMIT = 1 << 24
"""The longest file that is read: a line is some hundred bytes."""
FIRST = ("Input/Output", "Index")
"""The columns without which a line says nothing."""

Figure = Union[int, float, None]


@dataclass(frozen=True, slots=True)
class StatisticsRow:
    """What is known of one tensor. A figure is None where the device did not make it."""

    direction: str
    """`input` or `output`."""
    index: int
    size: int | None
    type_name: str
    """Such as `FLOAT16`; empty where the device does not say."""
    layout: str
    shape: tuple[int, ...]
    """The device shape; empty for a scalar and where there is none."""
    maximum: Figure
    minimum: Figure
    average: Figure
    count: Figure
    nan: Figure
    negative_infinite: Figure
    positive_infinite: Figure
    more: Mapping[str, str] = field(default_factory=dict[str, str])
    """Columns that newer devices add."""


@dataclass
class Statistics:
    """The lines of a statistics file."""

    rows: list[StatisticsRow] = field(default_factory=list[StatisticsRow])
    problems: list[str] = field(default_factory=list[str])
    """What was wrong with single lines, which are left out."""


_FIGURES = ("Max Value", "Min Value", "Avg Value", "Count", "Nan Count", "Negative Inf Count", "Positive Inf Count")
_COLUMNS = (*FIRST, "Data Size", "Data Type", "Format", "Shape", *_FIGURES)


def read_statistics(path: str | Path) -> Statistics:
    """Read a statistics file; columns are found by their names.

    Raises ModelError where it is no such file.
    """
    file = SourceFile(path)
    if file.size > LIMIT:
        raise ModelError(path, f"statistics of {file.size} bytes", expected=f"at most {LIMIT}")
    text = file.data[:].decode("utf-8", "replace")
    head, *lines = text.splitlines() or [""]
    columns = [column.strip() for column in head.lstrip("\ufeff").split(",")]
    if not set(FIRST) <= set(columns):
        raise ModelError(
            path, "this is no statistics file", offset=0, expected="a line of columns that starts " + ",".join(FIRST)
        )
    made = Statistics()
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        try:
            made.rows.append(_row(columns, line.split(",")))
        except ValueError as error:
            made.problems.append(f"{path}, line {number}: {error}")
    return made


def _row(columns: list[str], cells: list[str]) -> StatisticsRow:
    if len(cells) != len(columns):
        raise ValueError(f"{len(cells)} cells under {len(columns)} columns")
    said = {column: text.strip() for column, text in zip(columns, cells, strict=True)}
    direction = said["Input/Output"].lower()
    if direction not in ("input", "output"):
        raise ValueError(f"`{said['Input/Output']}` is neither an input nor an output")
    kind = said.get("Data Type", "").removeprefix("DT_")
    maximum, minimum, average, count, nan, negative, positive = (_figure(said.get(name, "")) for name in _FIGURES)
    return StatisticsRow(
        direction,
        int(said["Index"]),
        int(said["Data Size"]) if said.get("Data Size") else None,
        "" if kind == "-" else kind,
        said.get("Format", "").removeprefix("FORMAT_"),
        _shape(said.get("Shape", "-")),
        maximum,
        minimum,
        average,
        count,
        nan,
        negative,
        positive,
        {column: text for column, text in said.items() if column not in _COLUMNS},
    )


def _shape(text: str) -> tuple[int, ...]:
    return () if text in ("", "-") else tuple(int(dim) for dim in text.split("x"))


def _figure(text: str) -> Figure:
    if text in ("", "-"):
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)
