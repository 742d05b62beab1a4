"""The report of a comparison or of a search, by operator: what the page colours (`report.json` of compare and locate).

Of an operator with several stored tensors the worst one counts. `total` is the relative Euclidean distance between
what the device stored and what the original computes; `own` the part that the operator adds itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from subcut.analysis.metrics import METRICS
from subcut.compiler.errors import ModelError
from subcut.compiler.ir.graph import Op
from subcut.viewer.session import Shown

REPORT = "report.json"
TOTAL = "RelativeEuclideanDistance"
BEYOND = 1e9
"""Stands for a distance that is infinite: numbers that are none, on one side only."""


@dataclass
class Entry:
    """What is known of one stored tensor of an operator."""

    op: Op
    tensor: str
    verdict: str
    total: float | None = None
    own: float | None = None
    inherited: float | None = None
    limit: float | None = None
    note: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict[str, "float | None"])

    @property
    def badness(self) -> tuple[bool, float]:
        """What orders the tensors of an operator."""
        return self.verdict in ("bad", "culprit"), max(self.total or 0.0, self.own or 0.0)


class Overlay:
    """A report, and which operators of a model it speaks of."""

    def __init__(self, path: Path, shown: Shown) -> None:
        """`path` is the report or the folder it is in. Raises ModelError where it is none."""
        self.path = path / REPORT if path.is_dir() else path
        self.shown = shown
        content = _read(self.path)
        ids = shown.ids(shown.model.main)
        worst: dict[Op, Entry] = {}
        for entry in _entries(shown, content):
            known = worst.get(entry.op)
            if known is None or entry.badness > known.badness:
                worst[entry.op] = entry
        self.entries = {ids.of[op]: entry for op, entry in worst.items()}

    def columns(self) -> dict[str, Any]:
        """The answer to `GET /api/report`, in the order of the graph."""
        places = sorted(self.entries)
        rows = [self.entries[place] for place in places]
        names = [name for name in METRICS if any(row.metrics.get(name) is not None for row in rows)]
        return {
            "op": places,
            "tensor": [row.tensor for row in rows],
            "total": [row.total for row in rows],
            "own": [row.own for row in rows],
            "inherited": [_is_inherited(row) for row in rows],
            "limit": [row.limit for row in rows],
            "verdict": [row.verdict for row in rows],
            "note": [row.note for row in rows],
            "names": names,
            "metrics": {name: [row.metrics.get(name) for row in rows] for name in names},
            "curve": [at for at, _ in sorted(enumerate(places), key=lambda pair: self._depth[pair[1]])],
        }

    def about(self, place: int) -> dict[str, Any] | None:
        """What the report says of one operator."""
        entry = self.entries.get(place)
        if entry is None:
            return None
        told = {"tensor": entry.tensor, "verdict": entry.verdict, "total": entry.total, "own": entry.own}
        told |= {"inherited": entry.inherited, "limit": entry.limit, "note": entry.note}
        return {**told, **{name: value for name, value in entry.metrics.items() if value is not None}}

    @property
    def _depth(self) -> dict[int, int]:
        """The place of each operator in an order of execution."""
        ids = self.shown.ids(self.shown.model.main)
        return {ids.of[op]: depth for depth, op in enumerate(self.shown.model.main.topological())}


def _is_inherited(row: Entry) -> bool | None:
    """Whether what is wrong came in from elsewhere; None where it is not known."""
    if row.own is None or row.total is None:
        return None
    return row.verdict != "culprit" and row.total > max(row.own, row.limit or 0.0)


def _read(path: Path) -> dict[str, Any]:
    expected = "the folder that `subcut compare -o` or `subcut locate --dump` wrote"
    try:
        content: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(path, "no such file", expected=expected) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(path, f"cannot be read: {error}", expected=expected) from None
    rows: Any = None
    if isinstance(content, dict):
        found = cast("dict[str, Any]", content)
        rows = found.get("tensors", found.get("rows"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast("list[object]", rows)):
        raise ModelError(path, "is no report", expected=expected)
    return cast("dict[str, Any]", content)


def _entries(shown: Shown, content: dict[str, Any]) -> Iterator[Entry]:
    return _of_tensors(shown, content["tensors"]) if "tensors" in content else _of_rows(shown, content["rows"])


def _of_tensors(shown: Shown, rows: Iterable[dict[str, Any]]) -> Iterator[Entry]:
    """The tensors of `locate --dump`, which are called as the model calls them."""
    scope = shown.names.main
    for row in rows:
        value = scope.value(str(row.get("tensor", "")))
        if value is not None and value.producer is not None:
            own, limit = _inner(row.get("own")), _inner(row.get("limit"))
            yield Entry(
                value.producer, value.name, str(row.get("verdict", "")), _number(row.get("total")), own,
                _number(row.get("inherited")), limit, str(row.get("note") or ""),
            )  # fmt: skip


def _of_rows(shown: Shown, rows: Iterable[dict[str, Any]]) -> Iterator[Entry]:
    """The rows of `compare`, which name `operator:output` as the offline compiler does; inputs are others' outputs."""
    model = shown.model
    by_name = {name: op for op, name in model.dialect.compiled_names(model.main).items()}
    for row in rows:
        name, _, index = str(row.get("original", "")).rpartition(":")
        op = by_name.get(name)
        if op is None or not index.isdecimal() or int(index) >= len(op.results):
            continue
        texts: dict[str, Any] = row["metrics"] if isinstance(row.get("metrics"), dict) else {}
        metrics = {metric: _number(texts.get(metric)) for metric in METRICS}
        note = ", ".join(map(str, row.get("beyond") or [])) or str(row.get("note") or "")
        limit = _number(row.get("limit"))
        verdict = str(row.get("verdict", ""))
        yield Entry(op, op.results[int(index)].name, verdict, metrics[TOTAL], limit=limit, note=note, metrics=metrics)


def _inner(distance: Any) -> float | None:
    return _number(cast("dict[str, Any]", distance).get("euclidean")) if isinstance(distance, dict) else None


def _number(value: Any) -> float | None:
    """A number, also from a text; None where there is none. What is infinite is `BEYOND`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if math.isnan(number):
        return None
    return max(-BEYOND, min(BEYOND, number)) if math.isinf(number) else number
