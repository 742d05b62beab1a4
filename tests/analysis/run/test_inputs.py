"""What a run is fed, and what is said of numbers that do not fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.golden import arrays
from support.models import DIGITS, digits, shared
from support.onnx_graphs import F, Info, L, Node, helper, model

from subcut.analysis.golden import Golden, Request, golden
from subcut.compiler.alignment.twin import TwinOptions
from subcut.compiler.errors import UserError
from subcut.compiler.number_files import read_npz
from subcut.emulator import emulate

X = np.arange(8, dtype=np.float32).reshape(2, 4)
J = np.array([3, -1], np.int64)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A model of two inputs, one of which has an open size."""
    nodes = [Node("Relu", ["x"], ["a"], name="relu"), Node("Neg", ["i"], ["b"], name="neg")]
    graph = helper.make_graph(
        nodes, "g", [Info("x", F, ["N", 4]), Info("i", L, [2])], [Info("a", F, ["N", 4]), Info("b", L, [2])]
    )
    path = tmp_path / "two.onnx"
    path.write_bytes(model(graph).SerializeToString())
    return path


def fed(made: Golden) -> dict[str, np.ndarray]:
    found = arrays(made)
    return {entry["name"]: found[entry["tensor"]] for entry in made.manifest["inputs"]}


def sources(made: Golden) -> list[str]:
    return [entry["from"] for entry in made.manifest["inputs"]]


def test_every_way_to_give_them(two: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", x=X, i=J)
    np.save(tmp_path / "x.npy", X)
    X.tofile(tmp_path / "x.bin")
    J.tofile(tmp_path / "i.bin")
    ways: list[tuple[Any, list[str]]] = [
        ({"x": X, "i": J}, ["given", "given"]),
        (tmp_path / "both.npz", ["both.npz", "both.npz"]),
        ([str(tmp_path / "both.npz")], ["both.npz", "both.npz"]),
        ([f"x={tmp_path / 'x.npy'}", f"i={tmp_path / 'i.bin'}"], ["x.npy", "i.bin"]),
        ({"x": tmp_path / "x.bin", "i": J}, ["x.bin", "given"]),
    ]
    for number, (inputs, told) in enumerate(ways):
        made = golden(two, inputs, tmp_path / f"golden{number}")
        assert sources(made) == told
        assert {name: array.tolist() for name, array in fed(made).items()} == {"x": X.tolist(), "i": J.tolist()}


@pytest.mark.parametrize("ending", ["prototxt", "onnx", "pb"])
def test_the_only_input_needs_no_name(ending: str, tmp_path: Path) -> None:
    samples = read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))
    [array] = samples.values()
    np.save(tmp_path / "x.npy", array)
    array.tofile(tmp_path / "x.bin")
    for file in ("x.npy", "x.bin"):
        [found] = fed(golden(digits(ending), [str(tmp_path / file)], tmp_path / file.replace(".", "-"))).values()
        assert found.tobytes() == array.tobytes()


def test_numbers_that_the_type_holds_are_converted(two: Path, tmp_path: Path) -> None:
    found = fed(golden(two, {"x": X.astype(">f8"), "i": J.astype(np.int8)}, tmp_path / "golden"))
    assert {name: array.dtype.str for name, array in found.items()} == {"x": "<f4", "i": "<i8"}
    assert found["x"].tolist() == X.tolist()
    picture = np.full((1, 4), 255, np.uint8)
    assert fed(golden(two, {"x": picture, "i": J}, tmp_path / "bytes"))["x"].tolist() == [[255.0] * 4]


