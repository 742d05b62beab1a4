"""Reading nets: versions of blobs, states, headers, generations; on real files and on awkward ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.caffe_nets import by_name, net, wiring
from support.models import SHARED, fetched, shared

from subcut.compiler.errors import ModelError, UserError
from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.formats.caffe import claims
from subcut.compiler.formats.caffe.rules import NetState, included, meets
from subcut.compiler.ir.types import TensorType

CAFFE = package("caffe")
REAL = sorted(p.relative_to(SHARED).as_posix() for p in SHARED.glob("caffe/*/*.prototxt")) or [
    "caffe/mtcnn/det1.prototxt"
]


def relu(name: str, bottom: str, top: str, extra: str = "") -> str:
    return f'layer {{ name: "{name}" type: "ReLU" bottom: "{bottom}" top: "{top}" {extra} }}\n'


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("phase", ["TEST", "TRAIN"])
def test_real_nets_are_read_in_ssa_form(name: str, phase: str) -> None:
    """Whatever reads a blob reads the version that the last layer above it in the text wrote."""
    model = CAFFE.read(shared(name), ReadOptions(phase=phase))
    names = [v.name for v in model.main.values()]
    assert len(names) == len(set(names))
    latest = {v.origin: v for v in model.main.inputs}
    for op in model.main.ops:
        for value in op.operands:
            assert value is not None
            maker = value.producer
            assert latest.get(value.origin, value) is value
            assert value.origin in latest or (maker is not None and maker not in model.main.ops)
        latest.update({v.origin: v for v in op.results})
    blobs = {v.origin.decode() for v in model.main.values()}
    assert all(latest[blob.encode()].name == blob for blob in blobs)


COUNTS = {  # layers in TEST and in TRAIN, counted by hand in the files
    "BVLC_examples_mnist_lenet_train_test": (10, 9),
    "BVLC_examples_mnist_lenet": (9, 9),
    "SqueezeNet_v1.0_train_val": (68, 67),
    "prototxt_ResNet-50-deploy": (228, 228),
    "voc_MobileNetSSD_deploy": (119, 118),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_phase_has_its_own_layers(name: str) -> None:
    path = shared(f"caffe/prototxt/{name}.prototxt")
    counts = tuple(len(CAFFE.read(path, ReadOptions(phase=p)).main.ops) for p in ("TEST", "TRAIN"))
    assert counts == COUNTS[name]


def test_the_net_of_a_row_of_mindstudio_reads_the_last_of_four_writes() -> None:
    """Row D6: `pool1` reads `conv1` as BatchNorm, Scale and ReLU have left it."""
    model = CAFFE.read(shared("caffe/prototxt/prototxt_ResNet-152-deploy.prototxt"), ReadOptions())
    ops = by_name(model)
    (blob,) = ops["pool1"].operands
    assert blob is not None
    assert (blob.name, blob.producer) == ("conv1", ops["conv1_relu"])
    writes = [ops[name].results[0].name for name in ("conv1", "bn_conv1", "scale_conv1", "conv1_relu")]
    assert writes == ["conv1:0", "conv1:1", "conv1:2", "conv1"]


def test_a_blob_written_twice_is_two_tensors(tmp_path: Path) -> None:
    text = 'input: "x" input_shape { dim: 2 }\n' + relu("a", "x", "b") + relu("r", "b", "c")
    model = net(tmp_path, text + relu("a2", "x", "b") + relu("s", "b", "d"))
    assert wiring(model) == {"a": ["%x"], "r": ["a"], "a2": ["%x"], "s": ["a2"]}
    assert [v.name for v in model.main.values()] == ["x", "b:0", "c", "b", "d"]


def test_a_version_never_takes_the_name_of_another_blob(tmp_path: Path) -> None:
    text = 'input: "x" input_shape { dim: 2 }\n' + relu("a", "x", "x") + relu("b", "x", "x:0")
    assert [v.name for v in net(tmp_path, text).main.values()] == ["x:0'", "x", "x:0"]


def test_a_blob_with_several_readers_is_one_tensor(tmp_path: Path) -> None:
    """Caffe's `Split` layers are its own business: they are in no text."""
    text = 'input: "x" input_shape { dim: 2 }\n' + relu("a", "x", "b") + relu("r", "b", "c") + relu("s", "b", "b")
    model = net(tmp_path, text)
    assert wiring(model) == {"a": ["%x"], "r": ["a"], "s": ["a"]}


