"""What the server holds: the models that were read, and what is known of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import ModelError
from subcut.compiler.formats import ReadOptions
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.types import TensorType
from subcut.dsl.names import Names
from subcut.viewer.columns import Ids, columns, label
from subcut.viewer.layouts import layouts

if TYPE_CHECKING:
    from subcut.compiler.alignment.twin import Twin, TwinOptions
    from subcut.viewer.overlay import Overlay

ORIGINAL, OFFLINE, OTHER = "original", "offline", "other"


class Shown:
    """A model that the page shows, and its graphs by the keys that the page calls them by."""

    def __init__(self, model: Model, path: Path, side: str) -> None:
        self.model = model
        self.path = path
        self.side = side
        self._ids: dict[Graph, Ids] = {}
        self._texts: dict[Graph, list[str]] = {}
        self._layouts: dict[Graph, dict[Value, str]] = {}
        self.constants: dict[Op, bool] = {}
        """Which operators are computed from stored constants alone, as far as that was asked."""

    @property
    def twin(self) -> Twin | None:
        """What is known of the offline model that was made of this one."""
        aligner = self.model.aligner
        if aligner is None:
            return None
        from subcut.compiler.alignment.twin import Twin  # who has no device waits for nothing of it

        return aligner if isinstance(aligner, Twin) else None

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
        """The columns of a graph, the graphs inside its operators, and what a device made of it."""
        graph = self.graphs[key]
        found: dict[str, Any] = {**columns(self.ids(graph), self.layouts(graph)), "bodies": self._bodies(graph)}
        if self.twin is not None and graph is self.model.main:
            return {**found, **self._device(self.twin, graph)}
        return {**found, "fused": [], "dumped": []}

    def _bodies(self, graph: Graph) -> dict[int, list[dict[str, str]]]:
        """By operator: its bodies, and the functions that it calls."""
        found: dict[int, list[dict[str, str]]] = {}
        for place, op in enumerate(graph.ops):
            if (op.regions or op.symbols) and (inner := self.inner(op)):
                found[place] = inner
        return found

    def inner(self, op: Op) -> list[dict[str, str]]:
        """The bodies of an operator, and the functions that it calls."""
        bodies = [{"key": self.key(region), "name": region.name} for region in op.regions]
        return bodies + [{"key": f"f:{name}", "name": name} for name in op.symbols if name in self.model.functions]

    def _device(self, twin: Twin, graph: Graph) -> dict[str, Any]:
        """The offline operators with what they cover, and the operators of which a tensor is stored."""
        ids = self.ids(graph)
        fused = [
            {"name": g.holder, "type": g.type, "ops": ids.many(twin.members(g.holder)), "stored": bool(g.files)}
            for g in twin.groups(graph.ops)
        ]
        rows = ((place, twin.row(value)) for place, op in enumerate(graph.ops) for value in op.results)
        dumped = dict.fromkeys(place for place, row in rows if row is not None and row.stored is not None)
        return {"fused": fused, "dumped": list(dumped)}

    def layouts(self, graph: Graph) -> dict[Value, str]:
        """The layouts of a graph's tensors whose types say none; told by operators, then by the offline model."""
        if graph not in self._layouts:
            found = layouts(graph)
            twin = self.twin if graph is self.model.main else None
            for row in twin.rows.values() if twin is not None else ():
                type = row.value.type
                if row.layout and isinstance(type, TensorType) and len(type.shape or ()) == len(row.layout):
                    found.setdefault(row.value, row.layout)
            self._layouts[graph] = found
        return self._layouts[graph]

    def label(self, value: Value) -> str:
        """What stands on the edges of a tensor."""
        graph = value.graph
        return label(value.type, self.layouts(graph).get(value, "") if graph is not None else "")

    def retyped(self) -> None:
        """Types were found: what followed from them is put together anew."""
        self._layouts.clear()

    def texts(self, graph: Graph, until: int | None = None) -> list[str]:
        """The attributes of each operator as one text, for the search; of those from `until` on only if known."""
        from subcut.viewer.details import searchable

        texts = self._texts.setdefault(graph, [])
        texts += map(searchable, graph.ops[len(texts) : until])
        return texts

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
    """The original first."""
    output: Path
    """Where exports go: the one folder that is written."""
    selection: str = ""
    """What is selected at first."""
    reading: ReadOptions = field(default_factory=ReadOptions)
    device: TwinOptions | None = None
    overlay: Overlay | None = None
    freezes: tuple[str, ...] = ()
    """Files of numbers that the selection of the command line names: the page may name no others."""
    warnings: list[str] = field(default_factory=list[str])
    typed: bool = True
    """Whether inference has found what it can of the original's types."""
    question: dict[str, Any] | None = None
    """Whether to go on although the offline model was made of a model of another name (row S2)."""

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        """Held by whoever looks into a model: attributes and types are filled in where they are asked for."""

    def check(self) -> None:
        """Raise ModelError where a file was written again: what is shown is not what would be read now."""
        for source in (source for shown in self.models for source in shown.model.sources):
            if source.changed():
                raise ModelError(
                    source.path, "is another file than when it was opened: end `subcut view`, start it again"
                )

    def about(self) -> dict[str, Any]:
        """The answer to `GET /api/session`."""
        found: dict[str, Any] = {
            "models": [shown.about() for shown in self.models],
            "language": "",
            "output": str(self.output),
            "offline": self.device is not None,
            "dumps": self.device is not None and self.device.dumps is not None,
            "report": self.overlay is not None,
            "selection": self.selection,
            "warnings": self.warnings,
            "typed": self.typed,
        }
        return found if self.question is None else {**found, "question": self.question}
