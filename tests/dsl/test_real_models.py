"""Selections on models that others made, against what their files say when they are read in another way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from support.models import digits, shared

from subcut.compiler.diagnostics import SourceText
from subcut.compiler.errors import UserError
from subcut.compiler.formats import ReadOptions, package, recognise
from subcut.compiler.ir.graph import Model
from subcut.compiler.ir.selection import Selection
from subcut.dsl.names import Names
from subcut.dsl.parser import parse
from subcut.dsl.resolve import resolve


def _read(path: Path) -> Model:
    return package(recognise(path)).read(path, ReadOptions())


def _select(model: Model, text: str, names: Names | None = None) -> Selection:
    return resolve(parse(text), model, SourceText("<selection>", text), names=names)[0]


def test_a_residual_block_is_the_piece_of_the_file_that_spells_it() -> None:
    path = shared("caffe/prototxt/prototxt_ResNet-152-deploy.prototxt")
    text = path.read_text(encoding="utf-8")
    layers = re.findall(r'layer \{[^}]*?name: "([^"]+)"', text)
    assert len(layers) > 500
    block = layers[layers.index("pool1") : layers.index("res2a_relu") + 1]
    selection = _select(_read(path), "from pool1 to res2a_relu")
    assert [op.name for op in selection.ops] == block
    assert [value.name for value in selection.ends or ()] == ["res2a"]


def test_a_blob_that_is_overwritten_has_versions() -> None:
    model = _read(shared("caffe/prototxt/prototxt_ResNet-152-deploy.prototxt"))
    between = _select(model, "from %conv1:0 to %conv1")
    assert [op.name for op in between.ops] == ["bn_conv1", "scale_conv1", "conv1_relu"]


@pytest.mark.parametrize("name", ["LSTM_S.pb", "CRNN_S.pb"])
def test_paths_go_round_loops(name: str) -> None:
    model = _read(shared(f"tensorflow/{name}"))
    whole = _select(model, "from wav_data to labels_softmax")
    types = {op.type for op in whole.ops}
    assert {"Merge", "Switch", "NextIteration", "Exit"} <= types
    assert "Const" not in types


def test_the_second_output_of_a_split() -> None:
    model = _read(shared("tensorflow/lstm.frozen.pb"))
    name = next(op.name for op in model.main.ops if op.type == "Split")
    selection = _select(model, f"from %{name}:1")
    readers = [op for op in selection.ops if any(v is not None and v.name == f"{name}:1" for v in op.operands)]
    assert readers
    assert next(iter(selection.entries)).name == f"{name}:1"


def test_every_pair_of_tensors_against_the_graph_that_onnx_reads() -> None:
    path = digits("onnx")
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'subcut[onnx]'")
    nodes = onnx.load(path).graph.node
    below = _closure(nodes, forward=True)
    above = _closure(nodes, forward=False)
    model = _read(path)
    names = Names(model)
    tensors = [value.name for op in model.main.ops if op.operands for value in op.results]
    checked = 0
    for start, end in product(tensors, tensors):
        expected = [i for i, node in enumerate(nodes) if i in below[start] and i in above[end]]
        if expected:
            chosen = _select(model, f'from %"{start}" to %"{end}"', names)
            assert [op.results[0].name for op in chosen.ops] == [nodes[i].output[0] for i in expected]
            checked += 1
        else:
            with pytest.raises(UserError):
                _select(model, f'from %"{start}" to %"{end}"', names)
    assert checked > 20


def _closure(nodes: Sequence[Any], *, forward: bool) -> dict[str, set[int]]:
    """For each tensor the numbers of the nodes that depend on it, or that it depends on, by repeated sweeps."""
    found: dict[str, set[int]] = {name: set() for node in nodes for name in [*node.input, *node.output]}
    for _ in nodes:
        for number, node in enumerate(nodes):
            near, far = (node.input, node.output) if forward else (node.output, node.input)
            reached = {number}.union(*(found[name] for name in far))
            for name in near:
                found[name] |= reached
    return found
