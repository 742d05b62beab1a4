"""Where weights lie: in the model, in files beside it, or in one file beside the cut."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.onnx_corpus import checker_says
from support.onnx_external import X, cut, entries, external, outputs
from support.onnx_graphs import model, plain, save

from subcut.compiler.errors import ModelError, UserError
from subcut.compiler.export import load
from subcut.compiler.formats import WriteOptions, package
from subcut.compiler.formats.onnx import run, writer
from subcut.compiler.pipeline import standard
from subcut.compiler.storage.wire import LEN, bytes_field, int_field, tag, varint


def test_external_data_goes_to_one_file_with_only_what_is_used(tmp_path: Path) -> None:
    path = external(tmp_path / "model")
    assert checker_says(path) == ""
    manifest = cut(path, "from mm2 to add", tmp_path / "out")
    assert manifest["files"] == ["dump.onnx", "dump.onnx.data"]
    assert [one["file"] for one in manifest["model"]] == ["model.onnx", "two.bin", "one.bin"]
    assert checker_says(tmp_path / "out/dump.onnx") == ""
    assert (tmp_path / "out/dump.onnx.data").stat().st_size == 16384 + 256
    assert entries(tmp_path / "out/dump.onnx") == [
        {"location": "dump.onnx.data", "offset": "0", "length": "16384", "checksum": sha1(tmp_path, "out")},
        {"location": "dump.onnx.data", "offset": "16384", "length": "256"},
    ]
    want = {one.name: onnx.numpy_helper.to_array(one) for one in plain().graph.initializer}
    got = {
        one.name: onnx.numpy_helper.to_array(one)
        for one in onnx.load(str(tmp_path / "out/dump.onnx")).graph.initializer
    }
    assert all(np.array_equal(got[name], want[name]) for name in got)


def sha1(folder: Path, name: str) -> str:
    return hashlib.sha1((folder / name / "dump.onnx.data").read_bytes()).hexdigest()


def test_a_wrong_checksum_is_a_bad_model(tmp_path: Path) -> None:
    path = external(tmp_path / "model")
    right = hashlib.sha1((path.parent / "one.bin").read_bytes()).hexdigest()
    data = bytearray((path.parent / "one.bin").read_bytes())
    data[0] ^= 1  # a byte that no tensor has: the checksum is of the whole file
    (path.parent / "one.bin").write_bytes(data)
    with pytest.raises(ModelError, match="SHA-1") as caught:
        cut(path, "from mm1 to add", tmp_path / "out")
    assert caught.value.path.name == "one.bin"
    assert caught.value.where == "tensor `w1`"
    assert hashlib.sha1(data).hexdigest() in caught.value.message
    assert right in caught.value.expected
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelError, match="SHA-1"):
        cut(path, "from mm1 to add", tmp_path / "out", link=True)
    cut(path, "from mm2 to mm2", tmp_path / "out")  # which needs nothing of that file


@pytest.mark.parametrize("wrong", ["0123456789abcdef", "0" * 40, "sha1"])
def test_a_checksum_that_is_no_sha1_of_the_file(tmp_path: Path, wrong: str) -> None:
    path = external(tmp_path / "model", stating=lambda _: wrong)
    with pytest.raises(ModelError, match=wrong):
        cut(path, "mm2", tmp_path / "out")


def test_checksums_may_be_in_capitals(tmp_path: Path) -> None:
    path = external(tmp_path / "model", stating=str.upper)
    cut(path, "all", tmp_path / "out")
    assert [one.get("checksum") for one in entries(tmp_path / "out/dump.onnx")] == [
        sha1(tmp_path, "out"),
        sha1(tmp_path, "out"),
        None,
    ]


@pytest.mark.parametrize("stating", [lambda _: None, lambda _: ""], ids=["none", "empty"])
def test_no_checksum_where_none_was(tmp_path: Path, stating: Callable[[str], str | None]) -> None:
    path = external(tmp_path / "model", stating=stating)
    (path.parent / "one.bin").write_bytes((path.parent / "one.bin").read_bytes() + b"more")
    cut(path, "all", tmp_path / "out")
    assert not any("checksum" in one for one in entries(tmp_path / "out/dump.onnx"))


@pytest.mark.parametrize("stating", [None, lambda _: None], ids=["checksums", "none"])
def test_all_of_a_cut_with_external_data_is_the_same_files(
    tmp_path: Path, stating: Callable[[str], str | None] | None
) -> None:
    """The entries of the first cut are new, as they must be; nothing is left to change in the second."""
    cut(external(tmp_path / "model", stating=stating), "all", tmp_path / "one")
    cut(tmp_path / "one/dump.onnx", "all", tmp_path / "two")
    for name in ("dump.onnx", "dump.onnx.data"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_copy_of_a_whole_file_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(external(tmp_path / "model"), "from mm1 to mm2", tmp_path / "one")
    monkeypatch.setattr(writer, "sha1_of", lambda _: pytest.fail("hashed again"))
    cut(tmp_path / "one/dump.onnx", "all", tmp_path / "two")
    assert entries(tmp_path / "two/dump.onnx") == entries(tmp_path / "one/dump.onnx")
    with open(tmp_path / "one/dump.onnx.data", "r+b") as file:
        file.write(b"damaged")
    with pytest.raises(ModelError, match="SHA-1"):
        cut(tmp_path / "one/dump.onnx", "all", tmp_path / "three")


def test_one_file_may_be_spelled_in_two_ways(tmp_path: Path) -> None:
    path = external(tmp_path / "model")
    setting("location", "./one.bin")(path)
    manifest = cut(path, "all", tmp_path / "out")
    assert [one["file"] for one in manifest["model"]] == ["model.onnx", "one.bin", "two.bin", "three.bin"]


def test_a_constant_with_external_data(tmp_path: Path) -> None:
    path = external(tmp_path / "model")
    cut(path, "from add to mul", tmp_path / "out")
    assert checker_says(tmp_path / "out/dump.onnx") == ""
    assert (tmp_path / "out/dump.onnx.data").stat().st_size == 4096 + 4096
    want = outputs(save("plain", tmp_path), {"x": X})["y"]
    golden = run.run(load(path), {"x": X}, ["b", "y"])
    assert np.array_equal(golden["y"], want)
    assert np.array_equal(outputs(tmp_path / "out/dump.onnx", {"b": golden["b"]})["y"], want)


def test_tensors_that_share_bytes_are_stored_once(tmp_path: Path) -> None:
    path = external(tmp_path / "model")
    made = onnx.load(str(path), load_external_data=False)
    del made.graph.initializer[1].external_data[:]
    made.graph.initializer[1].external_data.extend(made.graph.initializer[0].external_data)
    onnx.save(made, str(path))
    cut(path, "from mm1 to mm2", tmp_path / "out")
    assert (tmp_path / "out/dump.onnx.data").stat().st_size == 16384


def breaks(change: Callable[[Any], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        made = onnx.load(str(path), load_external_data=False)
        change({entry.key: entry for entry in made.graph.initializer[0].external_data})
        onnx.save(made, str(path))

    return apply


def setting(key: str, value: str) -> Callable[[Path], None]:
    return breaks(lambda entries: setattr(entries[key], "value", value))


BREAKS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda path: (path.parent / "one.bin").unlink(), "no such file"),
    "short": (lambda path: os.truncate(path.parent / "one.bin", 1000), "1000 bytes long"),
    "empty": (lambda path: os.truncate(path.parent / "one.bin", 0), "the file is empty"),
    "parent": (setting("location", "../one.bin"), "not inside the model's folder"),
    "sideways": (setting("location", "sub/../../one.bin"), "not inside the model's folder"),
    "absolute": (setting("location", "/etc/passwd"), "not inside the model's folder"),
    "no location": (setting("location", ""), "not inside the model's folder"),
    "a folder": (setting("location", "sub"), "is not a file"),
    "offset": (setting("offset", "-4"), "offset is `-4`"),
    "far offset": (setting("offset", "99999999999"), "bytes long"),
    "length": (setting("length", "12"), "12 bytes long"),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_damaged_external_data_is_a_bad_model(kind: str, tmp_path: Path) -> None:
    path = external(tmp_path / "model")
    damage, said = BREAKS[kind]
    damage(path)
    with pytest.raises(ModelError) as caught:
        cut(path, "from mm1 to mm1", tmp_path / "out")
    assert said in str(caught.value)
    assert "tensor `w1`" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_needed_may_be_missing(tmp_path: Path) -> None:
    path = external(tmp_path / "model")
    (path.parent / "one.bin").unlink()
    manifest = cut(path, "mm2", tmp_path / "out")
    assert [one["file"] for one in manifest["model"]] == ["model.onnx", "two.bin"]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = external(tmp_path / "model")
    (path.parent / "one.bin").rename(tmp_path / "elsewhere.bin")
    (path.parent / "one.bin").symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(ModelError, match="not inside the model's folder"):
        cut(path, "mm1", tmp_path / "out")


def test_a_download_cache_links_model_and_data_alike(tmp_path: Path) -> None:
    path = external(tmp_path / "blobs")
    (tmp_path / "snapshot").mkdir()
    for name in ("model.onnx", "one.bin"):
        (tmp_path / "snapshot" / name).symlink_to(tmp_path / "blobs" / name)
    cut(tmp_path / "snapshot/model.onnx", "mm1", tmp_path / "out")
    assert path.exists()
    assert checker_says(tmp_path / "out/dump.onnx") == ""


def test_weights_leave_a_model_that_would_be_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LIMIT", 20_000)
    path = save("plain", tmp_path)
    manifest = cut(path, "all", tmp_path / "out")
    assert manifest["files"] == ["dump.onnx", "dump.onnx.data"]
    assert checker_says(tmp_path / "out/dump.onnx") == ""
    assert np.array_equal(outputs(tmp_path / "out/dump.onnx", {"x": X})["y"], outputs(path, {"x": X})["y"])
    monkeypatch.setattr(writer, "LIMIT", 100)
    with pytest.raises(UserError, match="more than the 2 GiB") as caught:
        cut(path, "all", tmp_path / "more")
    assert caught.value.code == "too-large"


def huge(path: Path, count: int = 24, size: int = 5000) -> None:
    """A chain of matrix products with 2.2 GiB of zeros, which take no room on the disk."""
    info = onnx.helper.make_tensor_value_info
    nodes, heads = [], []
    for i in range(count):
        nodes.append(onnx.helper.make_node("MatMul", [f"h{i}", f"w{i}"], [f"m{i}"], name=f"mm{i}"))
        nodes.append(onnx.helper.make_node("Relu", [f"m{i}"], [f"h{i + 1}"], name=f"relu{i}"))
        raw = tag(9, LEN) + varint(4 * size * size)
        head = int_field(1, size) + int_field(1, size) + int_field(2, 1) + bytes_field(8, f"w{i}") + raw
        heads.append(tag(5, LEN) + varint(len(head) + 4 * size * size) + head)
    graph = onnx.helper.make_graph(nodes, "huge", [info("h0", 1, [1, size])], [info(f"h{count}", 1, [1, size])])
    frame = model(graph)
    small = frame.graph.SerializeToString()
    frame.ClearField("graph")
    total = len(small) + sum(map(len, heads)) + count * 4 * size * size
    with open(path, "wb") as file:
        file.write(frame.SerializeToString() + tag(7, LEN) + varint(total) + small)
        for head in heads:
            file.write(head)
            file.seek(4 * size * size, 1)
        file.truncate(file.tell())


def test_a_model_beyond_2_gib(tmp_path: Path) -> None:
    huge(tmp_path / "huge.onnx")
    assert (tmp_path / "huge.onnx").stat().st_size > 1 << 31
    made = standard("from relu2 to mm3").run(load(tmp_path / "huge.onnx"))
    assert str(made.main.inputs[0].type) == "1x5000xf32"
    package("onnx").write(made, tmp_path, WriteOptions())
    assert (tmp_path / "dump.onnx").stat().st_size == pytest.approx(4 * 5000 * 5000, abs=1000)
    os.truncate(tmp_path / "huge.onnx", 1 << 31)
    with pytest.raises(ModelError, match="more than there are"):
        load(tmp_path / "huge.onnx")
