"""Freeze a SavedModel or a Keras file into a GraphDef, by TensorFlow, in a process of its own.

Its own process, because the names that TensorFlow gives to functions count on from whatever it did before, and because
the weights that it holds are gone when it ends. `python -m subcut.compiler.formats.tensorflow.freeze` is that process.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from subcut.compiler.errors import MissingExtra, ModelError, SubcutError, user_error
from subcut.compiler.formats.tensorflow.framework import SETTINGS, internal, tensorflow

_OUTPUTS = ".outputs"
"""Ending of the file beside the frozen graph that names its outputs, a line each."""
_UNKNOWN_SIGNATURE = 3
"""Exit code of the process for a signature that the model does not have."""


def freeze(source: Path, target: Path, signature: str) -> list[str]:
    """Write `source`, a SavedModel's folder or a Keras file, as a frozen GraphDef with every function inlined.

    Returns the tensors that the signature gives out, in the order of their names in it.

    Raises UserError `unknown-signature`, ModelError with what TensorFlow says, MissingExtra.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingExtra("tensorflow", "tensorflow", "freeze the model")
    command = [sys.executable, "-m", __name__, str(source.resolve()), str(target), signature]
    environment = {**os.environ, **SETTINGS, "PYTHONHASHSEED": "0", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, text=True, errors="replace")
    if done.returncode == 0 and target.is_file():
        return target.with_suffix(_OUTPUTS).read_text("utf-8").splitlines()
    says = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if done.returncode == _UNKNOWN_SIGNATURE:
        raise user_error("unknown-signature", says)
    raise ModelError(source, f"TensorFlow cannot freeze it: {says}", expected="a SavedModel or a Keras model")


def main(arguments: Sequence[str]) -> int:
    """The process: source, target, signature."""
    source, target, signature = Path(arguments[0]), Path(arguments[1]), arguments[2]
    tf = tensorflow("freeze the model")
    with tempfile.TemporaryDirectory() as folder:
        if source.is_file():
            model = tf.keras.models.load_model(source, compile=False)
            model.export(folder, verbose=False)
            source = Path(folder)
        frozen, tensors = _frozen(tf, source, signature)
    inlined = _inlined(tf, frozen, _makers(tensors))
    target.write_bytes(inlined.SerializeToString(deterministic=True))
    target.with_suffix(_OUTPUTS).write_text("\n".join(tensors), "utf-8")
    return 0


def _frozen(tf: Any, folder: Path, wanted: str) -> tuple[Any, list[str]]:
    """The graph of a SavedModel with its variables as constants, and its outputs.

    By TensorFlow 1's loader, which also reads what TensorFlow 2's trips over; by that one where the other leaves
    variables without numbers, as in what `tf.saved_model.save` writes of a Keras 3 model.
    """
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        loaded = v1.saved_model.load(session, _tags(folder), str(folder))
        signatures = {name: s for name, s in loaded.signature_def.items() if not name.startswith("__")}
        chosen = signatures.get(wanted) or (next(iter(signatures.values())) if len(signatures) == 1 else None)
        if chosen is None:
            known = ", ".join(f"`{name}`" for name in sorted(signatures))
            print(f"the model has no signature `{wanted}`; it has {known or 'none'}", file=sys.stderr)
            raise SystemExit(_UNKNOWN_SIGNATURE)
        tensors = [tensor.name for _, tensor in sorted(chosen.outputs.items())]
        definition = session.graph.as_graph_def()
        with contextlib.suppress(tf.errors.FailedPreconditionError):
            return v1.graph_util.convert_variables_to_constants(session, definition, _makers(tensors)), tensors
    name = next(name for name, signature in signatures.items() if signature is chosen)
    return _frozen_eagerly(tf, folder, name)


def _frozen_eagerly(tf: Any, folder: Path, signature: str) -> tuple[Any, list[str]]:
    """The same by TensorFlow 2's loader. Its outputs are in the order of their names in the signature too."""
    convert = internal("python.framework.convert_to_constants").convert_variables_to_constants_v2
    loaded = tf.saved_model.load(str(folder), _tags(folder))
    frozen = convert(loaded.signatures[signature], lower_control_flow=False)
    return frozen.graph.as_graph_def(), [tensor.name for tensor in frozen.outputs]


def _makers(tensors: Sequence[str]) -> list[str]:
    """The operators that make `tensors`, each once."""
    return list(dict.fromkeys(name.partition(":")[0] for name in tensors))


def _tags(folder: Path) -> list[str]:
    """The tags of the graph to load: the one for serving or, without one, the first."""
    parse = internal("python.saved_model.loader_impl").parse_saved_model
    graphs: list[list[str]] = [list(graph.meta_info_def.tags) for graph in parse(str(folder)).meta_graphs]
    return next((tags for tags in graphs if tags == ["serve"]), graphs[0])


def _inlined(tf: Any, definition: Any, outputs: Sequence[str]) -> Any:
    """The graph with the bodies of its functions in the place of their calls, and nothing else changed."""
    v1 = tf.compat.v1
    for function in definition.library.function:
        function.attr.pop("_noinline", None)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(definition, name="")
        meta = v1.train.export_meta_graph(graph_def=definition, graph=graph)
    meta.collection_def["train_op"].node_list.value.extend(outputs)
    config = v1.ConfigProto()
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1
    options.meta_optimizer_iterations = 1
    options.optimizers.append("function")
    return internal("python.grappler.tf_optimizer").OptimizeGraph(config, meta)


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except SubcutError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
