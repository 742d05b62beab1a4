"""Which offline output holds which original tensor: the same as the vendor's accuracy tool says, in every relation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.offline import Offline, Out, as_json
from support.oracle import fusion_rules_of_each

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
        Offline("Conv2D", "conv_lxslice1", ["data"]),
        Offline("Conv2D", "pool_lxslice1", ["conv_lxslice0"]),
    ],
    "sliced and fused": [
        DATA,
        Offline("Conv2D", "conv_lxslice0", ["data"], ["conv", "relu"], [Out("relu")]),
        Offline("Conv2D", "conv_lxslice1", ["data"], ["conv", "relu"], [Out("relu")]),
    ],
    "renamed, and within another": [
        DATA,
        Offline("Relu", "relu_new", ["data"], ["relu"], [Out()]),
        Offline("Add", "both", ["relu_new"], ["relu", "add"], [Out()]),
    ],
    "called like an inserted one": [
        DATA,
        Offline("Cast", "relu", ["data"], [], [Out()]),
        Offline("Relu", "relu_new", ["relu"], ["relu"], [Out()]),
    ],
    "renamed in L1": [DATA, Offline("Relu", "relu_new", ["data"], ["relu"], [Out()], l1="3")],
    "unknown to nobody": [DATA, Offline("Conv2D", "fused", ["data"], ["a", "b"], [Out()])],
}


def ours(model: Path, quantised: Path | None = None) -> dict[tuple[str, int], set[tuple[str, int]]]:
    """By original tensor, the offline outputs that hold it."""
    offline = read_offline(model)
    held = Holders(translated(offline, read_offline(quantised)) if quantised else offline).held
    return {key: {(holder.op.name, holder.output) for holder in found} for key, found in held.items() if found}


def theirs(rules: list[dict[str, Any]]) -> dict[tuple[str, int], set[tuple[str, int]]]:
    """The same, as the tool has it; operators that it skips hold nothing."""
    found: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for rule in rules:
        for k, (name, index) in enumerate(rule["outputs"]):
            if name and not rule["skipped"]:
                found.setdefault((name, k if index is None else index), set()).add((rule["op"], k))
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The models of `CASES`."""
    folder = tmp_path_factory.mktemp("cases")
    return {name: as_json(folder / f"{number}.json", ops) for number, (name, ops) in enumerate(CASES.items())}


@pytest.fixture(scope="module")
def rules(files: dict[str, Path]) -> dict[str, list[dict[str, Any]]]:
    """What the tool makes of each."""
    return dict(zip(files, fusion_rules_of_each([(file,) for file in files.values()]), strict=True))


Held = dict[tuple[str, int], set[tuple[str, int]]]


def unsliced(held: Held) -> Held:
    return {key: {(re.sub(r"_lxslice\d", "", op), k) for op, k in ports} for key, ports in held.items()}


@pytest.mark.parametrize("name", CASES)
def test_each_relation(name: str, files: dict[str, Path], rules: dict[str, list[dict[str, Any]]]) -> None:
    assert unsliced(ours(files[name])) == theirs(rules[name])


def test_slices_of_one_operator_hold_a_tensor_once(files: dict[str, Path]) -> None:
    assert ours(files["sliced"])[("conv", 0)] == {("conv_lxslice0", 0)}
    assert ours(files["sliced and fused"])[("relu", 0)] == {("conv_lxslice0", 0)}


def test_the_relations_are_the_ones_meant(rules: dict[str, list[dict[str, Any]]]) -> None:
    for name in ("OneToOne", "MultiToOne", "OneToMulti", "MultiToMulti", "L1Fusion"):
        assert rules[name][-1]["relation"] == name


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


@st.composite
def models(draw: st.DrawFn) -> list[Offline]:
    """Operators in a row, that cover what they like and say of their outputs what they like."""
    ops = [DATA]
    for number in range(draw(st.integers(1, 5))):
        originals = draw(st.none() | st.lists(NAMES, max_size=3, unique=True))
        outs = draw(st.lists(st.builds(Out, st.none() | NAMES, st.integers(0, 1)), min_size=1, max_size=2))
        names = [f"op{number}", *"abcde"[number : number + 1]]
        l1 = draw(st.sampled_from(["", "", "", "7"]))
        name = draw(st.sampled_from(names))
        ops.append(Offline("Conv2D", name, [ops[-1].name], originals, outs, draw(st.booleans()), l1))
    return ops


@settings(max_examples=8, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.shrink})
@given(many=st.lists(models(), min_size=12, max_size=12))
def test_any_model(many: list[list[Offline]], tmp_path: Path) -> None:
    files = [as_json(tmp_path / f"{number}.json", ops) for number, ops in enumerate(many)]
    for file, said, ops in zip(files, fusion_rules_of_each([(file,) for file in files]), many, strict=True):
        # What the tool skips as an inner node holds nothing here either: no origin, several originals.
        assert unsliced(ours(file)) == theirs(said), ops


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
    expected = theirs(fusion_rules_of_each([(model, quantised)])[0])
    found = ours(model, quantised)
    assert expected[("relu1", 0)] == found[("relu1", 0)] == {("conv1_dequant_layerrelu1", 0)}
    assert expected[("pool1", 0)] == found[("pool1", 0)] == {("pool1", 0)}
    assert ("scale1", 0) not in found
