"""Layouts: each is there and back again, padded with zeros, a view where it can be, refused where it must be."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subcut.compiler.device.layouts import (
    LayoutError,
    device_shape,
    from_origin,
    nonzero_padding,
    padded_shape,
    split_group,
    to_origin,
)

FLAT = ["NC1HWC0", "NC1HWC0_C04", "FRACTAL_Z", "C1HWNCoC0"]
DEEP = ["NDC1HWC0", "FRACTAL_Z_3D", "FRACTAL_Z_3D_TRANSPOSE"]
MATRICES = ["FRACTAL_NZ", "FRACTAL_ZZ", "FRACTAL_NZ_C0_2", "FRACTAL_NZ_C0_8", "FRACTAL_NZ_C0_32"]
ORIGINS = ["NCHW", "NHWC", "HWCN", "CHWN"]
DEEP_ORIGINS = ["NDHWC", "NCDHW", "DHWCN", "DHWNC"]
sizes = st.integers(1, 40)


def numbers(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(1, 1 + int(np.prod(shape)), dtype="int32").reshape(shape)


def check(array: np.ndarray, origin: str, layout: str, c0: int) -> None:
    device = from_origin(array, origin, layout, c0=c0)
    assert device.shape == device_shape(array.shape, origin, layout, c0=c0)
    assert device.flags.c_contiguous
    assert np.count_nonzero(device) == array.size
    assert nonzero_padding(device, layout, origin, array.shape) == 0
    back = to_origin(device, layout, origin, array.shape)
    np.testing.assert_array_equal(back, array)
    padded = padded_shape(device.shape, layout, origin)
    if padded is not None and len(padded) == array.ndim:
        whole = to_origin(device, layout, origin)
        assert whole.shape == padded
        np.testing.assert_array_equal(whole[tuple(map(slice, array.shape))], array)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FLAT), st.sampled_from(ORIGINS), st.tuples(sizes, sizes, *[st.integers(1, 4)] * 2), st.data())
def test_four_dimensions_there_and_back(layout: str, origin: str, nchw: tuple[int, ...], data: st.DataObject) -> None:
    shape = tuple(nchw["NCHW".index(axis)] for axis in origin)
    check(numbers(shape), origin, layout, 4 if layout == "NC1HWC0_C04" else data.draw(st.sampled_from([8, 16, 32])))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(DEEP), st.sampled_from(DEEP_ORIGINS), st.tuples(sizes, sizes, *[st.integers(1, 3)] * 3))
def test_five_dimensions_there_and_back(layout: str, origin: str, ncdhw: tuple[int, ...]) -> None:
    check(numbers(tuple(ncdhw["NCDHW".index(axis)] for axis in origin)), origin, layout, 16)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MATRICES), st.lists(st.integers(1, 40), min_size=1, max_size=4).map(tuple))
def test_matrices_there_and_back(layout: str, shape: tuple[int, ...]) -> None:
    shape = (*(size % 3 + 1 for size in shape[:-2]), *shape[-2:])
    check(numbers(shape), "ND", layout, int(layout.rpartition("_")[2]) if "C0_" in layout else 16)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ORIGINS[:3]), st.tuples(sizes, st.integers(1, 4), *[st.integers(1, 7)] * 2))
def test_four_channels_there_and_back(origin: str, nchw: tuple[int, ...]) -> None:
    check(numbers(tuple(nchw["NCHW".index(axis)] for axis in origin)), origin, "FRACTAL_Z_C04", 16)


def test_places_by_formula() -> None:
    """Elements looked up one by one where the graph engine's converters put them."""
    n, c, d, h, w = 18, 35, 2, 2, 3
    array = numbers((n, c, d, h, w))
    z3d = from_origin(array, "NCDHW", "FRACTAL_Z_3D", c0=16).reshape(d, 3, h, w, 32, 16)
    back = from_origin(array, "NCDHW", "FRACTAL_Z_3D_TRANSPOSE", c0=16).reshape(d, 2, h, w, 48, 16)
    five = from_origin(array, "NCDHW", "NDC1HWC0", c0=16)
    flat = array[:, :, 0]
    diagonal = from_origin(flat, "NCHW", "C1HWNCoC0", c0=16)
    narrow = from_origin(flat[:, :3], "NCHW", "FRACTAL_Z_C04", c0=16)
    zz = from_origin(array, "NCDHW", "FRACTAL_ZZ", c0=16)
    for i, j, k, y, x in product((0, 17), (0, 15, 16, 34), range(d), range(h), range(w)):
        assert z3d[k, j // 16, y, x, i, j % 16] == array[i, j, k, y, x]
        assert back[k, i // 16, y, x, j, i % 16] == array[i, j, k, y, x]
        assert five[i, k, j // 16, y, x, j % 16] == array[i, j, k, y, x]
        assert zz[i, j, k, y // 16, x // 16, y % 16, x % 16] == array[i, j, k, y, x]
        assert diagonal[j // 16, y, x, i, j % 16, j % 16] == flat[i, j, y, x]
        if j < 3:
            column = (y * w + x) * 4 + j
            assert narrow[column // 16, i // 16, i % 16, column % 16] == flat[i, j, y, x]
    assert np.count_nonzero(diagonal) == flat.size


def test_views_cost_no_copy() -> None:
    one_block = np.zeros((2, 1, 5, 7, 16), "float16")
    for shape in [(2, 16, 5, 7), (2, 3, 5, 7)]:
        view = to_origin(one_block, "NC1HWC0", "NCHW", shape)
        assert view.shape == shape
        assert np.shares_memory(view, one_block)
    batch = np.zeros((1, 1, 16, 16), "float16")
    assert np.shares_memory(to_origin(batch, "FRACTAL_NZ", "ND", (9, 3)), batch)
    assert np.shares_memory(to_origin(batch, "FRACTAL_Z", "HWCN", (1, 1, 3, 5)), batch)
    assert np.shares_memory(from_origin(view, "NCHW", "NHWC"), one_block)


def test_a_copy_is_new_and_in_c_order() -> None:
    device = np.zeros((1, 2, 3, 3, 16), "float16")
    device.flags.writeable = False
    made = to_origin(device, "NC1HWC0", "NHWC", (1, 3, 3, 20))
    assert made.flags.c_contiguous
    assert made.flags.writeable
    assert not np.shares_memory(made, device)


@pytest.mark.parametrize("layout", [*FLAT, "FRACTAL_NZ"])
def test_stored_arrays_of_any_strides_are_read(layout: str) -> None:
    array = numbers((3, 20, 4, 5))
    device = from_origin(array, "NCHW", layout)
    spread = np.repeat(device, 2, axis=-2)[..., ::2, :]
    assert not spread.flags.c_contiguous
    np.testing.assert_array_equal(to_origin(spread, layout, "NCHW", array.shape), array)
    if layout != "FRACTAL_NZ":  # which stores the last two axes, whatever they are
        np.testing.assert_array_equal(from_origin(array.transpose(0, 2, 3, 1), "NHWC", layout), device)


@pytest.mark.parametrize(
    ("shape", "stored", "layout", "axes"),
    [
        ((20,), (1, 2, 1, 1, 16), "NC1HWC0", (0, 1, 4)),
        ((3, 20), (3, 2, 1, 1, 16), "NC1HWC0", (0, 1, 4)),
        ((20, 3), (1, 2, 3, 1, 16), "NC1HWC0", (1, 4, 2)),
        ((20, 3, 4), (1, 2, 3, 4, 16), "NC1HWC0", (1, 4, 2, 3)),
        ((40, 20), (3, 2, 16, 16), "FRACTAL_Z", (0, 3, 1, 2)),
    ],
)
def test_shapes_with_fewer_dimensions(
    shape: tuple[int, ...], stored: tuple[int, ...], layout: str, axes: tuple[int, ...]
) -> None:
    device = numbers(stored)
    rest = tuple(i for i in range(len(stored)) if i not in axes)
    flat = device.transpose(*rest, *axes)[(0,) * len(rest)]
    read = to_origin(device, layout, "NCHW", shape)
    assert read.shape == shape
    whole = flat.reshape(-1, *flat.shape[2:]) if layout == "NC1HWC0" and axes[0] == 1 else flat
    if layout == "NC1HWC0" and axes[:2] == (0, 1):
        whole = flat.reshape(flat.shape[0], -1)[0 if len(shape) == 1 else slice(None)]
    if layout == "FRACTAL_Z":
        whole = flat.reshape(48, 32)
    np.testing.assert_array_equal(read, whole[tuple(map(slice, shape))])


def test_a_vector_in_fractals_is_a_row_unless_the_stored_shape_is_a_column() -> None:
    row = from_origin(np.arange(40), "ND", "FRACTAL_NZ", c0=16)
    assert row.shape == (3, 1, 16, 16)
    np.testing.assert_array_equal(to_origin(row, "FRACTAL_NZ", "ND", (40,)), np.arange(40))
    column = from_origin(np.arange(40)[:, None], "ND", "FRACTAL_NZ", c0=16)
    np.testing.assert_array_equal(to_origin(column, "FRACTAL_NZ", "ND", (40,)), np.arange(40))


def test_empty_tensors() -> None:
    assert from_origin(np.zeros((0, 3, 4, 4), "float16"), "NCHW", "NC1HWC0").shape == (0, 1, 4, 4, 16)
    assert to_origin(np.zeros((0, 1, 4, 4, 16), "float16"), "NC1HWC0", "NHWC", (0, 4, 4, 3)).shape == (0, 4, 4, 3)


@pytest.mark.parametrize(
    ("stored", "layout", "origin", "shape", "said"),
    [
        ((1, 2, 4, 4, 16), "NC1HWC0", "NCHW", (1, 33, 4, 4), r"NC1HWC0 \(1,2,4,4,16\) does not hold NCHW \(1,33,4,4\)"),
        ((1, 2, 4, 4, 16), "NC1HWC0", "NCHW", (1, 16, 4, 4), r"which would be stored as \(1,1,4,4,16\)"),
        ((1, 2, 4, 4, 16), "NC1HWC0", "NCDHW", (1, 9, 1, 4, 4), "stores no tensor of layout NCDHW"),
        ((1, 2, 4, 4, 16), "NC1HWC0", "NCHW", (1, 2, 3, 4, 5, 6), "has 6 dimensions"),
        ((16, 16), "FRACTAL_NZ", "ND", (3, 3), r"FRACTAL_NZ \(16,16\) does not hold"),
        ((9, 1, 16, 16), "FRACTAL_Z", "NCHW", None, "does not say its original shape"),
        ((1, 2, 3, 4), "NCHW", "NHWC", (1, 2, 3, 4), r"NCHW \(1,2,3,4\) does not hold NHWC \(1,2,3,4\)"),
        ((1, 2, 3, 4), "NCHW", "NDHWC", None, "has not the axes of NDHWC"),
        ((1, 2, 3, 4), "FRACTAL_ZN_LSTM", "ND", (1, 2, 3, 4), "how the layout FRACTAL_ZN_LSTM is stored is not known"),
        ((1, 2, 4, 4, 16), "NC1HWC0", "FRACTAL_Z", None, "is no layout of an original model"),
        ((3, 2, 16, 16), "FRACTAL_Z", "NCHW", (20, 3, 3), "in several ways"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_shapes(
    stored: tuple[int, ...], layout: str, origin: str, shape: tuple[int, ...] | None, said: str
) -> None:
    with pytest.raises(LayoutError, match=said):
        to_origin(np.zeros(stored, "float16"), layout, origin, shape)


def test_group_in_a_layouts_name() -> None:
    assert split_group("FRACTAL_Z:96") == ("FRACTAL_Z", 96)
    assert split_group("NCHW") == ("NCHW", 1)
    assert split_group("FRACTAL_Z:x") == ("FRACTAL_Z:x", 1)
