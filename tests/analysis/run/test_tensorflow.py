"""Branches, loops, handles and random operators of TensorFlow: what has numbers comes along, what has none says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.golden import arrays, check
from support.models import shared
from support.tensorflow_graphs import built

from subcut.analysis.golden import Golden, Request, golden
from subcut.compiler.export import load
from subcut.compiler.formats import runner
from subcut.compiler.numbers import same

X = np.array([[1.0, -2.0, 3.0]], np.float32)


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subcut.analysis.golden.slices", lambda graph, fetch, *_: ([name] for name in fetch))


def reasons(made: Golden) -> dict[str, str]:
    return {entry["tensor"]: entry["reason"] for entry in made.manifest["absent"]}


@pytest.mark.parametrize("positive", [True, False])
def test_branches(positive: bool, tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        sum = tf.reduce_sum(x, name="sum")
        y = tf.compat.v1.cond(sum > 0, lambda: tf.exp(x, name="up"), lambda: tf.negative(x, name="down"), name="cond")
        tf.identity(y, name="y")

    path = built(build, tmp_path / "m.pb")
    made = golden(path, {"x": X if positive else -X}, tmp_path / "golden")
    found = check(made, path)
    taken, other = ("cond/up:0", "cond/down:0") if positive else ("cond/down:0", "cond/up:0")
    assert found[taken].tobytes() == found["y:0"].tobytes()
    assert reasons(made)[other] == "on a branch that was not taken"


def test_loops(tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        y = tf.while_loop(lambda v: tf.reduce_sum(v) < 100, lambda v: (tf.add(v, 7.0, name="add"),), [x], name="loop")
        tf.identity(y, name="y")

    path = built(build, tmp_path / "m.pb")
    made = golden(path, {"x": X}, tmp_path / "golden")
    assert check(made, path)["y:0"].sum() >= 100
    assert reasons(made)["loop/add:0"] == "inside a loop, where it exists once an iteration, or a handle"
    assert not [name for name in reasons(made) if "branch" in reasons(made)[name]]


def test_functions_say_that_they_are_not_looked_into(tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.exp(x), lambda: tf.negative(x), name="cond")
        tf.identity(y, name="y")

    path = built(build, tmp_path / "m.pb", control_flow_v2=True)
    made = golden(path, {"x": X}, tmp_path / "golden")
    np.testing.assert_allclose(check(made, path)["y:0"], np.exp(X), rtol=1e-6)
    assert len(made.manifest["bodies"]) == 2
    assert all("none of them" in entry["reason"] for entry in made.manifest["bodies"])


def test_random_numbers_are_the_same_in_every_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one(monkeypatch)

    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        noise = tf.random.normal(tf.shape(x), name="noise")
        tf.add(x, noise, name="sum")
        tf.multiply(noise, 2.0, name="twice")

    path = built(build, tmp_path / "m.pb")
    made = golden(path, {"x": X}, tmp_path / "golden")
    found = arrays(made)
    assert made.manifest["random"] == ["noise/RandomStandardNormal"]
    assert (found["sum:0"] == X + found["noise:0"]).all()
    assert (found["twice:0"] == found["noise:0"] * 2).all()


def test_random_numbers_of_onnx_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from support.onnx_graphs import F, Info, Node, helper, model

    one_by_one(monkeypatch)
    nodes = [
        Node("RandomNormalLike", ["x"], ["noise"], name="noise"),
        Node("Add", ["x", "noise"], ["sum"], name="add"),
        Node("Add", ["noise", "noise"], ["twice"], name="twice"),
    ]
    outputs = [Info("sum", F, ["N", 3]), Info("twice", F, ["N", 3])]
    path = tmp_path / "m.onnx"
    path.write_bytes(model(helper.make_graph(nodes, "g", [Info("x", F, ["N", 3])], outputs)).SerializeToString())
    made = golden(path, {"x": X}, tmp_path / "golden")
    found = arrays(made)
    assert made.manifest["random"] == ["noise"]
    assert (found["sum"] == X + found["noise"]).all()
    assert (found["twice"] == found["noise"] * 2).all()


def test_a_file_is_the_one_text_of_an_input(tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        raw = tf.compat.v1.placeholder(tf.string, name="raw")
        tf.strings.length(raw, name="length")
        tf.io.decode_raw(raw, tf.uint8, name="bytes")

    path = built(build, tmp_path / "m.pb")
    (tmp_path / "text.bin").write_bytes(b"ab\0c\0\0")
    made = golden(path, tmp_path / "text.bin", tmp_path / "golden")
    found = arrays(made)
    assert found["length:0"] == 6
    assert found["bytes:0"].tobytes() == b"ab\0c\0\0"
    assert list(reasons(made)) == ["raw:0"]


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_real_networks_with_loops_and_dropout(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but what is drawn is the runner's; with nothing dropped, what follows from it is so again."""
    path = shared(f"tensorflow/{name}.frozen.pb")
    x = {"X": np.random.default_rng(0).standard_normal((2, 784)).astype(np.float32), "keep_prob": np.float32(1)}
    made = golden(path, x, tmp_path / "golden")
    found = arrays(made)
    model = load(path)
    feeds = {entry["tensor"]: found[entry["tensor"]] for entry in made.manifest["inputs"]}
    again = runner("tensorflow").run(model, feeds, list(found))
    different = [tensor for tensor in found if not same(found[tensor], again[tensor])]
    assert 0 < len(different) < 6
    assert all(tensor.startswith("model/dropout/") for tensor in different)


def test_text_and_handles_are_left_out(tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        text = tf.strings.as_string(x, name="text")
        tf.strings.length(text, name="length")
        array = tf.TensorArray(tf.float32, size=1, name="array").write(0, x)
        tf.identity(array.stack(), name="y")

    path = built(build, tmp_path / "m.pb")
    made = golden(path, {"x": X}, tmp_path / "golden", request=Request())
    found = arrays(made)
    assert found["y:0"].tobytes() == X.tobytes()
    assert found["length:0"].shape == (1, 3)
    left = reasons(made)
    assert left["text:0"].startswith("no array that a .npy holds: text")
    assert "handle" in left["array:0"]
