"""Slices of an operator are put together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dumps import TIME, plant, ranges, write_pieces, write_threads

from subcut.compiler.device.dumps.names import Ffts, make_name
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.slices import combine
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump


def outputs(folder: Path, dtype: Any = np.float32) -> tuple[list[np.ndarray[Any, Any]], list[str]]:
    (run,) = DumpTree.open(folder).find("x")
    made = combine(run)
    return [one.buffer().view(dtype).reshape(one.shape) for one in made.outputs], made.problems


def test_threads_along_one_axis(tmp_path: Path) -> None:
    whole = np.arange(5 * 6, dtype=np.float32).reshape(5, 6)
    write_threads(tmp_path, whole, [((0, 5), (0, 2)), ((0, 5), (2, 4)), ((0, 5), (4, 6))], [1, 3])
    (made,), problems = outputs(tmp_path)
    assert np.array_equal(made, whole)
    assert problems == []


def test_a_file_of_a_thread_alone_has_the_shape_of_its_part(tmp_path: Path) -> None:
    """The header states the whole's."""
    whole = np.arange(5 * 6, dtype=np.float32).reshape(5, 6)
    write_threads(tmp_path, whole, [((0, 5), (0, 4)), ((0, 5), (4, 6))], [1, 2])
    read = [read_dump(path) for path in sorted(tmp_path.iterdir())]
    assert [dump.outputs[0].shape for dump in read] == [(5, 4), (5, 2)]
    assert [dump.problems for dump in read] == [[], []]


def test_inputs_may_overlap(tmp_path: Path) -> None:
    whole = np.arange(8, dtype=np.float32)
    write_threads(tmp_path, whole, [((0, 5),), ((3, 8),)], [2])
    made = combine(DumpTree.open(tmp_path).find("x")[0])
    assert np.array_equal(made.inputs[0].buffer().view(np.float32), whole)
    assert made.inputs[0].like.direction == "input"


def test_what_was_not_cut_is_the_first_slice(tmp_path: Path) -> None:
    whole = np.arange(4, dtype=np.float32)
    write_threads(tmp_path, whole, [((0, 4),)] * 3, [1])
    (made,), problems = outputs(tmp_path)
    assert np.array_equal(made, whole)
    assert problems == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=1, max_size=3))
def test_any_grid_of_threads(tmp_path_factory: pytest.TempPathFactory, grid: list[list[int]]) -> None:
    """`grid` has the lengths of the pieces on each axis: every product of pieces is one thread."""
    folder = tmp_path_factory.mktemp("grid")
    boxes: list[list[tuple[int, int]]] = [[]]
    for pieces in grid:
        ends = np.cumsum(pieces).tolist()
        bounds = list(zip([0, *ends[:-1]], ends, strict=True))
        boxes = [[*box, bound] for box in boxes for bound in bounds]
    whole = np.random.default_rng(1).random([sum(pieces) for pieces in grid], np.float32)
    write_threads(folder, whole, boxes, [len(pieces) for pieces in grid])
    (made,), problems = outputs(folder)
    assert np.array_equal(made, whole)
    assert problems == []


def test_pieces_of_the_compiler(tmp_path: Path) -> None:
    whole = np.arange(12 * 2, dtype=np.float16).reshape(2, 12)
    write_pieces(tmp_path, [whole[:, :1], whole[:, 1:9], whole[:, 9:]], [1, 3], 3)
    (made,), problems = outputs(tmp_path, np.float16)
    assert np.array_equal(made, whole)
    assert problems == []
    shared = combine(DumpTree.open(tmp_path).find("x")[0]).inputs[0]
    assert shared.buffer().view(np.float16).tolist() == [7, 8]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_slice_is_said(tmp_path: Path, missing: int) -> None:
    whole = np.arange(6, dtype=np.float32)
    write_threads(tmp_path, whole, [((0, 2),), ((2, 4),), ((4, 6),)], [3])
    next(tmp_path.glob(f"*.4.5.{missing}.0")).unlink()
    made, problems = outputs(tmp_path)
    assert made == []
    assert problems[0] == "2 of 3 slices were dumped"
    assert "output 0 is not put together: its slices leave a gap in the whole of [6]" in problems


def test_a_missing_piece_is_said(tmp_path: Path) -> None:
    whole = np.arange(4, dtype=np.float16).reshape(1, 4)
    write_pieces(tmp_path, [whole[:, :2]], [1, 2], 2)
    made, problems = outputs(tmp_path, np.float16)
    assert made == []
    assert problems == [
        "1 of 2 slices were dumped", "output 0 is not put together: 1 of its 2 pieces are there"
    ]  # fmt: skip


def test_one_file_is_itself(tmp_path: Path) -> None:
    plant(tmp_path, "x")
    (made,), problems = outputs(tmp_path)
    assert made.tolist() == [1.0]
    assert problems == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output_tensor_slice": []}, "no range of it is stated"),
        ({"output_tensor_slice": None}, "no range of it is stated"),
        ({"output_tensor_slice": [[]]}, "no range of it is stated for thread 0"),
        ({"output_tensor_slice": ranges([((0, 2),)])}, "no range of it is stated for thread 1"),
        ({"output_tensor_slice": ranges([((0, 2),), ((2, 99),)])}, "a slice of 388 bytes of FLOAT has 8 of FLOAT"),
        ({"output_tensor_slice": ranges([((0, 2),), ((2, 2),)])}, "the range of thread 1 is empty or negative"),
        ({"output_tensor_slice": ranges([((0, 2),), ((0, 1), (0, 1))])}, "its slices have different numbers of axes"),
        ({"output_tensor_slice": ranges([[(0, 2)] + [(0, 1)] * 40, [(2, 4)] + [(0, 1)] * 40])}, "it has 41 axes"),
        ({"threadMode": False, "outputCutList": []}, "how it was cut is not stated"),
        ({"threadMode": False, "outputCutList": [[2, 2]]}, "it was cut along 2 axes"),
        ({"threadMode": False, "outputCutList": [[1, 2]]}, "it was cut along axis 1 and has 1"),
    ],
)
def test_descriptions_that_do_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    whole = np.arange(4, dtype=np.float32)
    boxes = [((0, 2),), ((2, 4),)]
    said = {"threadMode": True, "slice_instance_num": 2, "output_tensor_slice": ranges(boxes)} | change
    for thread, ((low, high),) in enumerate(boxes):
        one = NewTensor(whole[low:high], "FLOAT", "ND", (2,), address=8)
        name = make_name("Add", "x", 2, TIME + thread, ffts=Ffts(4, 5, thread, 0))
        write_dump(tmp_path / name, NewDump("x", [], [one], attributes={"json": json.dumps(said)}))
    made, problems = outputs(tmp_path)
    assert made == []
    assert message in problems[0]


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=30)
    | st.recursive(st.none() | st.integers() | st.booleans(), st.lists, max_leaves=6).map(json.dumps)
)
def test_any_description(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    for thread in range(2):
        one = NewTensor(b"abcd", "INT8", "ND", (4,), address=8)
        name = make_name("Add", "x", 2, TIME, ffts=Ffts(4, 5, thread, 0))
        said = f'{{"threadMode": {value}, "output_tensor_slice": {value}, "outputCutList": {value}}}'
        write_dump(folder / name, NewDump("x", [], [one], attributes={"json": said}))
    assert len(combine(DumpTree.open(folder).find("x")[0]).files) == 2
