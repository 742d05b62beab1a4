"""The small models that ONNX tests its backends with, and what it says that they compute."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from support.onnx_corpus import stored_inputs

from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.errors import UserError
from subcut.compiler.formats.ascend.offline import read_offline
from subcut.emulator import Emulated, emulate


def models() -> list[Path]:
    """Those that come with the package and are small."""
    spec = importlib.util.find_spec("onnx")
    assert spec is not None
    assert spec.origin is not None
    return sorted((Path(spec.origin).parent / "backend/test/data").glob("*/*/model.onnx"))


def expected(model: Path, place: int) -> Any:
    """What the model's output of that number is said to be."""
    tensor = onnx.TensorProto()
    tensor.ParseFromString((model.parent / "test_data_set_0" / f"output_{place}.pb").read_bytes())
    return numpy_helper.to_array(tensor)


def check(model: Path, made: Emulated) -> None:
    assert read_offline(made.om).ops == read_offline(made.json).ops
    for file in made.dumps.iterdir() if made.dumps.exists() else ():
        assert read_dump(file).problems == []
    for place, array in enumerate(made.outputs.values()):
        golden = expected(model, place)
        assert array.shape == golden.shape
        noise = 0.02 * max(1.0, float(np.abs(golden).max(initial=0)))
        np.testing.assert_allclose(array, golden, rtol=0.02, atol=noise)


def test_what_runs_is_right_and_the_rest_is_refused(tmp_path: Path) -> None:
    told: Counter[str] = Counter()
    for number, model in enumerate(models()):
        if not (model.parent / "test_data_set_0" / "output_0.pb").exists():
            continue
        try:
            made = emulate(model, stored_inputs(model), tmp_path / f"{number}")
        except UserError as error:
            # Versions of operators that onnxruntime never had, gradients, texts and lists.
            told[error.code] += 1
            continue
        told["right"] += 1
        check(model, made)
    assert told["right"] >= 80
    assert told.keys() <= {"right", "cannot-run", "not-emulated", "wrong-input"}
