"""Pieces of work that go wrong where they are done: they kill their process, cannot be opened, or never end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from subcut.analysis.compare.on_dask import each_on_dask
from subcut.analysis.compare.rows import Columns, Row
from subcut.analysis.compare.work import Work
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.errors import ModelError


class Deadly(Work):
    """A piece called `once` kills the first process that does it, one called `always` each, one called `slow` waits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def trees(self) -> list[DumpTree]:
        return []

    @property
    def columns(self) -> Columns:
        return Columns()

    def keys(self) -> list[str]:
        return []

    def rows(self, key: str) -> list[Row]:
        mark = self.folder / key
        if key == "slow":
            mark.touch()
            time.sleep(60)
        if key == "always" or (key == "once" and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [Row(0, "", key, key)]

    def lost(self, key: str) -> Row:
        return Row(0, "", key, key)


class Unseen(Deadly):
    """Its folder is not there for the worker."""

    def __reduce__(self) -> tuple[object, ...]:
        return _fail, (str(self.folder),)


def _fail(folder: str) -> Work:
    raise ModelError(folder, "cannot be read: No such file or directory")


def run(folder: str, address: str) -> None:
    """Work that never ends."""
    for done in each_on_dask(Deadly(Path(folder)), [["slow"]] * 100, address, 1):
        print(done)
