"""`golden`: every tensor of a model as its framework has it, found again by the names that tools use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import contents, subcut
from support.golden import arrays, check
from support.models import DIGITS, digits
from support.onnx_corpus import node_tests, stored_inputs
from support.onnx_graphs import save

from subcut.analysis.golden import Golden, Request, golden
from subcut.analysis.golden_files import TruthWriter, storable
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.errors import UserError
from subcut.compiler.export import load
from subcut.compiler.number_files import read_npz

FORMATS = ["prototxt", "onnx", "pb"]
X = np.array([1.5, -2.0, 3.0], np.float32)
TIME = 1_700_000_000_000_000


def samples(ending: str) -> Path:
    return DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz")


def made(path: Path, folder: Path, inputs: Any = None, **options: Any) -> Golden:
    return golden(path, inputs, folder, request=Request(time=TIME, **options))


@pytest.mark.parametrize("ending", FORMATS)
def test_every_tensor_is_the_runners(ending: str, tmp_path: Path) -> None:
    path = digits(ending)
    one = made(path, tmp_path / "golden", samples(ending))
    found = check(one, path)
    model = load(path)
    computed = {v.name for op in model.main.ops if not model.dialect.is_stored(op) for v in op.results}
    assert found.keys() == computed | {value.name for value in model.main.inputs}
    assert not one.manifest["absent"]
    assert one.manifest["inputs"][0]["from"] == samples(ending).name


@pytest.mark.parametrize("ending", FORMATS)
def test_slices_change_no_bit(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = arrays(made(digits(ending), tmp_path / "whole", samples(ending)))
    asked: list[list[str]] = []

    def one_by_one(graph: Any, fetch: Any, *rest: Any) -> Any:
        for name in fetch:
            asked.append([name])
            yield [name]

    monkeypatch.setattr("subcut.analysis.golden.slices", one_by_one)
    sliced = arrays(made(digits(ending), tmp_path / "sliced", samples(ending)))
    assert len(asked) == len(whole) - 1
    assert {name: a.tobytes() for name, a in whole.items()} == {name: a.tobytes() for name, a in sliced.items()}


@pytest.mark.parametrize("ending", FORMATS)
def test_constants_come_when_asked_for(ending: str, tmp_path: Path) -> None:
    without = made(digits(ending), tmp_path / "without", samples(ending))
    one = made(digits(ending), tmp_path / "with", samples(ending), constants=True)
    check(one, digits(ending))
    more = len(one.manifest["tensors"]) - len(without.manifest["tensors"])
    assert (more > 10) == (ending != "prototxt")  # a layer's weights are no tensors of the net


@pytest.mark.parametrize("ending", FORMATS)
def test_the_same_run_is_the_same_bytes(ending: str, tmp_path: Path) -> None:
    first, second = (made(digits(ending), tmp_path / name, samples(ending)) for name in ("a", "b"))
    assert contents(first.folder) == contents(second.folder)


def test_random_inputs_follow_from_the_seed(tmp_path: Path) -> None:
    first, second = (made(digits("prototxt"), tmp_path / name, seed=3) for name in ("a", "b"))
    assert first.manifest["inputs"][0]["from"] == "random, seed 3"
    assert contents(first.folder) == contents(second.folder)
    assert contents(made(digits("prototxt"), tmp_path / "c", seed=4).folder) != contents(first.folder)


def test_in_place_layers_are_separate(tmp_path: Path) -> None:
    text = """
    layer { name: "data" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
    layer { name: "scale" type: "Power" bottom: "x" top: "y" power_param { scale: -1 shift: 0.25 } }
    layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
    layer { name: "half" type: "Power" bottom: "y" top: "y" power_param { scale: 0.5 } }
    layer { name: "cut" type: "Slice" bottom: "y" top: "a" top: "b" slice_param { axis: 1 slice_point: 1 } }
    """
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
    one = made(path, tmp_path / "golden", {"x": x})
    check(one, path)
    expected = {"data.0": x, "scale.0": 0.25 - x, "relu.0": np.maximum(0.25 - x, 0)}
    expected["half.0"] = expected["relu.0"] / 2
    expected |= {"cut.0": expected["half.0"][:, :1], "cut.1": expected["half.0"][:, 1:]}
    for name, array in expected.items():
        np.testing.assert_allclose(np.load(one.folder / f"{name}.{TIME}.npy"), array, rtol=1e-6)
    assert len(one.manifest["tensors"]) == len(expected)


def test_nodes_without_a_name_are_called_as_the_compiler_does(tmp_path: Path) -> None:
    from support.onnx_graphs import F, Info, Node, helper, model

    nodes = [Node("Relu", ["x"], ["a"]), Node("Neg", ["a"], ["b"], name="n/eg.1"), Node("Abs", ["b"], ["y"])]
    path = tmp_path / "m.onnx"
    graph = helper.make_graph(nodes, "g", [Info("x", F, [2])], [Info("y", F, [2])])
    path.write_bytes(model(graph).SerializeToString())
    one = made(path, tmp_path / "golden")
    check(one, path)
    assert sorted(p.name for p in one.folder.glob("*.npy")) == [
        f"Abs_1.0.{TIME}.npy",
        f"Relu_0.0.{TIME}.npy",
        f"n_eg_1.0.{TIME}.npy",
        f"x.0.{TIME}.npy",
    ]


@pytest.mark.parametrize("name", ["old", "sparse", "shapes", "plain", "rich", "functions", "captured", "loops"])
def test_awkward_models(name: str, tmp_path: Path) -> None:
    path = save(name, tmp_path)
    sizes = {"old": (2, 4), "sparse": (2, 3), "shapes": (2, 3, 5, 7), "plain": (2, 64), "rich": (2, 64)}
    x = np.random.default_rng(1).standard_normal(sizes.get(name, (4,))).astype(np.float32)
    one = made(path, tmp_path / "golden", {"x": x})
    check(one, path)
    assert not one.manifest["absent"]


@pytest.mark.parametrize("positive", [True, False])
def test_the_branch_that_is_taken_comes_along(positive: bool, tmp_path: Path) -> None:
    path = save("captured", tmp_path)
    x = np.full(4, 1 if positive else -1, np.float32)
    one = made(path, tmp_path / "golden", {"x": x})
    inside = {entry["tensor"]: entry for entry in one.manifest["tensors"] if "body" in entry}
    assert list(inside) == (["t", "t2"] if positive else ["e"])
    body = "branch/then_branch" if positive else "branch/else_branch"
    assert {entry["body"] for entry in inside.values()} == {body}
    last = np.load(one.folder / inside["t2" if positive else "e"]["file"])
    assert last.tobytes() == arrays(one)["i"].tobytes()
    other = "branch/else_branch" if positive else "branch/then_branch"
    count = 1 if positive else 2
    told = {"graph": other, "operators": count, "reason": "the branch was not taken"}
    assert one.manifest["bodies"] == [told]
    tree = DumpTree.open(one.folder)
    for entry in inside.values():
        assert [f.path.name for f in tree.find_truth(entry["operator"], 0)] == [entry["file"]]


def test_a_loop_says_why_its_body_is_not_there(tmp_path: Path) -> None:
    one = made(save("loops", tmp_path), tmp_path / "golden")
    assert [entry["graph"] for entry in one.manifest["bodies"]] == ["outer_loop/body"]
    assert "any number of times" in one.manifest["bodies"][0]["reason"]


def test_sequences_are_left_out_with_the_reason(tmp_path: Path) -> None:
    path = save("sequences", tmp_path)
    one = made(path, tmp_path / "golden", {"x": np.ones((2, 4), np.float32)})
    check(one, path)
    assert [entry["tensor"] for entry in one.manifest["absent"]] == ["s", "s2", "o"]
    assert arrays(one).keys() == {"x", "x2", "e", "n", "h", "y", "z"}


def test_models_of_the_onnx_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thirteenth of ONNX's own node tests, each tensor in a slice of its own; some have no version that runs."""
    monkeypatch.setattr("subcut.analysis.golden.slices", lambda graph, fetch, *_: ([name] for name in fetch))
    passed, refused = 0, list[str]()
    for place, path in enumerate(node_tests()[::13]):
        inputs = stored_inputs(path)
        if inputs is None:
            continue
        try:
            one = made(path, tmp_path / str(place), inputs)
        except UserError as error:
            refused.append(error.code)
            continue
        if not any(entry["tensor"] in inputs for entry in one.manifest["absent"]):
            check(one, path)
            passed += 1
    assert set(refused) <= {"cannot-run", "wrong-input"}
    assert passed > 4 * len(refused)


def test_text_and_sequences_can_be_fed(tmp_path: Path) -> None:
    from support.onnx_graphs import F, Info, L, Node, TensorProto, helper, model

    nodes = [
        Node("Identity", ["text"], ["copy"], name="copy"),
        Node("SequenceLength", ["list"], ["n"], name="length"),
        Node("SequenceAt", ["list", "i"], ["y"], name="at"),
    ]
    text = Info("text", TensorProto.STRING, [2])
    list_info = helper.make_tensor_sequence_value_info("list", F, ["N"])
    outputs = [Info("copy", TensorProto.STRING, [2]), Info("n", L, []), Info("y", F, ["N"])]
    path = tmp_path / "m.onnx"
    graph = helper.make_graph(nodes, "g", [text, list_info, Info("i", L, [])], outputs)
    path.write_bytes(model(graph).SerializeToString())
    inputs = {"text": np.array(["a", "b"]), "list": [np.ones(1, np.float32), X], "i": np.int64(1)}
    one = made(path, tmp_path / "golden", inputs)
    assert [entry["tensor"] for entry in one.manifest["absent"]] == ["text", "list", "copy"]
    assert arrays(one)["y"].tobytes() == X.tobytes()
    assert arrays(one)["n"] == 2


def test_a_model_that_stores_everything(tmp_path: Path) -> None:
    from support.onnx_graphs import F, Info, Node, helper, model, weights

    path = tmp_path / "m.onnx"
    nodes = [Node("Constant", [], ["y"], name="k", value=weights("", 4))]
    path.write_bytes(model(helper.make_graph(nodes, "g", [], [Info("y", F, [4])])).SerializeToString())
    assert made(path, tmp_path / "none").manifest["tensors"] == []
    assert arrays(made(path, tmp_path / "all", constants=True)).keys() == {"y"}


def test_only_some(tmp_path: Path) -> None:
    one = made(digits("onnx"), tmp_path / "golden", samples("onnx"), only=("res2a_*", "pool1"))
    names = [entry["operator"] for entry in one.manifest["tensors"]]
    assert names[0] == "data"
    assert len(names) > 4
    assert all(name.startswith("res2a_") or name == "pool1" for name in names[1:])
    check(one, digits("onnx"))
    with pytest.raises(UserError, match=r"no operator or tensor is called `pol1`(.|\n)*pool1"):
        made(digits("onnx"), tmp_path / "none", samples("onnx"), only=("pol1",))


def test_names_that_are_too_long_are_in_the_mapping(tmp_path: Path) -> None:
    long = "block/" * 60 + "conv"
    writer = TruthWriter(tmp_path, TIME)
    file = writer.write(long, 1, np.arange(3))
    assert file.removesuffix(".npy").isdecimal()
    escaped = long.replace("/", "_")
    assert (tmp_path / "mapping.csv").read_text() == f"{file},{escaped}.1.{TIME}.npy\n"
    [found] = DumpTree.open(tmp_path).find_truth(long, 1)
    assert np.load(found.path).tolist() == [0, 1, 2]


def test_operators_that_look_the_same_in_files_are_said(tmp_path: Path) -> None:
    writer = TruthWriter(tmp_path, TIME)
    files = [writer.write(name, 0, np.array([i])) for i, name in enumerate(("a/b", "a.b", "a_b"))]
    assert [np.load(tmp_path / file)[0] for file in files] == [0, 1, 2]
    assert files[2] == f"a_b.0.{TIME + 2}.npy"
    assert writer.clashes == [
        "`a.b:0` and `a/b:0` have the same name in files",
        "`a_b:0` and `a/b:0` have the same name in files",
    ]


def test_types_that_numpy_lacks_are_stored_exactly() -> None:
    import ml_dtypes

    numbers = np.array([1.5, -0.0, np.inf, 3.25])
    for name in ("bfloat16", "float8_e5m2", "float8_e4m3fn", "float4_e2m1fn"):
        array = numbers.astype(getattr(ml_dtypes, name))
        kept = storable(array)
        assert kept is not None
        assert kept.dtype == np.float32
        assert kept.astype(array.dtype).tobytes() == array.tobytes()
    four = np.array([-8, 7]).astype(ml_dtypes.int4)
    kept = storable(four)
    assert kept is not None
    assert (kept.dtype, kept.tolist()) == (np.int8, [-8, 7])
    assert storable(np.array(["a"], object)) is None
    assert storable([np.ones(1)]) is None


@pytest.mark.parametrize("name", ["BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E5M2", "FLOAT16", "DOUBLE", "INT8", "BOOL"])
def test_every_element_type_that_onnxruntime_gives_out(name: str, tmp_path: Path) -> None:
    from support.onnx_graphs import F, Info, Node, TensorProto, helper, model

    kind = getattr(TensorProto, name)
    nodes = [Node("Cast", ["x"], ["a"], name="there", to=kind), Node("Cast", ["a"], ["y"], name="back", to=F)]
    path = tmp_path / "m.onnx"
    graph = helper.make_graph(nodes, "g", [Info("x", F, ["N"])], [Info("y", F, ["N"])])
    path.write_bytes(model(graph, opset=21, ir=10).SerializeToString())
    found = check(made(path, tmp_path / "golden", {"x": np.array([1, 2.5, 3.14159, -0.0], np.float32)}), path)
    assert found["a"].astype(np.float32).tobytes() == found["y"].tobytes()


def test_the_time_in_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    one = golden(digits("onnx"), samples("onnx"), tmp_path / "golden", request=Request(only=("pool1",)))
    assert (one.folder / "pool1.0.1600000000000000.npy").exists()
    with pytest.raises(UserError, match="has not 16 digits"):
        golden(digits("onnx"), samples("onnx"), tmp_path / "bad", request=Request(time=5))
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    now = golden(digits("onnx"), samples("onnx"), tmp_path / "now", request=Request(only=("pool1",)))
    assert len(str(now.manifest["timestamp"])) == 16


def test_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "golden"
    arguments = ["run", digits("onnx"), "--inputs", samples("onnx"), "--timestamp", TIME, "-o", folder]
    said = subcut(*arguments).stdout
    assert "Input:data (samples.npz)" in said
    assert f"Output Path:{folder}" in said
    manifest = json.loads((folder / "manifest.json").read_text())
    assert len(list(folder.glob("*.npy"))) == len(manifest["tensors"])
    refused = subcut(*arguments, code=1)
    assert "error[folder-exists]" in refused.stderr
    again = subcut(*arguments, "--force", "--json")
    assert json.loads(again.stdout) == manifest
    assert read_npz(samples("onnx"))["data"].tobytes() == np.load(folder / manifest["inputs"][0]["file"]).tobytes()


def test_nothing_is_left_where_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot-run|wrong-input"):
        made(digits("onnx"), tmp_path / "golden", {"data": np.ones((2, 5, 8, 8), np.float32)})
    assert list(tmp_path.iterdir()) == []
