"""Signals that would kill the process become exceptions while there is something to clean up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Terminated(SystemExit):
    """The process was asked to end; its exit code is 128 plus the signal's number, as a shell reports it."""


class Interrupts:
    """Takes SIGINT, SIGTERM and SIGHUP over, where nobody else has, from `install` to `restore`.

    In a thread other than the main one, where Python allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self._old: dict[int, Any] = {}
        self._holding = False
        self._pending: int | None = None

    def install(self) -> None:
        """Take over the signals that would have their default effect."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                self._old[number] = signal.signal(number, self._arrived)

    def restore(self) -> None:
        """Give the signals back."""
        while self._old:
            signal.signal(*self._old.popitem())

    @contextmanager
    def held(self) -> Generator[None]:
        """A signal that arrives inside is raised at the end."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
            if self._pending is not None:
                self._raise(self._pending)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._holding:
            self._pending = number
        else:
            self._raise(number)

    def _raise(self, number: int) -> None:
        self._pending = None
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Terminated(128 + number)
