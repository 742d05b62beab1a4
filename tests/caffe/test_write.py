"""Written cuts: the bytes of what is kept, and what has to be written otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.caffe_nets import by_name, caffemodel, cut, layer, net, wiring
from support.models import SHARED, fetched, shared

from subcut.compiler.errors import UserError
from subcut.compiler.formats import ReadOptions, WriteOptions, package
from subcut.compiler.formats.caffe import dialect, names
from subcut.compiler.formats.caffe.net import LayerText
from subcut.compiler.formats.caffe.weights import blobs_of
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.ir.types import TensorType

CAFFE = package("caffe")
REAL = sorted(p.relative_to(SHARED).as_posix() for p in SHARED.glob("caffe/*/*.prototxt")) or [
    "caffe/mtcnn/det1.prototxt"
]
WITH_WEIGHTS = [f"caffe/mtcnn/det{i}.prototxt" for i in (1, 2, 3)]


def relu(name: str, bottom: str, top: str) -> str:
    return f'layer {{ name: "{name}" type: "ReLU" bottom: "{bottom}" top: "{top}" }}\n'


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_a_cut_of_all_is_the_same_text_and_the_same_records(name: str, tmp_path: Path) -> None:
    path = shared(name)
    model = CAFFE.read(path, ReadOptions())
    cut(model, "all", tmp_path / "out")
    assert (tmp_path / "out" / "dump.prototxt").read_bytes() == path.read_bytes()
    old, new = model.origin.weights, CAFFE.read(tmp_path / "out" / "dump.prototxt", ReadOptions()).origin.weights
    mine = [r for r in old.records if r.name.decode() in by_name(model)]
    assert [(r.name, r.file.data[r.start : r.stop]) for r in mine] == [
        (r.name, r.file.data[r.start : r.stop]) for r in new.records
    ]


@pytest.mark.parametrize("name", [n for n in REAL if "deploy" in n or "lenet.p" in n])
def test_a_cut_of_all_is_the_same_text(name: str, tmp_path: Path) -> None:
    path = shared(name)
    cut(CAFFE.read(path, ReadOptions()), "all", tmp_path / "out")
    assert (tmp_path / "out" / "dump.prototxt").read_bytes() == path.read_bytes()


def test_the_record_of_a_kept_layer_is_the_text_it_was(tmp_path: Path) -> None:
    text = (
        '# the net\nname: "n"  # its name\n\ninput: "x"\ninput_shape { dim: 2 }\n\n'
        '# first\nlayer { name: "a" type: "ReLU" bottom: "x" top: "y" }  # behind a\n'
        '# second\r\nlayer{name:"b"type:"Odd"bottom:"y"top:"z"odd_param<v:[1,2];>unknown: 7}\t# behind b\n'
        '# third\nlayer { name: "c" type: "ReLU" bottom: "z" top: "w" }'
    )
    cut(net(tmp_path, text), "b", tmp_path / "out")
    assert (tmp_path / "out" / "dump.prototxt").read_bytes().decode() == (
        '# the net\nname: "n"  # its name\n'
        'layer {\n  name: "b_input_0"\n  type: "Input"\n  top: "y"\n  input_param { shape { dim: 2 } }\n}\n'
        '# second\r\nlayer{name:"b"type:"Odd"bottom:"y"top:"z"odd_param<v:[1,2];>unknown: 7}\t# behind b\n'
    )


def test_line_endings_are_kept(tmp_path: Path) -> None:
    text = 'input: "x"\r\ninput_shape { dim: 2 }\r\n' + relu("a", "x", "y").replace("\n", "\r\n")
    cut(net(tmp_path, text + relu("b", "y", "z")), "b", tmp_path / "out")
    raw = (tmp_path / "out" / "dump.prototxt").read_bytes()
    assert raw.count(b"\r\n") == 6
    assert raw.replace(b"\r\n", b"").count(b"\n") == 1  # that of the layer, which had none


def test_what_many_inputs_are_called_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(dialect, "assign", lambda graph: calls.append(graph) or names.assign(graph))
    layers = "".join(relu(f"a{i}", f"x{i}", f"y{i}") + relu(f"b{i}", f"y{i}", f"z{i}") for i in range(30))
    header = "".join(f'input: "x{i}" input_shape {{ dim: {i + 1} }}\n' for i in range(30))
    model = net(tmp_path, header + layers)
    cut(model, '"b*"', tmp_path / "out")
    added = [op for op in model.main.ops if op.type == "Input"]
    assert [op.name for op in added] == [f"b{i}_input_0" for i in range(30)]
    texts = [model.dialect.input_text(op.results[0]) for op in added]
    assert texts[29] == 'name: "b29_input_0" type: "Input" top: "y29" input_param { shape { dim: 30 } }'
    assert len(calls) == 1


def test_records_on_one_line_are_cut_apart(tmp_path: Path) -> None:
    text = 'input:"x"input_dim:1 input_dim:1,input_dim:1;input_dim:9 ' + relu("a", "x", "y").strip()
    text += relu("b", "y", "z").strip() + relu("c", "z", "x").strip() + ";" + relu("d", "x", "v").strip()
    _, found = cut(net(tmp_path, text), "b plus d", tmp_path / "out")
    assert wiring(found) == {"b_input_0": [], "d_input_0": [], "b": ["b_input_0"], "d": ["d_input_0"]}


def test_layers_of_one_list_are_cut_apart(tmp_path: Path) -> None:
    text = 'input: "x" input_shape { dim: 2 } layer [ { name: "a" bottom: "x" top: "y" type: "ReLU" }, '
    text += '{ name: "b" bottom: "y" top: "z" type: "ReLU" }, < name: "c" bottom: "z" top: "w" type: "ReLU" > ]'
    _, found = cut(net(tmp_path, text), "a plus c", tmp_path / "out")
    assert wiring(found) == {"c_input_0": [], "a": ["%x"], "c": ["c_input_0"]}


D6 = 'name: "pool1_input_0" type: "Input" top: "conv1" input_param { shape { dim: 1 dim: 64 dim: 112 dim: 112 } }'


def test_the_cut_of_mindstudios_manual(tmp_path: Path) -> None:
    """Rows D6 and D9: the added layer, its top, and the layers in order."""
    model = CAFFE.read(shared("caffe/prototxt/prototxt_ResNet-152-deploy.prototxt"), ReadOptions())
    manifest, found = cut(model, "from pool1 to res2a_relu", tmp_path / "out")
    assert model.report is not None
    (edge,) = model.report.inputs
    assert edge.new is not None
    assert model.dialect.input_text(edge.new) == D6
    assert manifest["inputs"][0]["name"] == "conv1"
    exported = [op["name"] for op in manifest["operators"]]
    assert exported[:4] == ["pool1", "res2a_branch1", "bn2a_branch1", "scale2a_branch1"]
    assert exported[-2:] == ["res2a", "res2a_relu"]
    assert [op.name for op in found.main.ops] == ["pool1_input_0", *exported]
    assert "rewired" not in manifest


IN_PLACE = (
    'input: "x" input_shape { dim: 2 }\n'
    + relu("a", "x", "y")
    + relu("s", "y", "s")
    + relu("b", "y", "y")
    + relu("t", "y", "t")
)


def test_two_versions_of_a_blob_enter_under_two_names(tmp_path: Path) -> None:
    manifest, found = cut(net(tmp_path, IN_PLACE), "s plus t", tmp_path / "out")
    assert wiring(found) == {"s_input_0": [], "t_input_0": [], "s": ["s_input_0"], "t": ["t_input_0"]}
    assert [(e["name"], e["tensor"]) for e in manifest["inputs"]] == [("y", "y:0"), ("y_1", "y")]
    assert manifest["rewired"] == [{"operator": "t", "operand": "bottom 0", "from": "y", "to": "y_1"}]
    assert 'name: "s" type: "ReLU" bottom: "y" top: "s"' in (tmp_path / "out" / "dump.prototxt").read_text()


def test_a_tapped_version_is_not_overwritten(tmp_path: Path) -> None:
    manifest, found = cut(net(tmp_path, IN_PLACE), "a plus b plus t; tap a", tmp_path / "out")
    assert wiring(found) == {"a": ["%x"], "b": ["a"], "t": ["b"]}
    names = {e["tensor"]: e["name"] for e in manifest["outputs"]}
    assert names["y:0"] == "y"
    assert {v.name for v in found.main.values()} >= set(names.values())
    assert [(note["operator"], note["operand"], note["to"]) for note in manifest["rewired"]] == [
        ("b", "top 0", "y_1"),
        ("t", "bottom 0", "y_1"),
    ]


def test_a_renamed_blob_is_still_overwritten_in_place(tmp_path: Path) -> None:
    text = IN_PLACE + relu("u", "y", "y") + relu("v", "y", "v")
    _, found = cut(net(tmp_path, text), "s plus u plus v", tmp_path / "out")
    ops = by_name(found)
    assert wiring(found)["v"] == ["u"]
    assert ops["u"].results[0].origin == ops["u"].operands[0].origin == b"y_1"  # type: ignore[union-attr]


def test_an_added_layer_takes_no_name_of_another(tmp_path: Path) -> None:
    text = 'input: "x" input_shape { dim: 2 }\n' + relu("a", "x", "y") + relu("b", "y", "z")
    _, found = cut(net(tmp_path, text + relu("b_input_0", "z", "w")), "from b", tmp_path / "out")
    assert wiring(found) == {"b_input_0_1": [], "b": ["b_input_0_1"], "b_input_0": ["b"]}


V1 = """name: "old"
input: "x"
input_dim: 1
input_dim: 2
input_dim: 3
input_dim: 4
input: "p"
input_dim: [1, 1, 1, 1]
layers { name: "a" type: RELU bottom: "x" top: "y" }
layers { name: "b" type: FLATTEN bottom: "y" top: "z" }
layers { name: "c" type: RELU bottom: "z" top: "w" }
layers { name: "d" type: RELU bottom: "p" top: "q" }
"""


def test_a_v1_net_gets_header_inputs(tmp_path: Path) -> None:
    """Caffe refuses `layer` beside `layers`, and V1 has no `Input` type."""
    model = net(tmp_path, V1)
    _, found = cut(model, "b", tmp_path / "out")
    text = (tmp_path / "out" / "dump.prototxt").read_text()
    assert "layer {" not in text
    assert 'input: "y"\ninput_dim: 1\ninput_dim: 2\ninput_dim: 3\ninput_dim: 4\n' in text
    assert '"x"' not in text
    assert wiring(found) == {"b": ["%y"]}
    assert model.report is not None
    (edge,) = model.report.inputs
    assert edge.new is not None
    expected = 'input: "y" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4'
    assert model.dialect.input_text(edge.new).strip() == expected


def test_a_v1_header_that_mixes_ranks_is_written_as_shapes(tmp_path: Path) -> None:
    _, found = cut(net(tmp_path, V1), "a plus c", tmp_path / "out")
    assert [(v.name, str(v.type)) for v in found.main.inputs] == [("x", "1x2x3x4xf32"), ("z", "1x24xf32")]


def test_a_header_keeps_the_inputs_that_are_read(tmp_path: Path) -> None:
    _, found = cut(net(tmp_path, V1), "d", tmp_path / "out")
    assert [(v.name, str(v.type)) for v in found.main.inputs] == [("p", "1x1x1x1xf32")]


def test_a_v0_header_has_four_dimensions(tmp_path: Path) -> None:
    """`UpgradeV0Net` copies `input_dim` and forgets `input_shape`."""
    text = 'input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4\n'
    text += 'layers { layer { name: "fc" type: "innerproduct" num_output: 5 } bottom: "x" top: "y" }\n'
    text += 'layers { layer { name: "r" type: "relu" } bottom: "y" top: "y" }\n'
    _, found = cut(net(tmp_path, text), "r", tmp_path / "out")
    assert [(v.name, str(v.type)) for v in found.main.inputs] == [("y:0", "1x5x1x1xf32")]
    assert "input_shape" not in (tmp_path / "out" / "dump.prototxt").read_text()


def test_a_stated_shape_of_a_header_input_is_written(tmp_path: Path) -> None:
    text = 'input: "x"\n' + relu("a", "x", "y")
    with pytest.raises(UserError) as caught:
        cut(net(tmp_path, text), "a", tmp_path / "out")
    assert caught.value.code == "untyped-edge"
    _, found = cut(net(tmp_path, text), "a; input %x : 5x7xf32", tmp_path / "out")
    assert str(found.main.inputs[0].type) == "5x7xf32"


FED = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'


@pytest.mark.parametrize("stated", ["Nx3xf32", "2x3x1xf32", "2x3xf64"])
def test_a_stated_type_that_a_kept_layer_contradicts_is_refused(stated: str, tmp_path: Path) -> None:
    """The layer's text stays as it is, and the manifest would say what the net is not."""
    model = net(tmp_path, FED + relu("a", "x", "y"))
    with pytest.raises(UserError) as caught:
        cut(model, f"all; input %x : {stated}", tmp_path / "out")
    assert caught.value.code == "type-mismatch"


