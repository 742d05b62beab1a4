"""A run stays below the memory that it is given, whatever it gives out and however big the weights are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.golden import arrays, check
from support.onnx_graphs import F, Info, Node, helper, model
from support.tensorflow_graphs import built

from subcut.analysis.golden import Request, golden
from subcut.analysis.golden_slices import MARGIN, free_memory, live_peak, parse_memory, slices, taken_memory
from subcut.compiler.errors import UserError
from subcut.compiler.export import load
from subcut.compiler.ir.types import TensorType

LAYERS = 40
SIZE = 8 << 20
"""Bytes of each tensor."""
CODE = """
import re, sys
from subcut.compiler.cli.main import main
code = main(["run", *sys.argv[1:], "-q"])
print(code, re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


def onnx_chain(folder: Path, shape: list[Any]) -> Path:
    nodes = [Node("Neg" if i % 2 else "Relu", [f"t{i}"], [f"t{i + 1}"], name=f"op{i}") for i in range(LAYERS)]
    graph = helper.make_graph(nodes, "g", [Info("t0", F, shape)], [Info(f"t{LAYERS}", F, shape)])
    path = folder / "big.onnx"
    path.write_bytes(model(graph).SerializeToString())
    return path


def caffe_chain(folder: Path) -> Path:
    layers = ['layer { name: "t0" type: "Input" top: "t0" input_param { shape { dim: 2 dim: 16 dim: 256 dim: 256 } } }']
    for i in range(LAYERS):
        layers.append(f'layer {{ name: "op{i}" type: "AbsVal" bottom: "t{i}" top: "t{i + 1}" }}')
    path = folder / "big.prototxt"
    path.write_text("\n".join(layers))
    return path


def tensorflow_chain(folder: Path) -> Path:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 16, 256, 256], name="t0")
        for i in range(LAYERS):
            x = tf.negative(x, name=f"op{i}")

    return built(build, folder / "big.pb")


