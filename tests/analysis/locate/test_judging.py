"""What counts as the same failure, chance, randomness, and what a candidate costs."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from hypothesis import given, settings
from hypothesis import strategies as st
from support.locating import NETS, Net, search, session, steps, wrong_onnx
from support.models import shared
from support.onnx_graphs import save

from subcut.analysis.locate import Source, State
from subcut.analysis.locate.judge import Outcome, Tolerance, compare, same_failure
from subcut.analysis.locate.reference import Reference
from subcut.analysis.locate.tensors import file_name, read_folder, tensor_name, write_folder
from subcut.compiler.formats import ReadOptions


def test_another_failure_is_counted_and_not_followed(tmp_path: Path) -> None:
    model = NETS["chain"](tmp_path / "net.onnx")
    wrong = wrong_onnx("tanh4")

    def run(path: Path, feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        if len(onnx.load(str(path)).graph.node) in range(2, 8):
            raise ArithmeticError("small models are not taken")
        return wrong(path, feeds)

    found = search(model, run, tmp_path / "state")
    assert found.operators == ["tanh4"]
    assert found.kinds["raised ArithmeticError"] >= 1
    assert "small models are not taken" in found.others["raised ArithmeticError"]


def test_the_same_failure_is_wrong_in_the_same_tensor() -> None:
    wanted = Outcome("numbers differ", ("a",))
    assert same_failure(Outcome("numbers differ", ("b", "a")), wanted, "a")
    assert not same_failure(Outcome("numbers differ", ("b",)), wanted, "a")
    assert not same_failure(Outcome("wrong shape", ("a",)), wanted, "a")
    assert not same_failure(Outcome("passed"), wanted)


def test_a_flaky_candidate_is_said_to_be(tmp_path: Path) -> None:
    model = NETS["chain"](tmp_path / "net.onnx")
    right, wrong = wrong_onnx(), wrong_onnx("mm3")
    calls = itertools.count()
    found = search(
        model, lambda path, feeds: (wrong if next(calls) % 2 else right)(path, feeds), tmp_path / "s", repeats=2
    )
    assert found.operators == ["mm3"]
    assert "the candidate is flaky" in found.flaky
    assert "run 2 times, and failed when one of its runs did" in found.flaky
    assert found.runs <= found.bound


def test_chance_in_the_answer_starts_the_search_again(tmp_path: Path) -> None:
    model = NETS["chain"](tmp_path / "net.onnx")
    right, wrong = wrong_onnx(), wrong_onnx("mm3")
    seen: dict[tuple[str, ...], int] = {}

    def run(path: Path, feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        piece = tuple(steps(path))
        seen[piece] = seen.get(piece, 0) + 1
        return (right if seen[piece] == 2 else wrong)(path, feeds)

    found = search(model, run, tmp_path / "state", repeats=3)
    assert found.operators == ["mm3"]
    assert "flaky" in found.flaky


def random_net(path: Path) -> Path:
    """Noise in the middle of what is not random, and more noise behind it."""
    net = Net(1, 6)
    first = net.layer("Tanh", "first", "x")
    noise = net.layer("RandomNormalLike", "noise", first)
    noisy = net.layer("Add", "noisy", first, noise)
    again = net.layer("RandomUniformLike", "again", noisy)
    mixed = net.layer("Mul", "mixed", noisy, again)
    side = net.layer("Neg", "side", first)
    return net.save(path, net.layer("Add", "end", mixed, side))


def test_what_is_random_in_the_reference_is_named_and_fed(tmp_path: Path) -> None:
    model = random_net(tmp_path / "net.onnx")
    right = search(model, wrong_onnx(), tmp_path / "state", "right")
    assert right.operators == []
    assert right.random == ["noise", "again"]
    assert right.inherited >= 2
    for bad in ("first", "noisy", "mixed", "side", "end"):
        assert search(model, wrong_onnx(bad), tmp_path / "state", bad).operators == [bad]


def test_the_case_whose_model_draws_random_numbers(tmp_path: Path) -> None:
    """The NPU's answer differs from the original's because no two answers of the original are alike."""
    source = Source(shared("ascend/hh/hh.pb"), ReadOptions())
    reference = Reference(source, State(tmp_path / "state"))
    assert [op.name for op in reference.random] == ["random_normal/RandomStandardNormal"]
    assert reference.inherited == 12


def test_a_sequence_is_no_border(tmp_path: Path) -> None:
    model = save("sequences", tmp_path)
    assert search(model, wrong_onnx("relu"), tmp_path / "state", "relu").operators == ["relu"]
    found = search(model, wrong_onnx("at"), tmp_path / "state", "at")
    assert found.operators == ["make", "insert", "at"]
    assert found.certificate is not None
    assert found.certificate.holds


def test_what_follows_from_stored_numbers_comes_along(tmp_path: Path) -> None:
    net = Net(1, 3)
    folded = net.layer("Tanh", "folded", net.weights("w", 3, 3))
    top = net.layer("MatMul", "product", net.layer("Neg", "neg", "x"), folded)
    model = net.save(tmp_path / "net.onnx", net.layer("Sigmoid", "end", top))
    found = search(model, wrong_onnx("folded"), tmp_path / "state")
    assert found.operators == ["product"]
    assert found.constants == ["folded"]


def test_a_result_that_nobody_reads_is_not_asked_for(tmp_path: Path) -> None:
    net = Net(1, 4)
    net.layer("TopK", "top", "x", net.weights("k", 1), outputs=["values", "places"])
    net.stored[-1] = onnx.numpy_helper.from_array(np.array([2]), "k")
    model = net.save(tmp_path / "net.onnx", net.layer("Neg", "end", "values"))

    def run(path: Path, feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        assert "places" not in [one.name for one in onnx.load(str(path)).graph.output]
        return wrong_onnx("top")(path, feeds)

    assert search(model, run, tmp_path / "state").operators == ["top"]


def test_candidates_are_linked_and_cost_kilobytes(tmp_path: Path) -> None:
    net = Net(1, 512)
    top = "x"
    for i in range(6):
        top = net.layer("MatMul", f"mm{i}", top, net.weights(f"w{i}", 512, 512, scale=0.05))
    model = net.save(tmp_path / "net.onnx", top)
    sizes: list[int] = []

    def run(path: Path, feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        sizes.append(path.stat().st_size)
        others = [file for file in path.parent.iterdir() if file != path and file.is_file()]
        assert all(os.path.getsize(file) == model.stat().st_size for file in others)
        loaded = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [one.name for one in loaded.get_outputs()]
        results = dict(zip(names, loaded.run(names, dict(feeds)), strict=True))
        made = [node.name for node in onnx.load(str(path), load_external_data=False).graph.node]
        wrong = {"mm4", "mm5"} if "mm4" in made else set[str]()
        return {name: array * 2 if name in wrong else array for name, array in results.items()}

    found = search(model, run, tmp_path / "state")
    assert found.operators == ["mm4"]
    assert found.unlinked == ""
    assert max(sizes) < 4096


def test_a_candidate_that_takes_no_links_gets_copies(tmp_path: Path) -> None:
    net = Net(1, 64)
    top = net.layer("MatMul", "mm1", "x", net.weights("w1", 64, 64))
    model = net.save(tmp_path / "net.onnx", net.layer("MatMul", "mm2", top, net.weights("w2", 64, 64)))

    def run(path: Path, feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        if any(file.is_file() and file != path for file in path.parent.iterdir()):
            raise OSError("external data are not taken")
        return wrong_onnx("mm2")(path, feeds)

    found = search(model, run, tmp_path / "state")
    assert found.operators == ["mm2"]
    assert "external data are not taken" in found.unlinked


KINDS = ["Tanh", "Neg", "Add", "Mul", "Sigmoid", "Sub"]


@settings(max_examples=25)
@given(st.data())
def test_random_graphs(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("random")
    net, tensors, read = Net(1, 3), ["x"], set[str]()
    for i in range(data.draw(st.integers(2, 14))):
        kind = data.draw(st.sampled_from(KINDS))
        reads = [data.draw(st.sampled_from(tensors)) for _ in range(2 if kind in ("Add", "Mul", "Sub") else 1)]
        net.layer("Add" if kind == "Sub" and len(set(reads)) == 1 else kind, f"n{i}", *reads)
        tensors.append(f"n{i}")
        read.update(reads)
    model = net.save(folder / "net.onnx", *(name for name in tensors[1:] if name not in read))
    bad = data.draw(st.sampled_from(tensors[1:]))
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 3)).astype(np.float32)}
    fine = Tolerance(1e-5, 1e-7)
    seen = not compare(wrong_onnx()(model, feeds), wrong_onnx(bad)(model, feeds), fine).passed
    found = search(model, wrong_onnx(bad), folder / "state", tolerance=fine)
    assert found.operators == ([bad] if seen else []), "a fault that cancels out, as in a - a, cannot be seen"
    assert found.runs <= found.bound


def test_comparing() -> None:
    ones = np.ones((2, 2), np.float32)
    tolerance = Tolerance(1e-3, 1e-6)
    assert compare({"a": ones}, {"a": ones + 5e-4}, tolerance).passed
    assert compare({"a": ones}, {"a": ones.astype(np.float16)}, tolerance).passed
    assert compare({"a": ones}, {"a": ones + 5e-3}, tolerance).kind == "numbers differ"
    assert compare({"a": ones}, {}, tolerance).kind == "output missing"
    assert compare({"a": ones}, {"a": ones.reshape(4)}, tolerance).kind == "wrong shape"
    assert compare({"a": ones}, {"a": ones.astype(np.int64)}, tolerance).kind == "wrong type"
    odd = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert compare({"a": odd}, {"a": odd.copy()}, tolerance).passed
    assert "2 of 3" in compare({"a": odd}, {"a": np.array([np.nan, -np.inf, 0], np.float32)}, tolerance).note
    empty = np.zeros((0, 3), np.float32)
    assert compare({"a": empty}, {"a": empty}, tolerance).passed
    assert compare({"a": ones, "b": ones}, {"a": ones, "b": -ones}, tolerance).tensors == ("b",)


@given(st.lists(st.text(min_size=1), unique=True, max_size=4))
def test_names_of_files_bring_back_the_names_of_tensors(tmp_path_factory: Any, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("names")
    arrays = {name: np.array([i], np.int32) for i, name in enumerate(names)}
    write_folder(folder, arrays)
    found, problem = read_folder(folder, names)
    assert not problem
    assert {name: int(array[0]) for name, array in found.items()} == {name: i for i, name in enumerate(names)}
    short = [name for name in names if len(file_name(name)) < 190]
    assert [tensor_name(file_name(name)) for name in short] == short


def test_the_session_of_the_tests_is_right(tmp_path: Path) -> None:
    model = NETS["chain"](tmp_path / "net.onnx")
    x = np.ones((2, 6), np.float32)
    right = session(model.read_bytes()).run(None, {"x": x})[0]
    assert not np.allclose(wrong_onnx("mm0")(model, {"x": x})["last"], right)