def test_other_sizes_of_a_kept_input_layer_are_written(tmp_path: Path) -> None:
    _, found = cut(net(tmp_path, FED + relu("a", "x", "y")), "all; input %x : 5x3xf32", tmp_path / "out")
    assert [op.name for op in found.main.ops] == ["in", "a"]
    found.dialect.annotate(found)
    assert [str(value.type) for value in found.main.values()] == ["5x3xf32", "5x3xf32"]


def test_other_sizes_of_a_data_layer_are_refused(tmp_path: Path) -> None:
    data = FED.replace('type: "Input"', 'type: "DummyData"').replace("input_param", "dummy_data_param")
    with pytest.raises(UserError) as caught:
        cut(net(tmp_path, data + relu("a", "x", "y")), "all; input %x : 5x3xf32", tmp_path / "out")
    assert caught.value.code == "type-mismatch"


def test_a_stated_type_that_fits_a_kept_layer_is_taken(tmp_path: Path) -> None:
    cut(net(tmp_path, FED + relu("a", "x", "y")), "all; input %x : ?x3xf32", tmp_path / "out")


def test_an_input_may_have_another_stated_shape_than_the_layer_left_out(tmp_path: Path) -> None:
    manifest, _ = cut(net(tmp_path, FED + relu("a", "x", "y")), "a; input %x : 5x3xf32", tmp_path / "out")
    assert manifest["inputs"][0]["shape"] == manifest["outputs"][0]["shape"] == [5, 3]


