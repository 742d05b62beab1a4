"""Who does the pieces of work: this process, several of this machine, or a Dask cluster; rows come back in order."""

from __future__ import annotations

import pickle
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from subcut.analysis.compare.rows import Row
from subcut.analysis.compare.work import Work
from subcut.compiler.errors import SubcutError, user_error

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing.synchronize import Event

TOGETHER = 8
"""Pieces of work that another process is given at a time."""
AHEAD = 4
"""Such parts that wait for each process: what is in flight is bounded."""
_FEW = 64
"""Up to so many pieces of work, other processes cost more than they save, unless there is much to read."""
_MUCH = 256 << 20
_DASK = "dask://"


@dataclass(frozen=True)
class Executor:
    """Where the work is done."""

    kind: str = "processes"
    """`serial`, `processes` or `dask`."""
    address: str = ""
    """Of Dask's scheduler, `host:port`; empty for a cluster of this machine's own."""


@dataclass
class Done:
    """What came of some pieces of work."""

    rows: list[list[Row]]
    """A list a piece."""
    problems: list[str] = field(default_factory=list[str])
    """What was found wrong with folders and names on the way."""


def executor_of(text: str) -> Executor:
    """`serial`, `processes`, `dask` or `dask://host:port`. Raises UserError."""
    if text in ("serial", "processes", "dask"):
        return Executor(text)
    host, colon, port = text.removeprefix(_DASK).rpartition(":")
    if text.startswith(_DASK) and host and colon and port.isascii() and port.isdecimal():
        return Executor("dask", f"{host}:{port}")
    raise user_error(
        "bad-arguments",
        f"`{text}` is no executor",
        help="one of `serial`, `processes`, `dask` (a cluster on this machine) and `dask://host:port`",
    )


def each(work: Work, keys: list[str], jobs: int, executor: Executor) -> Generator[Done, None, None]:
    """What comes of all pieces of work, in their order, some at a time. Closed early, it ends what it started."""
    if executor.kind == "dask":
        from subcut.analysis.compare.on_dask import each_on_dask

        return each_on_dask(work, parts(keys), executor.address, jobs)
    jobs = min(jobs, -(-len(keys) // TOGETHER))
    private = any(tree.place.private for tree in work.trees)
    if executor.kind == "serial" or private or jobs < 2 or (len(keys) <= _FEW and _size(work) < _MUCH):
        return (do(work, [key]) for key in keys)
    return _in_processes(work, parts(keys), jobs)


def parts(keys: list[str]) -> list[list[str]]:
    """Pieces of work as they are handed out."""
    return [keys[start : start + TOGETHER] for start in range(0, len(keys), TOGETHER)]


def do(work: Work, keys: Sequence[str], stopped: Callable[[], bool] = bool) -> Done:
    """Do pieces of work, as long as nobody has `stopped` it."""
    known = [len(tree.problems) for tree in work.trees]
    rows = [work.rows(key) for key in keys if not stopped()]
    new = [problem for tree, count in zip(work.trees, known, strict=True) for problem in tree.problems[count:]]
    return Done(rows, new)


def _size(work: Work) -> int:
    """Bytes of the files of both sides."""
    return sum(tree.place.size(tree.execution.folder) for tree in work.trees)


def _in_processes(work: Work, parts: list[list[str]], jobs: int) -> Generator[Done, None, None]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(jobs, context, _begin, (pickle.dumps(work), stop)) as pool:
        try:
            yield from _in_order(pool, parts, AHEAD * jobs)
        except BrokenProcessPool:
            raise user_error(
                "worker-died",
                "a process that compared tensors was killed, or could not begin",
                help=["where memory was short, fewer need less: `-j 2`", "`--executor serial` shows which it is"],
            ) from None
        finally:
            stop.set()  # the pool waits for what it has begun


def _in_order(pool: ProcessPoolExecutor, parts: list[list[str]], ahead: int) -> Iterator[Done]:
    waiting: deque[Future[Done | str]] = deque()
    try:
        for part in parts:
            waiting.append(pool.submit(_do, part))
            if len(waiting) >= ahead:
                yield accepted(waiting.popleft().result())
        while waiting:
            yield accepted(waiting.popleft().result())
    finally:
        for future in waiting:
            future.cancel()


def accepted(found: Done | str) -> Done:
    """What came of pieces of work. Raises UserError where nothing did, because the work could not even be opened."""
    if isinstance(found, Done):
        return found
    raise user_error("worker-refused", found, help="name files by paths that every worker sees, or by URLs")


@dataclass
class _Mine:
    """What this process is to do, pickled until the first piece arrives."""

    pickled: bytes
    stop: Event
    work: Work | None = None


_mine: list[_Mine] = []


def _begin(work: bytes, stop: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C reaches every process; the first one ends the others
    _mine[:] = [_Mine(work, stop)]


def _do(keys: list[str]) -> Done | str:
    mine = _mine[0]
    try:
        work = mine.work or pickle.loads(mine.pickled)
    except SubcutError as error:
        return f"a process cannot begin: {error}"
    mine.work = work
    return do(work, keys, mine.stop.is_set)
