"""ONNX models that others made: the node tests of the ONNX project, and its networks with generated weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

NODE_TESTS = Path("/usr/share/libonnx-testdata/data")
"""Where Debian's package `libonnx-testdata` puts them."""


def node_tests() -> list[Path]:
    """Every model of ONNX's own backend tests, or a skip where they are not installed."""
    found = sorted(NODE_TESTS.rglob("model.onnx"))
    if not found:
        pytest.skip("needs ONNX's node tests: apt install libonnx-testdata")
    return found


def light_models() -> list[Path]:
    """ResNet-50, DenseNet-121 and others, which the wheel of `onnx` carries with generated weights."""
    spec = importlib.util.find_spec("onnx")
    assert spec is not None
    assert spec.origin is not None
    return sorted((Path(spec.origin).parent / "backend/test/data/light").glob("*.onnx"))


def stored_inputs(model: Path) -> dict[str, Any] | None:
    """The inputs that a node test comes with, by name; None where it has none."""
    import onnx
    from onnx import numpy_helper

    folder = model.parent / "test_data_set_0"
    if not folder.exists():
        return None
    inputs: dict[str, Any] = {}
    for i, one in enumerate(onnx.load(str(model), load_external_data=False).graph.input):
        file = folder / f"input_{i}.pb"
        if not file.exists():
            break
        kind, raw = one.type.WhichOneof("value"), file.read_bytes()
        if kind == "tensor_type":
            inputs[one.name] = numpy_helper.to_array(onnx.TensorProto.FromString(raw))
        elif kind == "sequence_type":
            inputs[one.name] = numpy_helper.to_list(onnx.SequenceProto.FromString(raw))
        else:
            inputs[one.name] = numpy_helper.to_optional(onnx.OptionalProto.FromString(raw))
    return inputs


def checker_says(path: Path) -> str:
    """What `onnx.checker` with full check has against a model; empty when nothing."""
    import onnx

    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError) as error:
        return str(error) or type(error).__name__
    return ""
