"""What is read of a model, against another decoding of the same bytes, and against what ATC said of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ir.test_text import mlir_opt
from support.models import shared
from support.offline_models import SAMPLES, small_model, write_small
from support.structure import structure

from subcut.compiler.errors import ModelError
from subcut.compiler.export import load
from subcut.compiler.formats.ascend import header as h
from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.offline import read_offline
from subcut.compiler.formats.ascend.partitions import find, read_container
from subcut.compiler.ir.graph import Constant, Model
from subcut.compiler.ir.text import print_model
from subcut.compiler.ir.text_parse import parse_model
from subcut.compiler.ir.types import TensorType
from subcut.compiler.ir.verify import verify
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import LEN, VARINT, fields, read_varint

HH = "ascend/hh/hh_om.om"


def raw_ops(name: str) -> list[dict[int, list[Any]]]:
    """The operators of the first graph by field number, decoded without any schema."""
    file = SourceFile(shared(name))
    span = find(read_container(file).models[0], h.MODEL_DEF)
    assert span is not None
    graph = by_number(span.bytes())[7][0]
    return [by_number(op) for op in by_number(graph)[6]]


def by_number(raw: bytes) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for number, kind, _, at, end in fields(raw, 0, len(raw)):
        value = raw[at:end] if kind == LEN else read_varint(raw, at, end)[0] if kind == VARINT else raw[at:end]
        found.setdefault(number, []).append(value)
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_operators_and_edges_are_those_on_the_wire(name: str) -> None:
    ops = {op.name: op for op in load(shared(name)).main.ops}
    raw = raw_ops(name)
    assert list(ops) == [op[1][0].decode() for op in raw]
    for record in raw:
        op = ops[record[1][0].decode()]
        edges = [edge.decode() for edge in record.get(5, [])]
        assert op.type == record[2][0].decode()
        assert [v.name if v is not None else "" for v in op.operands] == (
            [edge for edge in edges if not edge.endswith(":-1")] if any(edges) else []
        )
        assert [f"{other.name}:-1" for other in op.controls] == [edge for edge in edges if edge.endswith(":-1")]
        assert len(op.results) >= len(record.get(34, []))
        assert op.attributes["id"] == record.get(21, [0])[0]
        assert len(op.attributes.get("output_desc", [])) == len(record.get(34, []))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_well_formed_and_its_text_goes_through_mlir(name: str) -> None:
    model = load(shared(name))
    verify(model)
    text = print_model(model)
    assert print_model(parse_model(text)) == text
    assert structure(parse_model(mlir_opt(text))) == structure(model)


def test_the_real_model_has_the_fusions_that_atc_counted() -> None:
    """`fusion_result.json` is of the run that compiled it: what a fusion leaves is found as often as it took effect."""
    result = json.loads(shared("ascend/hh/fusion_result.json").read_text())
    took = {name: int(one["effect_times"]) for name, one in result["graph_fusion"].items()}
    ops = [op for op in read_offline(shared(HH)).ops if op.original_names]
    covered = [[name.rpartition("/")[2] for name in op.original_names or ()] for op in ops]
    assert (
        sum(op.type == "Conv2D" and names[:2] == ["add", "Conv2D"] for op, names in zip(ops, covered, strict=True))
        == (took["AABiasaddConvFusion"])
    )
    assert sum(names[:2] == ["add", "MatMul"] for names in covered) == took["MatMulBiasAddFusionPass"]
    assert sum("input_sizes" in names for names in covered) == took["ConstToAttrPass"]
    renamed = [op for op in ops if op.name not in (op.original_names or ())]
    assert len(renamed) == sum(int(one["effect_times"]) for one in result["ub_fusion"].values())
    assert len(load(shared(HH)).main.ops) == 46


def test_types_are_those_of_the_device() -> None:
    values = {value.name: value.type for value in load(shared(HH)).main.values()}
    assert values["trans_TransData_1:0"] == TensorType("f16", (100, 1, 28, 28, 16), "NC1HWC0")
    assert values["dynamic_const_5478_34:0"] == TensorType("f16", (25, 1, 16, 16), "FRACTAL_Z")


def test_weights_are_read_when_asked_for() -> None:
    ops = {op.name: op for op in load(shared(HH)).main.ops}
    value = ops["dynamic_const_5478_33"].attributes["value"]
    assert isinstance(value, Constant)
    numbers = value.numpy()
    assert (numbers.shape, numbers.dtype) == ((25, 2, 16, 16), np.float16)
    assert np.isfinite(numbers).all()
    assert np.count_nonzero(numbers) == 5 * 5 * 16 * 32, "no padding: 16 and 32 channels"


def test_merged_offset_says_where_weights_are() -> None:
    """As in models for phones."""
    ops = {op.name: op for op in load(shared("ascend/om/hiai_tf_conv_opversion_5.om")).main.ops}
    value = ops["conv1/weights"].attributes["value"]
    assert isinstance(value, Constant)
    assert value.numpy().shape == (64, 3, 7, 7)


def test_sub_graphs_are_functions() -> None:
    model = load(shared("ascend/om/ge_dynamic_and_static_graph_without_unfold.om"))
    assert list(model.functions) == ["sub_1", "sub_2"]
    calls = {symbol for op in model.main.ops for symbol in op.symbols}
    assert calls == {"sub_1", "sub_2"}
    # Their weights are not in the root, but in sub-models of their own.
    for name, graph in model.functions.items():
        value = graph.ops[1].attributes["value"]
        assert isinstance(value, Constant)
        assert value.numpy().shape == (2, 2), name


def test_a_model_of_ours(tmp_path: Path) -> None:
    model = load(write_small(tmp_path / "net.om"))
    verify(model)
    ops = {op.name: op for op in model.main.ops}
    conv = ops["conv1relu1"]
    assert [v.name if v else None for v in conv.operands] == ["trans_TransData_0:0", "conv1_weight:0", None]
    assert [op.name for op in conv.controls] == ["x"]
    assert ops["x"].operands == ()
    assert ops["switch"].symbols == ("then",)
    assert [v.name for v in model.main.outputs] == ["conv1relu1:0"]
    assert model.functions["then"].ops[0].results[0].type == TensorType("f32", (None, 2), "ND")
    attributes = conv.attributes
    assert attributes["scales"] == [0.5, 999999986991104.0, float("inf")]
    assert attributes["raw"] == b'"\xff\n\\\x00'
    assert attributes["empty"] == []
    assert attributes["nothing"] is None
    assert attributes["nested"] == [[1, 2]]
    assert attributes["output_desc"] == [
        {
            "dtype": "FLOAT16",
            "layout": "NC1HWC0",
            "shape": [1, 1, 4, 4, 16],
            "size": 32,
            "attr": {
                "origin_format": "NCHW",
                "origin_shape": [1, 16, 4, 4],
                "_datadump_origin_name": "relu1",
                "_datadump_origin_output_index": 0,
                "_datadump_origin_format": "NCHW",
                "_datadump_origin_data_type": "DT_FLOAT",
            },
        }
    ]
    value = ops["conv1_weight"].attributes["value"]
    assert isinstance(value, Constant)
    assert value.numpy().tobytes() == bytes(range(256)) * 18


def test_every_kind_of_value(tmp_path: Path) -> None:
    model = small_model()
    op = model.graph[0].op[0]
    schema.attribute(op.attr, "function").func.name = "f"
    schema.put(schema.attribute(op.attr, "function").func.attr, "k", 1)
    schema.attribute(op.attr, "descriptor").td.layout = "NCHW"
    schema.attribute(op.attr, "graph").g.name = "inner"
    schema.attribute(op.attr, "type").dt = 1
    schema.attribute(op.attr, "floats").list_list_float.list_list_f.add(list_f=[0.5])
    schema.attribute(op.attr, "descriptors").list.td.add(layout="NHWC")
    schema.attribute(op.attr, "graphs").list.g.add(name="inner")
    schema.attribute(op.attr, "functions").list.na.add(name="f")
    stored = schema.attribute(op.attr, "tensors").list.t.add(data=b"\1\2")
    stored.desc.dtype = 4
    stored.desc.shape.dim.append(2)
    op.attr.add(key="unknown").value.MergeFromString(b"\xf8\x7f\x01")
    attributes = load(write_small(tmp_path / "net.om", model)).main.ops[0].attributes
    assert attributes["function"] == {"name": "f", "attr": {"k": 1}}
    assert attributes["descriptor"] == {"dtype": "UNDEFINED", "layout": "NCHW", "shape": [], "attr": {}}
    assert (attributes["graph"], attributes["graphs"]) == ({"graph": "inner"}, [{"graph": "inner"}])
    assert (attributes["type"], attributes["floats"], attributes["unknown"]) == (1, [[0.5]], None)
    assert attributes["functions"] == [{"name": "f", "attr": {}}]
    (tensor,) = attributes["tensors"]  # type: ignore[misc]
    assert isinstance(tensor, Constant)
    assert tensor.numpy().tolist() == [1, 2]


def inline(size: int) -> Any:
    model = small_model()
    weights = next(op for op in model.graph[0].op if op.type == "Const")
    tensor = schema.attribute(weights.attr, "value").t
    tensor.data = bytes(range(256)) * (size // 256)
    tensor.desc.shape.dim[:] = [size // 2]
    return model


@pytest.mark.parametrize("size", [512, 1 << 20])
def test_weights_in_the_record_itself(size: int, tmp_path: Path) -> None:
    """As an `.air` has them; large ones are never decoded."""
    path = tmp_path / "net.air"
    path.write_bytes(inline(size).SerializeToString())
    model = load(path)
    value = {op.name: op for op in model.main.ops}["conv1_weight"].attributes["value"]
    assert isinstance(value, Constant)
    assert value.numpy().tobytes() == bytes(range(256)) * (size // 256)


def separate(location: str) -> Any:
    model = small_model()
    weights = next(op for op in model.graph[0].op if op.type == "Const")
    schema.put(weights.attr, "location", location)
    schema.put(weights.attr, "length", 4608)
    return model


def test_weights_in_a_file_beside_an_air(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "conv").write_bytes(bytes(range(256)) * 18)
    (tmp_path / "net.air").write_bytes(separate("w/conv").SerializeToString())
    assert stored(load(tmp_path / "net.air")).numpy().tobytes() == bytes(range(256)) * 18


@pytest.mark.parametrize("location", ["/etc/passwd", "../net.air", "nowhere"])
def test_weights_that_are_not_beside_it(location: str, tmp_path: Path) -> None:
    (tmp_path / "net.air").write_bytes(separate(location).SerializeToString())
    with pytest.raises(ModelError, match=r"beside the model|no such file"):
        stored(load(tmp_path / "net.air")).numpy()


def stored(model: Model) -> Constant:
    value = {op.name: op for op in model.main.ops}["conv1_weight"].attributes["value"]
    assert isinstance(value, Constant)
    return value


def test_weights_beyond_their_partition(tmp_path: Path) -> None:
    model = small_model()
    weights = next(op for op in model.graph[0].op if op.type == "Const")
    schema.attribute(weights.attr, "value").t.desc.data_offset = 513
    value = stored(load(write_small(tmp_path / "net.om", model)))
    with pytest.raises(ModelError, match="a stored tensor of 4608 bytes reaches beyond the weights"):
        value.numpy()


def test_a_large_model_is_read_at_once(tmp_path: Path) -> None:
    """As large as the real ones' records are; a hundred thousand such operators take about a second."""
    model = small_model()
    fused = next(op for op in model.graph[0].op if op.name == "conv1relu1")
    schema.put(fused.attr, "_op_aicore_args", "x" * 2000)
    for number in range(20_000):
        again = model.graph[0].op.add()
        again.CopyFrom(fused)
        again.name = f"conv{number}"
        again.input[0] = f"conv{number - 1}:0" if number else "conv1relu1:0"
    path = write_small(tmp_path / "net.om", model)
    start = time.process_time()
    assert len(load(path).main.ops) == 20_006
    assert time.process_time() - start < 3
    start = time.process_time()
    assert len(read_offline(path).ops) == 20_007
    assert time.process_time() - start < 6


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ("nobody:0", "reads `nobody:0`, which nothing makes"),
        ("x:7777", "reads `x:7777`, which has 1 outputs"),
        ("x:zero", "reads `x:zero`"),
        ("x", "reads `x`, which nothing makes"),
    ],
)
def test_edges_that_lead_nowhere(edge: str, message: str, tmp_path: Path) -> None:
    model = small_model()
    model.graph[0].op[1].input[0] = edge
    with pytest.raises(ModelError, match=message) as caught:
        load(write_small(tmp_path / "net.om", model))
    assert caught.value.where == "operator `trans_TransData_0`"
    assert caught.value.offset


def test_two_operators_of_one_name(tmp_path: Path) -> None:
    model = small_model()
    model.graph[0].op[1].name = "x"
    with pytest.raises(ModelError, match="two operators have this name"):
        load(write_small(tmp_path / "net.om", model))
