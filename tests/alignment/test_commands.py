"""The `atc` command of a cut: what the offline model records of its own is kept where it holds for a part too."""

from __future__ import annotations

import shlex
from pathlib import Path

import onnx
import pytest
from onnx import helper
from support.models import digits
from support.offline import Offline, om

import subcut
from subcut.compiler.alignment.identity import option
from subcut.compiler.alignment.twin import TwinOptions, attach
from subcut.compiler.commands import atc_command, inference_command
from subcut.compiler.device_data import Exported
from subcut.compiler.ir.graph import Model
from subcut.compiler.pipeline import standard

RECORDED = (
    "/usr/local/Ascend/atc/bin/atc.bin --model=/a/digits.prototxt --weight=/a/digits.caffemodel --framework=0 "
    "--output=/a/digits --soc_version=Ascend310P3 --input_shape=data:1,1,16,16 --insert_op_conf=/a/aipp.cfg "
    "--precision_mode=allow_fp32_to_fp16 --op_select_implmode high_precision --output_type=FP32 "
    "--out_nodes=prob:0 --log=info --dynamic_batch_size=1,2,4"
)


def command(selection: str, folder: Path, recorded: str = RECORDED) -> dict[str, str]:
    model = subcut.load(digits("prototxt"))
    twin = attach(
        model, TwinOptions(om(folder / "d.om", [Offline("Data", "data", [""])], command=recorded, soc="Other"))
    )
    standard(selection).run(model)
    words = shlex.split(atc_command(model, twin, Exported()))
    assert words[0] == "atc"
    return dict(word.removeprefix("--").split("=", 1) for word in words[1:])


def test_options_of_the_whole_are_kept_and_those_of_its_ends_replaced(tmp_path: Path) -> None:
    assert command("from pool1 to res2a_relu", tmp_path) == {
        "model": "dump.prototxt",
        "weight": "dump.caffemodel",
        "framework": "0",
        "output": "dump",
        "soc_version": "Ascend310P3",
        "input_format": "NCHW",
        "input_shape": "pool1_input_0:10,16,8,8",
        "precision_mode": "allow_fp32_to_fp16",
        "op_select_implmode": "high_precision",
        "log": "info",
    }


def test_preprocessing_stays_with_the_data_layer(tmp_path: Path) -> None:
    assert command("to pool1", tmp_path)["insert_op_conf"] == "/a/aipp.cfg"


def test_without_a_record_the_chip_is_still_known(tmp_path: Path) -> None:
    assert command("from pool1 to res2a_relu", tmp_path, "")["soc_version"] == "Other"


def test_options_are_read_as_atc_reads_them(tmp_path: Path) -> None:
    """One minus or two, `-` for `_`, a value with a space whose quotes the record has lost, a flag without a value."""
    line = "atc -soc_version=Ascend910B --input-format=NHWC --log info --debug_dir=/my files/log -help "
    line += "--input_hint_shape=0:[1]"
    found = command("from pool1 to res2a_relu", tmp_path, line)
    assert (found["soc_version"], found["input_format"], found["log"]) == ("Ascend910B", "NCHW", "info")
    assert found["debug_dir"] == "/my files/log"
    assert not {"help", "input-format", "input_hint_shape"} & found.keys()


def test_outputs_that_the_net_reads_too_are_named(tmp_path: Path) -> None:
    """ATC takes the tops that nobody reads, unless it is told."""
    found = command("from pool1 to res2a_relu; tap res2a_branch1", tmp_path)
    assert found["out_nodes"] == "res2a_branch1:0;res2a_relu:0"
    assert "out_nodes" not in command("from pool1 to res2a_relu", tmp_path)


def exported(model: Model, *records: tuple[str, str]) -> Exported:
    """Numbers of these tensors, with these types in their raw files."""
    shape = {"shape": [1, 1, 16, 16], "npy_type": "float32"}
    made = [
        {"tensor": name, "npy": f"inputs/{name}.npy", "bin": f"inputs/{name}.bin", "bin_type": type, **shape}
        for name, type in records
    ]
    assert model.report is not None
    return Exported(numbers=made)


def test_preprocessing_is_off_where_what_it_made_is_fed(tmp_path: Path) -> None:
    """ATC refuses halves for an input that AIPP prepares."""
    model = subcut.load(digits("prototxt"))
    twin = attach(model, TwinOptions(om(tmp_path / "d.om", [Offline("Data", "data", [""])], command=RECORDED)))
    standard("to pool1").run(model)
    told = atc_command(model, twin, exported(model, ("data", "float16")))
    assert "--input_fp16_nodes=data" in told
    assert "--insert_op_conf" not in told
    assert "--insert_op_conf" in atc_command(model, twin, Exported())


def test_files_are_fed_in_the_order_of_the_cut_s_inputs(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="a"),
        helper.make_node("Add", ["a", "z"], ["b"], name="b"),
    ]
    inputs = [helper.make_tensor_value_info(name, 1, [2]) for name in "xz"]
    graph = helper.make_graph(nodes, "net", inputs, [helper.make_tensor_value_info("b", 1, [2])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), tmp_path / "net.onnx")
    model = subcut.load(tmp_path / "net.onnx")
    standard("from b to b").run(model)
    order = [value.name for value in model.dialect.feeds(model)]
    told = inference_command(model, exported(model, ("z", "float16"), ("a", "float16")))
    assert told is not None
    assert f"--input {','.join(f'inputs/{name}.bin' for name in order)} " in told
    assert inference_command(model, exported(model, ("z", "float16"), ("a", "bfloat16"))) is None
    assert inference_command(model, exported(model, ("z", "float16"))) is None


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("atc --model=a.pb", "a.pb"),
        ("atc --model a.pb", "a.pb"),
        ('atc --model="a b.pb"', "a b.pb"),
        ("atc --input_shape='x:1' --model=it's.pb", "it's.pb"),
        ("atc --models=a.pb", ""),
        ("", ""),
    ],
)
def test_options_of_a_recorded_command(line: str, value: str) -> None:
    assert option(line, "model") == value
