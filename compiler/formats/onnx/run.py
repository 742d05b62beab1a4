"""Runs models in onnxruntime: every optimisation off, one thread, big weights mapped from a file."""

from __future__ import annotations

import ctypes
import importlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import MissingExtra, UserError, user_error
from subcut.compiler.formats.onnx.placing import DataFile, Embedded
from subcut.compiler.formats.onnx.types import ELEMENTS, NUMBERS
from subcut.compiler.formats.onnx.writer import dialect_of, model_rope
from subcut.compiler.ir.graph import Constant, Model, Value
from subcut.compiler.ir.types import element_of, numpy_dtype

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
    results |= {name: numbers for name in fetch if (numbers := stored(values[name])) is not None}
    computed = [name for name in dict.fromkeys(fetch) if name not in results]
    if computed:
        found = _run(model, feeds, computed)
        results |= {name: array for name, array in zip(computed, found, strict=True) if array is not None}
    return results


def stored(value: Value) -> Any:
    """The numbers of an initialiser; None for another tensor."""
    if value.producer is None or value.producer.type != "initializer" or value.producer.operands:
        return None
    constant = value.producer.attributes["value"]
    assert isinstance(constant, Constant)
    return constant.numpy()


def _run(model: Model, feeds: Mapping[str, Any], fetch: Sequence[str]) -> list[Any]:
    with tempfile.TemporaryDirectory(prefix="subcut-") as folder:
        session, failures = session_of(Content(model, Path(folder)).bytes(fetch), folder)
        given = taken(session, feeds)
        try:
            kinds = {one.name: one.type for one in session.get_outputs()}
            extended = any(_is_extended(array) for array in given.values())
            if extended or any(kinds[name].startswith(_EXTENDED_TENSORS) for name in fetch):
                return [numbers_of(one) for one in session.run_with_ort_values(list(fetch), ort_values(given))]
            return list(session.run(list(fetch), given))
        except failures as error:
            raise failed(error) from None


def numbers_of(value: Any) -> Any:
    """The array in an OrtValue, also of types that numpy lacks; None for a sequence, nothing, or packed numbers."""
    import numpy as np

    element = ELEMENTS.get(value.element_type()) if value.has_value() and value.is_tensor() else None
    if element is None or element in _PACKED:
        return None
    if not element.startswith(_RAW):
        return value.numpy()
    found: Any = np.empty(value.shape(), numpy_dtype(element))
    ctypes.memmove(found.ctypes.data, value.data_ptr(), found.nbytes)
    return found


def taken(session: Any, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the feeds that a session takes. Raises UserError `cannot-run` where one is missing."""
    needed = {one.name for one in session.get_inputs()}
    optional = {one.name for one in session.get_overridable_initializers()}
    missing = sorted(needed - set(feeds))
    if missing:
        raise user_error("cannot-run", f"the input `{missing[0]}` is not given")
    return {name: array for name, array in feeds.items() if name in needed | optional}


def failed(error: Exception) -> UserError:
    """The error of a run that onnxruntime gave up."""
    return user_error("cannot-run", f"onnxruntime fails: {_first_line(error)}")


def session_of(content: bytes, folder: str = "", *, frugal: bool = False) -> tuple[Any, tuple[type[Exception], ...]]:
    """A session of a serialised ModelProto whose external data is in `folder`, and what onnxruntime may raise.

    A frugal one gives memory back as soon as it can, which takes longer.
    """
    runtime = onnxruntime_module()
    state = runtime.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")
    failures = (*(getattr(state, name) for name in names), RuntimeError, ValueError)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = options.enable_mem_pattern = not frugal
    if frugal:  # runs what only asks for a shape at once, where the default leaves it to the end
        options.execution_order = runtime.ExecutionOrder.PRIORITY_BASED
    if folder:
        options.add_session_config_entry(_FOLDER, folder)
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"]), failures
    except failures as error:
        raise user_error("cannot-run", f"onnxruntime does not take the model: {_first_line(error)}") from None


class Content:
    """A model as onnxruntime takes it. Big weights go, once, to a file in `folder` for it to map.

    They cannot stay where they are: kernels add up in an order that depends on the alignment of the numbers in memory,
    and the same tensor lies at another offset in the original and in the cut.
    """

    def __init__(self, model: Model, folder: Path, inline: int = INLINE) -> None:
        self.model, self.folder = model, folder
        self.files = dialect_of(model).files
        rope = model_rope(model, Embedded(self.files))
        self.size = rope.size
        self.inline = rope.size <= inline
        self.weights: Path | None = None
        """The file of big weights, once there is one."""

    def bytes(self, fetch: Sequence[str]) -> bytes:
        """The ModelProto that gives out `fetch` too."""
        if self.inline:
            return model_rope(self.model, Embedded(self.files), fetch).bytes()
        placer = DataFile("weights", self.files, embedded=True)
        content = model_rope(self.model, placer, fetch).bytes()
        if placer.content.size and self.weights is None:
            self.weights = self.folder / placer.location
            placer.content.write(self.weights)
        return content


def onnxruntime_module() -> Any:
    """The package. Raises MissingExtra."""
    try:
        return importlib.import_module("onnxruntime")
    except ImportError:
        raise MissingExtra("onnxruntime", "onnx", "run the model") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _is_extended(array: Any) -> bool:
    return hasattr(array, "dtype") and array.dtype.kind in _EXTENDED and array.dtype.name.startswith(_PREFIXES)


_EXTENDED_TENSORS = ("tensor(bfloat16", "tensor(float8", "tensor(float4", "tensor(int4", "tensor(uint4")
_RAW = ("bf16", "f8")
"""Elements that onnxruntime has in memory as ml_dtypes does, and gives no array of."""
_PACKED = ("i4", "ui4", "f4E2M1FN", "i2", "ui2")
_PREFIXES = ("bfloat", "float8_", "float4_", "float6_", "int4", "uint4", "int2", "uint2")


def ort_values(feeds: Mapping[str, Any]) -> dict[str, Any]:
    """The feeds in onnxruntime's own form, which knows the types that numpy lacks."""
    runtime = onnxruntime_module()
    make = runtime.OrtValue.ortvalue_from_numpy
    typed = runtime.OrtValue.ortvalue_from_numpy_with_onnx_type
    return {
        name: typed(array.view(f"u{array.dtype.itemsize}"), NUMBERS[element_of(array.dtype)])
        if _is_extended(array)
        else make(array)
        for name, array in feeds.items()
    }
