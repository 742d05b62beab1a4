"""Running a Caffe net: lowered to ONNX and executed by onnxruntime, unoptimised and on one thread."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subcut.compiler.errors import MissingExtra, user_error
from subcut.compiler.formats.caffe.lower import UnknownShape, build
from subcut.compiler.formats.caffe.lowering.program import Program, is_external, to_proto
from subcut.compiler.ir.graph import Model, Op

Array = NDArray[Any]


def run(
    model: Model,
    feeds: Mapping[str, Array],
    fetch: Sequence[str],
    blobs: Mapping[Op, Sequence[Array]] | None = None,
    *,
    frugal: bool = False,
) -> dict[str, Array]:
    """Compute the tensors `fetch` (float32) from the tensors `feeds`, whose shapes take the place of those stated.

    Only the layers on the way are lowered; `blobs` take the place of what layers store. A recurrent layer starts from
    a state of zeros. A frugal run takes less memory and more time. Raises UserError `not-lowerable`, `missing-input`
    or `run-failed`, MissingExtra where onnx or onnxruntime is not installed.
    """
    given = {name: np.asarray(array, np.float32, order="C") for name, array in feeds.items()}
    result = {name: given[name] for name in fetch if name in given}
    rest = [name for name in dict.fromkeys(fetch) if name not in given]
    if not rest:
        return result
    try:
        program = build(model, rest, {name: array.shape for name, array in given.items()}, blobs)
    except UnknownShape as error:
        # A shape that follows from numbers (what a Filter lets through): compute so far, and go on from there.
        if not error.tensors or given.keys() & error.tensors:
            raise
        return run(model, given | run(model, given, error.tensors, blobs), fetch, blobs, frugal=frugal)
    for name in program.inputs:
        if name not in given:
            raise user_error("missing-input", f"the tensor `%{name}` is needed to run the net and is not given")
    result |= _execute(program, {name: given[name] for name in program.inputs}, rest, frugal)
    return {name: result[name] for name in fetch}


def _execute(program: Program, feeds: Mapping[str, Array], fetch: Sequence[str], frugal: bool) -> dict[str, Array]:
    proto = to_proto(program, "caffe", external=True)
    ort = onnxruntime_module()
    options: Any = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = options.enable_mem_pattern = not frugal
    big = {name: array for name, array in program.constants.items() if is_external(array)}
    if big:
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in big.values()]
        options.add_external_initializers(list(big), values)
    session: Any = ort.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])
    refused = ort.capi.onnxruntime_pybind11_state
    try:
        made = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in feeds.items()}
        results = list(session.run_with_ort_values(list(fetch), made))
    except (refused.Fail, refused.InvalidArgument, refused.RuntimeException) as error:
        # Only what is fed can be wrong here, such as a label of a class that there is not.
        raise user_error("run-failed", f"the net cannot be run on these inputs: {error}") from None
    results.reverse()  # each is copied out, and let go before the next one is
    return {name: results.pop().numpy() for name in fetch}


def onnxruntime_module() -> Any:
    """The package. Raises MissingExtra."""
    try:
        return importlib.import_module("onnxruntime")
    except ImportError:
        raise MissingExtra("onnxruntime", "onnx", "run a Caffe net") from None