def test_the_result_of_a_padding_layer_is_no_output(tmp_path: Path) -> None:
    """`UpgradeV0PaddingLayers` joins it to the layer behind it: Caffe makes no such blob."""
    text = 'input: "x" input_dim: 1 input_dim: 2 input_dim: 6 input_dim: 6\n'
    text += 'layers { layer { name: "p" type: "padding" pad: 2 } bottom: "x" top: "p" }\n'
    text += 'layers { layer { name: "c" type: "pool" pool: MAX kernelsize: 3 } bottom: "p" top: "c" }\n'
    for selection in ("to p", "all; tap p"):
        with pytest.raises(UserError) as caught:
            cut(net(tmp_path, text), selection, tmp_path / "out")
        assert caught.value.code == "cannot-write"
    cut(net(tmp_path, text), "p, c", tmp_path / "out")


def test_what_another_phase_makes_becomes_an_input_of_stated_shape(tmp_path: Path) -> None:
    model = CAFFE.read(shared("caffe/prototxt/voc_MobileNetSSD_train.prototxt"), ReadOptions())
    manifest, found = cut(model, "from conv0 to conv1; input %data : 1x3x300x300xf32", tmp_path / "out")
    assert (manifest["inputs"][0]["producer"], manifest["inputs"][0]["shape"]) == ("data", [1, 3, 300, 300])
    assert found.main.ops[0].name == "conv0_input_0"
    text = (tmp_path / "out" / "dump.prototxt").read_text()
    assert "AnnotatedData" not in text


