"""Searches that the page cannot do itself: attributes, and the graphs that it has not fetched."""

from __future__ import annotations

import re
from typing import Any

from subcut.compiler.ir.graph import Graph, Op
from subcut.dsl.names import handle
from subcut.viewer.answers import BadRequest
from subcut.viewer.session import Shown

KINDS = ("", "op", "type", "tensor", "attr")
"""What may hold the text: anything, names of operators, their types, names of tensors, attributes."""
MOST = 200
"""Hits in other graphs; who wants more opens the graph."""


def by_attribute(shown: Shown, graph: Graph, query: str) -> list[int]:
    """The operators whose attributes hold a text, whatever its case; between slashes it is a regular expression."""
    texts = shown.texts(graph)
    if len(query) > 2 and query[0] == query[-1] == "/":
        try:
            pattern = re.compile(query[1:-1], re.IGNORECASE)
        except re.error as error:
            raise BadRequest(f"no regular expression: {error}") from None
        return [place for place, text in enumerate(texts) if pattern.search(text)]
    wanted = query.casefold()
    return [place for place, text in enumerate(texts) if wanted in text]


def elsewhere(shown: Shown, graph: Graph, query: str, kind: str) -> list[dict[str, Any]]:
    """Where the bodies, the functions and the main graph hold a text, all but `graph`, at most `MOST`."""
    wanted = query.casefold()
    found: list[dict[str, Any]] = []
    for key, other in shown.graphs.items():
        if other is graph:
            continue
        texts = shown.texts(other) if kind in ("", "attr") else [""] * len(other.ops)
        for place, op in enumerate(other.ops):
            if wanted in texts[place] or any(wanted in word.casefold() for word in _words(op, kind)):
                found.append({"graph": key, "op": place, "name": op.name or handle(op), "type": op.type})
                if len(found) == MOST:
                    return found
    return found


def _words(op: Op, kind: str) -> list[str]:
    words = {"op": [op.name or handle(op)], "type": [op.type], "tensor": [value.name for value in op.results]}
    return [word for name, told in words.items() if kind in ("", name) for word in told]
