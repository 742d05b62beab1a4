"""A whole comparison: what kind of sides there are, the work spread over processes, and what it comes to.

result = compare("dumps/", "golden/", om="net.om")
result.rows, result.csv, result.counts
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Union

from subcut.analysis.compare.further import Wanted
from subcut.analysis.compare.groups import Groups
from subcut.analysis.compare.peers import Devices, Truths
from subcut.analysis.compare.rows import Columns, Row, csv_text
from subcut.analysis.compare.rules import Fusion, fusion_of
from subcut.analysis.compare.sides import is_truth, open_side
from subcut.analysis.compare.verdicts import judge
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.errors import user_error
from subcut.compiler.formats.ascend.offline import read_offline

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

Work = Union[Groups, Devices, Truths]
_FEW = 64
"""Up to so many pieces of work, other processes cost more than they save, unless there is much to read."""
_MUCH = 256 << 20
PICTURED = 500
"""Tensors that have pictures, at least: the worst ones. Those of a hundred thousand would fill the memory."""
_TOGETHER = 8
"""Pieces of work that a process is given at a time."""


@dataclass
class Comparison:
    """What comes out."""

    rows: list[Row]
    columns: Columns
    extra: list[str] = field(default_factory=list[str])
    """Ground truth that nothing was compared with: `operator.output`."""
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
        return {"rows": len(self.rows), **{name: counts[name] for name in names}, "extra on the right": len(self.extra)}

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
    left: str | Path,
    right: str | Path,
    *,
    om: str | Path | None = None,
    quantised: str | Path | None = None,
    wanted: Wanted | None = None,
    jobs: int | None = None,
    done: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Compare every tensor of two sides, each a dump tree or a folder of `.npy` files.

    `om` is the offline model, or its JSON, which says what a device's tensors are in the original; `quantised` is
    AMCT's file. `done` is told how many of how many pieces of work are done. Memory holds one tensor of each side a
    job. Raises UserError and ModelError where nothing can be compared; what is wrong with single tensors is in rows.
    """
    work = _prepared(Path(left), Path(right), om, quantised, wanted or Wanted())
    rows: list[Row] = []
    pictured: list[Row] = []
    keys = work.keys()
    for number, found in enumerate(_each(work, keys, jobs or os.cpu_count() or 1), 1):
        for row in found:
            judge(row)
        rows += found
        pictured = _worst_pictures([*pictured, *found])
        if done is not None:
            done(number, len(keys))
    columns = Columns(not is_truth(work.left), not is_truth(work.right))
    problems = [*work.left.problems, *work.right.problems]
    return Comparison(rows, columns, _extra(work, rows), problems)


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


def _prepared(left: Path, right: Path, om: str | Path | None, quantised: str | Path | None, wanted: Wanted) -> Work:
    offline = read_offline(om) if om is not None else None
    likely = (offline.name, Path(str(om)).stem) if offline is not None else ()
    sides = open_side(left, likely), open_side(right, likely)
    kinds = is_truth(sides[0]), is_truth(sides[1])
    if kinds == (True, False):
        raise user_error(
            "bad-arguments", "ground truth on the left, a device's dumps on the right", help="give them the other way"
        )
    if kinds[0] == kinds[1]:
        if offline is not None or quantised is not None:
            what = "folders of ground truth" if kinds[0] else "dump trees"
            raise user_error("bad-arguments", f"two {what} are compared by name: no offline model is needed")
        return Truths(*sides, wanted) if kinds[0] else Devices(*sides, wanted)
    if offline is None:
        raise user_error(
            "bad-arguments",
            "only the offline model says which original tensor a device's is",
            help="give it, or its JSON, with `--om`",
        )
    fusion = fusion_of(offline, read_offline(quantised) if quantised is not None else None)
    return Groups(_nonempty(fusion, offline.path), *sides, wanted)


def _nonempty(fusion: Fusion, path: Path) -> Fusion:
    if not fusion.groups:
        raise user_error("bad-arguments", f"`{path}` has no operator")
    return fusion


def _extra(work: Work, rows: list[Row]) -> list[str]:
    """Files of ground truth that no row names."""
    if not isinstance(work, Groups):
        return []
    used = {os.path.basename(row.right_path) for row in rows if row.right_path}
    left: dict[str, None] = {}
    for file in work.right.truths():
        if file.path.name not in used:
            left[f"{file.name.op_name}.{file.name.output}"] = None
    return list(left)


def _each(work: Work, keys: list[str], jobs: int) -> Iterator[list[Row]]:
    """The rows of each piece of work, in their order."""
    jobs = min(jobs, -(-len(keys) // _TOGETHER))
    if jobs < 2 or (len(keys) <= _FEW and _size(work.left) + _size(work.right) < _MUCH):
        for key in keys:
            yield work.rows(key)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin, (work,)) as pool:
        yield from _in_order(pool, keys, jobs)


def _in_order(pool: ProcessPoolExecutor, keys: list[str], jobs: int) -> Iterator[list[Row]]:
    parts = [keys[start : start + _TOGETHER] for start in range(0, len(keys), _TOGETHER)]
    waiting = [pool.submit(_rows, part) for part in parts[: 4 * jobs]]
    rest = iter(parts[4 * jobs :])
    try:
        while waiting:
            yield from waiting.pop(0).result()
            part = next(rest, None)
            if part is not None:
                waiting.append(pool.submit(_rows, part))
    finally:
        for future in waiting:
            future.cancel()


def _size(tree: DumpTree) -> int:
    """Bytes of the files of a side."""
    with os.scandir(tree.execution.folder) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file())


_mine: list[Work] = []
"""The work of this process."""


def _begin(work: Work) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C reaches every process; the first one ends the others
    _mine[:] = [work]


def _rows(keys: list[str]) -> list[list[Row]]:
    return [_mine[0].rows(key) for key in keys]
