"""Runs models in onnxruntime: every optimisation off, one thread, big weights mapped from a file."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import MissingExtra, user_error
from subcut.compiler.formats.onnx.placing import DataFile, Embedded
from subcut.compiler.formats.onnx.types import NUMBERS
from subcut.compiler.formats.onnx.writer import dialect_of, model_rope
from subcut.compiler.ir.graph import Constant, Model, Value
from subcut.compiler.ir.types import element_of

if TYPE_CHECKING:
    import numpy as np

_FOLDER = "session.model_external_initializers_file_folder_path"
INLINE = 1 << 28
"""Models up to this many bytes are handed over in memory."""
_EXTENDED = "Vf"
"""Kinds of numpy types that onnxruntime takes only with a word on what they are: ml_dtypes' own."""


def run(
    model: Model, feeds: Mapping[str, np.ndarray[Any, Any]], fetch: Sequence[str]
) -> dict[str, np.ndarray[Any, Any]]:
    """Execute `model`; see `subcut.compiler.formats.Runner`. A sequence is a list of arrays.

    Raises MissingExtra, and UserError `cannot-run` where onnxruntime does not take the model or the feeds.
    """
    values = {value.name: value for value in model.main.values() if value.name}
    unknown = [name for name in fetch if name not in values]
    if unknown:
        raise user_error("cannot-run", f"the main graph has no tensor `{unknown[0]}`")
    results: dict[str, Any] = {name: feeds[name] for name in fetch if name in feeds}
    results |= {name: stored for name in fetch if (stored := _stored(values[name])) is not None}
    computed = [name for name in dict.fromkeys(fetch) if name not in results]
    if computed:
        found = _run(model, feeds, computed)
        results |= {name: array for name, array in zip(computed, found, strict=True) if array is not None}
    return results


def _stored(value: Value) -> Any:
    """The numbers of an initialiser."""
    if value.producer is None or value.producer.type != "initializer" or value.producer.operands:
        return None
    constant = value.producer.attributes["value"]
    assert isinstance(constant, Constant)
    return constant.numpy()


def _run(model: Model, feeds: Mapping[str, Any], fetch: Sequence[str]) -> list[Any]:
    with tempfile.TemporaryDirectory(prefix="subcut-") as folder:
        session, failures = session_of(_content(model, fetch, Path(folder)), folder)
        needed = {one.name for one in session.get_inputs()}
        optional = {one.name for one in session.get_overridable_initializers()}
        missing = sorted(needed - set(feeds))
        if missing:
            raise user_error("cannot-run", f"the input `{missing[0]}` is not given")
        given = {name: array for name, array in feeds.items() if name in needed | optional}
        try:
            if any(_is_extended(array) for array in given.values()):
                return [one.numpy() for one in session.run_with_ort_values(list(fetch), _ort_values(given))]
            return list(session.run(list(fetch), given))
        except failures as error:
            raise user_error("cannot-run", f"onnxruntime fails: {_first_line(error)}") from None


def session_of(content: bytes, folder: str = "") -> tuple[Any, tuple[type[Exception], ...]]:
    """A session of a serialised ModelProto whose external data is in `folder`, and what onnxruntime may raise."""
    runtime = _onnxruntime()
    state = runtime.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")
    failures = (*(getattr(state, name) for name in names), RuntimeError, ValueError)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    if folder:
        options.add_session_config_entry(_FOLDER, folder)
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"]), failures
    except failures as error:
        raise user_error("cannot-run", f"onnxruntime does not take the model: {_first_line(error)}") from None


def _content(model: Model, fetch: Sequence[str], folder: Path) -> bytes:
    """The model to run. Big weights go to a file in `folder` for onnxruntime to map.

    They cannot stay where they are: kernels add up in an order that depends on the alignment of the numbers in memory,
    and the same tensor lies at another offset in the original and in the cut.
    """
    files = dialect_of(model).files
    rope = model_rope(model, Embedded(files), fetch)
    if rope.size <= INLINE:
        return rope.bytes()
    placer = DataFile("weights", files, embedded=True)
    content = model_rope(model, placer, fetch).bytes()
    if placer.content.size:
        placer.content.write(folder / placer.location)
    return content


def _onnxruntime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError:
        raise MissingExtra("onnxruntime", "onnx", "run the model") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _is_extended(array: Any) -> bool:
    return hasattr(array, "dtype") and array.dtype.kind in _EXTENDED and array.dtype.name.startswith(_PREFIXES)


_PREFIXES = ("bfloat", "float8", "float4", "float6", "int4", "uint4", "int2", "uint2")


def _ort_values(feeds: Mapping[str, Any]) -> dict[str, Any]:
    """The feeds in onnxruntime's own form, which knows the types that numpy lacks."""
    runtime = _onnxruntime()
    make = runtime.OrtValue.ortvalue_from_numpy
    typed = runtime.OrtValue.ortvalue_from_numpy_with_onnx_type
    return {
        name: typed(array.view(f"u{array.dtype.itemsize}"), NUMBERS[element_of(array.dtype)])
        if _is_extended(array)
        else make(array)
        for name, array in feeds.items()
    }
