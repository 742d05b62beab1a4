"""A whole comparison: what kind of sides there are, the work done, and what it comes to.

result = compare("dumps/", "golden/", om="net.om")
result.rows, result.csv, result.counts
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from subcut.analysis.compare.answers import Answers, answers_of
from subcut.analysis.compare.executors import Executor, each, executor_of
from subcut.analysis.compare.further import Wanted
from subcut.analysis.compare.groups import Groups
from subcut.analysis.compare.peers import Devices, Truths
from subcut.analysis.compare.rows import Columns, Row, csv_text
from subcut.analysis.compare.rules import Fusion, fusion_of
from subcut.analysis.compare.sides import is_truth, open_side
from subcut.analysis.compare.verdicts import judge
from subcut.analysis.compare.work import Work
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.formats.ascend.offline import OfflineModel, read_offline
from subcut.compiler.storage.places import fetched

PICTURED = 500
"""Tensors that have pictures, at least: the worst ones. Those of a hundred thousand would fill the memory."""


@dataclass
class Comparison:
    """What comes out."""

    rows: list[Row]
    columns: Columns
    extra: list[str] = field(default_factory=list[str])
    """Ground truth that nothing was compared with: `operator.output`."""
    extra_left: list[str] = field(default_factory=list[str])
    """Dumped operators that the offline model does not have."""
    problems: list[str] = field(default_factory=list[str])
    """What was wrong with folders and names."""

    @property
    def csv(self) -> str:
        """The result file, as the accuracy tool writes it."""
        return csv_text(self.rows, self.columns)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows were compared, are within the thresholds, beyond them, or lack a side or numbers."""
        counts = Counter[str]()
        for row in self.rows:
            counts[row.verdict] += 1
            counts["missing on the left"] += row.missing == "left"
            counts["missing on the right"] += row.missing == "right"
            counts["with no number"] += row.was_compared and "nan" in row.compared.values.values()
            counts["empty"] += row.was_compared and _is_empty(row)
        names = ("ok", "bad", "not compared", "missing on the left", "missing on the right", "with no number", "empty")
        extra = {"extra on the left": len(self.extra_left), "extra on the right": len(self.extra)}
        return {"rows": len(self.rows), **{name: counts[name] for name in names}, **extra}

    @property
    def worst(self) -> list[Row]:
        """Rows that were compared, the worst first."""
        return sorted((row for row in self.rows if row.was_compared), key=badness, reverse=True)


def badness(row: Row) -> tuple[bool, float]:
    """Sorts rows by how bad they are: how far apart, where no number is the worst."""
    distance = row.value("RelativeEuclideanDistance")
    if distance is None or distance != distance:
        cosine = row.value("CosineSimilarity")
        distance = float("inf") if distance is not None or cosine is None else 1 - cosine
    return row.verdict == "bad", distance


def _is_empty(row: Row) -> bool:
    return "0" in row.shape.strip("[]").split(",")