def run(path: Path, folder: Path, memory: int) -> tuple[int, int]:
    """Exit code, and the most bytes that the process had in memory."""
    np.savez(folder / "x.npz", t0=np.ones((2, 16, 256, 256), np.float32))
    arguments = [path, "--inputs", folder / "x.npz", "-o", folder / "golden", "--memory", f"{memory >> 20}M"]
    command = [sys.executable, "-c", CODE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.fullmatch(r"(\d+) (\d+)", done.stdout.strip())
    assert found, done.stdout + done.stderr
    return int(found[1]), int(found[2]) << 10


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process's memory from Linux's /proc")
@pytest.mark.parametrize("kind", ["static", "open", "caffe", "tensorflow"])
def test_the_peak_is_below_the_budget(kind: str, tmp_path: Path) -> None:
    """All tensors at once are 336 MB, beside what a framework itself takes."""
    if kind == "caffe":
        path, memory = caffe_chain(tmp_path), 240 << 20
    elif kind == "tensorflow":
        path, memory = tensorflow_chain(tmp_path), 850 << 20
    else:
        path, memory = onnx_chain(tmp_path, [2, 16, 256, 256] if kind == "static" else ["N", 16, "H", "W"]), 240 << 20
    code, peak = run(path, tmp_path, memory)
    assert code == 0
    assert peak < memory
    assert len(list((tmp_path / "golden").glob("*.npy"))) == LAYERS + 1


def test_too_little_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = onnx_chain(tmp_path, [2, 16, 256, 256])
    monkeypatch.setattr("subcut.analysis.golden_slices.taken_memory", lambda: 0)
    with pytest.raises(
        UserError, match=r"\d+ MB of memory are too few: to give out `%t1`, about \d+ are needed"
    ) as caught:
        golden(path, None, tmp_path / "golden", request=Request(memory=MARGIN + 3 * SIZE))
    assert caught.value.code == "too-little-memory"
    assert not (tmp_path / "golden").exists()


def test_tensorflow_is_not_loaded_where_it_cannot_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(tf: Any) -> None:
        tf.negative(tf.compat.v1.placeholder(tf.float32, [1, 4], name="x"), name="y")

    path = built(build, tmp_path / "m.pb")
    monkeypatch.setattr("subcut.compiler.formats.tensorflow.prepared.load_graph", None)
    with pytest.raises(UserError, match="1 MB of memory are too few: the framework and the weights alone take about"):
        golden(path, None, tmp_path / "golden", request=Request(memory=1 << 20))


def test_a_slice_of_tensorflow_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session has the weights once more for every list of tensors that it gave out."""

    def build(tf: Any) -> None:
        y = tf.compat.v1.placeholder(tf.float32, [1, 4], name="x")
        for i in range(4):
            y = tf.negative(y, name=f"op{i}")

    from subcut.compiler.formats.tensorflow.prepared import Prepared

    path, opened = built(build, tmp_path / "m.pb"), list[int]()
    close = Prepared.close
    monkeypatch.setattr(Prepared, "close", lambda self: [opened.append(id(self._session)), close(self)])
    monkeypatch.setattr("subcut.analysis.golden.slices", lambda graph, fetch, *_: ([name] for name in fetch))
    made = golden(path, {"x": np.ones((1, 4), np.float32)}, tmp_path / "golden")
    assert len(opened) == 5  # a slice each, and the end
    check(made, path)


def test_what_kernels_pack_is_there_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from support.onnx_graphs import save

    from subcut.compiler.formats.onnx.prepared import Prepared

    path = save("plain", tmp_path)
    loaded = load(path)
    monkeypatch.setattr("subcut.compiler.formats.onnx.prepared.INLINE", 0)
    prepared = Prepared(loaded, {}, tmp_path)
    loaded.dialect.annotate(loaded)
    stored = [v.type for op in loaded.main.ops if loaded.dialect.is_stored(op) for v in op.results]
    largest = 4 * max(int(np.prod(type.shape)) for type in stored if isinstance(type, TensorType))
    assert prepared.overhead() == prepared.content.size + largest


def test_weights_are_mapped_and_their_file_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subcut.compiler.formats.onnx.prepared.INLINE", 0)
    from support.onnx_graphs import save

    path = save("plain", tmp_path)
    x = np.random.default_rng(0).standard_normal((2, 64)).astype(np.float32)
    seen: list[list[str]] = []

    def watched(graph: Any, fetch: Any, *rest: Any) -> Any:
        for name in fetch:
            yield [name]
            seen.append(sorted(p.name for p in tmp_path.glob(".golden.*/weights")))

    monkeypatch.setattr("subcut.analysis.golden.slices", watched)
    made = golden(path, {"x": x}, tmp_path / "golden", request=Request())
    assert seen == [["weights"]] * len(seen)
    assert not (made.folder / "weights").exists()
    check(made, path)


def test_external_data_is_found(tmp_path: Path) -> None:
    import onnx
    from support.onnx_graphs import plain

    whole = tmp_path / "whole.onnx"
    whole.write_bytes(plain().SerializeToString())
    (tmp_path / "far").mkdir()
    path = tmp_path / "far" / "m.onnx"
    onnx.save_model(plain(), path, save_as_external_data=True, location="m.data", size_threshold=0)
    x = np.random.default_rng(0).standard_normal((2, 64)).astype(np.float32)
    near, far = golden(whole, {"x": x}, tmp_path / "near"), golden(path, {"x": x}, tmp_path / "golden")
    check(far, path)
    assert [entry["file"] for entry in far.manifest["model"]] == ["m.onnx", "m.data"]
    assert {n: a.tobytes() for n, a in arrays(near).items()} == {n: a.tobytes() for n, a in arrays(far).items()}


@settings(max_examples=20, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["Add", "Mul", "Sub"]), st.integers(0, 99), st.integers(0, 99)), min_size=1
    ),
    room=st.integers(1, 400),
    random=st.randoms(use_true_random=False),
)
def test_slices_of_random_models(
    steps: list[tuple[str, int, int]], room: int, random: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each tensor is given out once, in order, no slice smaller than it has to be; numbers are the runner's."""
    nodes = []
    for i, (kind, left, right) in enumerate(steps):
        operands = [f"t{left % (i + 1)}", f"t{right % (i + 1)}"]
        nodes.append(Node(kind, operands, [f"t{i + 1}"], name=random.choice(["", f"scope/op.{i}"])))
    graph = helper.make_graph(nodes, "g", [Info("t0", F, ["N"])], [Info(f"t{len(steps)}", F, ["N"])])
    folder = tmp_path_factory.mktemp("random")
    path = folder / "m.onnx"
    path.write_bytes(model(graph).SerializeToString())
    loaded = load(path)
    sizes: dict[str, int | None] = {f"t{i}": random.randint(0, 200) for i in range(len(steps) + 1)}
    largest = max(size or 0 for size in sizes.values())
    peak = live_peak(loaded.main, sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("subcut.analysis.golden_slices.taken_memory", lambda: 0)
        patch.setattr("subcut.analysis.golden_slices.MARGIN", 0)
        made = list(slices(loaded.main, list(sizes), sizes, max(peak, largest) + max(room, largest), 0))
    assert [name for names in made for name in names] == list(sizes)
    totals = [sum(sizes[name] or 0 for name in names) for names in made]
    assert max(totals) <= max(room, largest)
    firsts = [sizes[names[0]] or 0 for names in made[1:]]
    assert all(total + first > max(room, largest) for total, first in zip(totals, firsts, strict=False))
    x = np.array([random.uniform(-1, 1) for _ in range(5)], np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("subcut.analysis.golden.slices", lambda graph, fetch, *_: ([name] for name in fetch))
        check(golden(path, {"t0": x}, folder / "golden"), path)


def test_what_is_alive_at_once() -> None:
    assert parse_memory("1.5G") == 3 << 29
    assert parse_memory("800M") == parse_memory("800mb") == 800 << 20
    assert parse_memory("12345") == 12345
    with pytest.raises(UserError, match="`lots` is no amount of memory"):
        parse_memory("lots")
    assert taken_memory() > 10 << 20
    assert free_memory() > 0
