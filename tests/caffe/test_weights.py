"""Weights files of every generation: matched by name, numbers in every storage, shared parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.caffe_nets import (
    blob,
    by_name,
    caffemodel,
    cut,
    layer,
    legacy_blob,
    net,
    packed,
    single,
    v0_layer,
    v1_layer,
)
from support.models import fetched, shared

from subcut.compiler.errors import ModelError, UserError
from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.formats.caffe import claims
from subcut.compiler.formats.caffe.weights import blobs_of
from subcut.compiler.log import log
from subcut.compiler.storage.wire import bytes_field, int_field

CAFFE = package("caffe")
HEAD = 'input: "x" input_shape { dim: 2 dim: 3 }\n'


def fully(name: str, bottom: str, top: str, param: str = "", outputs: int = 4) -> str:
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{top}" {param} '
        f"inner_product_param {{ num_output: {outputs} bias_term: false }} }}\n"
    )


def old(name: str, generation: int) -> str:
    kind = f'layer {{ name: "{name}" type: "innerproduct" num_output: 4 biasterm: false }}'
    if generation == 1:
        kind = f'name: "{name}" type: INNER_PRODUCT inner_product_param {{ num_output: 4 bias_term: false }}'
    return f'layers {{ {kind} bottom: "x" top: "y" }}'


NUMBERS = [float(i) / 4 for i in range(12)]
STORED = {
    "packed": (blob(NUMBERS, (4, 3)), (4, 3)),
    "legacy dimensions": (legacy_blob(NUMBERS, (1, 1, 4, 3)), (1, 1, 4, 3)),
    "single numbers": (bytes_field(7, int_field(1, 4) + int_field(1, 3)) + single(NUMBERS), (4, 3)),
    "single numbers, shape behind": (single(NUMBERS) + bytes_field(7, int_field(1, 12)), (12,)),
    "no shape": (bytes_field(5, packed(NUMBERS)), (12,)),
    "two packed pieces": (bytes_field(5, packed(NUMBERS[:5])) + bytes_field(5, packed(NUMBERS[5:])), (12,)),
    "packed and single": (bytes_field(5, packed(NUMBERS[:5])) + single(NUMBERS[5:]), (12,)),
    "doubles": (bytes_field(8, packed(NUMBERS, "<f8")) + bytes_field(7, bytes_field(1, b"\x04\x03")), (4, 3)),
    "single doubles": (single(NUMBERS, 8), (12,)),
    "with gradients": (blob(NUMBERS, (4, 3)) + bytes_field(6, packed(NUMBERS[::-1])), (4, 3)),
    "with single gradients": (single(NUMBERS) + single(NUMBERS, 6), (12,)),
    "with fields of a fork": (blob(NUMBERS, (4, 3)) + bytes_field(10, b"int8") + int_field(77, 5), (4, 3)),
}


@pytest.mark.parametrize("storage", STORED)
@pytest.mark.parametrize("generation", [0, 1, 2])
def test_numbers_are_read_from_every_storage(tmp_path: Path, storage: str, generation: int) -> None:
    stored, shape = STORED[storage]
    record = (v0_layer, v1_layer, layer)[generation]("fc", stored)
    text = HEAD + (fully("fc", "x", "y") if generation == 2 else old("fc", generation))
    model = net(tmp_path, text, caffemodel(record))
    (constant,) = blobs_of(model.main.ops[0])
    assert (constant.type.shape, constant.type.element) == (shape, "f64" if "doubles" in storage else "f32")
    assert constant.numpy().shape == shape
    assert constant.numpy().ravel().tolist() == NUMBERS


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (blob(NUMBERS, (4, 4)), "holds 12 numbers"),
        (bytes_field(5, packed(NUMBERS)[:-1]), "47 bytes of numbers of 4 bytes"),
        (single(NUMBERS)[:-2], "past the end"),
        (b"\x3a\x7f", "is no protobuf"),
    ],
)
def test_a_damaged_blob_is_refused(tmp_path: Path, stored: bytes, message: str) -> None:
    model = net(tmp_path, HEAD + fully("fc", "x", "y"), caffemodel(layer("fc", stored)))
    with pytest.raises(ModelError, match=message) as caught:
        blobs_of(model.main.ops[0])[0].numpy()
    assert caught.value.offset is not None


def test_the_numbers_of_a_real_net_are_those_opencv_reads() -> None:
    cv2: Any = pytest.importorskip("cv2", reason="compares with OpenCV's importer: pip install 'subcut[test]'")
    path = shared("caffe/mtcnn/det3.prototxt")
    golden = cv2.dnn.readNetFromCaffe(str(path), str(path.with_suffix(".caffemodel")))
    compared = 0
    for op in CAFFE.read(path, ReadOptions()).main.ops:
        for i, constant in enumerate(blobs_of(op)):
            if op.type in ("Convolution", "InnerProduct"):
                expected = golden.getParam(golden.getLayerId(op.name), i)
                assert constant.numpy().ravel().tobytes() == np.asarray(expected, np.float32).ravel().tobytes()
                compared += 1
    assert compared == 16


def test_every_layer_that_needs_weights_finds_them_in_real_files() -> None:
    """By name, although the files hold the training nets: Split, data and loss layers, in another order."""
    for text, weights in (
        ("open_nsfw/deploy.prototxt", "open_nsfw/resnet_50_1by2_nsfw.caffemodel"),
        ("res10_ssd/deploy.prototxt.txt", "res10_ssd/res10_300x300_ssd_iter_140000.caffemodel"),
        ("wechat_qr/detect.prototxt", "wechat_qr/detect.caffemodel"),
        ("wechat_qr/sr.prototxt", "wechat_qr/sr.caffemodel"),
    ):
        model = CAFFE.read(fetched(text), ReadOptions(weights=fetched(weights)))
        model.dialect.check_region(model.main, dict.fromkeys(model.main.ops))
        model.dialect.infer(model, [v for op in model.main.ops for v in op.results])


def test_weights_are_found_beside_the_net_or_where_told(tmp_path: Path) -> None:
    stored = caffemodel(layer("fc", blob(NUMBERS, (4, 3))))
    text = HEAD + fully("fc", "x", "y")
    assert blobs_of(net(tmp_path, text).main.ops[0]) == []
    assert len(net(tmp_path, text, stored).sources) == 2
    elsewhere = tmp_path / "other.caffemodel"
    elsewhere.write_bytes(stored + layer("more"))
    model = net(tmp_path, text)
    assert model.sources[1].path.name == "net.caffemodel"
    told = CAFFE.read(tmp_path / "net.prototxt", ReadOptions(weights=elsewhere))
    assert told.sources[1].path == elsewhere


def test_a_net_of_a_double_ending_finds_its_weights(tmp_path: Path) -> None:
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(layer("fc", blob(NUMBERS, (4, 3)))))
    (tmp_path / "net.prototxt.txt").write_text(HEAD + fully("fc", "x", "y"))
    assert len(CAFFE.read(tmp_path / "net.prototxt.txt", ReadOptions()).sources) == 2


def test_a_link_to_a_net_finds_the_weights_beside_the_net(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    net(tmp_path / "there", HEAD + fully("fc", "x", "y"), caffemodel(layer("fc", blob(NUMBERS, (4, 3)))))
    (tmp_path / "link.prototxt").symlink_to("there/net.prototxt")
    assert len(CAFFE.read(tmp_path / "link.prototxt", ReadOptions()).sources) == 2


def test_a_cut_without_weights_that_needs_some_says_so(tmp_path: Path) -> None:
    """Caffe would run it, on what the fillers make."""
    relu = 'layer { name: "act" type: "ReLU" bottom: "y" top: "z" }\n'
    model = net(tmp_path, HEAD + fully("fc", "x", "y") + relu)
    manifest, _ = cut(model, "all", tmp_path / "out")
    assert manifest["limits"][0]["what"].startswith("no weights: layer `fc` needs some")
    assert "Limit:no weights" in log(model, tmp_path / "out", manifest)
    manifest, _ = cut(net(tmp_path, HEAD + fully("fc", "x", "y") + relu), "act", tmp_path / "bare")
    assert "limits" not in manifest


def test_missing_weights_are_an_error_that_names_the_layer(tmp_path: Path) -> None:
    text = HEAD + fully("one", "x", "y") + fully("two", "y", "z")
    model = net(tmp_path, text, caffemodel(layer("one", blob(NUMBERS, (4, 3)))))
    with pytest.raises(UserError, match="no weights of layer `two`") as caught:
        cut(model, "all", tmp_path / "out")
    assert caught.value.code == "missing-weights"
    assert not (tmp_path / "out").exists()


def test_weights_may_be_missing_for_what_is_left_out(tmp_path: Path) -> None:
    text = HEAD + fully("one", "x", "y") + fully("two", "y", "z")
    model = net(tmp_path, text, caffemodel(layer("one", blob(NUMBERS, (4, 3)))))
    _, found = cut(model, "to one", tmp_path / "out")
    assert blobs_of(found.main.ops[0])[0].numpy().ravel().tolist() == NUMBERS


def test_blobs_of_what_is_left_out_do_not_matter(tmp_path: Path) -> None:
    """Neither how many there are nor of what shape; the cut's input has its shape from the text."""
    biased = fully("one", "x", "y").replace("bias_term: false", "")
    kept = layer("two", blob([*NUMBERS, *NUMBERS[:4]], (4, 4)))
    for i, shape in enumerate([(4, 3), (2, 6), (3, 3)]):
        weights = caffemodel(layer("one", blob(NUMBERS[: shape[0] * shape[1]], shape)) + kept)
        model = net(tmp_path, HEAD + biased + fully("two", "y", "z"), weights)
        _, found = cut(model, "two", tmp_path / f"out{i}")
        found.dialect.annotate(found)
        assert [str(value.type) for value in found.main.values()][:1] == ["2x4xf32"]


