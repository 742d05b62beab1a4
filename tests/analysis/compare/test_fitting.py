"""Tensors of any layout and shape: two arrays of one length come out, or a reason."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subcut.analysis.compare.fitting import Side, fit, restored
from subcut.analysis.compare.further import Wanted
from subcut.analysis.compare.groups import fill
from subcut.analysis.compare.rows import Row
from subcut.analysis.compare.rules import NotComparable

NAMES = ["NCHW", "NHWC", "HWCN", "ND", "NC1HWC0", "FRACTAL_Z", "FRACTAL_NZ", "NDC1HWC0", "NCDHW", "RESERVED", ""]
SHAPES = (
    st.lists(st.sampled_from([0, 1, 2, 3, 16, 17]), max_size=6).map(tuple).filter(lambda shape: prod(shape) < 60_000)
)


@st.composite
def sides(draw: st.DrawFn) -> tuple[Side, Side]:
    shape = draw(SHAPES)
    blocks = draw(st.booleans())
    if blocks:
        shape = (*shape[:3], 2, 16, 16)[-draw(st.integers(4, 6)) :]
    other = draw(SHAPES)
    left = Side(np.zeros(prod(shape), "f2"), shape, draw(st.sampled_from(NAMES)), draw(SHAPES), draw(st.integers(0, 3)))
    right = Side(np.zeros(prod(other), "f4"), other, draw(st.sampled_from(NAMES)), draw(st.just(other) | SHAPES))
    return left, right


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(sides())
def test_anything_fits_or_is_refused(pair: tuple[Side, Side]) -> None:
    left, right = pair
    restored(left)
    try:
        mine, golden, shape = fit("op", left, right)
    except NotComparable:
        return
    assert mine.shape == golden.shape == (prod(shape),)


def test_matrices_in_blocks_have_a_shape() -> None:
    stored = Side(np.zeros(3 * 2 * 256, "f2"), (3, 2, 16, 16), "FRACTAL_NZ", (20, 60))
    with pytest.raises(NotComparable, match=r"shape \(20, 60\) is invalid\. The recommended shape is \(32, 48\)"):
        fit("op", stored, Side(np.zeros(1200), (20, 60), "ND", (20, 60)))


def test_complex_numbers_count_by_their_real_part() -> None:
    array = np.array([1 + 2j, 3 - 1j], "c8")
    row = Row(0, "FFT", "a", "a")
    fill(row, array, array.real.astype("f4"), (2,), Wanted(further=True))
    assert (row.left_type, row.right_type) == ("complex64", "float32")
    assert row.compared.values["MaxAbsoluteError"] == "0.000000"
