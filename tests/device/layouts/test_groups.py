"""Weights of grouped convolutions: the graph engine's formula, element by element, and where the tool has another."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from support.oracle import Job, convert_layouts

from subcut.compiler.device.layouts import LayoutError, device_shape, from_origin, nonzero_padding, to_origin


def stored_by_loops(array: np.ndarray, group: int, c0: int = 16) -> np.ndarray:
    """FRACTAL_Z of weights (N, C of one group, H, W), written down from `format_transfer_fractal_z.cc` of hicann/ge."""
    total, channels, height, width = array.shape
    outputs = total // group
    share = min(math.lcm(math.lcm(channels, c0) // channels, math.lcm(outputs, 16) // outputs), group)
    blocks = -(-group // share)
    c1 = -(-share * channels // c0)
    rows = -(-share * outputs // 16) * 16
    stored = np.zeros((blocks, c1, height, width, rows, c0), array.dtype)
    for g, k, c, h, w in product(range(group), range(outputs), range(channels), range(height), range(width)):
        place = (g % share) * channels + c
        stored[g // share, place // c0, h, w, (g % share) * outputs + k, place % c0] = array[g * outputs + k, c, h, w]
    return stored.reshape(blocks * c1 * height * width, rows // 16, 16, c0)


CASES = [
    (96, 1, 1, 3, 3), (32, 1, 1, 1, 1), (8, 2, 2, 3, 1), (5, 7, 3, 2, 2), (32, 4, 4, 1, 2), (3, 20, 24, 2, 1),
    (2, 1, 17, 1, 1), (20, 2, 1, 1, 3), (7, 16, 16, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("c0", [16, 32])
@pytest.mark.parametrize("case", CASES)
def test_the_graph_engines_formula(case: tuple[int, ...], c0: int) -> None:
    group, outputs, channels, height, width = case
    array = np.random.default_rng(1).integers(1, 99, (group * outputs, channels, height, width)).astype("int16")
    stored = stored_by_loops(array, group, c0)
    np.testing.assert_array_equal(from_origin(array, "NCHW", "FRACTAL_Z", c0=c0, group=group), stored)
    assert device_shape(array.shape, "NCHW", "FRACTAL_Z", c0=c0, group=group) == stored.shape
    np.testing.assert_array_equal(to_origin(stored, "FRACTAL_Z", "NCHW", array.shape, group=group), array)
    hwcn = to_origin(stored, f"FRACTAL_Z:{group}", "HWCN", tuple(array.shape[i] for i in (2, 3, 1, 0)))
    np.testing.assert_array_equal(hwcn, array.transpose(2, 3, 1, 0))
    assert nonzero_padding(stored, "FRACTAL_Z", "NCHW", array.shape, group=group) == 0
    stored[-1, -1, -1, -1] += 1
    assert nonzero_padding(stored, "FRACTAL_Z", "NCHW", array.shape, group=group) == (
        array[-1, -1, -1, -1] + 1 != stored[-1, -1, -1, -1]
    )


def test_a_real_depthwise_shape() -> None:
    assert device_shape((96, 1, 3, 3), "NCHW", "FRACTAL_Z", c0=16, group=96) == (54, 1, 16, 16)


def test_the_accuracy_tool_has_another_place_for_groups_that_share_no_fractal() -> None:
    """A depth-wise weight of 32 groups, 16 to a fractal: the tool writes the second 16 over the first."""
    array = np.arange(1, 33, dtype="float16").reshape(32, 1, 1, 1)
    (theirs,) = convert_layouts([Job("NCHW", "FRACTAL_Z", array, group=32)])
    ours = from_origin(array, "NCHW", "FRACTAL_Z", group=32)
    np.testing.assert_array_equal(ours, stored_by_loops(array, 32))
    assert theirs.shape == ours.shape
    assert np.count_nonzero(ours) == 32
    assert np.count_nonzero(theirs) < 32


def test_groups_that_do_not_divide_the_outputs_are_refused() -> None:
    with pytest.raises(LayoutError, match="10 outputs cannot be split into 3 groups"):
        from_origin(np.zeros((10, 1, 1, 1), "float16"), "NCHW", "FRACTAL_Z", group=3)
    with pytest.raises(LayoutError, match="how FRACTAL_Z_3D stores 2 groups is not known"):
        from_origin(np.zeros((1, 1, 1, 1, 4), "float16"), "DHWCN", "FRACTAL_Z_3D", group=2)
