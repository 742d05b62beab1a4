"""What the server holds: the models that were read, and what is known of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from subcut.compiler.ir.graph import Graph, Model
from subcut.dsl.names import Names
from subcut.viewer.columns import Ids, columns

ORIGINAL, OFFLINE, OTHER = "original", "offline", "other"


class Shown:
    """A model that the page shows, and its graphs by the keys that the page calls them by."""

    def __init__(self, model: Model, path: Path, side: str) -> None:
        self.model = model
        self.path = path
        self.side = side
        self._ids: dict[Graph, Ids] = {}

    @cached_property
    def names(self) -> Names:
        """The index of the model's names, for the selection language."""
        return Names(self.model)

    @cached_property
    def graphs(self) -> dict[str, Graph]:
        """Every graph by its key: empty for the main one, `f:` and its name for a function, `b:` and a number."""
        functions = {graph: name for name, graph in self.model.functions.items()}
        found = {"": self.model.main}
        for number, graph in enumerate(self.model.graphs()):
            if graph is not self.model.main:
                found[f"f:{functions[graph]}" if graph in functions else f"b:{number}"] = graph
        return found

    def key(self, graph: Graph) -> str:
        """The key of a graph."""
        return "" if graph is self.model.main else self._keys[graph]

    @cached_property
    def _keys(self) -> dict[Graph, str]:
        return {graph: key for key, graph in self.graphs.items()}

    def ids(self, graph: Graph) -> Ids:
        """The numbers of a graph's operators."""
        if graph not in self._ids:
            self._ids[graph] = Ids(graph)
        return self._ids[graph]

    def columns(self, key: str) -> dict[str, Any]:
        """The columns of a graph, and the graphs inside its operators."""
        graph = self.graphs[key]
        return {**columns(self.ids(graph)), "bodies": self._bodies(graph)}

    def _bodies(self, graph: Graph) -> dict[int, list[dict[str, str]]]:
        """By operator: its bodies, and the functions that it calls."""
        found: dict[int, list[dict[str, str]]] = {}
        for place, op in enumerate(graph.ops):
            if not op.regions and not op.symbols:
                continue
            inner = [{"key": self.key(region), "name": region.name} for region in op.regions]
            inner += [{"key": f"f:{name}", "name": name} for name in op.symbols if name in self.model.functions]
            if inner:
                found[place] = inner
        return found

    def about(self) -> dict[str, Any]:
        """What the page says of the model."""
        values = sum(len(op.results) for op in self.model.main.ops) + len(self.model.main.inputs)
        return {
            "name": self.path.name,
            "format": self.model.dialect.name,
            "count": len(self.model.main.ops),
            "tensors": values,
            "side": self.side,
        }


@dataclass
class Session:
    """One run of the viewer."""

    models: list[Shown]
    output: Path
    selection: str = ""

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        """Held by whoever looks into a model: attributes and types are filled in where they are asked for."""

    def about(self) -> dict[str, Any]:
        """The answer to `GET /api/session`."""
        return {
            "models": [shown.about() for shown in self.models],
            "language": "",
            "output": str(self.output),
            "offline": None,
            "dumps": None,
            "report": None,
            "selection": self.selection,
            "warnings": [],
        }
