"""`subcut list` names everything in a way that a selection takes, and fits the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.models import digits, fetched, shared

from subcut.compiler.cli import list as listing
from subcut.compiler.cli import table
from subcut.compiler.cli.main import main
from subcut.compiler.diagnostics import SourceText, display_width
from subcut.compiler.export import load
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.ir.text_parse import TextDialect
from subcut.dsl import ast
from subcut.dsl.lookup import Lookup
from subcut.dsl.names import Names
from subcut.dsl.parser import parse

ODD = ["a b", 'q"', "x*", "[0]", "from", "re", "back\\slash", "a,b", "%x", "@y", "ünï/編", "#", "-", "(input)"]


def listed(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    assert main(["list", *map(str, arguments)]) == 0
    return capsys.readouterr().out.splitlines()


def listed_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    result: dict[str, Any] = json.loads("\n".join(listed(capsys, *arguments, "--json")))
    return result


def meant(names: Names, text: str) -> list[object]:
    """What `text` means as a name in a selection."""
    selection = parse(f"from {text}").selection
    assert isinstance(selection, ast.Path)
    return list(Lookup(names, SourceText("<test>", f"from {text}")).nodes(selection.starts[0]).nodes)


def odd_model() -> Model:
    model = Model(TextDialect("onnx"))
    last = model.main.add_input("in put")
    for name in ODD:
        last = model.main.append(Op("T", name, (last,))).add_result(name + "!")
    for _ in range(2):  # namesakes, then nameless ones
        last = model.main.append(Op("T", "same", (last,))).add_result(f"s{len(model.main.ops)}")
    for _ in range(2):
        last = model.main.append(Op("T", "", (last,))).add_result(f"n {len(model.main.ops)}")
    return model


def test_operators_and_tensors(capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, shared("caffe/mtcnn/det1.prototxt"), "conv[34]*") == [
        "3 operators",
        "conv3    Convolution  1x32x1x1xf32",
        "conv4-1  Convolution  1x2x1x1xf32",
        "conv4-2  Convolution  1x4x1x1xf32",
        "",
        "4 tensors",
        "%conv3:0  1x32x1x1xf32  conv3 -> PReLU3",
        "%conv3    1x32x1x1xf32  PReLU3 -> conv4-1, conv4-2",
        "%conv4-1  1x2x1x1xf32   conv4-1 -> prob1",
        "%conv4-2  1x4x1x1xf32   conv4-2 -> nobody",
    ]


def test_what_stands_behind_a_wrong_layer_has_no_type(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A list shows a net that Caffe would refuse; who asks for the types is told what is wrong."""
    net = tmp_path / "net.prototxt"
    layers = ("", "axis: 4", "")
    net.write_text(
        'input: "x" input_shape { dim: 2 dim: 3 }\n'
        + "".join(
            f'layer {{ name: "s{i}" type: "Softmax" bottom: "{"x" if i == 0 else f"s{i - 1}"}" top: "s{i}"'
            f" softmax_param {{ {param} }} }}\n"
            for i, param in enumerate(layers)
        )
    )
    assert listed(capsys, net, "--ops") == ["s0  Softmax  2x3xf32", "s1  Softmax  ?", "s2  Softmax  *xf32"]
    assert main(["list", str(net), "--infer"]) == 2
    assert "axis 4 is out of range" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["onnx", "pb", "prototxt"])
def test_kinds(capsys: pytest.CaptureFixture[str], ending: str) -> None:
    model = digits(ending)
    both = listed_json(capsys, model)
    assert listed_json(capsys, model, "--ops") == {**both, "tensors": []}
    assert listed_json(capsys, model, "--tensors") == {**both, "operators": []}
    assert listed_json(capsys, model, "%*") == {**both, "operators": []}
    some = listed_json(capsys, model, "res2a*")
    assert some["operators"] == [row for row in both["operators"] if row["name"].startswith("res2a")]
    assert some["tensors"] == [row for row in both["tensors"] if row["name"].startswith("%res2a")]
    assert len(listed(capsys, model, "--ops")) == len(both["operators"])


def test_json_tells_the_whole_of_a_tensor(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in listed_json(capsys, digits("onnx"))["tensors"]}
    assert rows["%data"] == {
        "name": "%data",
        "element": "f32",
        "shape": ["N", 1, 8, 8],
        "layout": None,
        "producer": None,
        "consumers": ["conv1"],
    }
    assert rows["%res2a_relu"]["producer"] == "res2a_relu"