def compare(
    left: str | Path | None,
    right: str | Path,
    *,
    om: str | Path | None = None,
    answers: Sequence[str | Path] = (),
    quantised: str | Path | None = None,
    wanted: Wanted | None = None,
    jobs: int | None = None,
    executor: str = "processes",
    done: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare every tensor of two sides, each a dump tree or a folder of `.npy` files, or the URL of one (a text).

    `om` is the offline model, or its JSON, which says what a device's tensors are in the original; `quantised` is
    AMCT's file. `answers` are what the device answered, a file an output of the offline model; then `left` is None.
    `executor` is `serial`, `processes`, `dask` or `dask://host:port`; `jobs` processes are used on this machine.
    `done` is told how many of how many pieces of work are done. Memory holds one tensor of each side a job. Raises
    UserError and ModelError where nothing can be compared; what is wrong with single tensors is in rows.
    """
    chosen = executor_of(executor)
    offline, told = _read(om), _read(quantised)
    files = [Path(file) for file in answers]
    if left is None or files:
        work = _answering(left, right, offline, told, files, wanted or Wanted())
    else:
        work = _prepared(left, right, offline, told, wanted or Wanted())
    try:
        return _compared(work, jobs or os.cpu_count() or 1, chosen, done)
    finally:
        work.close()


def _read(path: str | Path | None) -> OfflineModel | None:
    """An offline model, wherever it is."""
    with fetched(path) as held:
        if path is None or held is None:
            return None
        model = read_offline(held)
    model.path = Path(path)
    return model


def _compared(work: Work, jobs: int, executor: Executor, done: Callable[[int, int], None] | None) -> Comparison:
    rows: list[Row] = []
    pictured: list[Row] = []
    problems: list[str] = []
    keys, number = work.keys(), 0
    with closing(each(work, keys, jobs, executor)) as parts:
        for part in parts:
            for found in part.rows:
                for row in found:
                    judge(row)
                rows += found
                pictured = _worst_pictures([*pictured, *found])
                number += 1
                if done is not None:
                    done(number, len(keys))
            problems += part.problems
    extra_left, extra = work.extra(rows)
    told = dict.fromkeys([*(problem for tree in work.trees for problem in tree.problems), *problems])
    return Comparison(rows, work.columns, extra, extra_left, list(told))


def _worst_pictures(rows: list[Row]) -> list[Row]:
    """Those rows that have pictures; when they are many, the pictures of the better half go."""
    rows = [row for row in rows if row.further is not None and row.further.map]
    if len(rows) < 2 * PICTURED:
        return rows
    rows.sort(key=badness, reverse=True)
    for row in rows[PICTURED:]:
        assert row.further is not None
        row.further.map, row.further.histogram = [], []
    return rows[:PICTURED]


def _prepared(
    left: str | Path, right: str | Path, offline: OfflineModel | None, told: OfflineModel | None, wanted: Wanted
) -> Work:
    likely = _likely(offline)
    sides = open_side(left, likely), open_side(right, likely)
    kinds = is_truth(sides[0]), is_truth(sides[1])
    if kinds == (True, False):
        raise user_error(
            "bad-arguments", "ground truth on the left, a device's dumps on the right", help="give them the other way"
        )
    if kinds[0] == kinds[1]:
        if offline is not None or told is not None:
            what = "folders of ground truth" if kinds[0] else "dump trees"
            raise user_error("bad-arguments", f"two {what} are compared by name: no offline model is needed")
        return Truths(*sides, wanted) if kinds[0] else Devices(*sides, wanted)
    if offline is None:
        raise _no_model()
    return Groups(_fusion(offline, told), *sides, wanted)


def _answering(
    left: str | Path | None,
    right: str | Path,
    offline: OfflineModel | None,
    told: OfflineModel | None,
    answers: list[Path],
    wanted: Wanted,
) -> Work:
    if left is not None or not answers:
        raise user_error("bad-arguments", "the left side is a folder or what the device answered, one of the two")
    if offline is None:
        raise _no_model()
    side = open_side(right, _likely(offline))
    if not is_truth(side):
        what = f"`{side.place.shown(side.execution.folder)}` holds a device's dumps, which have the answer too"
        raise user_error("bad-arguments", what, help="hold the answer against the original, or its ground truth")
    fusion = _fusion(offline, told)
    return Answers(fusion, answers_of(offline, fusion, answers), side, wanted)


def _no_model() -> UserError:
    return user_error(
        "bad-arguments",
        "only the offline model says which original tensor a device's is",
        help="give it, or its JSON, with `--om`",
    )


def _likely(offline: OfflineModel | None) -> tuple[str, ...]:
    """What the folder of the model's dumps may be called."""
    return (offline.name, offline.path.stem) if offline is not None else ()


def _fusion(offline: OfflineModel, told: OfflineModel | None) -> Fusion:
    fusion = fusion_of(offline, told)
    if not fusion.groups:
        raise user_error("bad-arguments", f"`{offline.path}` has no operator")
    return fusion
