"""Edges move to what the device stored, outward or inward, and the cut that results is as right as any."""

from __future__ import annotations

import random
from pathlib import Path

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper
from support.models import digits, shared
from support.offline import Offline, Out, om

import subcut
from subcut.compiler.alignment.twin import TwinOptions, attach
from subcut.compiler.errors import UserError
from subcut.compiler.ir.alignment import CONSTANT, INSIDE
from subcut.compiler.ir.graph import Model
from subcut.compiler.pipeline import Pipeline
from subcut.emulator.emulate import Emulated
from subcut.passes import Cut, Select, Snap

Devices = dict[str, Emulated]
REFUSED = {"disconnected-selection", "nothing-left", "no-output"}
"""What two random operators may be refused for."""


def snapped(model: Model, selection: str) -> tuple[list[str], list[str], list[str]]:
    """Names of the inputs, operators and outputs of a cut."""
    Pipeline(Select(selection), Snap(), Cut(infer=False), verify_each=True).run(model)
    report = model.report
    assert report is not None
    edges = report.inputs, report.outputs
    inputs, outputs = ([edge.value.name for edge in side] for side in edges)
    return inputs, [op.name for op in report.operators], outputs


def loaded(devices: Devices, ending: str) -> Model:
    model = subcut.load(digits(ending))
    attach(model, TwinOptions(devices[ending].om, devices[ending].dumps))
    return model


@pytest.mark.parametrize(
    ("selection", "inputs", "outputs", "count"),
    [
        ("from pool1 to res2a_relu", ["conv1"], ["res2a"], 13),
        ("from pool1 to res2a_relu; snap outward", ["conv1"], ["res2a"], 13),
        ("from bn2a_branch1 to res2a_relu; snap outward", ["pool1", "res2a_branch2a"], ["res2a"], 8),
        ("from bn2a_branch1 to pool5; snap inward", ["res2a"], ["pool5"], 1),
        ("from conv1 to bn_conv1; snap outward", ["data"], ["conv1"], 4),
        ("from pool1 to bn2a_branch1; snap inward", ["conv1"], ["pool1"], 1),
        ("from pool1 to bn2a_branch1; snap outward", ["conv1"], ["res2a_branch1"], 4),
        ("after bn_conv1 to pool1; snap inward", ["conv1"], ["pool1"], 1),
    ],
)
def test_on_the_digits(selection: str, inputs: list[str], outputs: list[str], count: int, devices: Devices) -> None:
    found = snapped(loaded(devices, "prototxt"), selection)
    assert (found[0], found[2], len(found[1])) == (inputs, outputs, count)


def test_nothing_may_be_left(devices: Devices) -> None:
    with pytest.raises(UserError) as refused:
        snapped(loaded(devices, "prototxt"), "bn2a_branch1; snap inward")
    assert refused.value.code == "nothing-left"


def test_without_an_offline_model_there_is_nothing_to_snap_to() -> None:
    with pytest.raises(UserError) as refused:
        snapped(subcut.load(digits("prototxt")), "all; snap outward")
    assert refused.value.code == "no-dumps"


@pytest.mark.parametrize("direction", ["outward", "inward"])
@pytest.mark.parametrize("seed", range(40))
def test_any_selection_ends_up_between_stored_tensors(direction: str, seed: int, devices: Devices) -> None:
    rng = random.Random(seed)
    ending = rng.choice(["prototxt", "pb", "onnx", "real"])
    if ending == "real":
        model = subcut.load(shared("ascend/hh/hh.pb"))
        attach(model, TwinOptions(shared("ascend/hh/hh_om.om")))
    else:
        model = loaded(devices, ending)
    assert model.aligner is not None
    names = [op.name for op in model.main.ops if op.name and not model.dialect.is_stored(op)]
    start, end = sorted(rng.sample(range(len(names)), 2))
    selection = f'from "{names[start]}" to "{names[end]}"; snap {direction}'
    code = ""
    try:
        snapped(model, selection)
    except UserError as refused:
        code = refused.code
    if code:
        assert code in REFUSED, selection
        return
    assert model.report is not None
    for edge in [*model.report.inputs, *model.report.outputs]:
        row = model.aligner.row(edge.value)
        assert row is not None
        assert row.kind == CONSTANT or (row.aligned and not row.missing), (
            f"{selection}: %{edge.value.name} {row.reason}"
        )


FORMS = ["from a{0} to a{1}", "to a{1}", "from a{0}", "a{0}, a{1}"]


@st.composite
def fused(draw: st.DrawFn) -> tuple[list[list[int]], list[int]]:
    """What each operator of a network reads (-1: the input), and which offline operator it went into, if any."""
    count = draw(st.integers(3, 9))
    reads = [draw(st.lists(st.integers(max(-1, at - 4), at - 1), min_size=1, max_size=2)) for at in range(count)]
    return reads, draw(st.lists(st.integers(0, count // 2), min_size=count, max_size=count))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(network=fused(), form=st.sampled_from(FORMS), data=st.data())
def test_no_cut_starts_inside_whatever_was_fused(
    network: tuple[list[list[int]], list[int]], form: str, data: st.DataObject, tmp_path: Path
) -> None:
    """Also where several tensors leave what was fused, so that some edges have nowhere to go."""
    reads, groups = network
    model = subcut.load(_saved(reads, tmp_path / "net.onnx"))
    twin = attach(model, TwinOptions(om(tmp_path / "net.om", _compiled(groups))))
    start, end = sorted(data.draw(st.lists(st.integers(0, len(reads) - 1), min_size=2, max_size=2, unique=True)))
    selection = form.format(start, end) + data.draw(st.sampled_from(["", "; snap outward", "; snap inward"]))
    code = ""
    try:
        snapped(model, selection)
    except UserError as refused:
        code = refused.code
    if code:
        assert code in {"inside-fused", "disconnected-selection", "nothing-left"}
        return
    assert model.report is not None
    for edge in model.report.inputs:
        row = twin.row(edge.value)
        assert row is not None
        assert row.kind != INSIDE, (selection, edge.value.name, row.reason)


def _saved(reads: list[list[int]], path: Path) -> Path:
    names = {-1: "x", **{at: f"a{at}" for at in range(len(reads))}}
    nodes = [
        helper.make_node("Sum", [names[one] for one in some], [names[at]], name=names[at])
        for at, some in enumerate(reads)
    ]
    read = {one for some in reads for one in some}
    ends = [helper.make_tensor_value_info(name, 1, None) for at, name in names.items() if at not in read and at >= 0]
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info("x", 1, [1, 16, 4, 4])], ends)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    return path


def _compiled(groups: list[int]) -> list[Offline]:
    """An offline operator a group, that names the origin of its output where there is only one."""
    ops = [Offline("Data", "x", [""])]
    for group in dict.fromkeys(groups):
        members = [f"a{at}" for at, one in enumerate(groups) if one == group]
        ops.append(Offline("F", f"f{group}", ["x"], members, [Out(members[0] if len(members) == 1 else None)]))
    return ops