HEADERS = {
    'input: "x" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 5': ("1x3x4x5xf32", "NCHW"),
    'input: "x"\ninput_dim: [1, 3, 4, 5]': ("1x3x4x5xf32", "NCHW"),
    'input: "x" input_shape { dim: 1 dim: 7 }': ("1x7xf32", ""),
    'input_shape < dim: [2, 7, 3] > input: "x"': ("2x7x3xf32", ""),
    'input: "x"': ("*xf32", ""),
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_declares_inputs(tmp_path: Path, header: str) -> None:
    (value,) = net(tmp_path, header + "\n" + relu("a", "x", "y")).main.inputs
    assert isinstance(value.type, TensorType)
    assert (str(value.type), value.type.layout) == HEADERS[header]


def test_an_input_layer_is_an_operator_without_operands(tmp_path: Path) -> None:
    text = 'layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 1 dim: 2 } } }'
    model = net(tmp_path, text + relu("a", "x", "z"))
    model.dialect.annotate(model)
    assert [str(v.type) for v in by_name(model)["in"].results] == ["1x2xf32", "1x2xf32"]
    assert model.main.inputs == []
    assert [v.name for v in model.dialect.feeds(model)] == ["x", "y"]


def test_layers_in_list_notation(tmp_path: Path) -> None:
    text = 'input: "x" layer [ { name: "a" type: "ReLU" bottom: ["x"] top: "y" }, < name: "b" bottom: "y" top: "z" > ]'
    assert wiring(net(tmp_path, text)) == {"a": ["%x"], "b": ["a"]}


def test_names_of_any_bytes(tmp_path: Path) -> None:
    text = 'input: "x" layer { name: "a\\"\\344" type: "ReLU" bottom: "x" top: "深度" }'
    (op,) = net(tmp_path, text.encode()).main.ops
    assert (op.name, op.results[0].name) == ('a"\\xe4', "深度")


def test_a_blob_that_another_phase_makes_comes_from_outside(tmp_path: Path) -> None:
    data = 'layer { name: "d" type: "Data" top: "x" include { phase: TRAIN } }'
    model = net(tmp_path, data + relu("a", "x", "x") + relu("b", "x", "y"))
    (value,) = by_name(model)["a"].operands
    assert value is not None
    assert (value.name, value.type, value.producer and value.producer.name) == ("x:0", None, "d")
    assert list(by_name(model)) == ["a", "b"]
    assert model.dialect.feeds(model) == [value]


STAGES = [
    ("include { phase: TEST }", {}, True),
    ("include { phase: TRAIN }", {}, False),
    ("include { phase: TRAIN } include { phase: TEST }", {}, True),
    ("exclude { phase: TEST }", {}, False),
    ("exclude { phase: 0 }", {}, True),
    ('include { stage: "a" }', {}, False),
    ('include { stage: "a" }', {"stages": ("a", "b")}, True),
    ('include { stage: "a" stage: "b" }', {"stages": ("a",)}, False),
    ('include { stage: "a" } include { stage: "b" }', {"stages": ("b",)}, True),
    ('include { stage: "a" not_stage: "b" }', {"stages": ("a", "b")}, False),
    ('exclude { stage: "a" }', {"stages": ("a",)}, False),
    ("include { min_level: 1 }", {}, False),
    ("include { min_level: 1 max_level: 3 }", {"level": 3}, True),
    ("include { max_level: 2 }", {"level": 3}, False),
    ("exclude { min_level: 2 phase: TEST }", {"level": 1}, True),
    ("include {}", {}, True),
    ("exclude {}", {}, False),
]


@pytest.mark.parametrize(("rule", "state", "there"), STAGES)
def test_rules_decide_as_caffe_decides(tmp_path: Path, rule: str, state: dict[str, object], there: bool) -> None:
    text = 'input: "x"' + relu("a", "x", "y", rule) + relu("b", "x", "z")
    assert ("a" in by_name(net(tmp_path, text, **state))) == there


def test_the_state_of_the_file_adds_its_stages(tmp_path: Path) -> None:
    text = 'state { stage: "s" phase: TRAIN level: 7 } input: "x"' + relu("a", "x", "y", 'include { stage: "s" }')
    assert list(by_name(net(tmp_path, text + relu("b", "x", "z", "include { level: 7 phase: TRAIN }")))) == ["a"]


def test_both_kinds_of_rule_are_refused() -> None:
    with pytest.raises(ValueError, match="both"):
        included(NetState(), [{}], [{}])
    assert not meets(NetState(), None)


BAD = {
    "nothing before it makes": 'input: "x"' + relu("a", "y", "z"),
    "which nothing": relu("b", "y", "z") + relu("a", "z", "y"),
    "both `layer` and `layers`": 'layers { name: "a" } layer { name: "b" }',
    "has no layers": 'name: "x"',
    "`layer` is no message": 'layer: "x"',
    "a message where a string": 'input: "x" layer { name: "a" bottom { } }',
    "must have one value": 'input: "x" layer { name: ["a", "b"] }',
    "no whole number": 'input: "x" input_dim: 1.5 input_dim: 1 input_dim: 1 input_dim: 1',
    "no message": 'input: "x" input_shape: 3',
    "both `include` and": 'input: "x"' + relu("a", "x", "y", "include {} exclude {}"),
}


@pytest.mark.parametrize("message", BAD)
def test_a_text_that_is_no_net_is_refused_with_its_place(tmp_path: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        net(tmp_path, BAD[message])
    assert caught.value.offset is not None


def test_weights_alone_are_answered_with_the_command_to_give(tmp_path: Path) -> None:
    weights = tmp_path / "det1.caffemodel"
    weights.write_bytes(shared("caffe/mtcnn/det1.caffemodel").read_bytes())
    (tmp_path / "det1.prototxt").write_text('input: "x"')
    with pytest.raises(UserError, match=r"subcut det1.prototxt .* -w det1.caffemodel") as caught:
        CAFFE.read(weights, ReadOptions())
    assert caught.value.code == "weights-only"


def test_hdf5_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        net(tmp_path, 'input: "x"' + relu("a", "x", "y"), weights=b"\x89HDF\r\n\x1a\n")
    assert caught.value.code == "hdf5-weights"


@pytest.mark.parametrize("name", REAL)
def test_real_nets_are_recognised_without_their_ending(name: str) -> None:
    raw = shared(name).read_bytes()
    assert claims(Path("model"), raw[: 1 << 16], len(raw))


@pytest.mark.parametrize(
    "name", ["open_nsfw/resnet_50_1by2_nsfw.caffemodel", "wechat_qr/sr.caffemodel", "wechat_qr/detect.caffemodel"]
)
def test_real_weights_are_recognised(name: str) -> None:
    raw = fetched(name).read_bytes()
    assert claims(Path("model"), raw[: 1 << 16], len(raw))


@pytest.mark.parametrize(
    "name", ["tensorflow/lstm.frozen.pb", "tensorflow/DS_CNN_S.pb", "ascend/hh/hh.pb", "ascend/om/ge_flow_model.om"]
)
def test_other_formats_are_not_claimed(name: str) -> None:
    raw = shared(name).read_bytes()
    assert not claims(Path("model"), raw[: 1 << 16], len(raw))


@pytest.mark.parametrize("text", ['node { name: "a" op: "Const" }', "ir_version: 8 graph { }", "versions { }"])
def test_text_of_other_formats_is_not_claimed_whatever_its_ending(text: str) -> None:
    assert not claims(Path("model.prototxt"), text.encode(), len(text))
