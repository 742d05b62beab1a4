"""Runs a GraphDef again and again in one session on the same feeds, giving out a slice of its tensors each time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats.tensorflow.flow import ENTER, EXIT, MERGE, NEXT, SWITCH, flow_of
from subcut.compiler.formats.tensorflow.framework import tensorflow
from subcut.compiler.formats.tensorflow.regions import TABLES, VARIABLES, is_token
from subcut.compiler.formats.tensorflow.run import Session, complaining, load_graph, session_config
from subcut.compiler.formats.tensorflow.signatures import signature
from subcut.compiler.formats.tensorflow.writer import graph_def
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.storage.files import SourceFile

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_LOAD, _RUN = 2, 5
"""How often the weights are in memory once the graph is there, and how often more while it runs."""
_FLOW = (*ENTER, *EXIT, *MERGE, *NEXT, *SWITCH, "LoopCond")


class Prepared:
    """See `subcut.compiler.formats.Prepared`."""

    def __init__(self, model: Model, feeds: Mapping[str, Array], scratch: Path) -> None:
        self._tf = tensorflow("run the model")
        self.version = f"tensorflow {self._tf.__version__}"
        self._model = model
        self._values = {value.name: value for value in model.main.values()}
        self._feeds = {self._values[name]: array for name, array in feeds.items()}
        self.drawn = [op for op in model.main.ops if _draws(op)]
        self._drawn: dict[Value, Any] = {}
        """What random operators gave in the first run, which all later ones are fed."""
        self._keeps = any(op.type in (*VARIABLES, *TABLES) for op in model.main.ops)
        """Whether a session has something that another one has not."""
        self._size = graph_def(model).size
        self._flow = flow_of(model.main)

    @cached_property
    def _graph(self) -> Any:
        return load_graph(self._tf, self._model)

    @cached_property
    def _session(self) -> Any:
        return self._tf.compat.v1.Session(graph=self._graph, config=session_config(self._tf))

    def files(self) -> list[SourceFile]:
        """The model's own."""
        return list(self._model.sources)

    def sizes(self, fetch: Sequence[str]) -> dict[str, int | None]:
        """From the types where these say everything, else from a run that gives out every tensor's shape."""
        tf, run = self._tf, self._run()
        wanted = {name: self._values[name] for name in fetch}
        with self._complaining():
            alive = run.present(wanted)
            tensors = {name: run.tensor(value) for name, value in alive.items()}
            counts = {name: tensor.shape.num_elements() for name, tensor in tensors.items()}
            vague = [name for name, count in counts.items() if count is None]
            with self._graph.as_default():
                asked = [tf.size(tensors[name], out_type=tf.int64) for name in vague]
            found: list[Any] = self._session.run(asked, run.feed_dict) if asked else []
        counts.update(zip(vague, map(int, found), strict=True))
        return {name: count * max(tensors[name].dtype.size or 0, 1) for name, count in counts.items()}

    def overhead(self) -> int:
        """Seen with TensorFlow 2.21: loading leaves the weights there twice, and a run has them five times more."""
        return (_RUN if "_graph" in self.__dict__ else _LOAD + _RUN) * self._size

    def run(self, fetch: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Each array is let go here when the next one is asked for."""
        self._draw()
        run = self._run()
        with self._complaining():
            found = run.fetch({name: self._values[name] for name in fetch})
        if not self._keeps:  # or it would have the weights once more for each slice
            self.close()
        for name in fetch:
            if name in found:
                yield name, found.pop(name)

    def _draw(self) -> None:
        """Fetch what random operators give, once for all slices."""
        if self._drawn or not self.drawn:
            return
        values = {value.name: value for op in self.drawn for value in op.results if not is_token(value)}
        with self._complaining():
            found = self._run().fetch(values)
        self._drawn = {values[name]: array for name, array in found.items() if values[name] not in self._feeds}

    def _run(self) -> Session:
        return Session(self._graph, self._session, self._flow, {**self._drawn, **self._feeds})

    def _complaining(self) -> Any:
        return complaining(self._tf)

    def close(self) -> None:
        """Give the session's memory back."""
        if "_session" in self.__dict__:
            self._session.close()
            del self._session


def _draws(op: Op) -> bool:
    """Whether an operator gives other numbers each time, so that it must be asked once only."""
    found = signature(op.type)
    kept = (*_FLOW, *VARIABLES, *TABLES)
    return found is not None and found.stateful and bool(op.results) and op.type not in kept and not op.symbols
