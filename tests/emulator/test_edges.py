"""What is odd about a model: outputs that are stored, inputs in the middle, tensors that no device has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.caffe_models import caffemodel, random_weights
from support.emulated import Node, cosine, net, normal, offline, running
from support.models import digits, shared
from support.tensorflow_graphs import built

from subcut.compiler.errors import UserError
from subcut.compiler.export import load
from subcut.compiler.formats import runner
from subcut.emulator import DumpOptions, Emulated, emulate

SILENT = DumpOptions(mode="none")


def test_a_stored_output(tmp_path: Path) -> None:
    nodes = [Node("Relu", ["x"], ["y"], "y"), Node("Neg", ["w"], ["z"], "z")]
    path = net(tmp_path / "net.onnx", nodes, (1, 3), ["y", "z"], {"w": normal(1, 3)})
    made = emulate(path, None, tmp_path / "out")
    np.testing.assert_array_equal(made.outputs["z"], -normal(1, 3).astype(np.float16).astype(np.float32))
    assert list(made.groups) == ["y"]


def test_an_output_that_only_has_another_shape(tmp_path: Path) -> None:
    nodes = [Node("Relu", ["x"], ["r"], "r"), Node("Flatten", ["r"], ["y"], "y")]
    path = net(tmp_path / "net.onnx", nodes, (2, 3, 4), ["y"])
    made = emulate(path, {"x": normal(0, 2, 3, 4)}, tmp_path / "out")
    assert made.outputs["y"].shape == (2, 12)
    ends = offline(made).ops[-1]
    assert [one.shape for one in ends.input_tensors] == [(2, 12)]


def test_results_without_a_name(tmp_path: Path) -> None:
    nodes = [Node("GRU", ["x", "w", "r"], ["", "h"], "gru", hidden_size=4), Node("Relu", ["h"], ["y"], "y")]
    stored = {"w": normal(1, 1, 12, 3), "r": normal(2, 1, 12, 4)}
    path = net(tmp_path / "net.onnx", nodes, (5, 2, 3), ["y"], stored)
    made = emulate(path, {"x": normal(0, 5, 2, 3)}, tmp_path / "out")
    golden = runner("onnx").run(load(path), {"x": normal(0, 5, 2, 3)}, ["y"])
    assert cosine(made.outputs["y"], golden["y"]) > 0.9999
    [gru] = [op for op in offline(made).ops if op.name == "gru"]
    assert [one.shape for one in gru.outputs] == [(0,), (1, 2, 4)]


@pytest.mark.parametrize(
    "nodes",
    [
        [Node("SplitToSequence", ["x"], ["s"], "s"), Node("ConcatFromSequence", ["s"], ["y"], "y", axis=0)],
        [Node("Cast", ["x"], ["s"], "s", to=TensorProto.STRING), Node("Identity", ["s"], ["y"], "y")],
    ],
)
def test_lists_and_texts_are_refused(nodes: list[Any], tmp_path: Path) -> None:
    path = net(tmp_path / "net.onnx", nodes, (2, 3), ["y"])
    with pytest.raises(UserError, match="no tensor of numbers") as caught:
        emulate(path, {"x": normal(0, 2, 3)}, tmp_path / "out")
    assert caught.value.code == "not-emulated"


def test_a_text_input_is_refused(tmp_path: Path) -> None:
    info = helper.make_tensor_value_info
    node = Node("StringNormalizer", ["x"], ["y"], "y")
    given = [info("x", TensorProto.STRING, (2,))]
    graph = helper.make_graph([node], "net", given, [info("y", TensorProto.STRING, None)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "net.onnx")
    with pytest.raises(UserError, match="which a device does not take"):
        emulate(tmp_path / "net.onnx", {"x": np.array(["a", "b"])}, tmp_path / "out")


def test_numbers_that_the_framework_refuses(tmp_path: Path) -> None:
    path = net(tmp_path / "net.onnx", [Node("MatMul", ["x", "w"], ["y"], "y")], (2, 3), ["y"], {"w": normal(1, 3, 4)})
    with pytest.raises(UserError) as caught:
        emulate(path, {"x": normal(0, 2, 5)}, tmp_path / "out")
    assert caught.value.code == "cannot-run"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", [0, 1])
def test_random_operators_can_be_repeated(seed: int, tmp_path: Path) -> None:
    nodes = [
        Node("RandomNormalLike", ["x"], ["n"], "n", scale=0.5, mean=2.0),
        Node("RandomUniformLike", ["x"], ["u"], "u", low=1.0, high=3.0),
        Node("Add", ["n", "u"], ["y"], "y"),
    ]
    path = net(tmp_path / "net.onnx", nodes, (50, 60), ["n", "u", "y"])
    made = [emulate(path, None, tmp_path / name, seed=seed).outputs for name in "ab"]
    for name in "nuy":
        np.testing.assert_array_equal(made[0][name], made[1][name])
    normally, evenly = made[0]["n"], made[0]["u"]
    assert abs(normally.mean() - 2) < 0.05
    assert abs(normally.std() - 0.5) < 0.05
    assert (evenly.min(), evenly.max()) == pytest.approx((1, 3), abs=0.01)


def tensorflow(build: Any, folder: Path, **given: Any) -> tuple[Emulated, dict[str, Any]]:
    path = built(build, folder / "net.pb")
    made = emulate(path, given, folder / "out")
    feeds = {f"{name}:0": array for name, array in given.items()}
    return made, runner("tensorflow").run(load(path), feeds, list(made.outputs))


def test_tensorflow_layers(tmp_path: Path) -> None:
    """A depthwise convolution with a bias and relu6, an input with a default, a mean, a dense layer."""

    def build(tf: Any) -> None:
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, (1, 8, 8, 4), "x")
        y = v1.nn.depthwise_conv2d_native(x, tf.constant(normal(1, 3, 3, 4, 2)), [1, 1, 1, 1], "SAME", name="deep")
        y = tf.nn.relu6(tf.nn.bias_add(y, tf.constant(normal(2, 8)), name="bias"), name="relu6")
        y = v1.placeholder_with_default(y, (None, 8, 8, 8), "middle")
        keep = v1.placeholder_with_default(np.float32(0.5), (), "keep")
        y = tf.reduce_mean(y * keep, [1, 2], name="mean")
        y = tf.nn.bias_add(
            tf.matmul(y, tf.constant(normal(3, 8, 5)), name="dense"), tf.constant(normal(4, 5)), name="b"
        )
        tf.nn.softmax(tf.nn.relu(y, name="relu"), name="prob")

    made, golden = tensorflow(build, tmp_path, x=normal(0, 1, 8, 8, 4, scale=1))
    assert cosine(made.outputs["prob:0"], golden["prob:0"]) > 0.9999
    found = {op.name: list(op.original_names or ()) for op in running(offline(made))}
    assert found == {
        "deeprelu6": ["bias", "deep", "relu6"],
        "mul": [],
        "mean": ["mean/reduction_indices", "mean"],
        "denserelu": ["b", "dense", "relu"],
        "prob": [],
    }
    [kernel] = [op.outputs[0] for op in offline(made).ops if op.type == "Const" and op.outputs[0].layout == "FRACTAL_Z"]
    assert (kernel.group, kernel.origin_layout, kernel.origin_shape) == (4, "HWCN", (3, 3, 1, 8))


DECONVOLUTION = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 dim: 5 dim: 5 } } }
layer { name: "up" type: "Deconvolution" bottom: "x" top: "up"
  convolution_param { num_output: 6 kernel_size: 4 stride: 2 group: 2 } }
layer { name: "scale" type: "Scale" bottom: "up" top: "up" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "up" top: "up" relu_param { negative_slope: 0.1 } }
layer { name: "fc" type: "InnerProduct" bottom: "up" top: "fc" inner_product_param { num_output: 3 transpose: true } }
layer { name: "bias" type: "Bias" bottom: "fc" top: "fc" }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_caffe_layers(precision: str, tmp_path: Path) -> None:
    """A grouped deconvolution with a scale in place, and a transposed inner product with a bias layer."""
    path = tmp_path / "net.prototxt"
    path.write_text(DECONVOLUTION)
    layers, _ = random_weights(load(path))
    path.with_suffix(".caffemodel").write_bytes(caffemodel("net", layers))
    x = normal(0, 1, 4, 5, 5, scale=1)
    made = emulate(path, {"x": x}, tmp_path / "out", precision=precision)
    model = load(path)
    golden = runner("caffe").run(model, {"x": x}, ["prob"])
    assert cosine(made.outputs["prob"], golden["prob"]) > (0.9999 if precision == "fp16" else 0.999)
    assert made.groups["uprelu"] == ["up", "scale", "relu"]
    if precision == "fp16":
        assert made.groups["fc"] == ["fc", "bias"]


def test_the_names_of_a_real_resnet(tmp_path: Path) -> None:
    """Those that a real device gave the operators of this very net."""
    path = tmp_path / "net.prototxt"
    path.write_bytes(shared("caffe/prototxt/prototxt_ResNet-50-deploy.prototxt").read_bytes())
    layers, _ = random_weights(load(path))
    path.with_suffix(".caffemodel").write_bytes(caffemodel("net", layers))
    x = normal(0, 1, 3, 64, 64)
    path.write_text(
        path.read_text().replace("224", "64").replace("kernel_size: 7\n\t\tstride: 1", "kernel_size: 2\n\t\tstride: 1")
    )
    made = emulate(path, {"data": x}, tmp_path / "out", dump=SILENT)
    assert made.groups["res2a_branch2cres2ares2a_relu"] == [
        "res2a_branch2c", "bn2a_branch2c", "scale2a_branch2c", "res2a", "res2a_relu",
    ]  # fmt: skip
    assert "res2a_branch2bres2a_branch2b_relu" in made.groups
    assert len(made.groups) == 57


def test_a_bias_beside_a_kernel_of_next_to_nothing(tmp_path: Path) -> None:
    """Of 8-bit numbers: the kernel's own scale would take the bias out of range."""
    stored = {"w": np.full((1, 3), 1e-30, np.float32).T, "b": np.array([0.25], np.float32)}
    nodes = [Node("MatMul", ["x", "w"], ["a"], "a"), Node("Add", ["a", "b"], ["y"], "y")]
    path = net(tmp_path / "net.onnx", nodes, (2, 3), ["y"], stored)
    made = emulate(path, {"x": normal(0, 2, 3)}, tmp_path / "out", precision="int8")
    np.testing.assert_allclose(made.outputs["y"], 0.25, rtol=1e-3)


@pytest.mark.parametrize("form", ["prototxt", "pb", "onnx"])
def test_tensors_inside_are_answered_when_they_are_asked_for(form: str, tmp_path: Path) -> None:
    """As with atc's `--out_nodes`: a piece of a model may have outputs that it reads itself."""
    wanted = ["pool1", "res2a_relu" if form != "prototxt" else "res2a", "prob"]
    made = emulate(digits(form), folder=tmp_path / "some", outputs=wanted)
    assert [name.removesuffix(":0") for name in made.outputs] == wanted
    whole = emulate(digits(form), folder=tmp_path / "all")
    [prob] = [array for name, array in whole.outputs.items() if name.startswith("prob")]
    assert np.array_equal(list(made.outputs.values())[-1], prob)
    with pytest.raises(UserError, match="no operator makes a tensor `pole1`"):
        emulate(digits(form), folder=tmp_path / "none", outputs=["pole1"])
