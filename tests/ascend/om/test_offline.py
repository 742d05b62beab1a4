"""What aligning is told of an offline model: the same from every form, and the facts of the real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ascend.om.test_json import definition
from google.protobuf import text_format
from support.models import shared
from support.offline_models import SAMPLES, compress, small_model, write_small

from subcut.compiler.errors import ModelError
from subcut.compiler.export import load
from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.json_form import dumps
from subcut.compiler.formats.ascend.offline import OfflineModel, OfflineTensor, offline_model, read_offline

HH = "ascend/hh/hh_om.om"


def without_path(model: OfflineModel) -> OfflineModel:
    return replace(model, path=Path())


@pytest.mark.parametrize("name", SAMPLES)
def test_every_form_tells_the_same(name: str, tmp_path: Path) -> None:
    """Of the file's first model, which is what the other forms hold."""
    one = definition(name)
    (tmp_path / "a.json").write_text(dumps(one))
    (tmp_path / "a.txt").write_text(text_format.MessageToString(one))
    (tmp_path / "a.air").write_bytes(one.SerializeToString())
    told = [without_path(read_offline(tmp_path / f"a.{form}")) for form in ("json", "txt", "air")]
    assert told[0] == told[1] == told[2]
    assert told[0].ops
    whole = read_offline(shared(name))
    assert whole.ops[: len(told[0].ops)] == told[0].ops
    assert without_path(offline_model(load(shared(name)))) == without_path(whole)


def test_groups_are_the_same_in_every_form(tmp_path: Path) -> None:
    """The JSON has them as attributes, the model as records of the fusion engine."""
    model = small_model()
    record = schema.message("OpDef")()
    schema.put(record.attr, "fusion_scope", 9)
    schema.attribute(model.attr, "fm").list.bt.extend([record.SerializeToString()] * 2)
    (tmp_path / "a.json").write_text(dumps(model))
    (tmp_path / "a.air").write_bytes(model.SerializeToString())
    told = [read_offline(tmp_path / f"a.{form}") for form in ("json", "air")]
    assert told[0].ops == told[1].ops
    assert [op.group_name for op in told[0].ops] == ["group_op_ub_9_0", "group_op_ub_9_0", *[None] * 5]


def test_compressed_names_tell_the_same(tmp_path: Path) -> None:
    plain, compressed = small_model(), small_model()
    compress(compressed)
    told = [read_offline(write_small(tmp_path / f"{i}.om", one)) for i, one in enumerate((plain, compressed))]
    assert without_path(told[0]) == without_path(told[1])


def test_facts_of_the_real_model() -> None:
    model = read_offline(shared(HH))
    assert (model.name, model.graphs) == ("hh_om", ("hh_om_0",))
    assert (model.soc_version, model.framework) == ("Ascend310", "TensorFlow")
    assert model.output_names == ("generation/output:0",)
    assert "--framework=3" in model.command
    assert "--input_shape=input:100,784" in model.command
    assert model.opp_version
    ops = {op.name: op for op in model.ops}
    conv = ops["recognition/d_h1/Conv2D"]
    assert conv.original_names == ("recognition/d_h1/add", "recognition/d_h1/Conv2D")
    assert conv.inputs == ("trans_TransData_1:0", "dynamic_const_5478_34:0", "dynamic_const_5478_22:0", "")
    assert (conv.id, conv.is_multiop, conv.l1_group) == (16, False, None)
    (output,) = conv.outputs
    assert (output.type_name, output.layout, output.shape) == ("FLOAT16", "NC1HWC0", (100, 1, 14, 14, 16))
    assert (output.origin_name, output.origin_index) == ("recognition/d_h1/add", 0)
    assert (output.dump_layout, output.dump_type_name) == ("NHWC", "FLOAT")
    assert (output.origin_layout, output.origin_shape) == ("NHWC", (100, 14, 14, 16))
    assert ops["trans_TransData_1"].original_names == (), "inserted by the compiler"
    assert ops["generation/Relu"].original_names is None, "unchanged"


def test_facts_of_ours(tmp_path: Path) -> None:
    model = read_offline(write_small(tmp_path / "net.om"))
    assert model.graphs == ("net_0", "then")
    ops = {op.name: op for op in model.ops}
    conv = ops["conv1relu1"]
    assert (conv.is_multiop, conv.l1_group, conv.graph) == (True, "3", "net_0")
    assert conv.inputs == ("trans_TransData_0:0", "conv1_weight:0", "", "x:-1")
    assert conv.outputs == (
        OfflineTensor("FLOAT16", "NC1HWC0", 1, (1, 1, 4, 4, 16), "NCHW", (1, 16, 4, 4), "relu1", 0, "NCHW", "FLOAT"),
    )
    assert conv.input_tensors[0].layout == "NC1HWC0"
    assert (ops["switch"].subgraphs, ops["inner"].graph) == (("then",), "then")
    assert ops["conv1_weight"].outputs[0].layout == "FRACTAL_Z"


def test_groups_of_a_layout(tmp_path: Path) -> None:
    model = small_model()
    model.graph[0].op[2].output_desc[0].layout = "FRACTAL_Z:96"
    assert read_offline(write_small(tmp_path / "net.om", model)).ops[2].outputs[0].group == 96


def test_a_model_of_another_format() -> None:
    with pytest.raises(TypeError, match="no offline model"):
        offline_model(load(shared("ascend/hh/hh.pb")))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "net.om"
    path.write_text("hello")
    with pytest.raises(ModelError, match="this is no offline model"):
        read_offline(path)
