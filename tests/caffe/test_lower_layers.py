"""Every layer type against a real Caffe: shapes and numbers that it gave for the same nets, weights and inputs.

`oracle/recorded.json` was made by `oracle/record.py` with kendryte-caffe 1.0.0.20210829 (BVLC Caffe, Python 3.9).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.caffe_models import read_net
from support.caffe_oracle import array, cases, recorded

from subcut.compiler.formats.caffe.layer import Layer
from subcut.compiler.formats.caffe.run import run
from subcut.compiler.formats.caffe.shapes import RULES, blob_shapes, infer_layer, required_blobs
from subcut.compiler.ir.graph import Model, Value

CASES, RECORDED = cases("layer_cases"), recorded("recorded.json")

TOLERANCE = 2e-6
"""Relative to the biggest number of a tensor: sums are taken in another order, exp and tanh by another library."""


def model_of(case: str, folder: Path) -> Model:
    text, stored = CASES.net_text(case), RECORDED[case]["blobs"]
    model = read_net(folder, text)
    types = {op.name: op.type for op in model.main.ops}
    layers = {
        name: (types[name], [CASES.weights(case, name, types[name], i, tuple(s)) for i, s in enumerate(shapes)])
        for name, shapes in stored.items()
    }
    return read_net(folder, text, layers) if layers else model


def infer_all(model: Model, feeds: dict[str, np.ndarray]) -> dict[Value, tuple[int | None, ...] | None]:
    known: dict[Value, Any] = {}
    for op in model.main.ops:
        bottoms = [known[v] for v in op.operands if v is not None]
        for value, shape in zip(
            op.results, infer_layer(op.type, op.attributes, bottoms, tops=len(op.results)), strict=True
        ):
            known[value] = shape
    return known


def test_the_cases_were_recorded() -> None:
    assert list(RECORDED) == list(CASES.CASES)
    assert all(RECORDED.values())


@pytest.mark.parametrize("case", CASES.CASES)
def test_shapes(case: str, tmp_path: Path) -> None:
    model = model_of(case, tmp_path)
    known = infer_all(model, CASES.feeds(case))
    for value, shape in known.items():
        if value.name not in RECORDED[case]["tops"]:
            continue
        there = RECORDED[case]["tops"][value.name]["shape"]
        assert shape is not None
        # What only a run can know is None, and nothing else is.
        dynamic = case == "filter"
        assert [r if s is None and dynamic else s for r, s in zip(there, shape, strict=True)] == there


@pytest.mark.parametrize("case", [case for case in CASES.CASES if RECORDED[case]["blobs"]])
def test_stored_blobs(case: str, tmp_path: Path) -> None:
    model = model_of(case, tmp_path)
    known = infer_all(model, CASES.feeds(case))
    for op in model.main.ops:
        stored = [tuple(s) for s in RECORDED[case]["blobs"].get(op.name, [])]
        bottoms = [known[v] for v in op.operands if v is not None]
        assert blob_shapes(Layer(op.type, op.attributes, bottoms, (), len(op.results))) == stored
        assert required_blobs(op.type, op.attributes, len(op.operands)) == len(stored)
        if stored:
            with pytest.raises(ValueError, match=r"stores|must be"):
                infer_layer(op.type, op.attributes, bottoms, [*stored[:-1], (7919,)], len(op.results))


@pytest.mark.parametrize("case", CASES.CASES)
def test_numbers(case: str, tmp_path: Path) -> None:
    model = model_of(case, tmp_path)
    feeds, tops = CASES.feeds(case), RECORDED[case]["tops"]
    used = {op.results[0].name for op in model.main.ops if op.type == "Input"}
    found = run(model, {name: array for name, array in feeds.items() if name in used}, list(tops))
    for name, top in tops.items():
        data = array(top)
        assert found[name].shape == data.shape
        scale = float(np.nanmax(np.abs(data), initial=1e-30))
        np.testing.assert_allclose(found[name], data, rtol=0, atol=TOLERANCE * scale, err_msg=name)


def test_every_layer_type_that_caffe_has_here_is_covered() -> None:
    cannot = {"Data", "HDF5Data", "HDF5Output", "ImageData", "MemoryData", "Silence", "WindowData"}
    missing_there = {"Clip"}
    forks = set(list(RULES)[list(RULES).index("AnnotatedData") :])
    tested = {op for text in (CASES.net_text(c) for c in CASES.CASES) for op in RULES if f'type: "{op}"' in text}
    assert set(RULES) - tested - cannot - missing_there - forks == set()