@pytest.mark.parametrize(
    "find",
    [
        lambda: digits("onnx"),
        lambda: digits("pb"),
        lambda: digits("prototxt"),
        lambda: shared("tensorflow/LSTM_S.pb"),
        lambda: fetched("silero_vad/silero_vad.onnx"),
        lambda: fetched("rapidocr/ch_PP-OCRv4_rec_infer.onnx"),
        lambda: fetched("onnx_light/light_densenet121.onnx"),
    ],
    ids=["digits.onnx", "digits.pb", "digits.prototxt", "LSTM_S", "silero", "rapidocr", "densenet"],
)
def test_every_name_means_what_it_is_listed_for(find: Any) -> None:
    check_names(load(find()))


def test_odd_names_mean_what_they_are_listed_for() -> None:
    check_names(odd_model())


def check_names(model: Model) -> None:
    rows = listing.Listing(model, "")
    names = Names(model)
    ops, tensors = list(rows.ops()), list(rows.tensors())
    assert len({row.address for row in ops}) == len(ops)
    for row in ops[:: max(len(ops) // 100, 1)]:
        assert meant(names, row.address) == [row.op], row.address
    for tensor in tensors[:: max(len(tensors) // 100, 1)]:
        assert meant(names, tensor.address) == [tensor.value], tensor.address


def test_a_body_is_listed_by_its_address(capsys: pytest.CaptureFixture[str]) -> None:
    model = fetched("silero_vad/silero_vad.onnx")
    rows = listed_json(capsys, model, "@If_0/else_branch/*", "--ops")["operators"]
    everything = listed_json(capsys, model, "--ops")["operators"]
    assert rows == [row for row in everything if row["name"].startswith("@If_0/else_branch/")]
    assert rows


def test_a_literal_name_with_globs_is_that_name() -> None:
    assert [row.op.name for row in listing.Listing(odd_model(), "[0]").ops()] == ["[0]"]


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(digits("onnx")), "conf1"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "error[no-match]: nothing in the model matches `conf1`"
    assert second.startswith("  = help: did you mean `conv1`, ")


def test_many_readers_are_counted() -> None:
    model = Model(TextDialect("onnx"))
    x = model.main.add_input("x")
    for i in range(10):
        model.main.append(Op("T", f"op{i}", (x,)))
    (row,) = listing.Listing(model, "").tensors()
    assert row.cells() == ("%x", "?", "(input) -> op0, op1, op2 and 7 more")


@pytest.mark.parametrize("columns", [20, 40, 80, 400])
def test_lines_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    rows = [("a" * n, "編" * (n // 3), "b" * (100 - n)) for n in range(1, 100)]
    monkeypatch.setattr(table.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = list(table.lines(rows))
    room = max(columns, 3 * table.NARROWEST + 2 * table.GAP)
    assert max(map(display_width, lines)) <= room
    if columns == 400:
        assert [line.replace(" ", "") for line in lines] == ["".join(row) for row in rows]


def test_columns_are_aligned() -> None:
    lines = list(table.lines([("a", "bb", "c"), ("編集", "b", "c"), ("abc", "", "c")]))
    assert lines == ["a     bb  c", "編集  b   c", "abc       c"]
    assert list(table.lines([])) == []


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [("abcdefghij", 10, "abcdefghij"), ("abcdefghijk", 10, "abcd...ijk"), ("編編編編", 6, "編...")],
)
def test_long_cells_lose_their_middle(text: str, width: int, short: str) -> None:
    assert table.shorten(text, width) == short


def test_names_that_the_terminal_cannot_show_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "n.prototxt").write_text('layer { name: "層" type: "T" top: "é" }', "utf-8")
    command = [sys.executable, "-m", "subcut", "list", str(tmp_path / "n.prototxt")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split("\n")[1].startswith("\\u5c64  T  ")
    assert run.stdout.split("\n")[4].startswith("%\\xe9  ")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "model.onnx")
    assert main(["list", str(tmp_path / "model.onnx")]) == 2
    assert "is not a file" in capsys.readouterr().err


def test_output_that_nobody_reads_to_the_end_is_no_error() -> None:
    command = [sys.executable, "-m", "subcut", "list", str(digits("pb"))]
    reading, writing = os.pipe()
    process = subprocess.Popen(command, stdout=writing, stderr=subprocess.PIPE)
    os.close(reading)
    os.close(writing)
    _, errors = process.communicate()
    assert errors == b""
    assert process.returncode == 1
