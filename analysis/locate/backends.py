"""Candidates that need no command of the user's: each runs as a process of its own, so that what dies is the candidate.

python -m subcut.analysis.locate.backends onnxruntime:O3 MODEL WEIGHTS INPUTS OUTPUTS
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.analysis.locate.command import LIST, Command
from subcut.analysis.locate.tensors import write_folder
from subcut.compiler.diagnostics import did_you_mean
from subcut.compiler.errors import MissingExtra, user_error
from subcut.compiler.number_files import read_npy

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]

LEVELS = {
    "O0": "ORT_DISABLE_ALL",
    "O1": "ORT_ENABLE_BASIC",
    "O2": "ORT_ENABLE_EXTENDED",
    "O3": "ORT_ENABLE_ALL",
}
"""onnxruntime's names for how much it optimises."""
PRECISIONS = {"float16": "fp16", "bfloat16": "bf16", "int8": "int8"}
"""The emulator's names."""
KNOWN = {
    "onnxruntime:O0": "onnxruntime without optimisation; ONNX",
    "onnxruntime:O1": "onnxruntime, basic optimisation",
    "onnxruntime:O2": "onnxruntime, extended optimisation",
    "onnxruntime:O3": "onnxruntime, all it has; `onnxruntime:O3:CUDAExecutionProvider` on another provider",
    "float16": "every operator rounded to 16 bits, as the emulated device does; any format",
    "bfloat16": "the same in bfloat16",
    "int8": "the same, with convolutions and products in 8 bits",
    "openvino": "OpenVINO on the processor, where it is installed; ONNX",
    "tflite": "TensorFlow Lite, converted by TensorFlow; TensorFlow",
}
"""What `--candidate` takes instead of a command."""
_RUNTIME = re.compile(r"onnxruntime(?::(?P<level>O[0-3]))?(?::(?P<provider>\w+ExecutionProvider))?")
_FORMATS = {"onnxruntime": ("onnx",), "openvino": ("onnx",), "tflite": ("tf",)}
_PACKAGES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "tflite": "tensorflow"}


def candidate(text: str, dialect: str, timeout: float | None = None) -> Command:
    """The command that a text stands for: one of `KNOWN`, or itself.

    Raises UserError `bad-candidate` for a word that is neither, or that cannot run models of this dialect.
    """
    name = text.strip()
    if re.search(r"[\s{]", name):
        return Command(name, timeout)
    if name not in KNOWN and not _RUNTIME.fullmatch(name):
        raise user_error(
            "bad-candidate",
            f"`{name}` is no candidate that subcut knows, and no command",
            help=[*did_you_mean(name, KNOWN), *(f"`{one}`: {what}" for one, what in KNOWN.items())],
        )
    kind = name.partition(":")[0]
    if dialect not in _FORMATS.get(kind, (dialect,)):
        raise user_error("bad-candidate", f"`{kind}` runs no models of {_SPELT[dialect]}", help="give a command")
    package = _PACKAGES.get(kind)
    if package is not None and importlib.util.find_spec(package) is None:
        raise _missing(package)
    words = [sys.executable, "-m", "subcut.analysis.locate.backends", name]
    return Command(f"{shlex.join(words)} {{model}} {{weights}} {{inputs}} {{outputs}}", timeout)


_SPELT = {"onnx": "ONNX", "tf": "TensorFlow", "caffe": "Caffe"}


def _missing(package: str) -> Exception:
    if package in ("onnxruntime", "tensorflow"):
        return MissingExtra(package, "onnx" if package == "onnxruntime" else "tensorflow", "be the candidate")
    return user_error("bad-candidate", f"`{package}` is not installed", help=f"pip install {package}")


@dataclass(frozen=True)
class Call:
    """A candidate as its process finds it."""

    model: Path
    weights: Path | None
    feeds: Arrays
    outputs: list[str]
    """The names of those that are looked at."""
    options: str
    """What follows the first colon of the candidate's name, or the name where there is none."""


def main(arguments: Sequence[str]) -> int:
    """Run one candidate."""
    name, model, weights, inputs, outputs = arguments
    listed: dict[str, Any] = json.loads((Path(inputs).parent / LIST).read_text("utf-8"))
    feeds = {entry["name"]: read_npy(Path(inputs) / entry["file"]) for entry in listed["inputs"]}
    kind, _, rest = name.partition(":")
    wanted = [entry["name"] for entry in listed["outputs"]]
    call = Call(Path(model), Path(weights) if weights else None, feeds, wanted, rest or kind)
    write_folder(Path(outputs), _RUNNERS[kind](call))
    return 0


def _onnxruntime(call: Call) -> Arrays:
    runtime: Any = importlib.import_module("onnxruntime")
    parts = call.options.split(":")
    level = next((part for part in parts if part in LEVELS), "O3")
    provider = next((part for part in parts if part.endswith("Provider")), "CPUExecutionProvider")
    if provider not in runtime.get_available_providers():
        raise SystemExit(f"onnxruntime has no {provider} here")
    options = runtime.SessionOptions()
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, LEVELS[level])
    options.log_severity_level = 4
    session = runtime.InferenceSession(str(call.model), options, providers=[provider])
    results: list[Any] = session.run(call.outputs, dict(call.feeds))
    return dict(zip(call.outputs, results, strict=True))


def _emulated(call: Call) -> Arrays:
    from subcut.compiler.formats import ReadOptions
    from subcut.emulator import DumpOptions, emulate

    with tempfile.TemporaryDirectory() as folder:
        made = emulate(
            call.model,
            call.feeds,
            Path(folder) / "emulated",
            precision=PRECISIONS[call.options],
            dump=DumpOptions("none"),
            read=ReadOptions(weights=call.weights),
            outputs=call.outputs,
        )
        return {name: made.outputs[value] for name, value in zip(call.outputs, made.outputs, strict=True)}


def _openvino(call: Call) -> Arrays:
    core: Any = importlib.import_module("openvino").Core()
    compiled = core.compile_model(str(call.model), "CPU")
    results = compiled(dict(call.feeds))
    return {port.get_any_name(): results[port] for port in compiled.outputs}


def _tflite(call: Call) -> Arrays:
    """Converted from the GraphDef in the sizes of the inputs, then interpreted."""
    tf: Any = importlib.import_module("tensorflow")
    graph = tf.compat.v1.GraphDef.FromString(call.model.read_bytes())
    outputs = {f"out_{place:06}": name for place, name in enumerate(call.outputs)}
    inputs = {f"in_{place:06}": name for place, name in enumerate(call.feeds)}

    def computed(**given: Any) -> Any:
        fed = {_port(inputs[key]): tensor for key, tensor in given.items()}
        found = tf.graph_util.import_graph_def(graph, fed, [_port(name) for name in outputs.values()], name="")
        return {key: tf.identity(one) for key, one in zip(outputs, found, strict=True)}

    arrays = {key: call.feeds[name] for key, name in inputs.items()}
    specs = {key: tf.TensorSpec(array.shape, array.dtype, name=key) for key, array in arrays.items()}
    module = tf.Module()
    module.computed = tf.function(computed)
    function = module.computed.get_concrete_function(**specs)
    content = tf.lite.TFLiteConverter.from_concrete_functions([function], module).convert()
    results = tf.lite.Interpreter(model_content=content).get_signature_runner()(**arrays)
    return {name: results[key] for key, name in outputs.items()}


def _port(name: str) -> str:
    return name if ":" in name else f"{name}:0"


_RUNNERS: dict[str, Callable[[Call], Arrays]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "tflite": _tflite,
    **dict.fromkeys(PRECISIONS, _emulated),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
