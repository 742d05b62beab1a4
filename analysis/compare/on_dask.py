"""The pieces of work on a Dask cluster: what names the sides goes to each worker once, rows come back, no tensors do.

A worker indexes the folders itself when its first piece of work arrives, and reads its own files. A worker that joins
later, or begins again after it died, is told as the others were: the work is a plug-in, which the scheduler keeps.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import pickle
import signal
import sys
import tempfile
import threading
import uuid
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from typing import Any

import subcut
from subcut.analysis.compare.executors import AHEAD, Done, accepted, do
from subcut.analysis.compare.work import Work
from subcut.compiler.errors import MissingExtra, SubcutError, UserError, user_error

try:
    import dask
    import distributed
except ImportError:
    raise MissingExtra("distributed", "dask", "compare on a Dask cluster") from None

CONNECT = 10.0
"""Seconds that a scheduler has to answer, and a first worker to join."""
PATIENCE = 60.0
"""Seconds without any worker after which nobody is waited for."""
_LOOK = 5.0
"""Seconds between looks at whether there still is a worker."""
_SAME = ("distributed", "msgpack")
"""What scheduler, workers and this side must have alike: it is what they talk in."""

_dask: Any = dask
_distributed: Any = distributed
"""They say no types."""


def facts() -> dict[str, str]:
    """What a worker must have as we do, for its rows to be the rows that we would make."""
    python = "{}.{}".format(*sys.version_info[:2])
    return {"subcut": subcut.__version__, "numpy": importlib.metadata.version("numpy"), "Python": python}


class Told(_distributed.WorkerPlugin):  # type: ignore[misc]
    """What a worker is told: the work, pickled, which it opens when the first piece arrives."""

    def __init__(self, name: str, work: Work, deaf: bool = False) -> None:
        """`deaf` workers are processes of this command: ctrl-C reaches them too, and is ours to heed."""
        self.name, self.deaf = name, deaf
        self.facts = facts()
        self._pickled = pickle.dumps(work)
        self._lock: Any = None
        self._work: Work | None = None
        self.stopped = False

    def setup(self, worker: object) -> None:
        """Dask's: the worker was told."""
        del worker
        self._lock = threading.Lock()
        if self.deaf:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def teardown(self, worker: object) -> None:
        """Dask's: it is over."""
        del worker
        self.stopped = True
        if self._work is not None:
            self._work.close()
        self._work = None

    def work(self) -> Work:
        """The work, opened. Raises what opening its folders does, and UserError `version-mismatch`."""
        with self._lock:
            work = self._work
            if work is None:
                for what, mine in facts().items():
                    _compare_versions(what, mine, self.facts[what])
                work = self._work = pickle.loads(self._pickled)
            return work


def _compare_versions(what: str, theirs: object, mine: object, who: str = "a worker") -> None:
    if theirs != mine:
        raise user_error(
            "version-mismatch",
            f"{who} has {what} {theirs}, and here it is {mine}",
            help="install the same on both: another version may make other numbers, or speak another language",
        )


def _do(name: str, keys: list[str]) -> Done | str:
    """On a worker: what came of pieces of work, or why it refuses any."""
    worker = _distributed.get_worker()
    told: Told = worker.plugins[name]
    try:
        work = told.work()
    except SubcutError as error:
        return f"{worker.address} cannot begin: {error}"
    return do(work, keys, lambda: told.stopped)


def each_on_dask(work: Work, parts: list[list[str]], address: str, jobs: int) -> Generator[Done, None, None]:
    """What comes of all parts, in their order. `address` is the scheduler's; without one, a cluster is made here.

    Raises UserError `no-scheduler`, `version-mismatch`, `worker-refused`.
    """
    with _connected(address, jobs) as client:
        name = f"subcut-{uuid.uuid4().hex}"
        try:
            client.register_plugin(Told(name, work, deaf=not address), name=name)
        except ImportError as error:
            raise user_error(
                "worker-refused", f"a worker lacks what is needed: {error}", help="`pip install subcut` where it runs"
            ) from None
        try:
            yield from _in_order(_Cluster(client, name, work), parts)
        finally:
            if address:  # another one ends with its workers
                _quietly(client.unregister_worker_plugin, name)


def _quietly(action: Any, *arguments: object) -> None:
    """Tidy up on a cluster that may be gone by now: then there is nothing left to tidy."""
    try:
        action(*arguments)
    except (OSError, RuntimeError, ValueError, asyncio.TimeoutError, TimeoutError, CancelledError):
        return


