"""The one job at a time: an export or a verification, in a process of its own that can be ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pickle
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

from subcut.viewer.events import Event, Events
from subcut.viewer.work import Work

PROGRAM = "subcut.viewer.work"
"""The module that a job's process runs."""

PATIENCE = 10.0
"""Seconds that a process is given to clean up after it was told to end."""


class Busy(Exception):
    """Another job runs."""


class Jobs:
    """Starts jobs and passes on what they say. Used in the server's loop only."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self.exported: Path | None = None
        """The folder that was written last."""
        self._number = 0
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False

    @property
    def running(self) -> bool:
        """Whether a job runs."""
        return self._task is not None and not self._task.done()

    def start(self, work: Work) -> int:
        """Begin a job; returns its number. Raises Busy."""
        if self.running:
            raise Busy
        self._number += 1
        self._cancelled = False
        self.events.begin()
        self._tell({"kind": "progress", "stage": "starting", "done": 0, "total": 0, "what": work.what})
        self._task = asyncio.create_task(self._run(work))
        return self._number

    async def cancel(self) -> bool:
        """End the job that runs, and wait until it has cleaned up; False where none runs."""
        if not self.running:
            return False
        self._cancelled = True
        while self._process is None and self.running:  # it is being started
            await asyncio.sleep(0.01)
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        assert self._task is not None
        try:
            await asyncio.wait_for(asyncio.shield(self._task), PATIENCE)
        except (asyncio.TimeoutError, TimeoutError):
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await self._task
        return True

    def _tell(self, event: Event) -> None:
        self.events.tell({**event, "job": self._number})

    async def _run(self, work: Work) -> None:
        last: Event | None = None
        try:
            self._process = process = await started(work)
            async for event in told(process):
                if event["kind"] in ("done", "failed"):
                    last = event  # told when the process is gone, and another may begin
                else:
                    self._tell(event)
            code = await process.wait()
        except Exception as error:
            self._tell(_failed("bug", f"the job could not be run: {error}"))
            raise
        finally:
            self._process = None
        if last is None:
            stopped = _failed("cancelled", "cancelled: nothing was written")
            last = stopped if self._cancelled else _failed("bug", f"the job ended by itself, with code {code}")
        if last["kind"] == "done" and work.what == "export":
            self.exported = Path(last["folder"])
        self._tell(last)


class Inference:
    """Looks for types once, beside whatever else runs; `take` is given what was found."""

    def __init__(self, take: Callable[[Event], Awaitable[None]]) -> None:
        self._take = take
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: Work) -> None:
        """Begin, unless that was done before."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(work))

    async def close(self) -> None:
        """End it, and wait until it has."""
        if self._task is None:
            return
        while self._process is None and not self._task.done():  # it is being started
            await asyncio.sleep(0.01)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._task

    async def _run(self, work: Work) -> None:
        self._process = process = await started(work)
        async for event in told(process):
            if event["kind"] == "types":
                await self._take(event)
        await process.wait()


def _failed(code: str, message: str) -> Event:
    return {"kind": "failed", "code": code, "message": message, "help": [], "diagnostics": []}


async def told(process: asyncio.subprocess.Process) -> AsyncGenerator[Event, None]:
    """What a process says."""
    assert process.stdout is not None
    async for line in process.stdout:
        yield json.loads(line)


async def started(work: Work) -> asyncio.subprocess.Process:
    """The process, told what to do. It ends when its standard input does: with this server at the latest."""
    environment: dict[str, Any] = {**os.environ, "PYTHONSAFEPATH": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        PROGRAM,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
        env=environment,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(pickle.dumps(work))
    await process.stdin.drain()
    return process