def test_a_net_read_in_a_phase_it_is_not_complete_in_is_not_written(tmp_path: Path) -> None:
    model = CAFFE.read(shared("caffe/prototxt/voc_MobileNetSSD_train.prototxt"), ReadOptions())
    with pytest.raises(UserError) as caught:
        CAFFE.write(model, tmp_path, WriteOptions())
    assert caught.value.code == "undefined-tensor"


STAGED = 'input: "x" input_shape { dim: 2 }\n' + relu("a", "x", "y").replace(
    "}", 'include { stage: "deploy" } include { not_stage: "deploy" stage: "z" } }'
)


@pytest.mark.parametrize("state", ["", "state { level: 1 }\n", 'state { stage: "other" stage: "deploy" }\n'])
def test_the_stage_of_a_cut_is_written_into_its_state(state: str, tmp_path: Path) -> None:
    text = state + STAGED + relu("b", "y", "z")
    cut(net(tmp_path, text, stages=("deploy", "other")), "a", tmp_path / "out")
    found = CAFFE.read(tmp_path / "out" / "dump.prototxt", ReadOptions())
    assert wiring(found) == {"a": ["%x"]}
    assert (tmp_path / "out" / "dump.prototxt").read_text().count("state") == 1


def test_a_stage_that_no_kept_layer_asks_for_is_not_written(tmp_path: Path) -> None:
    _, found = cut(net(tmp_path, STAGED + relu("b", "y", "z"), stages=("deploy",)), "b", tmp_path / "out")
    assert wiring(found) == {"b_input_0": [], "b": ["b_input_0"]}
    assert "state" not in (tmp_path / "out" / "dump.prototxt").read_text()


