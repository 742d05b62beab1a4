"""A flow that was made ready for many questions gives the answers of one that was not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.models import digits, shared
from support.onnx_graphs import save

from subcut.compiler.export import load
from subcut.compiler.ir.graph import Op, Value
from subcut.dsl.paths import Flow, between

MODELS = ["prototxt", "pb", "onnx", "loops", "captured", "caffe/mtcnn/det3.prototxt", "tensorflow/lstm.frozen.pb"]


@pytest.mark.parametrize("name", MODELS)
def test_paths_are_the_same(name: str, tmp_path: Path) -> None:
    path = shared(name) if "/" in name else digits(name) if name in MODELS[:3] else save(name, tmp_path)
    graph = load(path).main
    plain, indexed = Flow(graph), Flow(graph)
    indexed.index()
    nodes: list[Op | Value] = [*graph.ops, *graph.values()]
    chance = random.Random(7)
    found = 0
    for _ in range(200):
        starts, ends, avoided = (chance.sample(nodes, chance.randint(least, 2)) for least in (1, 1, 0))
        expected = between(plain, starts, ends, avoiding=avoided)
        assert between(indexed, starts, ends, avoiding=avoided).keys() == expected.keys()
        found += bool(expected)
    assert found, "some of the pairs are connected"
