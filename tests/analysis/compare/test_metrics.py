"""The ten metrics: character by character what the vendor's accuracy tool says of the same arrays."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support.oracle_metrics import LEFT, RIGHT, metrics

from subcut.analysis.metrics import METRICS, Names, compare_arrays, is_scalar
from subcut.analysis.sums import double_sum, pairwise

NAMES = Names(LEFT, RIGHT)
KINDS = ("float16", "float32", "float64", "int8", "uint8", "int32", "int64", "uint64", "bool")


def check(pairs: list[tuple[Any, Any]]) -> None:
    names, expected = metrics(pairs)
    assert tuple(names) == METRICS
    for (left, right), (values, messages) in zip(pairs, expected, strict=True):
        found = compare_arrays(left.reshape(-1), right.reshape(-1), NAMES, scalar=is_scalar(left.shape))
        assert list(found.values.values()) == values, (left, right)
        assert found.messages == messages, (left, right)


def special() -> list[tuple[Any, Any]]:
    nothing, zero, one = np.zeros(0, "f4"), np.zeros(5, "f4"), np.arange(1, 6, dtype="f4")
    holes = np.array([1, np.nan, np.inf, -np.inf, 0], "f4")
    tiny = np.full(5, 1e-30, "f4")
    true, mixed = np.ones(5, bool), np.array([1, 0, 1, 1, 0], bool)
    constant, huge = np.full(5, 7, "f4"), np.full(5, 3e38, "f4")
    vectors = [zero, one, -one, holes, tiny, constant, huge, one * 1e-6, true, mixed, ~true]
    pairs = [(left, right) for left in vectors for right in vectors]
    pairs += [(nothing, nothing), (nothing.astype(bool), nothing.astype(bool)), (np.zeros((0, 2)), np.zeros((0, 2)))]
    pairs += [(np.full((1, 1), 2, "f4"), np.full((1, 1), 3, "f4")), (np.float32(3).reshape(()), np.zeros(()))]
    pairs += [(np.array([1 + 2**-24], "f8"), np.array([1], "f8")), (np.array([True]), np.array([False]))]
    return pairs


def test_special_numbers() -> None:
    check(special())


@pytest.mark.parametrize("count", [7, 8, 127, 128, 129, 1000, 8191, 8193, 16384, 16385, 40000, 65537, 300001])
def test_lengths(count: int) -> None:
    random = np.random.default_rng(count)
    x, y = random.standard_normal((2, count)) * 10 ** random.uniform(-2, 2, (2, 1))
    near = y + random.standard_normal(count) * 1e-3
    relu = np.maximum(y, 0)
    pairs = [(x, y), (near, y), (relu.astype("f2"), relu.astype("f4")), (x.astype("f4") > 0, y > 0)]
    ends = np.clip((x, y), -2, 2) * 50
    pairs += [(ends[0].astype(kind), ends[1].astype(kind)) for kind in ("i1", "i8", "f2", "f8")]
    check([*pairs, (np.full(count, 0.1, "f4"), y.astype("f4"))])


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Any, Any]:
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=4))
    kinds = draw(st.sampled_from(KINDS)), draw(st.sampled_from(KINDS))
    left, right = (draw(hnp.arrays(kind, shape)) for kind in kinds)
    return left, right


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(arrays(), min_size=10, max_size=20))
def test_any_pair(pairs: list[tuple[Any, Any]]) -> None:
    check(pairs)


@given(st.integers(0, 200_000), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_sums_are_those_of_the_whole(count: int, seed: int) -> None:
    array = np.random.default_rng(seed).standard_normal(count).astype("f4")
    (found,) = pairwise(count, lambda part: (np.array([array[part].sum()]),))
    assert found[0] == array.sum()
    assert double_sum(array, np.float32) == array.sum(dtype=np.float64)


def test_the_first_elements_only() -> None:
    left, right = np.arange(9.0), np.arange(9.0)[::-1]
    assert compare_arrays(left, right, NAMES, limit=4) == compare_arrays(left[:4], right[:4], NAMES)


def test_memory_is_bounded() -> None:
    left = np.ones(8_000_000, "f2")
    right = left.copy()
    tracemalloc.start()
    compare_arrays(left, right, NAMES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_lengths_differ() -> None:
    with pytest.raises(ValueError, match="3 and 4 elements"):
        compare_arrays(np.zeros(3), np.zeros(4), NAMES)
