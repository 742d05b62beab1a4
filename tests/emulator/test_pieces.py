"""A model run piece by piece gives what it gives as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import DIGITS, digits, fetched

from subcut.compiler.errors import UserError
from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import open_pieces, runner
from subcut.compiler.ir.graph import Model
from subcut.compiler.number_files import read_npz


def one_by_one(path: Path, inputs: dict[str, Any], noise: float = 0.0) -> int:
    """Run every operator on what the whole run gave its operands; returns how many there are.

    `noise` is allowed for kernels that add in another order where a matrix is stored and where it is fed.
    """
    model = load(path)
    name = FORMAT_OF[model.dialect.name]
    feeds = {v: inputs[n] for v in model.dialect.feeds(model) for n in inputs if v.name in (n, f"{n}:0")}
    ops = [op for op in model.main.ops if op.operands and op.results[0] not in feeds]
    wanted = {value.name: value for op in ops for value in [op.results[0], *op.reads()]}
    golden = runner(name).run(model, {value.name: array for value, array in feeds.items()}, list(wanted))
    pieces = open_pieces(name, model)
    for op in ops:
        given = {value: golden[value.name] for value in op.reads()}
        [array] = pieces.run(given, [op.results[0]], {})
        expected = golden[op.results[0].name]
        np.testing.assert_allclose(array, expected, rtol=noise, atol=noise * np.abs(expected).max(), err_msg=op.label)
    pieces.close()
    return len(ops)


@pytest.mark.parametrize(("ending", "count"), [("prototxt", 20), ("onnx", 17), ("pb", 18)])
def test_the_digits(ending: str, count: int) -> None:
    samples = read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))
    assert one_by_one(digits(ending), samples) == count


def test_a_model_with_shape_arithmetic_and_unnamed_nodes() -> None:
    random = np.random.default_rng(0).uniform(-1, 1, (1, 3, 48, 48)).astype(np.float32)
    assert one_by_one(fetched("rapidocr/ch_PP-OCRv4_rec_infer.onnx"), {"x": random}, 1e-6) > 400


def opened(ending: str) -> tuple[Model, Any]:
    model = load(digits(ending))
    return model, open_pieces(FORMAT_OF[model.dialect.name], model)


def test_blobs_take_the_place_of_stored_ones() -> None:
    model, pieces = opened("prototxt")
    layer = next(op for op in model.main.ops if op.name == "res2a_branch1")
    x = np.ones((1, 16, 2, 2), np.float32)
    [array] = pieces.run({layer.operands[0]: x}, [layer.results[0]], {layer: [np.full((32, 16, 1, 1), 2, np.float32)]})
    assert (array == 32).all()


@pytest.mark.parametrize("ending", ["onnx", "pb"])
def test_fed_weights_take_the_place_of_stored_ones(ending: str) -> None:
    model, pieces = opened(ending)
    layer = next(op for op in model.main.ops if op.name == "res2a_branch1")
    shape = (1, 16, 4, 4) if ending == "onnx" else (1, 4, 4, 16)
    kernel = np.full((32, 16, 1, 1) if ending == "onnx" else (1, 1, 16, 32), 2, np.float32)
    fed = {layer.operands[0]: np.ones(shape, np.float32), layer.operands[1]: kernel}
    [array] = pieces.run(fed, [layer.results[0]], {})
    assert (array == 32).all()


@pytest.mark.parametrize("ending", ["prototxt", "onnx", "pb"])
def test_what_is_not_given_is_asked_for(ending: str) -> None:
    model, pieces = opened(ending)
    with pytest.raises(UserError) as caught:
        pieces.run({}, [model.main.ops[-1].results[0]], {})
    assert caught.value.code in ("cannot-run", "missing-input")
