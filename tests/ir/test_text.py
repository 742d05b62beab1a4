"""The text form holds all of the IR but origins and stored numbers, is read back, and is MLIR."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from ir.random_models import models
from support.structure import structure

from subcut.compiler.errors import UserError
from subcut.compiler.ir.graph import Graph, Model, Op
from subcut.compiler.ir.text import op_lines, print_model
from subcut.compiler.ir.text_parse import TextDialect, parse_model
from subcut.compiler.ir.types import TensorType

MLIR_OPT = shutil.which("mlir-opt-16") or shutil.which("mlir-opt")


def mlir_opt(text: str, *options: str) -> str:
    if MLIR_OPT is None:
        pytest.skip("needs mlir-opt-16, of Debian's mlir-16-tools")
    run = subprocess.run([MLIR_OPT, "--allow-unregistered-dialect", *options], input=text.encode(), capture_output=True)
    assert run.returncode == 0, run.stderr.decode()[:2000] + text[:5000]
    return run.stdout.decode()


@given(models())
@settings(max_examples=150, deadline=None)
def test_random_models_are_read_back(model: Model) -> None:
    text = print_model(model)
    again = parse_model(text)
    assert structure(again) == structure(model)
    assert print_model(again) == text


@given(models())
@settings(max_examples=25, deadline=None)
def test_mlir_accepts_random_models_and_keeps_them(model: Model) -> None:
    """What MLIR prints of our text, in its custom or generic form, is read back as the same model."""
    text = print_model(model)
    for options in ((), ("--mlir-print-op-generic",)):
        assert structure(parse_model(mlir_opt(text, *options))) == structure(model)


def small() -> Model:
    """A loop body that captures, a missing operand, a control edge, and a back edge."""
    model = Model(TextDialect("onnx"), "small")
    graph = model.main
    x = graph.add_input("x", TensorType("f32", (1, "N", None), "NCH"))
    conv = graph.append(Op("Conv", "conv/1", (x, None), attributes={"strides": [1, 2], "eps": 1e-5, "pad": "SAME"}))
    y = conv.add_result("y", TensorType("f32", None))
    loop = graph.append(Op("Loop", "loop", (y,), (conv,)))
    body = Graph(model, "body", loop)
    loop.regions.append(body)
    i = body.add_input("i", TensorType("i64", ()))
    body.outputs = [body.append(Op("Add", "", (i, x))).add_result("sum"), y]
    graph.outputs = [loop.add_result("z", TensorType("qi8", (2,)))]
    return model


SMALL = """\
"subcut.model"() ({
  "subcut.graph"() ({
  ^bb0(%x: tensor<1x?x?xf32, {dims = [unit, "N", unit], layout = "NCH"}>):
    %none = "subcut.none"() : () -> !subcut.none
    %y, %conv_1_done = "onnx.Conv"(%x, %none) {subcut.name = "conv/1", subcut.results = ["y"], \
strides = [1 : i64, 2 : i64], eps = 1.0e-05 : f64, pad = "SAME"} : \
(tensor<1x?x?xf32, {dims = [unit, "N", unit], layout = "NCH"}>, !subcut.none) -> (tensor<*xf32>, !subcut.control)
    %z = "onnx.Loop"(%y, %conv_1_done) ({
    ^bb0(%i: tensor<i64>):
      %sum = "onnx.Add"(%i, %x) {subcut.results = ["sum"]} : \
(tensor<i64>, tensor<1x?x?xf32, {dims = [unit, "N", unit], layout = "NCH"}>) -> !subcut.unknown
      "subcut.output"(%sum, %y) {subcut.graph = "body", subcut.inputs = ["i"]} : \
(!subcut.unknown, tensor<*xf32>) -> ()
    }) {subcut.name = "loop", subcut.results = ["z"]} : \
(tensor<*xf32>, !subcut.control) -> tensor<2x!subcut.qi8>
    "subcut.output"(%z) {subcut.inputs = ["x"]} : (tensor<2x!subcut.qi8>) -> ()
  }) {subcut.name = "main"} : () -> ()
}) {subcut.dialect = "onnx", subcut.name = "small"} : () -> ()
"""


def test_the_text_itself() -> None:
    assert print_model(small()) == SMALL


def test_comments_and_blanks_are_allowed() -> None:
    text = SMALL.replace("(", "( // note\n ").replace(", ", "\n,\t").replace('"NCH"', '"NCH" // "x\n')
    assert structure(parse_model(text)) == structure(small())


def test_chosen_operators_are_a_model_of_their_own() -> None:
    model = small()
    loop = model.main.ops[1]
    again = parse_model("\n".join(op_lines(model.main, [loop])))
    assert [v.name for v in again.main.inputs] == ["y", "x"]
    assert [v.name for v in again.main.outputs] == ["z"]
    assert [op.type for op in again.main.ops] == ["Loop"]
    assert again.main.ops[0].controls == ()
    conv = parse_model("\n".join(op_lines(model.main, model.main.ops[:1])))
    assert [v.name for v in conv.main.outputs] == ["y"]


def test_short_floats_are_exact() -> None:
    for value in (0.1, 1 / 3, 1e-45, 3.4028234663852886e38, 9.999999747378752e-06, -0.0, 1e22, 5e-324):
        model = Model(TextDialect("onnx"))
        model.main.append(Op("X", attributes={"a": value}))
        read = parse_model(print_model(model)).main.ops[0].attributes["a"]
        assert str(read) == str(value)
    assert "eps = 1.0e-05 : f32" in print_model(_with({"eps": 9.999999747378752e-06}))


def _with(attributes: dict[str, float]) -> Model:
    model = Model(TextDialect("onnx"))
    model.main.append(Op("X", attributes=attributes))
    return model


@pytest.mark.parametrize(
    ("old", "new", "message", "marked"),
    [
        ("(%i, %x)", "(%i, %w)", "`%w` is not defined here", "%w"),
        ("%z =", "%y =", "`%y` is defined twice", "%y"),
        ("%sum =", "%sum, %more =", "2 results and 1 types of results", '%sum, %more = "onnx'),
        ("(%z) {", "(%i) {", "`%i` is not defined here", "%i"),
        (
            "-> tensor<2x!subcut.qi8>",
            "-> tensor<2xf32>",
            "the type of this operand is not that of its definition",
            "%z",
        ),
        ("tensor<i64>)", "tensor<i64)", "expected `>`, found `):`", ")"),
        ("tensor<i64>)", "tensor<int>)", "`int` is no element type", "int"),
        ('"onnx.Add"', "onnx.Add", "expected a string, found `onnx.Add(%i, %x) {su`", "o"),
        ('"onnx.Add"', '"tf.Add"', "`tf.Add` is no operator of `onnx`", '%sum = "tf.Add"(%i, %x)'),
        ('"onnx.Add"', '"Add"', "`Add` is no kind of operator", '%sum = "Add"(%i, %x)'),
        ('results = ["sum"]', 'results = ["a", "b"]', "`subcut.results` names another number of results", "%sum"),
        ('inputs = ["i"]', "inputs = []", "`subcut.inputs` names another number of arguments", '"subcut.output"'),
        ("eps = 1.0e-05 : f64", "eps = 1.0e+99 : f32", "too large for an `f32`", "1.0e+99 : f32"),
        ("eps = 1.0e-05 : f64", "eps = 0x12 : f32", "a hexadecimal number is the bits of", "0x12 : f32"),
        ("[unit, ", "[", "`dims` tells of another number of dimensions", "tensor<1x?x?xf32"),
        ('name = "small"} : () -> ()', 'name = "small"}', "expected `:`, found the end", ""),
        ('name = "small"} : () -> ()', 'name = "small"} : () -> () x', "expected the end, found `x`", "x"),
        ('{subcut.dialect = "onnx", ', "{", 'expected `subcut.dialect = "…"`', ""),
        ('"subcut.model"', '"tf.model"', 'expected `"subcut.model"`', '"tf.model"'),
    ],
)
def test_mistakes_are_shown_where_they_are(old: str, new: str, message: str, marked: str) -> None:
    assert old in SMALL
    with pytest.raises(UserError) as caught:
        parse_model(SMALL.replace(old, new, 1), "ir.mlir")
    assert caught.value.code == "bad-ir-text"
    (diagnostic,) = caught.value.diagnostics
    assert message in diagnostic.message
    assert diagnostic.at is not None
    assert diagnostic.at.source.name == "ir.mlir"
    place = diagnostic.at.source.text[diagnostic.at.start : diagnostic.at.stop]
    assert place.startswith(marked), place


@pytest.mark.parametrize("bomb", ["[" * 5000, "{a = " * 5000, "!subcut.seq<" * 5000])
def test_bombs_of_brackets_are_refused(bomb: str) -> None:
    with pytest.raises(UserError, match="nested more than 80 deep"):
        parse_model(SMALL.replace('"SAME"', bomb))


def test_bombs_of_regions_are_refused() -> None:
    with pytest.raises(UserError, match="nested more than 80 deep"):
        parse_model('"subcut.model"() ({"subcut.graph"() ({' + '"a.b"() ({' * 5000)


def test_deep_regions_are_read() -> None:
    end = '"subcut.output"() : () -> ()'
    text = '"subcut.model"() ({"subcut.graph"() ({' + '"a.b"() ({' * 70
    text += f"{end}}}) : () -> () " * 71 + '}) {subcut.dialect = "a"} : () -> ()'
    assert print_model(parse_model(text)).count('"a.b"') == 70
