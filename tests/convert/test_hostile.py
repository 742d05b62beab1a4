"""Dumps that say anything: a tensor is converted or refused with a reason, and nothing larger than it is made."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subcut.compiler.conversion.tensors import convert_tensor
from subcut.compiler.device.dumps.record import DumpTensor, Origin
from subcut.compiler.device.enums import IR_TYPES, LAYOUTS
from subcut.compiler.device.layouts import LayoutError
from subcut.compiler.storage.files import SourceFile, Span

SIZE = 4096
dims = st.one_of(st.integers(0, 5), st.sampled_from([1, 4, 8, 16, 32, 1 << 31, 1 << 62, (1 << 64) - 1]))
shapes = st.lists(dims, max_size=7).map(tuple) | st.sampled_from(
    [(1,) * 24, (1,) * 30, (1,) * 40, (1,) * 70, (0,) * 90]
)
groups = st.sampled_from([0, 1, 2, 3, 16, 1 << 20, (1 << 31) - 1, -1])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> SourceFile:
    path: Path = tmp_path_factory.mktemp("hostile") / "data"
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    file = SourceFile(path)
    for name in ("BF16", "HIFLOAT8"):  # what is imported once takes memory once
        convert_tensor(
            DumpTensor("output", 0, name, "ND", 0, (4,), None, Span(file, 0, 64), 64), None, None, None, False
        )
    return file


@settings(max_examples=1500, deadline=None)
@given(
    shapes, st.sampled_from(LAYOUTS), st.none() | shapes, st.sampled_from(IR_TYPES), groups,
    st.sampled_from(["NCHW", "NHWC", "HWCN", "ND", "NCDHW", "DHWCN", "CN", None]), st.booleans(), st.none() | shapes,
    st.none() | st.sampled_from(LAYOUTS),
)  # fmt: skip
@example((0, 1 << 62, 1 << 62, 16, 16), "NC1HWC0", (0, 1 << 62, 1, 1), "INT8", 1, "NCHW", False, None, None)
@example((1, 1, 16, 16), "FRACTAL_Z", (1 << 62, 1), "INT8", 1 << 30, "NCHW", False, None, None)
@example((1, 0, 0, 16), "FRACTAL_Z", (1, 0, 0, 0), "INT8", 2, "NCHW", False, None, None)
def test_any_description(
    file: SourceFile, shape: tuple[int, ...], layout: str, original: tuple[int, ...] | None, type_name: str,
    group: int, wanted: str | None, bare: bool, given: tuple[int, ...] | None, origin: str | None,
) -> None:  # fmt: skip
    told = None if origin is None else Origin("op", 0, None, origin)
    tensor = DumpTensor(
        "output", 0, type_name, layout, group, shape, original, Span(file, 0, SIZE), SIZE, origin=told
    )  # fmt: skip
    tracemalloc.start()
    with contextlib.suppress(LayoutError):
        made = convert_tensor(tensor, wanted, given, None, bare)
        assert made.array.nbytes <= 32 * SIZE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 21
