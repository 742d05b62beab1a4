"""What a page is told while work goes on, as server-sent events: numbered, kept, and told again to who missed some."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

HEARTBEAT = 15.0
"""Seconds of silence after which a sign of life is sent, so that a dead connection is noticed."""

Event = dict[str, Any]


class Events:
    """The events of the last job. Used in the server's loop only."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Event]] = []
        self._last = 0
        self._news = asyncio.Event()
        self._closed = False
        self.are_typed = False
        """Whether pages were told that types are known."""

    def typed(self) -> None:
        """Tell pages that the types of tensors are known now."""
        self.are_typed = True
        self._wake()

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def begin(self) -> None:
        """Forget the events of the job before."""
        self._kept.clear()

    def tell(self, event: Event) -> None:
        """Send an event, and keep it for pages that are reloaded; of a stage only how far it is now."""
        self._last += 1
        if self._kept and _same_stage(self._kept[-1][1], event):
            self._kept.pop()
        self._kept.append((self._last, event))
        self._wake()

    async def follow(self, after: int) -> AsyncGenerator[str, None]:
        """The text of the stream from event `after` on, until the server ends."""
        after = after if after <= self._last else 0  # a number of another run of the server
        yield "retry: 1000\n\n"
        said = False
        while not self._closed:
            if self.are_typed and not said:
                said = True
                yield f"event: types\ndata: {json.dumps({'kind': 'types', 'model': 0})}\n\n"
            for number, event in [one for one in self._kept if one[0] > after]:
                after = number
                yield f"id: {number}\ndata: {json.dumps(event)}\n\n"
            news = self._news
            if self._last > after or self.are_typed > said:
                continue
            try:
                await asyncio.wait_for(news.wait(), HEARTBEAT)
            except (asyncio.TimeoutError, TimeoutError):
                yield f"data: {json.dumps({'kind': 'heartbeat'})}\n\n"


def _same_stage(one: Event, other: Event) -> bool:
    return one["kind"] == other["kind"] == "progress" and one.get("stage") == other.get("stage")
