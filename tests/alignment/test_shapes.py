"""Numbers come in the shape and layout of the original, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subcut.compiler.alignment.numbers import _in_order, whole_file
from subcut.compiler.device.layouts import LayoutError
from subcut.compiler.errors import UserError
from subcut.compiler.ir.alignment import EXACT, Row
from subcut.compiler.ir.graph import Op
from subcut.compiler.ir.types import TensorType


def row(shape: tuple[object, ...] | None, held: tuple[int, ...] | None) -> Row:
    """A row of a tensor that the model says is `shape`, and the offline model `held`."""
    value = Op("Relu", "a").add_result("a", TensorType("f32", shape))  # type: ignore[arg-type]
    return Row(value, "a", 0, EXACT, "", "a", 0, "", held)


def given_out(array: np.ndarray, shape: tuple[object, ...] | None, folder: Path) -> np.ndarray:
    np.save(folder / "a.npy", array)
    return whole_file(row(shape, array.shape), folder / "a.npy")


@pytest.mark.parametrize("shape", [(2, 6, 4, 5), ("N", 6, 4, 5), (7, 6, 4, 5), (2, 6, None, 5)])
def test_channels_are_where_the_model_has_them(shape: tuple[object, ...], tmp_path: Path) -> None:
    """A compiler may call the layout another than the model's; reshaping would mix everything up."""
    array = np.arange(240, dtype=np.float32).reshape(2, 4, 5, 6)
    assert np.array_equal(given_out(array, shape, tmp_path), array.transpose(0, 3, 1, 2))
    plain = np.ascontiguousarray(array.transpose(0, 3, 1, 2))
    assert np.array_equal(given_out(plain, shape, tmp_path), plain)


@pytest.mark.parametrize("shape", [(2, 3, 8), (48,), (1, 6, 8), (6, 1, 8), (6, 2, 4)])
def test_axes_may_be_merged_and_split(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.arange(48, dtype=np.float32).reshape(6, 8)
    assert np.array_equal(given_out(array, shape, tmp_path), array.reshape(shape))


@pytest.mark.parametrize("shape", [(8, 6), (3, 16), (4, 12)])
def test_another_order_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(LayoutError):
        given_out(np.zeros((6, 8), np.float32), shape, tmp_path)


@given(st.lists(st.integers(0, 5), max_size=5), st.data())
def test_merging_neighbours_keeps_the_order(shape: list[int], data: st.DataObject) -> None:
    merged: list[int] = []
    for dim in shape:
        if merged and data.draw(st.booleans()):
            merged[-1] *= dim
        else:
            merged += [1, dim] if data.draw(st.booleans()) else [dim]
    assert _in_order(shape, merged)
    assert _in_order(merged, shape)


def test_raw_bytes_are_read_as_the_offline_model_has_the_tensor(tmp_path: Path) -> None:
    """The original may state another batch."""
    np.arange(6, dtype=np.float16).tofile(tmp_path / "a.bin")
    found = whole_file(row((10, 3), (2, 3)), tmp_path / "a.bin")
    assert (found.shape, found.dtype, found.max()) == ((2, 3), np.dtype("f4"), 5)
    with pytest.raises(UserError) as refused:
        whole_file(row(("N", 3), None), tmp_path / "a.bin")
    assert refused.value.code == "wrong-size"
