"""A progress bar on a terminal, for work that takes longer than a second."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any


class Bar:
    """`with Bar() as bar: bar.stage("writing"); bar.advance(bytes)`. Nothing is shown in the first second."""

    def __init__(self, hidden: bool = False) -> None:
        self._hidden = hidden or not sys.stderr.isatty()
        self._started = time.monotonic()
        self._text = ""
        self._done = 0
        self._shown: Any = None
        self._task: Any = None

    def __enter__(self) -> Bar:
        if not self._hidden:
            import threading

            self._timer = threading.Timer(1.0, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._hidden:
            self._timer.cancel()
            self._timer.join()
        if self._shown is not None:
            self._shown.stop()

    def stage(self, text: str) -> None:
        """Say what is being done."""
        self._text, self._done = text, 0
        if self._shown is not None:
            self._shown.update(self._task, description=text, completed=0)

    def advance(self, count: int) -> None:
        """Say that `count` more bytes are done."""
        self._done += count
        if self._shown is not None:
            self._shown.update(self._task, completed=self._done)

    def print(self, text: str) -> None:
        """Print to standard output without disturbing the bar."""
        if self._shown is not None:
            self._shown.stop()
        print(text, flush=True)
        if self._shown is not None:
            self._shown.start()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TimeElapsedColumn())
        self._shown = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._shown.add_task(self._text, total=None, completed=self._done)
        self._shown.start()
