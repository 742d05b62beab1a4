"""Which offline output holds which original tensor: the same as the vendor's accuracy tool says, in every relation."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.offline import Offline, Out, as_json
from support.oracle import fusion_rules

from subcut.compiler.alignment.holders import Holders
from subcut.compiler.alignment.quantised import translated
from subcut.compiler.formats.ascend.offline import read_offline

DATA = Offline("Data", "data", [""])
INT8 = {"type_name": "INT8"}
CASES = {
    "OneToOne": [DATA, Offline("Pooling", "pool1", ["data"])],
    "MultiToOne": [
        DATA,
        Offline("TransData", "trans_TransData_0", ["data"], []),
        Offline("Conv2D", "conv1conv1_relu", ["trans_TransData_0"], ["conv1", "bn1", "relu1"], [Out("relu1")]),
    ],
    "OneToMulti": [
        DATA,
        Offline("Conv2D", "conv_left", ["data"], ["conv"], [Out("conv", 0)]),
        Offline("Conv2D", "conv_right", ["data"], ["conv"], [Out("conv", 1)]),
    ],
    "MultiToMulti": [
        DATA,
        Offline("BNTrainingReduce", "bn_a", ["data"], ["bn", "relu"], [Out()], multi=True),
        Offline("BNTrainingUpdate", "bn_b", ["bn_a"], ["bn", "relu"], [Out("relu")], multi=True),
    ],
    "L1Fusion": [
        DATA,
        Offline("Conv2D", "conv1", ["data"], ["conv1", "relu1"], [Out("relu1")], l1="7"),
        Offline("Conv2D", "conv2", ["conv1"], ["conv2", "relu2"], [Out("relu2")], l1="7"),
    ],
    "renamed": [DATA, Offline("Relu", "relu_new", ["data"], ["relu"], [Out()])],
    "renamed, twice": [
        DATA,
        Offline("Relu", "relu_a", ["data"], ["relu"], [Out()]),
        Offline("Relu", "relu_b", ["data"], ["relu"], [Out()]),
    ],
    "without an index": [
        DATA,
        Offline("Split", "split_d", ["data"], ["split"], [Out("split", None), Out("split", None)]),
    ],
    "sliced": [
        DATA,
        Offline("Conv2D", "conv_lxslice0", ["data"]),
        Offline("Conv2D", "pool_lxslice1", ["conv_lxslice0"]),
    ],
    "unknown to nobody": [DATA, Offline("Conv2D", "fused", ["data"], ["a", "b"], [Out()])],
}


def ours(model: Path, quantised: Path | None = None) -> dict[tuple[str, int], set[tuple[str, int]]]:
    """By original tensor, the offline outputs that hold it."""
    offline = read_offline(model)
    held = Holders(translated(offline, read_offline(quantised)) if quantised else offline).held
    return {key: {(holder.op.name, holder.output) for holder in found} for key, found in held.items() if found}


def theirs(*files: Path) -> dict[tuple[str, int], set[tuple[str, int]]]:
    """The same, as the tool has it; operators that it skips hold nothing."""
    found: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for rule in fusion_rules(*files):
        for k, (name, index) in enumerate(rule["outputs"]):
            if name and not rule["skipped"]:
                found.setdefault((name, k if index is None else index), set()).add((rule["op"], k))
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_relation(case: list[Offline], tmp_path: Path) -> None:
    model = as_json(tmp_path / "net.json", case)
    expected = {key: {(op.replace("_lxslice0", "").replace("_lxslice1", ""), k) for op, k in ports}
                for key, ports in theirs(model).items()}  # fmt: skip
    found = {key: {(op.replace("_lxslice0", "").replace("_lxslice1", ""), k) for op, k in ports}
             for key, ports in ours(model).items()}  # fmt: skip
    assert found == expected


def test_the_relations_are_the_ones_meant(tmp_path: Path) -> None:
    for name in ("OneToOne", "MultiToOne", "OneToMulti", "MultiToMulti", "L1Fusion"):
        rules = fusion_rules(as_json(tmp_path / f"{name}.json", CASES[name]))
        assert rules[-1]["relation"] == name


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


@st.composite
def models(draw: st.DrawFn) -> list[Offline]:
    """Operators in a row, that cover what they like and say of their outputs what they like."""
    ops = [DATA]
    for number in range(draw(st.integers(1, 5))):
        originals = draw(st.none() | st.lists(NAMES, max_size=3, unique=True))
        outs = draw(st.lists(st.builds(Out, st.none() | NAMES, st.integers(0, 1)), min_size=1, max_size=2))
        name = draw(st.sampled_from([f"op{number}", *"abcde"[number : number + 1]]))
        ops.append(Offline("Conv2D", name, [ops[-1].name], originals, outs, draw(st.booleans())))
    return ops


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ops=models())
def test_any_model(ops: list[Offline], tmp_path: Path) -> None:
    model = as_json(tmp_path / "net.json", ops)
    found, expected = ours(model), theirs(model)
    # What the tool skips as an inner node holds nothing here either: no origin, several originals.
    assert found == expected


QUANT_JSON = [
    Offline("Input", "data", outputs=[Out("data")]),
    Offline("Quant", "conv1_quant_layer", ["data"], ["conv1", "bn1", "scale1"], [Out()]),
    Offline("Convolution", "conv1", ["conv1_quant_layer"], ["conv1", "bn1", "scale1"], [Out()]),
    Offline("DeQuant", "conv1_dequant_layer", ["conv1"], ["conv1", "bn1", "scale1"], [Out("scale1")]),
    Offline("ReLU", "relu1", ["conv1_dequant_layer"], outputs=[Out("relu1")]),
    Offline("Pooling", "pool1", ["relu1"], outputs=[Out("pool1")]),
]
"""What AMCT tells of `data → conv1 → bn1 → scale1 → relu1 → pool1` with a quantised convolution."""
QUANT_OM = [
    DATA,
    Offline("AscendQuant", "conv1_quant_layer", ["data"], outputs=[Out(**INT8)]),
    Offline("Conv2D", "conv1", ["conv1_quant_layer"], outputs=[Out(type_name="INT32")]),
    Offline("AscendDequant", "conv1_dequant_layerrelu1", ["conv1"], ["conv1_dequant_layer", "relu1"], [Out("relu1")]),
    Offline("Pooling", "pool1", ["conv1_dequant_layerrelu1"]),
]


def test_a_quantised_model(tmp_path: Path) -> None:
    model = as_json(tmp_path / "net.json", QUANT_OM)
    quantised = as_json(tmp_path / "net_quant.json", QUANT_JSON)
    expected = theirs(model, quantised)
    found = ours(model, quantised)
    assert expected[("relu1", 0)] == found[("relu1", 0)] == {("conv1_dequant_layerrelu1", 0)}
    assert expected[("pool1", 0)] == found[("pool1", 0)] == {("pool1", 0)}
    assert ("scale1", 0) not in found
