"""TensorFlow 1's loops and conditionals: cut whole, with the result they had, or refused with what completes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import shared
from support.tensorflow_graphs import built, cut, normal, run_file, wave

from subcut.compiler.errors import UserError
from subcut.compiler.export import load
from subcut.compiler.formats.tensorflow.flow import flow_of


def loop(tf: Any) -> None:
    x = tf.compat.v1.placeholder(tf.float32, [2, 2], name="x")
    start = tf.nn.relu(x, name="start")

    def body(i: Any, y: Any) -> tuple[Any, Any]:
        return i + 1, tf.matmul(y, np.full((2, 2), 0.5, np.float32), name="step")

    _, y = tf.while_loop(lambda i, _: i < 3, body, [tf.constant(0), start], name="loop")
    tf.nn.relu(y, name="end")


def nested(tf: Any) -> None:
    x = tf.compat.v1.placeholder(tf.float32, [2], name="x")
    start = tf.nn.relu(x, name="start")

    def inner(y: Any) -> Any:
        return tf.while_loop(lambda j, _: j < 2, lambda j, z: (j + 1, z * 1.5), [tf.constant(0), y], name="inner")[1]

    _, y = tf.while_loop(
        lambda i, _: i < 3, lambda i, y: (i + 1, inner(y) + 1.0), [tf.constant(0), start], name="outer"
    )
    tf.nn.relu(y, name="end")


def branch(tf: Any) -> None:
    x = tf.compat.v1.placeholder(tf.float32, [2], name="x")
    which = tf.compat.v1.placeholder(tf.bool, [], name="which")
    start = tf.nn.relu(x, name="start")
    y = tf.compat.v1.cond(
        which, lambda: tf.square(start, name="yes"), lambda: tf.constant([5.0, 6.0], name="no"), name="choice"
    )
    tf.nn.relu(y, name="end")


def completed(path: Path, selection: str, folder: Path, code: str) -> dict[str, Any]:
    """Follow the help of the error until the selection can be cut."""
    with pytest.raises(UserError) as caught:
        cut(path, selection, folder)
    assert caught.value.code == code
    words = re.search(r"add `(.*)`", str(caught.value))
    assert words is not None
    return cut(path, f"{selection} {words[1]}", folder)[1]


@pytest.mark.parametrize("build", [loop, nested])
def test_a_loop_is_completed_as_the_error_says_and_gives_the_same(build: Any, tmp_path: Path) -> None:
    path = built(build, tmp_path / "m.pb")
    manifest = completed(path, "after start to end", tmp_path / "cut", "loop-cut")
    (edge,) = manifest["inputs"]
    assert edge["tensor"] == "start:0"
    x = normal(2, 2) if build is loop else normal(2)
    golden = run_file(path, {"x": x}, ["start:0", "end:0"])
    got = run_file(tmp_path / "cut" / "dump.pb", {"start:0": golden["start:0"]}, ["end:0"])
    assert got["end:0"].tobytes() == golden["end:0"].tobytes()


def test_the_head_of_a_model_has_its_loop_whole(tmp_path: Path) -> None:
    path = built(loop, tmp_path / "m.pb")
    model, _ = cut(path, "to end", tmp_path / "cut")
    left_out = {op.name for op in load(path).main.ops} - {op.name for op in model.main.ops}
    assert left_out == {"loop/Exit"}  # gives the counter, which nobody reads


@pytest.mark.parametrize("selection", ["to loop/step", "from loop/step", "from loop/step to end", "loop/step"])
def test_a_part_of_a_loop_is_refused(selection: str, tmp_path: Path) -> None:
    path = built(loop, tmp_path / "m.pb")
    with pytest.raises(UserError) as caught:
        cut(path, selection, tmp_path / "cut")
    assert caught.value.code == "loop-cut"
    assert "loop/*" in str(caught.value)


def test_the_name_of_a_loop_is_any_bytes(tmp_path: Path) -> None:
    """An attribute's string is `bytes` in attr_value.proto, and TensorFlow runs such a loop."""
    path = built(loop, tmp_path / "m.pb")
    path.write_bytes(path.read_bytes().replace(b"loop/while_context", b"\x80oop/while_context"))
    feeds = {"x": normal(2, 2)}
    golden = run_file(path, feeds, ["start:0", "end:0"])
    completed(path, "after start to end", tmp_path / "cut", "loop-cut")
    got = run_file(tmp_path / "cut" / "dump.pb", {"start:0": golden["start:0"]}, ["end:0"])
    assert got["end:0"].tobytes() == golden["end:0"].tobytes()
    with pytest.raises(UserError, match=r"part of the loop `\\x80oop/while_context`"):
        cut(path, "loop/step", tmp_path / "part")


