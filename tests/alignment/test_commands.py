"""The `atc` command of a cut: what the offline model records of its own is kept where it holds for a part too."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from support.models import digits
from support.offline import Offline, om

import subcut
from subcut.compiler.alignment.identity import option
from subcut.compiler.alignment.twin import TwinOptions, attach
from subcut.compiler.commands import atc_command
from subcut.compiler.device_data import Exported
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