@contextmanager
def _connected(address: str, jobs: int) -> Generator[Any, None, None]:
    with ExitStack() as stack:
        where: Any = f"tcp://{address}"
        if not address:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="subcut-"))
            stack.enter_context(_dask.config.set({"temporary-directory": folder}))
            where = stack.enter_context(
                _distributed.LocalCluster(
                    n_workers=jobs,
                    threads_per_worker=1,
                    memory_limit=0,  # large files are mapped, which its count of memory takes for the process's own
                    dashboard_address="127.0.0.1:0",  # any free port: nobody is asked
                )
            )
        try:
            client = stack.enter_context(_distributed.Client(where, timeout=CONNECT, set_as_default=False))
            client.wait_for_workers(1, timeout=CONNECT)
        except (OSError, ValueError, asyncio.TimeoutError, TimeoutError) as error:
            raise _unreachable(address, error) from None
        _check(client.get_versions())
        yield client


def _unreachable(address: str, error: BaseException) -> UserError:
    return user_error(
        "no-scheduler",
        f"no Dask scheduler with a worker answers at `{address}`: {error}",
        help=["`dask scheduler` starts one, `dask worker HOST:PORT` a worker", "`--executor processes` needs neither"],
    )


def _check(versions: dict[str, Any]) -> None:
    """Raise UserError where scheduler or a worker cannot talk with us."""
    mine = versions["client"]["packages"]
    for what in _SAME:
        _compare_versions(what, versions["scheduler"]["packages"].get(what), mine.get(what), "the scheduler")
        for told in versions["workers"].values():
            _compare_versions(what, told["packages"].get(what), mine.get(what))


class _Cluster:
    """A cluster that was told of the work."""

    def __init__(self, client: Any, name: str, work: Work) -> None:
        self.client, self.name, self.work = client, name, work
        self.idle = 0.0
        """Seconds since a worker was seen."""

    def submit(self, keys: list[str]) -> Any:
        """A future of pieces of work."""
        return self.client.submit(_do, self.name, keys, pure=False)

    def ahead(self) -> int:
        """How many parts may be in flight."""
        threads: dict[str, int] = self.client.nthreads()
        return AHEAD * max(sum(threads.values()), 1)

    def result(self, future: Any, keys: list[str], *, alone: bool = False) -> Done:
        """What came of a part, waited for. Parts whose worker died are done by others, up to Dask's own limit; after
        that each piece is done again alone, for its neighbours die with it, and the one that kills is said in a row."""
        try:
            return accepted(self._waited(future))
        except _distributed.KilledWorker:
            if alone:
                row = self.work.lost(keys[0])
                row.note = "every worker that compared it died"
                return Done([[row]])
        singles = [self.result(self.submit([key]), [key], alone=True) for key in keys]
        return Done([rows for one in singles for rows in one.rows], [said for one in singles for said in one.problems])

    def _waited(self, future: Any) -> Done | str:
        while True:
            try:
                found: Done | str = future.result(timeout=_LOOK)
                return found
            except CancelledError:
                raise self._gone() from None
            except (asyncio.TimeoutError, TimeoutError):
                if future.done():  # it is not the waiting that failed
                    raise
                self._look()

    def _look(self) -> None:
        """Raise UserError where there has been no worker for long, or the scheduler is gone."""
        try:
            self.idle = 0.0 if self.client.nthreads() else self.idle + _LOOK
        except (OSError, asyncio.TimeoutError, TimeoutError):
            raise self._gone() from None
        if self.idle >= PATIENCE:
            raise user_error("no-scheduler", f"the Dask cluster has had no worker for {self.idle:.0f} seconds")

    def _gone(self) -> UserError:
        return user_error("no-scheduler", "the Dask scheduler went away before the work was done")


def _in_order(cluster: _Cluster, parts: list[list[str]]) -> Iterator[Done]:
    ahead = cluster.ahead()
    waiting: deque[tuple[Any, list[str]]] = deque()
    try:
        for part in parts:
            waiting.append((cluster.submit(part), part))
            if len(waiting) >= ahead:
                yield _next(cluster, waiting)
        while waiting:
            yield _next(cluster, waiting)
    finally:
        _quietly(cluster.client.cancel, [future for future, _ in waiting])


def _next(cluster: _Cluster, waiting: deque[tuple[Any, list[str]]]) -> Done:
    """What came of the first that waits, which waits until then: it is cancelled with the others."""
    found = cluster.result(*waiting[0])
    waiting.popleft()
    return found
