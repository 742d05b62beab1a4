"""What a comparison leaves in a folder: the result file, the same as JSON, and a page for a browser."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from subcut.analysis.compare.further import Further
from subcut.analysis.compare.page import page
from subcut.analysis.compare.rows import Row
from subcut.analysis.compare.run import Comparison


def write_report(folder: Path, comparison: Comparison, about: dict[str, str]) -> list[str]:
    """Write all files into a folder that is there; returns their names. `about` names the two sides."""
    table = f"result_{time.strftime('%Y%m%d%H%M%S')}.csv"
    record = {**about, **as_record(comparison)}
    texts = {
        table: comparison.csv,
        "report.html": page(comparison, about, table),
        "report.json": json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        with open(folder / name, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text)
    return list(texts)


def as_record(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON has it: counts, a record a row, ground truth that was not used, problems."""
    return {
        "counts": comparison.counts,
        "rows": [row_record(row) for row in comparison.rows],
        "extra": comparison.extra,
        "extra_left": comparison.extra_left,
        "problems": comparison.problems,
    }


def row_record(row: Row) -> dict[str, Any]:
    """A row as JSON has it. Metrics are texts, as in the result file: JSON has no number that is none."""
    made: dict[str, Any] = {
        "index": row.index,
        "type": row.op_type,
        "left": row.left,
        "right": row.right,
        "tensor": row.tensor,
        "original": row.original,
        "shape": row.shape,
        "types": [row.left_type, row.right_type],
        "files": [row.left_path, row.right_path],
        "verdict": row.verdict,
        "beyond": row.broken,
        "limit": row.limit,
        "missing": row.missing,
        "metrics": row.compared.values,
        "reasons": row.compared.messages,
        "note": row.note,
    }
    if row.further is not None:
        made["further"] = _further(row.further)
    return made


def _further(found: Further) -> dict[str, Any]:
    return {
        "count": found.count,
        "max_ulp": found.max_ulp,
        "snr": _number(found.snr),
        "mismatches": found.mismatches,
        "mismatch_ratio": found.mismatch_ratio,
        "left": found.left,
        "right": found.right,
        "channels": _numbers(found.channels),
        "histogram": found.histogram,
        "map": [_numbers(row) for row in found.map],
    }


def _numbers(values: Sequence[float]) -> list[float | str | None]:
    return [_number(value) for value in values]


def _number(value: float | None) -> float | str | None:
    """A number for JSON, which has none for what is not finite: that is a text."""
    return value if value is None or math.isfinite(value) else str(value)