def test_an_unknown_layer_is_cut_like_any_other(tmp_path: Path) -> None:
    text = 'input: "x" input_shape { dim: 2 dim: 3 }\n' + relu("a", "x", "y")
    text += 'layer { name: "q" type: "Company" bottom: "y" top: "z" company_param { scale: 2 } }\n'
    text += relu("b", "z", "w")
    weights = caffemodel(layer("q", b"\x52\x03abc", b""))
    manifest, _ = cut(net(tmp_path, text, weights), "from q to b", tmp_path / "out")
    assert [e["shape"] for e in manifest["outputs"]] == [None]
    assert (tmp_path / "out" / "dump.caffemodel").read_bytes() == weights
    with pytest.raises(UserError, match=r"; input %z : .*xf32`, with the real type"):
        cut(net(tmp_path, text, weights), "b", tmp_path / "out2")
    _, found = cut(net(tmp_path, text, weights), "b; input %z : 2x3xf32", tmp_path / "out2")
    assert wiring(found) == {"b_input_0": [], "b": ["b_input_0"]}


def test_a_cut_of_a_cut_is_a_cut(tmp_path: Path) -> None:
    path = shared("caffe/mtcnn/det2.prototxt")
    _, first = cut(CAFFE.read(path, ReadOptions()), "from pool1 to conv4", tmp_path / "one")
    cut(first, "from conv2 to prelu3", tmp_path / "two")
    cut(CAFFE.read(path, ReadOptions()), "from conv2 to prelu3", tmp_path / "direct")
    for name in ("dump.prototxt", "dump.caffemodel"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "direct" / name).read_bytes()


def test_weights_of_a_cut_without_any_are_still_a_caffemodel(tmp_path: Path) -> None:
    _, found = cut(CAFFE.read(shared("caffe/mtcnn/det2.prototxt"), ReadOptions()), "pool1", tmp_path / "out")
    assert wiring(found) == {"pool1_input_0": [], "pool1": ["pool1_input_0"]}


def kept_blobs(model: Model, op: Op) -> list[bytes]:
    return [constant.numpy().tobytes() for constant in blobs_of(op)]


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_every_kept_layer_keeps_its_weights(name: str, tmp_path: Path) -> None:
    original = CAFFE.read(shared(name), ReadOptions())
    manifest, found = cut(CAFFE.read(shared(name), ReadOptions()), "from pool1 to conv3", tmp_path / "out")
    ops = by_name(original)
    for op in found.main.ops:
        if isinstance(op.origin, LayerText) and op.name in ops:
            assert kept_blobs(found, op) == kept_blobs(original, ops[op.name])
    assert len(manifest["operators"]) + 1 == len(found.main.ops)


OPENCV = [
    ("caffe/mtcnn/det1.prototxt", "from PReLU1 to conv3", (1, 10, 10, 10)),
    ("caffe/mtcnn/det2.prototxt", "from conv2 to prelu4", (1, 28, 11, 11)),
    ("caffe/mtcnn/det3.prototxt", "from pool1 to prelu5", (1, 32, 46, 46)),
]


@pytest.mark.parametrize(("name", "selection", "shape"), OPENCV)
def test_opencv_computes_the_same_with_the_cut(
    name: str, selection: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    """OpenCV reads the written files, and gets from them bit by bit what it gets inside the original."""
    cv2: Any = pytest.importorskip("cv2", reason="compares with OpenCV's importer: pip install 'subcut[test]'")
    path = shared(name)
    start, end = selection.split()[1], selection.split()[3]
    cut(CAFFE.read(path, ReadOptions()), selection, tmp_path / "out")
    whole = cv2.dnn.readNetFromCaffe(str(path), str(path.with_suffix(".caffemodel")))
    piece = cv2.dnn.readNetFromCaffe(str(tmp_path / "out" / "dump.prototxt"), str(tmp_path / "out" / "dump.caffemodel"))
    original = CAFFE.read(path, ReadOptions())
    (entering,) = by_name(original)[start].operands
    assert entering is not None
    assert entering.producer is not None
    header = original.main.inputs[0].type
    assert isinstance(header, TensorType)
    for used in (whole, piece):
        used.enableFusion(False)
        used.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    image = np.random.default_rng(1).standard_normal(header.shape).astype(np.float32)  # type: ignore[arg-type]
    whole.setInput(image)
    wanted, fed = whole.forward([end, entering.producer.name])
    assert fed.shape == shape
    piece.setInput(fed)
    assert np.array_equal(piece.forward(end), wanted)


def test_the_real_ssd_detector_is_cut_with_its_weights(tmp_path: Path) -> None:
    weights = fetched("res10_ssd/res10_300x300_ssd_iter_140000.caffemodel")
    options = ReadOptions(weights=weights)
    model = CAFFE.read(fetched("res10_ssd/deploy.prototxt.txt"), options)
    _, found = cut(model, "to detection_out", tmp_path / "out")
    original = by_name(CAFFE.read(fetched("res10_ssd/deploy.prototxt.txt"), options))
    for op in found.main.ops:
        assert kept_blobs(found, op) == kept_blobs(model, original[op.name])
