"""Linked cuts: the weights stay in the original, which gets a second name beside the cut."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.onnx_corpus import checker_says
from support.onnx_external import X, cut, external, outputs
from support.onnx_graphs import model, plain, save, weights
from support.reflinks import reflinking_folder

from subcut.compiler.errors import ModelError, UserError
from subcut.compiler.export import load
from subcut.compiler.export import save as write
from subcut.compiler.formats import WriteOptions
from subcut.compiler.formats.onnx import link, run
from subcut.compiler.pipeline import standard


@pytest.mark.parametrize("outside", [False, True], ids=["embedded", "external"])
def test_a_linked_cut_points_at_the_original_s_bytes(outside: bool, tmp_path: Path) -> None:
    path = external(tmp_path / "model") if outside else save("plain", tmp_path)
    manifest = cut(path, "from mm2 to mul", tmp_path / "out", link=True)
    assert (tmp_path / "out/dump.onnx").stat().st_size < 2048
    made = onnx.load(str(tmp_path / "out/dump.onnx"), load_external_data=False)
    big = next(one for one in made.graph.initializer if one.name == "w2")
    entry = {entry.key: entry.value for entry in big.external_data}
    assert entry["location"] == ("two.bin" if outside else "plain.onnx")
    assert entry["length"] == str(64 * 64 * 4)
    if outside:
        assert entry["checksum"] == hashlib.sha1((path.parent / "sub/two.bin").read_bytes()).hexdigest()
    with open(tmp_path / "out" / entry["location"], "rb") as file:
        file.seek(int(entry["offset"]))
        assert file.read(int(entry["length"])) == plain().graph.initializer[1].raw_data
    assert {one["file"] for one in manifest["linked"]} == set(manifest["files"][1:])
    golden = run.run(load(path), {"x": X}, ["a", "y"])
    assert np.array_equal(outputs(tmp_path / "out/dump.onnx", {"a": golden["a"]})["y"], golden["y"])
    again = cut(tmp_path / "out/dump.onnx", "from mm2 to add", tmp_path / "again")
    assert again["files"] == ["dump.onnx", "dump.onnx.data"], "a cut of a linked cut has its own bytes"


def test_onnxruntime_runs_a_linked_cut_by_its_path(tmp_path: Path) -> None:
    import onnxruntime

    path = save("plain", tmp_path)
    cut(path, "from mm1 to mm2", tmp_path / "out", link=True)
    session = onnxruntime.InferenceSession(str(tmp_path / "out/dump.onnx"), providers=["CPUExecutionProvider"])
    want = run.run(load(path), {"x": X}, ["b"])["b"]
    assert np.allclose(session.run(["b"], {"x": X})[0], want, rtol=1e-5, atol=1e-5)


def test_a_linked_cut_is_valid_where_the_file_has_one_name(tmp_path: Path) -> None:
    """`onnx.checker` refuses hard links and nothing else: after the original has gone, it accepts the cut."""
    path = save("plain", tmp_path)
    cut(path, "from mm1 to mm2", tmp_path / "out", link=True)
    path.unlink()
    assert checker_says(tmp_path / "out/dump.onnx") == ""


@pytest.fixture
def sharing(tmp_path: Path) -> Iterator[Path]:
    yield from reflinking_folder(tmp_path)


@pytest.mark.parametrize("outside", [False, True], ids=["embedded", "external"])
def test_a_reflink_pleases_the_checker_and_shares_the_blocks(outside: bool, sharing: Path) -> None:
    path = external(sharing / "model") if outside else save("plain", sharing)
    manifest = cut(path, "from mm2 to mul", sharing / "out", link=True)
    assert {one["is"] for one in manifest["linked"]} == {"a reflink"}
    assert "limits" not in manifest
    assert checker_says(sharing / "out/dump.onnx") == ""
    assert checker_says(path) == ""
    golden = run.run(load(path), {"x": X}, ["a", "y"])
    assert np.array_equal(outputs(sharing / "out/dump.onnx", {"a": golden["a"]})["y"], golden["y"])
    clone = sharing / "out" / manifest["files"][1]
    assert clone.stat().st_nlink == 1
    before = clone.read_bytes()
    for one in path.parent.rglob("*.*"):
        if one.is_file() and one.parent != sharing / "out":
            one.write_bytes(bytes(one.stat().st_size))
    assert clone.read_bytes() == before, "changing the original leaves the cut alone"


def test_a_reflink_takes_no_room(sharing: Path) -> None:
    """16 MiB of weights, and a free space that is hardly less afterwards."""
    tensor = weights("w", 2048, 2048)
    info = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")
    graph = onnx.helper.make_graph([node], "g", [info("x", 1, [1, 2048])], [info("y", 1, [1, 2048])], [tensor])
    onnx.save(model(graph), str(sharing / "m.onnx"))
    os.sync()
    free = os.statvfs(sharing).f_bavail * os.statvfs(sharing).f_frsize
    cut(sharing / "m.onnx", "all", sharing / "out", link=True)
    os.sync()
    assert free - os.statvfs(sharing).f_bavail * os.statvfs(sharing).f_frsize < 4 << 20


def test_a_hard_link_is_noted_as_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_reflink", lambda *_: False)
    manifest = cut(save("plain", tmp_path), "mm1", tmp_path / "out", link=True)
    assert "onnx.checker refuses it since 1.21" in manifest["limits"][0]["what"]
    version = tuple(int(one) for one in onnx.__version__.split(".")[:2])
    assert ("hard link" in checker_says(tmp_path / "out/dump.onnx")) == (version >= (1, 21))


@pytest.mark.parametrize("reflink", [False, True], ids=["hard link", "reflink"])
def test_a_linked_file_must_be_the_one_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reflink: bool
) -> None:
    if reflink:
        monkeypatch.setattr(link, "_reflink", lambda _, target: target.write_bytes(b"short"))
    path = save("plain", tmp_path)
    passes = standard("mm1").run(load(path))
    path.rename(tmp_path / "moved.onnx")
    save("plain", tmp_path)
    with pytest.raises(ModelError, match="became shorter" if reflink else "replaced by another file"):
        write(passes, tmp_path / "out", options=WriteOptions(link=True))
    assert not (tmp_path / "out").exists()


def test_a_link_that_cannot_be_made_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(link.os, "link", refuse)
    monkeypatch.setattr(link, "_reflink", lambda *_: False)
    with pytest.raises(UserError, match="Invalid cross-device link") as caught:
        cut(save("plain", tmp_path), "mm1", tmp_path / "out", link=True)
    assert caught.value.code == "cannot-link"
    assert not (tmp_path / "out").exists()


def test_an_original_that_is_called_as_the_cut(tmp_path: Path) -> None:
    path = save("plain", tmp_path).rename(tmp_path / "dump.onnx")
    manifest = cut(path, "mm1", tmp_path / "out", link=True)
    assert manifest["files"] == ["dump.onnx", "original_dump.onnx"]


def test_weights_of_every_kind_survive(tmp_path: Path) -> None:
    """Typed fields cannot be linked as they are; each kind is stored where it can be."""
    typed = onnx.helper.make_tensor("w", 1, [64, 64], np.arange(4096, dtype=np.float32).tolist())
    packed = onnx.helper.make_tensor("i", 6, [2, 1024], list(range(2048)))
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["a"], name="mm"),
        onnx.helper.make_node("ReduceSum", ["i"], ["s"], name="sum", keepdims=0),
        onnx.helper.make_node("Cast", ["s"], ["f"], name="cast", to=1),
        onnx.helper.make_node("Mul", ["a", "f"], ["y"], name="mul"),
    ]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "g", [info("x", 1, [2, 64])], [info("y", 1, [2, 64])], [typed, packed, weights("z", 2)]
    )
    onnx.save(model(graph), str(tmp_path / "m.onnx"))
    cut(tmp_path / "m.onnx", "from mm to mul", tmp_path / "out", link=True)
    made = onnx.load(str(tmp_path / "out/dump.onnx"), load_external_data=False)
    assert [(one.name, one.data_location) for one in made.graph.initializer] == [("w", 1), ("i", 0)]
    want = outputs(tmp_path / "m.onnx", {"x": X})["y"]
    assert np.array_equal(outputs(tmp_path / "out/dump.onnx", {"x": X})["y"], want)
