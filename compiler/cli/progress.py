"""A progress bar on a terminal, for work that takes longer than a second."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0
"""Seconds in which nothing is shown."""


class Bar:
    """`with Bar() as bar: bar.stage("writing"); bar.advance(done, size)`. Nothing is shown in the first second.

    The bar pulses until something is told of the size of the work. It goes away when the work is done.
    """

    def __init__(self, hidden: bool = False, *, counts: bool = False) -> None:
        """`counts` shows how many of how many things are done, not bytes."""
        self._counts = counts
        self._timer = None if hidden or not sys.stderr.isatty() else threading.Timer(PATIENCE, self._show)
        self._lock = threading.Lock()
        self._text = ""
        self._done = 0
        self._total: int = 0
        self._shown: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Bar:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._shown is not None:
            self._shown[0].stop()

    def stage(self, text: str) -> None:
        """Say what is being done; how much of it is not known yet."""
        with self._lock:
            self._text, self._done, self._total = text, 0, 0
            if self._shown is not None:
                progress, task = self._shown
                progress.remove_task(task)  # the total of a task, once known, is never unknown again
                self._shown = progress, progress.add_task(text, total=None)

    def advance(self, count: int, size: int) -> None:
        """Say that `count` more bytes are done, of a file of `size` bytes; one file is written after the other."""
        with self._lock:
            if self._done == self._total:
                self._total += size
            self._done += count
            if self._shown is not None:
                progress, task = self._shown
                progress.update(task, completed=self._done, total=self._total)

    def reach(self, text: str, done: int, total: int) -> None:
        """Say what is being done, and that `done` of at most `total` things are."""
        with self._lock:
            self._text, self._done, self._total = text, done, total
            if self._shown is not None:
                progress, task = self._shown
                progress.update(task, description=text, completed=done, total=total)

    def print(self, text: str, *, error: bool = False) -> None:
        """Print to standard output, or to standard error, without disturbing the bar."""
        with self._lock:
            if self._shown is not None:
                self._shown[0].stop()
            print(text, file=sys.stderr if error else sys.stdout, flush=True)
            if self._shown is not None:
                self._shown[0].start()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        amount = MofNCompleteColumn() if self._counts else DownloadColumn()
        columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeElapsedColumn())
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        with self._lock:
            task = progress.add_task(self._text, total=self._total or None, completed=self._done)
            self._shown = progress, task
            progress.start()