def test_a_loop_in_a_loop_is_no_smaller_unit(tmp_path: Path) -> None:
    path = built(nested, tmp_path / "m.pb")
    with pytest.raises(UserError, match=r"part of the loop `outer/while_context`"):
        cut(path, '"outer/inner/*"', tmp_path / "cut")


def test_frames_are_found(tmp_path: Path) -> None:
    graph = load(built(nested, tmp_path / "m.pb")).main
    flow = flow_of(graph)
    depth = {op.name: flow.depth.get(op, 0) for op in graph.ops}
    assert depth["start"] == depth["end"] == depth["outer/Exit_1"] == 0
    assert depth["outer/Merge"] == depth["outer/inner/Exit_1"] == depth["outer/NextIteration_1"] == 1
    assert depth["outer/inner/mul"] == depth["outer/inner/NextIteration"] == 2
    assert len(set(flow.frames.values())) == 1


@pytest.mark.parametrize("which", [True, False])
def test_both_branches_come_along_or_the_cut_is_refused(which: bool, tmp_path: Path) -> None:
    path = built(branch, tmp_path / "m.pb")
    manifest = completed(path, "from choice/Merge to end", tmp_path / "cut", "branch-cut")
    names = [edge["tensor"] for edge in manifest["inputs"]]
    assert sorted(names) == ["choice/pred_id:0", "start:0", "which:0"]
    feeds = {"x": normal(2), "which": np.array(which)}
    golden = run_file(path, feeds, [*names, "end:0"])
    got = run_file(tmp_path / "cut" / "dump.pb", {name: golden[name] for name in names}, ["end:0"])
    assert got["end:0"].tobytes() == golden["end:0"].tobytes()


def test_what_is_inside_one_branch_can_be_cut_alone(tmp_path: Path) -> None:
    path = built(branch, tmp_path / "m.pb")
    _, manifest = cut(path, "choice/yes", tmp_path / "cut")
    (edge,) = manifest["inputs"]
    got = run_file(tmp_path / "cut" / "dump.pb", {edge["name"]: np.array([3.0, 4.0], np.float32)}, ["choice/yes:0"])
    assert got["choice/yes:0"].tolist() == [9.0, 16.0]


@pytest.mark.parametrize("which", [True, False])
def test_a_tensor_on_a_branch_not_taken_is_missing(which: bool, tmp_path: Path) -> None:
    path = built(branch, tmp_path / "m.pb")
    got = run_file(path, {"x": normal(2), "which": np.array(which)}, ["choice/yes", "choice/no", "end"])
    assert sorted(got) == ["choice/yes" if which else "choice/no", "end"]


def test_branches_inside_branches_are_asked_from_the_outside_in(tmp_path: Path) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [], name="x")

        def inner() -> Any:
            return tf.compat.v1.cond(x > 5.0, lambda: tf.add(x, 1.0), lambda: tf.add(x, 2.0), name="in")

        tf.identity(tf.compat.v1.cond(x > 0.0, inner, lambda: tf.add(x, 3.0), name="out"), name="end")

    path = built(build, tmp_path / "m.pb")
    sums = [op.name for op in load(path).main.ops if op.type == "AddV2"]
    assert len(sums) == 3
    for x, name in zip((9.0, 2.0, -1.0), sums, strict=True):
        got = run_file(path, {"x": np.float32(x)}, [*sums, "end"])
        assert sorted(got) == sorted([name, "end"])
        assert got[name] == got["end"]


SPEECH = {
    "LSTM_S": ("Mfcc", "labels_softmax", "LSTM-Layer/lstm/rnn"),
    "CRNN_S": ("Mfcc", "labels_softmax", "rnn"),
}


@pytest.mark.parametrize("name", SPEECH)
def test_the_loop_of_a_real_speech_model(name: str, tmp_path: Path) -> None:
    start, end, _ = SPEECH[name]
    path = shared(f"tensorflow/{name}.pb")
    manifest = completed(path, f"after {start} to {end}", tmp_path / "cut", "loop-cut")
    edges = [edge["tensor"] for edge in manifest["inputs"]]
    assert f"{start}:0" in edges
    golden = run_file(path, {"wav_data": np.array(wave(), object)}, [*edges, f"{end}:0"])
    got = run_file(tmp_path / "cut" / "dump.pb", {edge: golden[edge] for edge in edges}, [f"{end}:0"])
    assert got[f"{end}:0"].tobytes() == golden[f"{end}:0"].tobytes()


@pytest.mark.parametrize("name", SPEECH)
def test_what_stands_for_a_tensor_array_is_never_an_input(name: str, tmp_path: Path) -> None:
    scope, end = SPEECH[name][2], SPEECH[name][1]
    with pytest.raises(UserError) as caught:
        cut(shared(f"tensorflow/{name}.pb"), f'from "{scope}/while/*" to {end}', tmp_path / "cut")
    assert caught.value.code == "handle-edge"
    assert "TensorArrayScatterV3" in str(caught.value)
