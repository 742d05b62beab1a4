"""Copying in runs, tiles and shares: always what an assignment does, whatever the sizes and strides."""

from __future__ import annotations

import os

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subcut.compiler.device.layouts import copying, from_origin, to_origin

TYPES = [np.dtype(name) for name in ("int8", "float16", "float32", "complex128", ml_dtypes.bfloat16, "bool")]


def views(data: st.DataObject, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A view of that shape: axes in any order, cut out of something larger."""
    order = data.draw(st.permutations(range(len(shape))))
    more = [data.draw(st.integers(0, 2)) for _ in shape]
    base = np.zeros([shape[axis] + more[axis] for axis in order], dtype)
    cut = base[(..., *(slice(shape[axis]) for axis in order))]
    return cut.transpose(np.argsort(order))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=0, max_size=5).map(tuple), st.sampled_from(TYPES), st.data())
def test_any_views(shape: tuple[int, ...], dtype: np.dtype, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "_TILE", data.draw(st.sampled_from([64, 200, 1 << 20])))
        patch.setattr(copying, "_PARALLEL", data.draw(st.sampled_from([16, 1 << 20])))
        patch.setattr(os, "cpu_count", lambda: 3)
        source, to = views(data, shape, dtype), views(data, shape, dtype)
        source[...] = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
        copying.copy(to, source)
        np.testing.assert_array_equal(to, source)


def test_only_the_view_is_written() -> None:
    whole = np.zeros((4, 6, 32), "float16")
    copying.copy(whole[1:3, ::2, 8:24], np.ones((2, 3, 16), "float16"))
    assert np.count_nonzero(whole) == 2 * 3 * 16


@pytest.mark.parametrize("layout", ["NC1HWC0", "FRACTAL_Z", "FRACTAL_NZ"])
def test_large_arrays(layout: str) -> None:
    """Larger than a tile, and than what threads share."""
    array = np.arange(40 * 17 * 160 * 170, dtype="int32").reshape(40, 17, 160, 170)
    device = from_origin(array, "NCHW", layout, c0=16)
    np.testing.assert_array_equal(to_origin(device, layout, "NCHW", array.shape), array)


def test_contiguous_copies_only_what_is_not() -> None:
    array = np.arange(12).reshape(3, 4)
    assert copying.contiguous(array) is array
    made = copying.contiguous(array.T)
    assert made.flags.c_contiguous
    np.testing.assert_array_equal(made, array.T)
