"""Groups of operators in every relation: the rows, numbers and reasons of the vendor's accuracy tool."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.compared import TIME, tool_compares, write_truth
from support.offline import Offline, Out, as_json

from subcut.analysis.compare import compare
from subcut.compiler.device.dumps.names import make_name, unsliced
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump
from subcut.compiler.device.layouts import device_shape, from_origin

DATA = Offline("Data", "data", [""])
SHAPE = (1, 20, 3, 4)
LAYOUTS = {"NC1HWC0": "NCHW", "NCHW": "NCHW", "ND": "NCHW", "NHWC": "NCHW", "FRACTAL_NZ": "ND"}


def stored(layout: str, seed: int, kind: str = "f2") -> tuple[NewTensor, Any]:
    """A tensor as a device has it, and what it is in the original."""
    shape = SHAPE if layout != "FRACTAL_NZ" else (3, 20, 40)
    array = np.random.default_rng(seed).standard_normal(shape).astype(kind)
    origin = LAYOUTS[layout]
    device = array if layout in (origin, "ND") else np.ascontiguousarray(from_origin(array, origin, layout))
    name = {"f2": "FLOAT16", "f4": "FLOAT"}[kind]
    return NewTensor(device.tobytes(), name, layout, device.shape, shape, address=seed), array


def write(folder: Path, ops: list[Offline], chance: random.Random) -> tuple[Path, Path]:
    """Dumps of most operators, and ground truth for most of what they hold, which is a little off."""
    dumps, golden = folder / "dumps", {}
    dumps.mkdir()
    for number, op in enumerate(ops):
        inputs = [edge for edge in op.inputs if edge and not edge.endswith(":-1")]
        made = [stored(out.layout, 10 * number + k) for k, out in enumerate(op.outputs)]
        read = [stored("NC1HWC0", 100 + number + k)[0] for k in range(len(inputs) + (chance.random() < 0.1))]
        for k, (out, (_, array)) in enumerate(zip(op.outputs, made, strict=True)):
            name = out.origin or (op.originals[0] if op.originals else op.name)
            if chance.random() < 0.85:
                noise = np.random.default_rng(number).standard_normal(array.shape) * 0.01
                golden[f"{unsliced(name)}:{out.index if out.origin else k}"] = (array + noise).astype("f4")
        if chance.random() < 0.85:
            content = NewDump(op.name, read, [tensor for tensor, _ in made], TIME)
            write_dump(dumps / make_name(op.type, op.name, number, TIME + number), content)
    return dumps, write_truth(folder / "golden", golden or {"nothing": np.zeros(3)})


def out(origin: str | None = None, index: int | None = 0, layout: str = "NC1HWC0") -> Out:
    """An output of the shape that `stored` gives."""
    if layout == "FRACTAL_NZ":
        return Out(origin, index, (3, 3, 2, 16, 16), (3, 20, 40), layout, "ND")
    shape = device_shape(SHAPE, "NCHW", layout) if layout != "ND" else SHAPE
    return Out(origin, index, shape, SHAPE, layout, "NCHW")


def relations() -> list[Offline]:
    """A model with a group of each kind."""
    return [
        DATA,
        Offline("TransData", "trans_0", ["data"], [], [out()]),
        Offline("Conv2D", "conv1conv1_relu", ["trans_0"], ["conv1", "bn1", "relu1"], [out("relu1")]),
        Offline("Relu", "relu_new", ["conv1conv1_relu", "data:-1"], ["relu"], [out()]),
        Offline("Split", "split_left", ["relu_new"], ["split"], [out("split", 0), out("split", 1)]),
        Offline("Split", "split_right", ["relu_new", ""], ["split"], [out("split", None)]),
        Offline("BNReduce", "bn_a", ["split_left:1"], ["bn", "brelu"], [out()], multi=True),
        Offline("BNUpdate", "bn_b", ["bn_a"], ["bn", "brelu"], [out("brelu")], multi=True),
        Offline("Conv2D", "l1_a", ["bn_b"], ["l1a", "l1b"], [out("l1b")], l1="7"),
        Offline("Conv2D", "l1_b", ["l1_a"], ["l1c", "l1d"], [out("l1d")], l1="7"),
        Offline("Cast", "trans_Cast_1", ["l1_b"], [], [out(layout="ND")]),
        Offline("MatMul", "fc_lxslice0", ["trans_Cast_1"], None, [out(layout="FRACTAL_NZ")]),
        Offline("Transpose", "plain", ["fc_lxslice0"], None, [out(layout="NCHW")]),
        Offline("Pooling", "=pool", ["plain", "nobody:0", "plain"], None, [out(layout="NHWC")]),
        Offline("NetOutput", "Node_Output", ["=pool"], None, [out()]),
    ]


def any_model(chance: random.Random) -> list[Offline]:
    """Operators that cover what they like and say of their outputs what they like."""
    ops = [DATA]
    for number in range(chance.randint(3, 9)):
        originals = None if chance.random() < 0.4 else chance.sample("abcde", chance.randint(0, 3))
        outs = [
            out(chance.choice([None, *"abcde"]), chance.choice([0, 1, None]), chance.choice(list(LAYOUTS)))
            for _ in range(chance.randint(1, 2))
        ]
        inputs = [f"{chance.choice(ops).name}:{chance.randint(0, 1)}" for _ in range(chance.randint(1, 2))]
        kind = chance.choice(["Conv2D", "Cast", "TransData", "AscendQuant", "AscendDequant"])
        name = chance.choice([f"op{number}", *"abcde"[number : number + 1]])
        ops.append(Offline(kind, name, inputs, originals, outs, chance.random() < 0.3))
    return ops


@pytest.mark.parametrize("seed", range(6))
def test_the_rows_are_the_same(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    ops = relations() if seed % 2 else any_model(chance)
    if seed % 2:
        ops = [op for op in ops if op.name != "=pool"]  # which the tool would not write
    model = as_json(tmp_path / "net.json", ops)
    dumps, golden = write(tmp_path, ops, chance)
    expected = tool_compares(dumps, golden, tmp_path / "told", model).decode()
    found = compare(dumps, golden, om=model).csv
    for ours, theirs in zip(found.splitlines(), expected.splitlines(), strict=False):
        assert ours == theirs
    assert found == expected


def test_a_formula_is_no_formula(tmp_path: Path) -> None:
    ops = relations()
    model = as_json(tmp_path / "net.json", ops)
    dumps, golden = write(tmp_path, ops, random.Random(0))
    assert ", =pool" in compare(dumps, golden, om=model).csv
