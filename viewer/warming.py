"""What makes later answers fast, done while the page draws its first picture: indexes, and what is constant."""

from __future__ import annotations

from collections.abc import Callable

from subcut.compiler.ir.constants import is_constant
from subcut.compiler.pipeline import no_collection
from subcut.dsl.parser import parse
from subcut.viewer.session import Session


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
    for step in steps:
        with session.lock, no_collection():
            step()