def test_too_few_blobs_are_missing_weights(tmp_path: Path) -> None:
    text = HEAD + fully("fc", "x", "y").replace("bias_term: false", "")
    model = net(tmp_path, text, caffemodel(layer("fc", blob(NUMBERS, (4, 3)))))
    with pytest.raises(UserError, match="only 1 of the weights of layer `fc`"):
        cut(model, "all", tmp_path / "out")


def test_records_are_copied_as_they_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Unknown fields, gradients and all; layers that the net lacks are ignored."""
    strange = blob(NUMBERS, (4, 3)) + bytes_field(6, packed(NUMBERS)) + int_field(99, 1)
    records = [layer("two", strange), layer("data"), layer("one", blob(NUMBERS, (4, 3)), type="Old"), layer("loss")]
    text = HEAD + fully("one", "x", "y") + fully("two", "y", "z", outputs=3)
    model = net(tmp_path, text, caffemodel(*records) + int_field(5, 1))
    cut(model, "all", tmp_path / "out")
    written = (tmp_path / "out" / "dump.caffemodel").read_bytes()
    assert written == caffemodel(records[0], records[2]) + int_field(5, 1)


SHARE = 'param { name: "w" }'
OTHER = [n + 100 for n in NUMBERS]


def siamese(folder: Path, *records: bytes, mode: str = "") -> Any:
    share = SHARE.replace("}", f"{mode} }}")
    text = 'input: "x" input: "p" input_shape { dim: 2 dim: 3 } input_shape { dim: 2 dim: 3 }\n'
    text += fully("own", "x", "y", share) + fully("use", "p", "q", share)
    return net(folder, text, caffemodel(*records))


def numbers(model: Any, name: str) -> list[float]:
    (constant,) = blobs_of(by_name(model)[name])
    return constant.numpy().ravel().tolist()


def test_a_sharing_layer_without_a_record_takes_its_owners_blobs_along(tmp_path: Path) -> None:
    model = siamese(tmp_path, layer("own", blob(NUMBERS, (4, 3))))
    assert numbers(model, "use") == NUMBERS
    _, found = cut(model, "use", tmp_path / "out")
    assert numbers(found, "use") == NUMBERS
    assert "name: " in (tmp_path / "out" / "dump.prototxt").read_text()


def test_of_several_records_of_a_shared_blob_the_last_counts_as_in_caffe(tmp_path: Path) -> None:
    """`Net::CopyTrainedLayersFrom` copies every record into the one blob that is shared."""
    records = [layer("own", blob(NUMBERS, (4, 3))), layer("use", blob(OTHER, (4, 3)) + int_field(9, 1))]
    model = siamese(tmp_path, *records)
    assert numbers(model, "own") == numbers(model, "use") == OTHER
    _, found = cut(model, "own", tmp_path / "out")
    assert numbers(found, "own") == OTHER
    _, found = cut(siamese(tmp_path, *records), "use", tmp_path / "out2")
    assert (tmp_path / "out2" / "dump.caffemodel").read_bytes() == caffemodel(records[1])


def test_a_record_with_the_owners_numbers_stays_as_it_is(tmp_path: Path) -> None:
    records = [layer("own", blob(NUMBERS, (4, 3))), layer("use", legacy_blob(NUMBERS, (1, 1, 4, 3)))]
    cut(siamese(tmp_path, *records), "own", tmp_path / "out")
    assert (tmp_path / "out" / "dump.caffemodel").read_bytes() == caffemodel(records[0])


def test_with_both_layers_kept_nothing_is_rewritten(tmp_path: Path) -> None:
    records = [layer("own", blob(NUMBERS, (4, 3))), layer("use", blob(OTHER, (4, 3)))]
    cut(siamese(tmp_path, *records), "own plus use", tmp_path / "out")
    assert (tmp_path / "out" / "dump.caffemodel").read_bytes() == caffemodel(*records)


def test_a_permissive_share_keeps_the_layers_own_shape(tmp_path: Path) -> None:
    records = [layer("own", blob(NUMBERS, (4, 3))), layer("use", blob(OTHER, (2, 6)))]
    model = siamese(tmp_path, *records, mode=" share_mode: PERMISSIVE")
    _, found = cut(model, "own", tmp_path / "out")
    (constant,) = blobs_of(by_name(found)["own"])
    assert (constant.type.shape, numbers(found, "own")) == ((4, 3), OTHER)


def test_a_permissive_share_of_unknown_shape_is_refused(tmp_path: Path) -> None:
    model = siamese(tmp_path, layer("own", blob(NUMBERS, (4, 3))), mode=" share_mode: PERMISSIVE")
    with pytest.raises(UserError) as caught:
        cut(model, "use", tmp_path / "out")
    assert caught.value.code == "shared-shape"


def test_a_permissive_share_that_would_own_the_blob_of_others_is_refused(tmp_path: Path) -> None:
    """Caffe compares the shapes of the others with that of the first layer left."""
    loose = SHARE.replace("}", "share_mode: PERMISSIVE }")
    text = 'input: "x" input_shape { dim: 2 dim: 3 }\n' + fully("own", "x", "y", SHARE)
    text += fully("loose", "y", "z", loose, outputs=3) + fully("use", "z", "q", SHARE)
    records = [
        layer(name, blob(NUMBERS, shape)) for name, shape in {"own": (4, 3), "loose": (3, 4), "use": (4, 3)}.items()
    ]
    with pytest.raises(UserError) as caught:
        cut(net(tmp_path, text, caffemodel(*records)), "from loose to use", tmp_path / "out")
    assert caught.value.code == "shared-shape"
    cut(net(tmp_path, text, caffemodel(*records)), "from own to use", tmp_path / "out")


def test_of_several_layers_of_a_name_the_first_has_the_weights_as_in_caffe(tmp_path: Path) -> None:
    """`Net::CopyTrainedLayersFrom` stops at the first match; the other keeps what its filler made."""
    text = 'input: "x" input_shape { dim: 2 dim: 4 }\n' + fully("fc", "x", "y") + fully("fc", "y", "z")
    records = [layer("fc", blob(range(16), (4, 4)))]
    with pytest.raises(UserError, match="no weights of layer `fc`") as caught:
        cut(net(tmp_path, text, caffemodel(*records)), "from %y to %z", tmp_path / "out")
    assert caught.value.code == "missing-weights"
    cut(net(tmp_path, text, caffemodel(*records)), "to %y", tmp_path / "out")
    assert (tmp_path / "out" / "dump.caffemodel").read_bytes() == caffemodel(*records)


def test_a_layer_gets_no_record_of_another_of_its_name(tmp_path: Path) -> None:
    """Caffe would refuse the number of blobs."""
    twin = 'layer { name: "fc" type: "ReLU" bottom: "y" top: "z" }\n'
    text = 'input: "x" input_shape { dim: 2 dim: 4 }\n' + fully("fc", "x", "y") + twin + fully("b", "z", "q")
    records = [layer("fc", blob(range(16), (4, 4))), layer("b", blob(range(16), (4, 4)))]
    cut(net(tmp_path, text, caffemodel(*records)), "from %y", tmp_path / "out")
    assert (tmp_path / "out" / "dump.caffemodel").read_bytes() == caffemodel(records[1])


def test_a_shared_blob_that_nobody_stores_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="layer `use`") as caught:
        cut(siamese(tmp_path, layer("data")), "use", tmp_path / "out")
    assert caught.value.code == "missing-weights"


def test_the_real_siamese_net_shares_by_name() -> None:
    model = CAFFE.read(shared("caffe/prototxt/BVLC_examples_siamese_mnist_siamese_train_test.prototxt"), ReadOptions())
    sharers = {name.decode(): [op.name.decode() for op, _ in pairs] for name, pairs in model.origin.shared.items()}
    assert sharers["conv1_w"] == ["conv1", "conv1_p"]
    assert len(sharers) == 10


def test_a_v1_net_shares_by_its_lists(tmp_path: Path) -> None:
    text = 'input: "x" input_dim: [2, 3, 1, 1]\n'
    for name in ("own", "use"):
        text += f'layers {{ name: "{name}" type: INNER_PRODUCT bottom: "x" top: "{name}" param: "w" '
        text += "inner_product_param { num_output: 4 bias_term: false } }\n"
    model = net(tmp_path, text, caffemodel(v1_layer("own", blob(NUMBERS, (4, 3)))))
    _, found = cut(model, "use", tmp_path / "out")
    assert numbers(found, "use") == NUMBERS


def test_a_frozen_tensor_is_a_parameter_layer(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "x.npy", values)
    text = HEAD + fully("one", "x", "y", outputs=3) + fully("two", "y", "z")
    model = net(tmp_path, text, caffemodel(layer("one", blob([1.0] * 9, (3, 3))), layer("two", blob(NUMBERS, (4, 3)))))
    _, found = cut(model, f'two; freeze %y = "{tmp_path}/x.npy"', tmp_path / "out")
    ops = by_name(found)
    assert [op.type for op in found.main.ops] == ["Parameter", "InnerProduct"]
    assert ops["two"].operands[0] is found.main.ops[0].results[0]
    assert blobs_of(found.main.ops[0])[0].numpy().tolist() == values.tolist()


@pytest.mark.parametrize("record", [layer, v1_layer, v0_layer])
@pytest.mark.parametrize("head", [bytes_field(1, "net"), b"", bytes_field(1, "net") + bytes_field(3, "data")])
def test_weights_of_every_generation_are_recognised(record: Any, head: bytes) -> None:
    raw = head + record("fc", blob(NUMBERS, (4, 3)))
    assert claims(Path("weights"), raw, len(raw))
    with_a_big_layer = raw + layer("big", bytes(1 << 17))
    assert claims(Path("weights"), with_a_big_layer[: 1 << 16], len(with_a_big_layer))
