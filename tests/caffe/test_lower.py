"""Lowering and running whole nets: names, inputs, in-place layers, refusals, and bits that do not depend on the cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from support.caffe_models import blob, caffemodel, random_weights, read_net
from support.commands import subcut
from support.models import fetched, shared

from subcut.compiler.errors import ModelError, UserError
from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.formats.caffe.lower import lower
from subcut.compiler.formats.caffe.lowering import REASONS, RULES, SOURCES
from subcut.compiler.formats.caffe.run import run
from subcut.compiler.formats.caffe.shapes import RULES as SHAPES

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
IN_PLACE = INPUT + (
    'layer { name: "a" type: "Power" bottom: "x" top: "x" power_param { shift: 1 } }\n'
    'layer { name: "b" type: "Power" bottom: "x" top: "y" power_param { scale: 2 } }\n'
    'layer { name: "c" type: "Power" bottom: "x" top: "x" power_param { shift: 10 } }\n'
)
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_every_shape_rule_is_lowered_or_has_a_reason() -> None:
    # What a Python layer makes is known to its code alone, its shape too.
    assert set(SHAPES) | {"Python"} == set(RULES) | SOURCES | set(REASONS)
    assert not set(RULES) & set(REASONS)


def test_every_type_that_is_lowered_is_computed_in_a_test() -> None:
    folder = Path(__file__).parent
    tests = "".join(path.read_text() for path in [*folder.glob("test_lower_*.py"), folder / "oracle/layer_cases.py"])
    assert [kind for kind in RULES if f'"{kind}"' not in tests] == []


def test_tensors_keep_their_names(tmp_path: Path) -> None:
    proto = lower(read_net(tmp_path, IN_PLACE))
    onnx.checker.check_model(proto, full_check=True)
    made = {name for node in proto.graph.node for name in node.output}
    assert {"x:1", "x", "y"} <= made
    assert [value.name for value in proto.graph.input] == ["x:0"]
    assert [value.name for value in proto.graph.output] == ["y", "x"]


def test_versions_of_a_blob_are_kept_apart(tmp_path: Path) -> None:
    found = run(read_net(tmp_path, IN_PLACE), {"x:0": X}, ["x:0", "x:1", "y", "x"])
    assert list(found) == ["x:0", "x:1", "y", "x"]
    for name, expected in {"x:0": X, "x:1": X + 1, "y": 2 * X + 2, "x": X + 11}.items():
        np.testing.assert_array_equal(found[name], expected)


def test_what_is_fed_is_not_computed(tmp_path: Path) -> None:
    model = read_net(tmp_path, IN_PLACE)
    np.testing.assert_array_equal(run(model, {"x:1": X * 5}, ["y"])["y"], X * 10)


def test_a_fed_shape_replaces_the_stated_one(tmp_path: Path) -> None:
    model = read_net(tmp_path, IN_PLACE)
    assert run(model, {"x:0": np.zeros((4, 7), np.float32)}, ["y"])["y"].shape == (4, 7)


def test_layers_that_are_not_on_the_way_need_not_be_lowerable(tmp_path: Path) -> None:
    text = IN_PLACE + 'layer { name: "p" type: "Python" bottom: "y" top: "z" }\n'
    model = read_net(tmp_path, text)
    assert run(model, {"x:0": X}, ["y"])["y"].shape == (2, 3)
    with pytest.raises(UserError, match=r"layer `p` \(Python\) cannot be run: it is code"):
        run(model, {"x:0": X}, ["z"])


@pytest.mark.parametrize(
    ("layer", "code", "message"),
    [
        ('type: "Foo" bottom: "x"', "not-lowerable", "does not know what a layer of this type computes"),
        ('type: "Softmax" bottom: "x" softmax_param { axis: 2 }', "not-lowerable", "axis 2 is out of range"),
        ('type: "Pooling" bottom: "x"', "not-lowerable", "needs a bottom of 4 axes"),
        ('type: "InfogainLoss" bottom: "x" bottom: "x"', "not-lowerable", "neither a third bottom nor a `source`"),
        ('type: "InnerProduct" bottom: "x"', "missing-weights", "needs 2 stored blobs to run and has 0"),
        ('type: "Data"', "missing-input", "the tensor `%y` is needed"),
        ('type: "Exp" bottom: "x" exp_param { base: -3 }', "not-lowerable", "`base` must be positive"),
        ('type: "ReLU" bottom: "x" relu_param { negative_slope: "a" }', "not-lowerable", "must be a number"),
    ],
)
def test_refusals_name_the_layer(layer: str, code: str, message: str, tmp_path: Path) -> None:
    model = read_net(tmp_path, INPUT + f'layer {{ name: "l" top: "y" {layer} }}\n')
    with pytest.raises(UserError, match=message) as caught:
        run(model, {"x": X}, ["y"])
    assert caught.value.code == code
    assert code == "missing-input" or "layer `l`" in str(caught.value)


INFOGAIN = (
    'layer { name: "i" type: "Input" top: "label" input_param { shape { dim: 2 } } }\n'
    'layer { name: "m" type: "Input" top: "h" input_param { shape { dim: 3 dim: 3 } } }\n'
    'layer { name: "a" type: "InfogainLoss" bottom: "x" bottom: "label" bottom: "h" top: "bottom" }\n'
    'layer { name: "b" type: "InfogainLoss" bottom: "x" bottom: "label" top: "file"'
    ' infogain_loss_param { source: "matrices/h.binaryproto" } }\n'
)
MATRIX = np.array([[1, 0.5, 0], [0.25, 2, 0], [0, 0.125, 3]], np.float32)


@pytest.mark.parametrize("beside", [True, False], ids=["beside-the-net", "in-the-current-folder"])
def test_the_matrix_of_an_infogain_loss_is_read_from_its_file(
    beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net").mkdir()
    folder = tmp_path / ("net/matrices" if beside else "matrices")
    folder.mkdir()
    (folder / "h.binaryproto").write_bytes(blob(MATRIX.reshape(1, 1, 3, 3)))
    feeds = {"x": X, "label": np.array([2, 1], np.float32), "h": MATRIX}
    found = run(read_net(tmp_path / "net", INPUT + INFOGAIN), feeds, ["bottom", "file"])
    logs = np.log(np.exp(X) / np.exp(X).sum(1, keepdims=True))
    np.testing.assert_allclose(found["file"], -(MATRIX[[2, 1]] * logs).sum() / 2, rtol=1e-6)
    assert found["file"].tobytes() == found["bottom"].tobytes()
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else" if beside else tmp_path)
    np.savez("x.npz", **feeds)
    subcut(tmp_path / "net/net.prototxt", "b", "-o", "out", "--verify", "--inputs", "x.npz", cwd=Path.cwd())


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, UserError, "`matrices/h.binaryproto`, which is neither beside the net nor in the current folder"),
        (blob(MATRIX[:2]), UserError, "its matrix has 6 numbers, not 3 for each of 3 classes"),
        (blob(MATRIX)[:-3], ModelError, "no protobuf"),
        (b"1 0 0", ModelError, "no protobuf"),
    ],
)
def test_a_matrix_that_cannot_be_read(
    content: bytes | None, error: type[Exception], message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "matrices").mkdir()
        (tmp_path / "matrices/h.binaryproto").write_bytes(content)
    model = read_net(tmp_path, INPUT + INFOGAIN)
    with pytest.raises(error, match=message):
        run(model, {"x": X, "label": np.zeros(2, np.float32)}, ["file"])


def test_an_unknown_tensor_and_an_input_that_is_not_given(tmp_path: Path) -> None:
    model = read_net(tmp_path, IN_PLACE)
    with pytest.raises(UserError, match="no tensor `%nope`"):
        run(model, {"x:0": X}, ["nope"])
    with pytest.raises(UserError, match="the tensor `%x:0` is needed to run the net and is not given"):
        run(model, {}, ["y"])


def test_numbers_that_make_no_sense_are_the_users_mistake(tmp_path: Path) -> None:
    layers = (
        'layer { name: "i" type: "Input" top: "label" input_param { shape { dim: 2 } } }\n'
        'layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "label" top: "y" }\n'
    )
    model = read_net(tmp_path, INPUT + layers)
    assert run(model, {"x": X, "label": np.array([0, 2], np.float32)}, ["y"])["y"].shape == ()
    with pytest.raises(UserError, match="cannot be run on these inputs") as caught:
        run(model, {"x": X, "label": np.array([0, 7], np.float32)}, ["y"])
    assert caught.value.code == "run-failed"


def test_a_shape_that_only_a_run_knows(tmp_path: Path) -> None:
    """What a filter lets through goes on through layers that do not need to know how much it is."""
    text = INPUT + (
        'layer { name: "s" type: "Input" top: "s" input_param { shape { dim: 2 } } }\n'
        'layer { name: "f" type: "Filter" bottom: "x" bottom: "s" top: "f" }\n'
        'layer { name: "i" type: "InnerProduct" bottom: "f" top: "i"'
        " inner_product_param { num_output: 2 bias_term: false } }\n"
        'layer { name: "r" type: "ReLU" bottom: "i" top: "i" }\n'
        'layer { name: "t" type: "Tile" bottom: "i" top: "t" tile_param { tiles: 2 } }\n'
    )
    weights = np.array([[1, 0, 2], [0, 1, 1]], np.float32)
    model = read_net(tmp_path, text, {"i": ("InnerProduct", [weights])})
    found = run(model, {"x": X, "s": np.array([0, 1], np.float32)}, ["i"])
    np.testing.assert_array_equal(found["i"], X[1:] @ weights.T)


def test_random_data_is_an_input_and_constant_data_is_not(tmp_path: Path) -> None:
    text = (
        'layer { name: "a" type: "DummyData" top: "a" dummy_data_param { shape { dim: 2 } } }\n'
        'layer { name: "b" type: "DummyData" top: "b" dummy_data_param { shape { dim: 2 }'
        ' data_filler { type: "gaussian" } } }\n'
        'layer { name: "c" type: "Eltwise" bottom: "a" bottom: "b" top: "c" }\n'
    )
    model = read_net(tmp_path, text)
    b = np.array([3, 4], np.float32)
    np.testing.assert_array_equal(run(model, {"b": b}, ["c"])["c"], b)
    np.testing.assert_array_equal(run(model, {"b": b, "a": b}, ["c"])["c"], b + b)
    with pytest.raises(UserError, match="`%b` is needed"):
        run(model, {}, ["c"])


def test_the_lowered_net_is_a_valid_model_of_its_own(tmp_path: Path) -> None:
    prototxt = shared("caffe/mtcnn/det3.prototxt")
    model = package("caffe").read(prototxt, ReadOptions(weights=prototxt.with_suffix(".caffemodel")))
    proto = lower(model)
    onnx.checker.check_model(proto, full_check=True)
    assert [value.name for value in proto.graph.output] == ["conv6-2", "conv6-3", "prob1"]
    assert lower(model).SerializeToString(deterministic=True) == proto.SerializeToString(deterministic=True)


def from_inside(prototxt: Path, weights: Path, feeds: dict[str, np.ndarray], places: int) -> tuple[int, list[str]]:
    """Compute tensors at about so many places from the tensors before them: how many, and those with other bits."""
    model = package("caffe").read(prototxt, ReadOptions(weights=weights))
    names = [v.name for op in model.main.ops if op.operands for v in op.results]
    whole = run(model, feeds, names)
    ops = [op for op in model.main.ops if op.operands]
    count, wrong = 0, list[str]()
    for op in ops[:: max(len(ops) // places, 1)]:
        near = {v.name: whole.get(v.name, feeds.get(v.name)) for v in op.operands if v is not None}
        again = run(model, {k: v for k, v in near.items() if v is not None}, [v.name for v in op.results])
        count += len(again)
        wrong += [name for name, array in again.items() if array.tobytes() != whole[name].tobytes()]
    return count, wrong


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(9).standard_normal(shape).astype(np.float32)


def test_bits_do_not_depend_on_the_cut_ssd() -> None:
    folder = fetched("res10_ssd")
    weights = folder / "res10_300x300_ssd_iter_140000.caffemodel"
    found = from_inside(folder / "deploy.prototxt.txt", weights, {"data": picture(1, 3, 300, 300) * 50}, 112)
    assert found == (112, [])


def test_bits_do_not_depend_on_the_cut_nsfw() -> None:
    folder = fetched("open_nsfw")
    weights = folder / "resnet_50_1by2_nsfw.caffemodel"
    found = from_inside(folder / "deploy.prototxt", weights, {"data": picture(1, 3, 224, 224) * 50}, 40)
    assert found == (46, [])


def test_bits_do_not_depend_on_the_cut_googlenet(tmp_path: Path) -> None:
    prototxt = shared("caffe/prototxt/BVLC_models_bvlc_googlenet_deploy.prototxt")
    layers, shapes = random_weights(package("caffe").read(prototxt, ReadOptions()))
    weights = tmp_path / "net.caffemodel"
    weights.write_bytes(caffemodel("net", layers))
    found = from_inside(prototxt, weights, {name: picture(2, *shape[1:]) for name, shape in shapes.items()}, 40)
    assert found == (48, [])


TRAINING = {
    "BVLC_examples_mnist_lenet_train_test": ({"data": (4, 1, 28, 28), "label": (4,)}, ["accuracy", "loss"]),
    "BVLC_examples_mnist_mnist_autoencoder": (
        {"data": (4, 1, 28, 28)},
        ["cross_entropy_loss", "l2_error"],
    ),
    "BVLC_examples_siamese_mnist_siamese_train_test": (
        {"pair_data": (4, 2, 28, 28), "sim": (4,)},
        ["loss"],
    ),
    "BVLC_examples_cifar10_cifar10_full_sigmoid_train_test_bn": (
        {"data": (4, 3, 32, 32), "label": (4,)},
        ["accuracy", "loss"],
    ),
    "SqueezeNet_v1.0_train_val": ({"data": (2, 3, 227, 227), "label": (2,)}, ["accuracy"]),
}


@pytest.mark.parametrize("name", TRAINING)
def test_training_nets_run_with_their_losses(name: str, tmp_path: Path) -> None:
    prototxt = shared(f"caffe/prototxt/{name}.prototxt")
    shapes, fetch = TRAINING[name]
    known = {tensor: picture(*shape) for tensor, shape in shapes.items()}
    feeds = {t: np.abs(a.astype(int)).astype(np.float32) if a.ndim == 1 else a for t, a in known.items()}
    model = package("caffe").read(prototxt, ReadOptions())
    layers, _ = random_weights(model, known={name: array.shape for name, array in feeds.items()})
    weights = tmp_path / "net.caffemodel"
    weights.write_bytes(caffemodel(name, layers))
    found = run(package("caffe").read(prototxt, ReadOptions(weights=weights)), feeds, fetch)
    for array in found.values():
        assert array.shape == ()
        assert 0 <= float(array) < np.inf
