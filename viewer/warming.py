"""What makes later answers fast, done while the page draws its first picture: indexes, and what is constant."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from subcut.compiler.errors import ModelError
from subcut.compiler.ir.constants import is_constant
from subcut.compiler.pipeline import no_collection
from subcut.dsl.parser import parse
from subcut.viewer.session import Session

TEXTS = 4096
"""Of how many operators the attributes are read in one step."""
PAUSE = 0.002
"""Seconds between two steps: whoever waits for the lock gets it only when it is free for a moment."""


def warm(session: Session) -> None:
    """Build what selections need, a step at a time, so that a question in between need not wait long."""
    shown = session.models[0]
    graph, dialect, known = shown.model.main, shown.model.dialect, shown.constants
    main = shown.names.main
    steps: list[Callable[[], object]] = [
        lambda: parse("all"),
        lambda: shown.ids(graph),
        lambda: main.ops,
        lambda: main.by_result,
        main.flow.index,
        lambda: [is_constant(op, dialect, known) for op in graph.ops],
        lambda: main.values,
    ]
    steps += [partial(shown.texts, graph, end + TEXTS) for end in range(0, len(graph.ops), TEXTS)]
    for step in steps:
        with session.lock, no_collection():
            try:
                session.check()
            except ModelError:  # which is told to who asks
                return
            step()
        time.sleep(PAUSE)
