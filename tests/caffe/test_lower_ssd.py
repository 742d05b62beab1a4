"""SSD's layers and Proposal against a real Caffe: what it gave for the same nets and inputs.

`oracle/ssd_recorded.json` was made by `oracle/record.py` with weiliu89/caffe, branch ssd (commit 4817bf8), to which the
Proposal layer of openvinotoolkit/training_toolbox_caffe (branch person_reid) was added.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.caffe_models import read_net
from support.caffe_oracle import ORACLE, array, cases, recorded

from subcut.compiler.formats.caffe.run import run
from subcut.compiler.formats.caffe.shapes import infer_layer

CASES, RECORDED = cases("ssd_cases"), recorded("ssd_recorded.json")

TOLERANCE = 2e-6
"""Relative to the biggest number of a tensor: sums are taken in another order, exp and log by another library."""


def test_the_cases_were_recorded() -> None:
    assert list(RECORDED) == list(CASES.CASES)
    assert all(RECORDED.values())


@pytest.mark.parametrize("case", CASES.CASES)
def test_numbers(case: str, tmp_path: Path) -> None:
    for file in ORACLE.glob("*.txt"):
        shutil.copy(file, tmp_path)
    tops = RECORDED[case]["tops"]
    found = run(read_net(tmp_path, CASES.net_text(case)), CASES.feeds(case), list(tops))
    expected = {name: array(top) for name, top in tops.items()}
    if case.startswith("proposal"):
        found, expected = scored(found), scored(expected)
    for name, data in expected.items():
        assert found[name].shape == data.shape
        scale = max(float(np.abs(data).max(initial=0)), 1e-30)
        assert float(np.abs(found[name] - data).max(initial=0)) <= TOLERANCE * scale, (found[name], data)


def scored(tops: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The regions that have a score: among those of 0 Caffe's order is that of its sort."""
    rows = tops["z"] > 0
    assert rows.sum() > 3
    return {name: array[rows] for name, array in tops.items()}


@pytest.mark.parametrize("case", CASES.CASES)
def test_shapes(case: str, tmp_path: Path) -> None:
    op = read_net(tmp_path, CASES.net_text(case)).main.ops[-1]
    bottoms = [array.shape for array in CASES.feeds(case).values()]
    shapes = infer_layer(op.type, op.attributes, bottoms, tops=len(op.results))
    for value, shape in zip(op.results, shapes, strict=True):
        there = RECORDED[case]["tops"][value.name]["shape"]
        assert shape is not None
        assert [d if d is not None else r for d, r in zip(shape, there, strict=True)] == there
