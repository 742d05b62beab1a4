"""Runs pieces of a TensorFlow model, one after another, in one session that is fed with whatever they start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import user_error
from subcut.compiler.formats.tensorflow.framework import tensorflow
from subcut.compiler.formats.tensorflow.records import reference
from subcut.compiler.formats.tensorflow.run import as_fed, complaint, load_graph, plain, session_config
from subcut.compiler.ir.graph import Model, Op, Value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Pieces:
    """See `subcut.compiler.formats.Pieces`."""

    def __init__(self, model: Model) -> None:
        tf = self._tf = tensorflow("run the model")
        self._graph = load_graph(tf, model)
        self._session = tf.compat.v1.Session(graph=self._graph, config=session_config(tf))

    def run(
        self, feeds: Mapping[Value, Array], fetch: Sequence[Value], weights: Mapping[Op, Sequence[Array]]
    ) -> list[Array]:
        """Run what lies between."""
        tensors = {self._tensor(value): array for value, array in feeds.items()}
        given = {tensor: as_fed(tensor, array) for tensor, array in tensors.items()}
        try:
            found = self._session.run([self._tensor(value) for value in fetch], given)
        except (self._tf.errors.OpError, ValueError, TypeError) as error:
            where = f" at `{fetch[0].name}`" if fetch else ""
            raise user_error("cannot-run", f"TensorFlow cannot run the model{where}: {complaint(error)}") from None
        return [plain(array) for array in found]

    def close(self) -> None:
        """Give the session's memory back."""
        self._session.close()

    def _tensor(self, value: Value) -> Any:
        name = reference(value)
        return self._graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
