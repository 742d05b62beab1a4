"""What is no binary GraphDef: text, SavedModels and Keras files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import DIGITS, fetched, shared
from support.tensorflow_graphs import cut, definition, normal, run_file, tf

from subcut.compiler.errors import ModelError, UserError
from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions, recognise
from subcut.compiler.formats.tensorflow.writer import graph_def


def as_text(path: Path, target: Path) -> Path:
    from google.protobuf import text_format

    target.write_text(text_format.MessageToString(definition(path)), encoding="utf-8")
    return target


@pytest.mark.parametrize(
    "source", [lambda: shared("tensorflow/LSTM_S.pb"), lambda: DIGITS / "digits.pb", lambda: shared("ascend/hh/hh.pb")]
)
def test_text_is_the_graph_that_tensorflow_wrote(source: Any, tmp_path: Path) -> None:
    text = as_text(source(), tmp_path / "model.pbtxt")
    assert recognise(text) == "tensorflow"
    model = load(text)
    assert tf().compat.v1.GraphDef.FromString(graph_def(model).bytes()) == definition(source())
    assert model.sources[0].path == text


def test_a_cut_of_text_is_a_binary_graph(tmp_path: Path) -> None:
    text = as_text(DIGITS / "digits.pb", tmp_path / "model.pbtxt")
    cut(text, "from res2a_branch2a to res2a", tmp_path / "a")
    cut(DIGITS / "digits.pb", "from res2a_branch2a to res2a", tmp_path / "b")
    a, b = (definition(tmp_path / name / "dump.pb") for name in "ab")
    assert a == b


@pytest.mark.parametrize(
    ("text", "says", "where"),
    [
        ('node { name: "a" op: "Const" colour: 3 }', "colour", "line 1"),
        ('node { name: "a"\n op: }', "string", "line 2"),
        ('node { name: "a" op: "Relu" input: "b" }', "does not exist", "node"),
        ('node { name: "a" attr { key: "T" value { type: DT_NONSENSE } } }', "DT_NONSENSE", "line 1"),
        ("node { experimental_type { " + "args { " * 3000, "nested too deep", ""),
    ],
)
def test_wrong_text_is_told_with_its_line(text: str, says: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "m.pbtxt"
    path.write_text(text)
    with pytest.raises(ModelError, match=says) as caught:
        load(path)
    assert where in caught.value.where


def saved_models() -> dict[str, Path]:
    return {"kws": shared("tensorflow/kws_ref_model"), "basic_pitch": fetched("basic_pitch/nmp")}


def reference(folder: Path, x: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """What the SavedModel itself answers."""
    v1 = tf().compat.v1
    with tf().Graph().as_default(), v1.Session() as session:
        signature = v1.saved_model.load(session, ["serve"], str(folder)).signature_def["serving_default"]
        names = [tensor.name for _, tensor in sorted(signature.outputs.items())]
        (feed,) = (tensor.name for tensor in signature.inputs.values())
        answers: list[np.ndarray[Any, Any]] = session.run(names, {feed: x})
        return answers


@pytest.mark.parametrize(("name", "shape"), [("kws", (1, 49, 10, 1)), ("basic_pitch", (1, 43844, 1))])
def test_a_saved_model_is_frozen_and_answers_the_same(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    folder = saved_models()[name]
    assert recognise(folder) == recognise(folder / "saved_model.pb") == "tensorflow"
    model = load(folder)
    assert not any("Variable" in op.type or op.symbols for op in model.main.ops)
    assert model.sources[0].path.name == "saved_model.pb"
    assert len(model.sources) > 1
    (tmp_path / "frozen.pb").write_bytes(graph_def(model).bytes())
    x = normal(*shape)
    (feed,) = (value.name for value in model.dialect.feeds(model))
    outputs = [f"StatefulPartitionedCall:{i}" for i in range(3 if name == "basic_pitch" else 1)]
    got = run_file(tmp_path / "frozen.pb", {feed: x}, outputs)
    expected = reference(folder, x)
    assert sorted(a.shape for a in got.values()) == sorted(a.shape for a in expected)
    for array in got.values():
        assert any(array.shape == e.shape and np.allclose(array, e, atol=1e-5) for e in expected)


def test_a_saved_model_is_cut(tmp_path: Path) -> None:
    _, manifest = cut(shared("tensorflow/kws_ref_model"), 'to "*/AvgPool"', tmp_path / "cut")
    assert manifest["outputs"][0]["tensor"].endswith("pooling2d/AvgPool:0")
    assert manifest["model"][0]["file"] == "saved_model.pb"
    assert not definition(tmp_path / "cut" / "dump.pb").library.function


def test_a_keras_model_that_tensorflow_saved_is_frozen(tmp_path: Path) -> None:
    """TensorFlow 1's loader leaves some of its variables without numbers."""
    keras, x = tf().keras, normal(2, 8)
    inputs = keras.layers.Input((8,))
    net = keras.Model(inputs, keras.layers.Dense(3, name="out")(keras.layers.Dense(5, activation="relu")(inputs)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf().saved_model.save(net, str(tmp_path / "saved"))
    model = load(tmp_path / "saved")
    assert not any("Variable" in op.type or op.symbols for op in model.main.ops)
    (tmp_path / "frozen.pb").write_bytes(graph_def(model).bytes())
    (feed,) = (value.name for value in model.dialect.feeds(model))
    last = model.main.ops[-1].results[0].name
    got = run_file(tmp_path / "frozen.pb", {feed: x}, [last])[last]
    np.testing.assert_allclose(got, net(x).numpy(), rtol=1e-5, atol=1e-5)


def test_a_signature_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    class Two(tf().Module):  # type: ignore[misc]
        @tf().function(input_signature=[tf().TensorSpec([2])])
        def one(self, x: Any) -> Any:
            return x + 1.0

        @tf().function(input_signature=[tf().TensorSpec([2])])
        def two(self, x: Any) -> Any:
            return x * 3.0

    module = Two()
    tf().saved_model.save(module, str(tmp_path / "m"), signatures={"one": module.one, "two": module.two})
    with pytest.raises(UserError) as caught:
        load(tmp_path / "m")
    assert caught.value.code == "unknown-signature"
    assert "`one`, `two`" in str(caught.value)
    model = load(tmp_path / "m", ReadOptions(signature="two"))
    assert "Mul" in [op.type for op in model.main.ops]


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_keras_file_is_frozen(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{ending}"
    keras, x = tf().keras, normal(1, 8, 8, 3)
    inputs = keras.layers.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    y = keras.layers.Dense(5, name="dense")(keras.layers.Flatten()(keras.layers.BatchNormalization()(y)))
    net = keras.Model(inputs, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.save(path)
    expected = net(x).numpy()
    assert recognise(path) == "tensorflow"
    model = load(path)
    (tmp_path / "frozen.pb").write_bytes(graph_def(model).bytes())
    (feed,) = (value.name for value in model.dialect.feeds(model))
    last = [op for op in model.main.ops if op.type in ("BiasAdd", "Add", "AddV2")][-1]
    got = run_file(tmp_path / "frozen.pb", {feed: x}, [last.results[0].name])
    np.testing.assert_allclose(got[last.results[0].name], expected, rtol=1e-5, atol=1e-5)


def test_a_file_that_only_looks_like_keras_is_a_bad_model(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ModelError, match="TensorFlow cannot freeze it"):
        load(path)


def test_a_folder_without_a_saved_model_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        recognise(tmp_path)
