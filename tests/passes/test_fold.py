"""Frozen tensors: their numbers take the place of what computed them, which goes unless something else needs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import digits

from subcut.compiler.errors import UserError
from subcut.compiler.export import FORMAT_OF, load, save
from subcut.compiler.formats import runner
from subcut.compiler.pipeline import standard

SHAPES = {"prototxt": (10, 16, 8, 8), "onnx": (10, 16, 8, 8), "pb": (10, 8, 8, 16)}
FIRST = {
    "prototxt": ("conv1", ["data", "conv1", "bn_conv1", "scale_conv1", "conv1_relu"]),
    "onnx": ("conv1_relu", ["conv1", "bn_conv1", "conv1_relu"]),
    "pb": ("conv1_relu", ["data", "conv1", "bn_conv1", "conv1_relu"]),
}
"""The tensor to freeze, and what only computes it."""


def cut(ending: str, selection: str, folder: Path) -> tuple[dict[str, Any], np.ndarray]:
    """The manifest of a cut with `FIRST` frozen, and the numbers that are."""
    numbers = np.random.default_rng(0).standard_normal(SHAPES[ending]).astype(np.float32)
    np.save(folder / "x.npy", numbers)
    pipeline = standard(f'{selection}; freeze %{FIRST[ending][0]} = "{folder / "x.npy"}"')
    pipeline.verify_each = True
    return save(pipeline.run(load(digits(ending))), folder / "out"), numbers


def run(folder: Path, manifest: dict[str, Any], feeds: dict[str, Any]) -> Any:
    """The last output."""
    model = load(folder / "out" / manifest["files"][0])
    name = manifest["outputs"][-1]["name"]
    return runner(FORMAT_OF[model.dialect.name]).run(model, feeds, [name])[name]


@pytest.mark.parametrize("ending", FIRST)
def test_what_only_computed_a_frozen_tensor_goes(ending: str, tmp_path: Path) -> None:
    manifest, numbers = cut(ending, "to prob", tmp_path)
    dropped = FIRST[ending][1]
    assert [note["operator"] for note in manifest["dropped"]] == dropped
    assert manifest["inputs"] == []
    assert not {op["name"] for op in manifest["operators"]} & set(dropped)
    assert "rewired" not in manifest
    assert not [name for name in manifest["constants"] if name.startswith("bn_conv1")]
    tail = standard(f"from pool1 to prob; input %{FIRST[ending][0]} : {'x'.join(map(str, SHAPES[ending]))}xf32")
    fed = save(tail.run(load(digits(ending))), tmp_path / "tail/out")
    wanted = run(tmp_path / "tail", fed, {fed["inputs"][0]["name"]: numbers})
    assert np.array_equal(run(tmp_path, manifest, {}), wanted)
    assert json.loads((tmp_path / "out/manifest.json").read_text())["dropped"] == manifest["dropped"]


def test_what_something_else_needs_stays(tmp_path: Path) -> None:
    """`bn_conv1` is given out, so only the operator behind it goes."""
    manifest, _ = cut("onnx", "to prob; tap bn_conv1", tmp_path)
    assert [note["operator"] for note in manifest["dropped"]] == ["conv1_relu"]
    assert [edge["name"] for edge in manifest["inputs"]] == ["data"]


def test_a_frozen_tensor_that_is_given_out_too_keeps_its_maker(tmp_path: Path) -> None:
    manifest, _ = cut("prototxt", "to prob; tap conv1_relu", tmp_path)
    assert "dropped" not in manifest
    assert [note["to"] for note in manifest["rewired"]] == ["conv1_1"] * len(manifest["rewired"])
    assert run(tmp_path, manifest, {"data": np.zeros((10, 1, 8, 8), np.float32)}).shape == (10, 10)


@pytest.mark.parametrize("selection", ["from conv1_relu to pool1", "from pool1 to res2a"])
@pytest.mark.parametrize("frozen", ["conv1", "res2a", "prob"])
def test_a_tensor_that_the_cut_does_not_read_is_not_frozen_for_nothing(selection: str, frozen: str) -> None:
    """It is made outside, or it is an output that nothing inside reads."""
    with pytest.raises(UserError, match=f"`%{frozen}` is frozen, and no operator of the cut reads it") as caught:
        standard(f'{selection}; freeze %{frozen} = "x.npy"').run(load(digits("onnx")))
    assert caught.value.code == "not-an-input"