@pytest.mark.parametrize(
    ("inputs", "code", "said"),
    [
        ({"x": X}, "missing-input", "the input `i` is not given"),
        ({"x": X, "ii": J}, "unknown-input", "no input `ii`(.|\n)*did you mean `i`"),
        ({"x": X, "i": J, "wrong": J}, "unknown-input", "the model takes `x` .Nx4xf32., `i` .2xi64."),
        ({"": X}, "unknown-input", "without the name of an input"),
        ({"x": X.T, "i": J}, "wrong-input", "the input `x` is Nx4xf32, and 4x2xfloat32 is given"),
        ({"x": X[0], "i": J}, "wrong-input", "the input `x` is Nx4xf32, and 4xfloat32 is given"),
        ({"x": X / 3.0 + np.pi, "i": J + 0.5}, "wrong-input", "`array.astype.'int64'.` rounds them"),
        ({"x": np.full((1, 4), 0.1), "i": J}, "wrong-input", "`array.astype.'float32'.` rounds them"),
        ({"x": np.array([["a"] * 4]), "i": J}, "wrong-input", "is given"),
    ],
)
def test_what_does_not_fit_is_said(two: Path, tmp_path: Path, inputs: Any, code: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        golden(two, inputs, tmp_path / "golden")
    assert caught.value.code == code
    assert re.search(said, str(caught.value))
    assert not (tmp_path / "golden").exists()


def test_raw_files_of_the_wrong_size(two: Path, tmp_path: Path) -> None:
    X.tofile(tmp_path / "x.bin")
    np.zeros(5, np.int32).tofile(tmp_path / "i.bin")
    with pytest.raises(UserError, match=r"i.bin` has 20 bytes, and the input `i` is 2xi64: 16 bytes") as caught:
        golden(two, [f"x={tmp_path / 'x.bin'}", f"i={tmp_path / 'i.bin'}"], tmp_path / "golden")
    assert caught.value.code == "wrong-size"
    np.zeros(5, np.float32).tofile(tmp_path / "x.bin")
    with pytest.raises(UserError, match="has 20 bytes, and the input `x` is Nx4xf32: a multiple of 16 bytes"):
        golden(two, {"x": tmp_path / "x.bin", "i": J}, tmp_path / "golden")


def test_files_that_are_none(two: Path, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no")
    np.save(tmp_path / "x.npy", X)
    wrong = {
        "bad-npz": ["text.npz"],
        "bad-npy": ["x=absent.npy"],
        "wrong-input": ["x=absent.bin", "i=absent.bin"],
        "bad-arguments": ["x.txt"],
    }
    for code, names in wrong.items():
        texts = [name.replace("=", f"={tmp_path}/") if "=" in name else str(tmp_path / name) for name in names]
        with pytest.raises(UserError) as caught:
            golden(two, texts, tmp_path / "golden")
        assert caught.value.code == code, str(caught.value)
    twice = [f"x={tmp_path / 'x.npy'}"] * 2
    with pytest.raises(UserError, match="the input `x` is given twice"):
        golden(two, twice, tmp_path / "golden")


def test_open_sizes_are_not_guessed(two: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`x` is Nx4xf32, of a size that only its numbers tell") as caught:
        golden(two, None, tmp_path / "golden")
    assert caught.value.code == "cannot-feed"


@pytest.mark.parametrize("ending", ["prototxt", "onnx", "pb"])
def test_what_the_device_was_fed(ending: str, tmp_path: Path) -> None:
    samples = read_npz(DIGITS / ("samples_nhwc.npz" if ending == "pb" else "samples.npz"))
    device = emulate(digits(ending), samples, tmp_path / "device")
    twin = TwinOptions(device.om, device.dumps)
    made = golden(digits(ending), None, tmp_path / "golden", request=Request(device=twin))
    [found] = fed(made).values()
    [given] = samples.values()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, given.astype(np.float16).astype(np.float32))
    assert re.match(r"(input|output) 0 of \w+\.\w+\.\d+\.\d+\.\d{16}", sources(made)[0])
    own = golden(digits(ending), samples, tmp_path / "own", request=Request(device=twin))
    assert sources(own) == ["given"]


def test_a_dump_without_the_input_says_so(tmp_path: Path) -> None:
    samples = read_npz(DIGITS / "samples.npz")
    device = emulate(digits("onnx"), samples, tmp_path / "device")
    for file in device.dumps.iterdir():
        if file.name.startswith(("Data.", "TransData.", "Cast.")) or ".conv1" in file.name:
            file.unlink()
    with pytest.raises(UserError, match=r"the dumps do not have the input `data`: (.|\n)*--inputs data=FILE") as caught:
        golden(digits("onnx"), None, tmp_path / "golden", request=Request(device=TwinOptions(device.om, device.dumps)))
    assert caught.value.code == "missing-input"


def test_an_offline_model_alone_has_no_input(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="an offline model alone does not have the input") as caught:
        golden(digits("onnx"), None, tmp_path / "golden", request=Request(device=TwinOptions(tmp_path / "net.om")))
    assert caught.value.code == "bad-arguments"


def test_an_offline_model_is_no_original(tmp_path: Path) -> None:
    device = emulate(digits("onnx"), read_npz(DIGITS / "samples.npz"), tmp_path / "device")
    with pytest.raises(UserError) as caught:
        golden(device.om, None, tmp_path / "golden")
    assert caught.value.code == "not-an-original"


def test_another_framework_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"runs in `onnxruntime`, not in `pycaffe`"):
        golden(digits("onnx"), None, tmp_path / "golden", request=Request(framework="pycaffe"))


def test_the_real_pair_runs_on_its_real_input(tmp_path: Path) -> None:
    folder = shared("ascend/hh")
    made = golden(folder / "hh.pb", folder / "hh.bin", tmp_path / "golden")
    assert fed(made)["input"].tobytes() == (folder / "hh.bin").read_bytes()
    assert made.manifest["random"] == ["random_normal/RandomStandardNormal"]
    assert not made.manifest["absent"]
