"""What goes beyond the ten metrics, against the same said in one line of numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from subcut.analysis.compare.further import BINS, Further, Wanted, look_further
from subcut.analysis.sums import PIECE

ALL = Wanted(further=True, pictures=True)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, max_side=5)


def look(left: Any, right: Any) -> Further:
    found = look_further(left.reshape(-1), right.reshape(-1), left.shape, ALL)
    assert found is not None
    return found


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    shape = draw(SHAPES)
    kind = draw(st.sampled_from(["f2", "f4"]))
    elements = st.floats(-1000, 1000, width=16) | st.sampled_from([np.nan, np.inf, -np.inf, 65504.0])
    left, right = (draw(hnp.arrays(kind, shape, elements=elements)) for _ in range(2))
    return left, right


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(pairs())
def test_everything(pair: tuple[Any, Any]) -> None:
    left, right = pair
    found = look(left, right)
    x, y = (side.astype("f8") for side in pair)
    with np.errstate(all="ignore"):
        near = np.isclose(x, y, rtol=ALL.relative, atol=ALL.absolute, equal_nan=True)
        error = np.where(x == y, 0, np.abs(x - y))
    assert found.mismatches == np.count_nonzero(~near)
    assert found.left == {"nan": np.isnan(x).sum(), "inf": np.isinf(x).sum(), "overflow": (np.abs(x) >= 65504).sum()}
    assert sum(found.histogram) == x.size
    assert found.histogram[0] == np.count_nonzero(error == 0)
    assert found.histogram[BINS - 1] >= np.count_nonzero(np.isnan(error))
    if x.ndim > 1:
        channels = np.moveaxis(error, 1, 0).reshape(x.shape[1], -1).mean(axis=1)
        np.testing.assert_allclose(found.channels, channels)
        over = np.nan_to_num(error, nan=np.inf, posinf=np.inf).reshape(-1, *x.shape[-2:]).max(axis=0)
        np.testing.assert_array_equal(found.map, over)
    finite = np.isfinite(x) & np.isfinite(y)
    noise, signal = np.square(error[finite]).sum(), np.square(y[finite]).sum()
    assume(noise > 0 and signal > 0)
    assert found.snr is not None
    np.testing.assert_allclose(found.snr, 10 * np.log10(signal / noise), rtol=1e-9, atol=1e-9)


def test_steps_of_the_number_format() -> None:
    one = np.ones(3, "f4")
    above = np.nextafter(np.nextafter(one, np.float32(2)), np.float32(2))
    assert look(one, one).max_ulp == 0
    assert look(above, one).max_ulp == 2
    assert look(np.nextafter(one, np.float32(0)), above).max_ulp == 3
    tiny = np.array([np.nextafter(np.float32(0), np.float32(1))])
    assert look(-tiny, tiny).max_ulp == 2
    assert look(np.array([-0.0], "f4"), np.array([0.0], "f4")).max_ulp == 0
    assert look(np.array([1 + 2**-10], "f2"), np.array([1], "f8")).max_ulp == 1
    assert look(np.array([1.0], "f8"), np.nextafter(np.array([1.0]), 2)).max_ulp == 1
    assert look(np.array([1, 2]), np.array([1, 3])).max_ulp is None


def test_long_tensors() -> None:
    random = np.random.default_rng(0)
    left = random.standard_normal((2, 3, PIECE // 3, 5)).astype("f4")
    right = left.copy()
    right[1, 2, -1, -1] += 1
    found = look(left, right)
    assert found.mismatches == 1
    assert found.channels[:2] == [0, 0]
    assert np.argmax(found.map) == len(found.map) * len(found.map[0]) - 1
    assert (len(found.map), len(found.map[0])) == (16, 5)


def test_only_what_is_asked_for() -> None:
    one = np.ones(3)
    assert look_further(one, one, (3,), Wanted()) is None
    found = look_further(one, one, (3,), Wanted(pictures=True))
    assert found is not None
    assert found.left == {}
