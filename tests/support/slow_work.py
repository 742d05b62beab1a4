"""The process of a job that takes its time where a test says so, and goes on when the test lets it.

`SUBCUT_TEST_WORK` is a folder. In it, `stage` names the stage that the process stops at: when it has written something
there, or as the stage begins where that writes nothing; at `types`, types are found but not told. It then leaves its
number in `held`, and waits for `go`. The file `pace` says how many seconds it rests after each piece that it writes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from subcut.viewer import work
from support.models import ROOT

FOLDER = "SUBCUT_TEST_WORK"
QUIET = ("verifying",)
"""Stages that write nothing."""


@dataclass
class Held:
    """A job as the test sees it."""

    folder: Path

    @property
    def process(self) -> int | None:
        """The number of the process, once it is held."""
        held = self.folder / "held"
        return int(held.read_text()) if held.exists() else None

    @property
    def alive(self) -> bool:
        """Whether the process that was held is there."""
        assert self.process is not None
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        return True

    def go(self) -> None:
        """Let this job go on, and those that come."""
        (self.folder / "go").touch()


@contextmanager
def slowed(folder: Path, stage: str = "writing", pace: float = 0) -> Iterator[Held]:
    """Jobs that begin meanwhile are held at a stage, or take a while for each piece."""
    folder.mkdir()
    (folder / "stage").write_text(stage)
    (folder / "pace").write_text(str(pace))
    paths = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    with (
        patch("subcut.viewer.jobs.PROGRAM", "support.slow_work"),
        patch.dict(os.environ, {FOLDER: str(folder), "PYTHONPATH": paths}),
    ):
        yield Held(folder)


class Slow(work.Teller):
    """Says what the job does, and waits."""

    def __init__(self, out: work.IO[str]) -> None:
        super().__init__(out)
        self._folder = Path(os.environ[FOLDER])

    def tell(self, kind: str, **facts: Any) -> None:
        if kind == "types":
            self._stage = kind
            self._hold()
        super().tell(kind, **facts)

    def stage(self, text: str) -> None:
        super().stage(text)
        if text in QUIET:
            self._hold()

    def advance(self, count: int, size: int) -> None:
        super().advance(count, size)
        time.sleep(float((self._folder / "pace").read_text()))
        self._hold()

    def _hold(self) -> None:
        if self._stage != (self._folder / "stage").read_text() or (self._folder / "go").exists():
            return
        (self._folder / "held.new").write_text(str(os.getpid()))
        (self._folder / "held.new").rename(self._folder / "held")
        while not (self._folder / "go").exists():
            time.sleep(0.02)


if __name__ == "__main__":
    work.Teller = Slow  # type: ignore[misc]
    work.main()
