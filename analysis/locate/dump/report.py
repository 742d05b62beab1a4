"""What one dump tells of every tensor, as a table for people, spreadsheets and other programs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from subcut.analysis.locate.dump.distance import Distance, euclidean
from subcut.analysis.locate.dump.judging import Judged
from subcut.analysis.locate.dump.locating import Found

COLUMNS = (
    "operator", "type", "tensor", "originals", "verdict", "own", "own limit", "own largest", "own largest limit",
    "inherited", "entering", "amplification", "total", "note",
)  # fmt: skip


def csv_text(rows: Sequence[Judged]) -> str:
    """A line a stored tensor, in an order of execution."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in _cells(row)])
    return out.getvalue()


def _cells(row: Judged) -> list[str]:
    own, limit = row.own, row.limit
    numbers = [
        euclidean(own), euclidean(limit), _largest(own), _largest(limit),
        euclidean(row.inherited), row.entering, row.amplification, euclidean(row.total),
    ]  # fmt: skip
    told = [number_text(number) for number in numbers]
    return [row.unit.name, row.unit.type, row.value.name, ",".join(row.unit.labels), row.verdict, *told, row.note]


def _largest(found: Distance | None) -> float | None:
    return None if found is None else found.largest


def number_text(number: float | None) -> str:
    """A number in three digits; empty where there is none."""
    return "" if number is None else f"{number:.3g}"


def _harmless(cell: str) -> str:
    """Spreadsheets compute what begins so: a blank before it keeps them from it."""
    return f" {cell}" if cell[:1] in "=+@" or (cell[:1] == "-" and not _is_number(cell)) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def as_record(found: Found) -> dict[str, Any]:
    """Everything, as JSON has it; what is infinite is the text `inf`."""
    return {**facts(found), "tensors": [_row(row) for row in found.rows]}


def facts(found: Found) -> dict[str, Any]:
    """What was found, without the single tensors."""
    told: dict[str, Any] = {
        "precision": found.precision,
        "judged": len([row for row in found.rows if row.own is not None]),
        "not_judged": len([row for row in found.rows if row.own is None]),
        "culprits": [{"operator": row.unit.name, "tensor": row.value.name, "note": row.note} for row in found.culprits],
        "answer": None,
        "outputs": [{"tensor": row.value.name, "total": _plain(euclidean(row.total))} for row in found.outputs],
    }
    if found.answer is not None and found.judged is not None:
        told["answer"] = {
            "operator": found.answer.name,
            "operators": found.answer.labels,
            "tensor": found.judged.value.name,
            **_errors(found.judged),
            "note": found.judged.note,
            "together": found.tests > 0,
            "tests": found.tests,
            "at_most": found.bound,
        }
    if found.random:
        told |= {"nondeterministic": found.random, "inherited": sorted(found.inherited)}
        told["two_runs_apart"] = {name: _plain(apart) for name, apart in found.spread.items()}
    return told


def _row(row: Judged) -> dict[str, Any]:
    return {
        "operator": row.unit.name,
        "type": row.unit.type,
        "tensor": row.value.name,
        "originals": row.unit.labels,
        "verdict": row.verdict,
        **_errors(row),
        "note": row.note,
    }


def _errors(row: Judged) -> dict[str, Any]:
    return {
        "own": _both(row.own),
        "limit": _both(row.limit),
        "inherited": _plain(euclidean(row.inherited)),
        "entering": _plain(row.entering),
        "amplification": _plain(row.amplification),
        "total": _plain(euclidean(row.total)),
    }


def _both(distance: Distance | None) -> dict[str, Any] | None:
    if distance is None:
        return None
    return {"euclidean": _plain(distance.euclidean), "largest": _plain(distance.largest)}


def _plain(number: float | None) -> float | str | None:
    if number is None or math.isfinite(number):
        return number
    return "inf"
