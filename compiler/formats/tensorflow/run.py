"""Execute a GraphDef in TensorFlow with everything off that could change a bit: grappler, oneDNN, threads.

oneDNN is off unless somebody imported TensorFlow before with other settings, which then hold for the original and the
cut alike.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import user_error
from subcut.compiler.formats.tensorflow.elements import HANDLES
from subcut.compiler.formats.tensorflow.flow import Flow, flow_of
from subcut.compiler.formats.tensorflow.framework import tensorflow
from subcut.compiler.formats.tensorflow.records import reference
from subcut.compiler.formats.tensorflow.writer import PROTOBUF_LIMIT, graph_def
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.types import TensorType

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]


def run(model: Model, feeds: Arrays, fetch: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Run the main graph once.

    `feeds` and `fetch` name any tensors of it, as `node` or `node:port`. What has no value is missing from the result:
    a tensor on a branch not taken, inside a loop, or a handle. Raises UserError `cannot-run` with what TensorFlow
    says, MissingExtra where it is not installed.
    """
    tf = tensorflow("run the model")
    values = {value.name: value for value in model.main.values()}
    wanted = {name: values.get(_tensor(name)) for name in fetch}
    unknown = [name for name in feeds if _tensor(name) not in values] + [n for n, v in wanted.items() if v is None]
    if unknown:
        raise user_error("unknown-tensor", f"the model has no tensor `{unknown[0]}`")
    fed = {values[_tensor(name)]: array for name, array in feeds.items()}
    graph = load_graph(tf, model)
    with complaining(tf), tf.compat.v1.Session(graph=graph, config=session_config(tf)) as session:
        return Session(graph, session, flow_of(model.main), fed).fetch(wanted)


def load_graph(tf: Any, model: Model) -> Any:
    """The main graph in a new `tf.Graph`. Raises UserError `cannot-run`."""
    rope = graph_def(model)
    if rope.size >= PROTOBUF_LIMIT:
        raise user_error(
            "cannot-run", f"TensorFlow loads no GraphDef of {rope.size} bytes: {PROTOBUF_LIMIT} is too many"
        )
    graph = tf.Graph()
    with complaining(tf), graph.as_default():
        tf.graph_util.import_graph_def(tf.compat.v1.GraphDef.FromString(rope.bytes()), name="")
    return graph


@contextmanager
def complaining(tf: Any) -> Generator[None, None, None]:
    """What TensorFlow objects to is a UserError `cannot-run`."""
    from google.protobuf.message import DecodeError

    try:
        yield
    except (tf.errors.OpError, ValueError, TypeError, DecodeError) as error:
        raise user_error("cannot-run", f"TensorFlow cannot run the model: {complaint(error)}") from None


class Session:
    """One session, with what is fed."""

    def __init__(self, graph: Any, session: Any, flow: Flow, fed: Mapping[Value, Any]) -> None:
        self.graph, self.session, self.flow, self.fed = graph, session, flow, fed
        self.feed_dict = {self.tensor(value): as_fed(self.tensor(value), array) for value, array in fed.items()}

    def fetch(self, wanted: Mapping[str, Value | None]) -> dict[str, Any]:
        """All that have a value, in one run but for what decides the branches."""
        present = self.present(wanted)
        tensors = [self.tensor(value) for value in present.values()]
        arrays: list[Any] = self.session.run(tensors, self.feed_dict) if tensors else []
        return {name: plain(array) for name, array in zip(present, arrays, strict=True)}

    def present(self, wanted: Mapping[str, Value | None]) -> dict[str, Value]:
        """Those that have a value which can be fetched."""
        found = {name: value for name, value in wanted.items() if value is not None and self._can_fetch(value)}
        alive = self._alive(found.values())
        return {name: value for name, value in found.items() if value in alive}

    def _alive(self, values: Iterable[Value]) -> set[Value]:
        """Those that no branch not taken holds; asks for what decides a branch only when the branch around it lives."""
        values = list(values)
        taken: dict[Value, int] = {}
        deepest = max((len(self._branch(value)) for value in values), default=0)
        for depth in range(deepest):
            decides = dict.fromkeys(
                self._branch(v)[depth][0]
                for v in values
                if len(self._branch(v)) > depth and self._lives(self._branch(v)[:depth], taken)
            )
            arrays = self.session.run([self.tensor(value) for value in decides], self.feed_dict)
            taken.update((value, int(array)) for value, array in zip(decides, arrays, strict=True))
        return {value for value in values if self._lives(self._branch(value), taken)}

    def _branch(self, value: Value) -> Any:
        return () if value in self.fed else self.flow.branches.get(value, ())

    def _lives(self, branch: Any, taken: Mapping[Value, int]) -> bool:
        return all(taken.get(decides) == port for decides, port in branch)

    def _can_fetch(self, value: Value) -> bool:
        handle = isinstance(value.type, TensorType) and value.type.element in HANDLES
        return not handle and not self.flow.in_loop(value)

    def tensor(self, value: Value) -> Any:
        """The framework's own tensor."""
        name = reference(value)
        return self.graph.get_tensor_by_name(name if ":" in name else f"{name}:0")


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def as_fed(tensor: Any, array: Any) -> Any:
    """Numbers of a quantised type go in as the structured dtype that TensorFlow has for it."""
    dtype = tensor.dtype.as_numpy_dtype
    names = getattr(dtype, "names", None)
    return array.view(dtype) if names else array


def plain(array: Any) -> Any:
    """What a session gave out as numpy has it, numbers of a quantised type as plain integers."""
    import numpy as np

    found: Any = np.asarray(array)
    return found.view(found.dtype[0]) if found.dtype.names else found


def session_config(tf: Any) -> Any:
    """One thread, and nothing that rewrites the graph."""
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    options = config.graph_options
    options.rewrite_options.disable_meta_optimizer = True
    options.optimizer_options.opt_level = -1  # L0: no common subexpressions, no constant folding
    options.optimizer_options.global_jit_level = -1
    return config


def complaint(error: Exception) -> str:
    """What TensorFlow says in one line: the one above the place in the graph, where it names one."""
    lines = [line.strip() for line in (getattr(error, "message", "") or str(error)).splitlines() if line.strip()]
    places = [i for i, line in enumerate(lines) if line.startswith("[[")]
    if places and places[0]:
        return f"{lines[places[0] - 1]} {lines[places[0]]}"
    return lines[0] if lines else type(error).__name__
