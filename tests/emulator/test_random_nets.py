"""Random nets: everything runs, each operator is in one group, tensors go from one operator to the next unchanged."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.emulated import Node, cosine, net, norm, normal, offline, tensors

from subcut.compiler.export import load
from subcut.compiler.formats import runner
from subcut.emulator import emulate

SHAPE = (2, 6, 5, 5)
KINDS = ["conv", "depthwise", "norm", "relu", "sigmoid", "scale", "bias", "add", "mul", "pool", "concat", "transpose"]


def build(draws: list[tuple[str, int, int]], path: Path) -> Path:
    """A net of which every tensor has the shape of the input; what nobody reads is an output."""
    nodes: list[Any] = []
    stored: dict[str, Any] = {}
    made = ["x"]
    for number, (kind, left, right) in enumerate(draws):
        name, a, b = f"{kind}{number}", made[left % len(made)], made[right % len(made)]
        stored[f"w{number}"] = normal(number, 6, 6, 3, 3, scale=0.2)
        same = {"kernel_shape": [3, 3], "pads": [1] * 4}
        if kind == "conv":
            nodes.append(Node("Conv", [a, f"w{number}"], [name], name, **same))
        elif kind == "depthwise":
            stored[f"w{number}"] = normal(number, 6, 1, 3, 3)
            nodes.append(Node("Conv", [a, f"w{number}"], [name], name, group=6, **same))
        elif kind == "norm":
            names = [f"{part}{number}" for part in "gbmv"]
            stored |= dict(zip(names, norm(number, 6), strict=True))
            nodes.append(Node("BatchNormalization", [a, *names], [name], name))
        elif kind in ("scale", "bias"):
            stored[f"w{number}"] = normal(number, 6, 1, 1)
            nodes.append(Node("Mul" if kind == "scale" else "Add", [a, f"w{number}"], [name], name))
        elif kind in ("add", "mul"):
            nodes.append(Node("Add" if kind == "add" else "Sub", [a, b], [name], name))
        elif kind == "pool":
            nodes.append(Node("AveragePool", [a], [name], name, **same))
        elif kind == "concat":
            stored |= {f"i{number}": np.array([0]), f"j{number}": np.array([6]), f"k{number}": np.array([1])}
            nodes.append(Node("Concat", [a, b], [f"{name}_all"], f"{name}_all", axis=1))
            inputs = [f"{name}_all", f"i{number}", f"j{number}", f"k{number}"]
            nodes.append(Node("Slice", inputs, [name], name))
        elif kind == "transpose":
            nodes.append(Node("Transpose", [a], [name], name, perm=[0, 1, 3, 2]))
        else:
            nodes.append(Node(kind.capitalize(), [a], [name], name))
        made.append(name)
    read = {name for node in nodes for name in node.input}
    return net(path, nodes, SHAPE, [name for name in made[1:] if name not in read], stored)


draws = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 99)), min_size=1, max_size=14)


@settings(max_examples=25, deadline=None)
@given(draws, st.sampled_from(["fp16", "bf16", "int8"]))
def test_any_net(drawn: list[tuple[str, int, int]], precision: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = build([(kind, -1 - left, right) for kind, left, right in drawn], Path(folder) / "net.onnx")
        x = normal(7, *SHAPE, scale=1)
        made = emulate(path, {"x": x}, Path(folder) / "out", precision=precision)
        model = load(path)
        golden = runner("onnx").run(model, {"x": x}, list(made.outputs))
        least = {"fp16": 0.9999, "bf16": 0.99, "int8": 0.9}[precision]
        for name, array in made.outputs.items():
            assert array.shape == golden[name].shape
            scale = float(np.abs(golden[name]).max())
            noise = {"fp16": 0.01, "bf16": 0.1, "int8": 0.4}[precision]
            close = np.abs(array - golden[name]).max() <= noise * max(scale, 1.0)
            assert close or cosine(array, golden[name]) > least
        covered = sorted(name for names in {tuple(names) for names in made.groups.values()} for name in names)
        assert covered == sorted(op.name for op in model.main.ops if op.operands)
        found, checked = tensors(made), 0
        for op in offline(made).ops:
            for slot, edge in enumerate(one for one in op.inputs if one):
                producer, _, index = edge.rpartition(":")
                if (producer, "output", int(index)) in found and (op.name, "input", slot) in found:
                    mine, theirs = found[op.name, "input", slot], found[producer, "output", int(index)]
                    np.testing.assert_array_equal(mine, theirs)
                    checked += 1
        assert checked
