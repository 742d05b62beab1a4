"""Stored numbers, against what `onnx.numpy_helper` makes of the same tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from support.onnx_corpus import node_tests

from subcut.compiler.export import load
from subcut.compiler.formats.onnx import decode
from subcut.compiler.formats.onnx.types import ELEMENTS
from subcut.compiler.ir.graph import Constant, Op

BITS = {"ui4": 4, "i4": 4, "f4E2M1FN": 4, "ui2": 2, "i2": 2, "f6E2M3FN": 6, "f6E3M2FN": 6}
NUMBERS = [number for number in ELEMENTS if number in helper.get_all_tensor_dtypes()]
"""The element types that this version of `onnx` knows."""


def stored(op: Op) -> Constant:
    value = op.attributes["value"]
    assert isinstance(value, Constant)
    return value


def same(left: np.ndarray, right: np.ndarray) -> bool:
    if left.dtype.hasobject or right.dtype.kind in "OSU":
        return left.tolist() == right.tolist()
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def random_array(number: int) -> np.ndarray:
    """Random bits of a type; 15 elements, so that packed types do not fill their last byte."""
    if ELEMENTS[number] == "str":
        return np.array(["", "a", "žluťoučký", "x" * 300] * 3 + ["b"] * 3, dtype=object).reshape(3, 5)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(number))
    bits = BITS.get(ELEMENTS[number], 1 if ELEMENTS[number] == "i1" else 8)
    raw = np.random.default_rng(number).integers(0, 1 << bits, (3, 5 * dtype.itemsize), dtype=np.uint8)
    return raw.view(dtype).reshape(3, 5)


def read_back(tensors: list, folder: Path) -> list[Op]:
    graph = helper.make_graph([], "g", [], [], tensors)
    onnx.save(helper.make_model(graph, ir_version=8), str(folder / "m.onnx"))
    return load(folder / "m.onnx").main.ops


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: ELEMENTS[number])
def test_every_element_type(number: int, tmp_path: Path) -> None:
    array = random_array(number)
    tensor = numpy_helper.from_array(array, "w")
    [op] = read_back([tensor], tmp_path)
    assert same(stored(op).numpy(), numpy_helper.to_array(tensor))
    assert stored(op).type.shape == (3, 5)
    again = onnx.TensorProto.FromString(decode.encode("w", stored(op).numpy()))
    assert same(numpy_helper.to_array(again), numpy_helper.to_array(tensor))


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: ELEMENTS[number])
def test_numbers_in_typed_fields(number: int, tmp_path: Path) -> None:
    array = random_array(number)
    if (ELEMENTS[number][0] == "f" and ELEMENTS[number] not in ("f32", "f64", "f16")) or ELEMENTS[number] == "bf16":
        array = np.abs(np.arange(15) % 3).astype(array.dtype).reshape(3, 5)
    values = array.ravel().tolist() if array.dtype.kind != "V" else array.ravel().astype(np.float32)
    tensor = helper.make_tensor("w", number, [3, 5], values)
    [op] = read_back([tensor], tmp_path)
    assert same(stored(op).numpy(), numpy_helper.to_array(tensor))


def test_tensors_of_others() -> None:
    checked = 0
    for path in node_tests():
        made = onnx.load(str(path))
        want = {one.name: one for one in made.graph.initializer}
        constants = [node for node in made.graph.node if node.op_type == "Constant"]
        want |= {node.output[0]: one.t for node in constants for one in node.attribute if one.name == "value"}
        for op in load(path).main.ops:
            if op.results and op.results[0].name in want and not op.operands:
                assert same(stored(op).numpy(), numpy_helper.to_array(want[op.results[0].name])), path
                checked += 1
    assert checked > 300
