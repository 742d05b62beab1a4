"""Our layouts against the vendor's accuracy tool: every pair that it converts, on random tensors of many shapes."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from support.oracle import Job, convert_layouts, oracle

from subcut.compiler.device.layouts import device_shape, from_origin, to_origin

SHAPES = [(1, 3, 7, 5), (2, 16, 4, 4), (3, 17, 1, 2), (1, 64, 3, 3), (33, 40, 5, 1), (16, 1, 1, 1)]
"""N, C, H, W: with and without padding in N and C, with dimensions of one."""
READ = ["NC1HWC0-NCHW", "NC1HWC0-NHWC", "NC1HWC0-HWCN", "FRACTAL_Z-NCHW", "FRACTAL_Z-HWCN"]
"""Device layouts that the tool reads, and into what."""
WRITTEN = ["NCHW-FRACTAL_Z", "NHWC-FRACTAL_Z", "HWCN-FRACTAL_Z"]
PLAIN = ["HWCN-NCHW", "HWCN-NHWC", "NCHW-NHWC", "NHWC-HWCN", "NHWC-NCHW"]
MATRICES = ["FRACTAL_NZ-ND", "FRACTAL_NZ-NCHW", "FRACTAL_NZ-NHWC"]
VOLUMES = ["NDC1HWC0-NCDHW", "NDC1HWC0-ND"]
TYPES = ["float16", "float32", "int8", "int32", "uint16", "float64"]


def numbers(shape: tuple[int, ...], dtype: str = "float16") -> np.ndarray:
    return np.random.default_rng(7).integers(-100, 100, shape).astype(dtype)


def arranged(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    sizes = dict(zip("NCDHW" if len(shape) == 5 else "NCHW", shape, strict=True))
    return tuple(sizes[axis] for axis in layout)


def compare(jobs: list[Job], ours: list[np.ndarray]) -> None:
    theirs = convert_layouts(jobs)
    for job, mine, other in zip(jobs, ours, theirs, strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine, other.reshape(mine.shape), err_msg=f"{job.source} {job.target} {job.shape}")


def test_every_pair_of_the_tool_is_here() -> None:
    files = (oracle() / "format_manager" / "builtin_format_convert").glob("convert_*.py")
    pairs = [re.fullmatch(r"convert_(.+)_to_(.+)", file.stem) for file in files]
    assert sorted(f"{pair[1]}-{pair[2]}" for pair in pairs if pair) == sorted(
        READ + WRITTEN + PLAIN + MATRICES + VOLUMES
    )


@pytest.mark.parametrize("dtype", TYPES)
def test_reading_four_dimensions(dtype: str) -> None:
    jobs, ours = [], []
    for pair, shape, c0 in product(READ, SHAPES, (16, 32) if dtype == "int8" else (8, 16)):
        layout, origin = pair.split("-")
        wanted = arranged(shape, origin)
        device = numbers(device_shape(wanted, origin, layout, c0=c0), dtype)  # padding is not zero
        jobs.append(Job(layout, origin, device, wanted))
        mine = to_origin(device, layout, origin, None if layout == "NC1HWC0" else wanted)
        ours.append(mine)
        if layout == "NC1HWC0":
            cut = tuple(slice(size) for size in wanted)
            np.testing.assert_array_equal(to_origin(device, layout, origin, wanted), mine[cut])
    compare(jobs, ours)


@pytest.mark.parametrize("pair", WRITTEN)
def test_writing_weights(pair: str) -> None:
    origin, layout = pair.split("-")
    arrays = [numbers(arranged(shape, origin)) for shape in SHAPES]
    compare([Job(origin, layout, array) for array in arrays], [from_origin(a, origin, layout, c0=16) for a in arrays])


def test_plain_layouts() -> None:
    jobs, ours = [], []
    for pair, shape in product(PLAIN, SHAPES):
        layout, origin = pair.split("-")
        array = numbers(arranged(shape, layout))
        jobs.append(Job(layout, origin, array, arranged(shape, origin)))
        ours.append(to_origin(array, layout, origin))
        assert np.shares_memory(ours[-1], array)
    compare(jobs, ours)


@pytest.mark.parametrize("pair", MATRICES)
def test_matrices(pair: str) -> None:
    jobs, ours = [], []
    shapes = [(5,), (16,), (40,), (1, 1), (16, 16), (17, 31), (3, 64, 40), (2, 3, 33, 5)]
    for shape, c0 in product(shapes, (8, 16, 32)):
        device = numbers(device_shape(shape, "ND", "FRACTAL_NZ", c0=c0))
        jobs.append(Job("FRACTAL_NZ", pair.split("-")[1], device, shape))
        ours.append(to_origin(device, "FRACTAL_NZ", "ND", shape))
        assert ours[-1].shape == shape
    compare(jobs, ours)


@pytest.mark.parametrize("pair", VOLUMES)
def test_volumes(pair: str) -> None:
    jobs, ours = [], []
    for shape in [(1, 3, 2, 4, 5), (2, 16, 1, 3, 3), (2, 33, 3, 1, 2)]:
        device = numbers(device_shape(shape, "NCDHW", "NDC1HWC0", c0=16))
        jobs.append(Job("NDC1HWC0", pair.split("-")[1], device, shape))
        ours.append(to_origin(device, "NDC1HWC0", pair.split("-")[1], shape))
        np.testing.assert_array_equal(to_origin(device, "NDC1HWC0", "NCDHW")[:, : shape[1]], ours[-1])
    compare(jobs, ours)


def test_grouped_weights_agree_where_all_groups_share_fractals() -> None:
    """Up to there the tool's formula and the graph engine's are the same; see test_groups.py for the others."""
    jobs, ours = [], []
    for group, outputs, channels in [(2, 3, 4), (4, 4, 4), (16, 1, 1), (2, 16, 5), (3, 8, 2)]:
        array = numbers((group * outputs, channels, 3, 2))
        jobs.append(Job("NCHW", "FRACTAL_Z", array, group=group))
        ours.append(from_origin(array, "NCHW", "FRACTAL_Z", c0=16, group=group))
    compare(jobs, ours)
