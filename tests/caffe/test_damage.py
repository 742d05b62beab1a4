"""Damaged files give an error that says where, or a model: never a traceback, never an endless loop."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.caffe_nets import blob, caffemodel, layer, legacy_blob, single, v0_layer, v1_layer
from support.models import shared

from subcut.compiler.errors import ModelError, SubcutError
from subcut.compiler.formats import ReadOptions, WriteOptions, package
from subcut.compiler.formats.caffe import claims
from subcut.compiler.formats.caffe.weights import blobs_of

CAFFE = package("caffe")
SMALL = [float(i) for i in range(6)]


def use(path: Path, folder: Path) -> None:
    """Everything that reads from the files."""
    model = CAFFE.read(path, ReadOptions())
    model.dialect.annotate(model)
    model.dialect.check_region(model.main, dict.fromkeys(model.main.ops))
    for op in model.main.ops:
        assert isinstance(op.attributes, dict)
        for constant in blobs_of(op):
            constant.numpy()
    model.dialect.infer(model, list(model.main.values()))
    for file in CAFFE.write(model, folder, WriteOptions()):
        file.unlink()


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """`raw` with a few bytes changed, taken out, doubled, or with its end missing."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        action = rng.randrange(5)
        if action == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif action == 1:
            data[at] = rng.choice(b"{}<>[]\"'#:,;\\\n0az-.")
        elif action == 2:
            del data[at : at + rng.randint(1, 30)]
        elif action == 3:
            data[at:at] = data[at : at + rng.randint(1, 30)]
        else:
            del data[at:]
        if not data:
            data = bytearray(b"x")
    return bytes(data)


TEXTS = [
    "caffe/mtcnn/det1.prototxt",
    "caffe/prototxt/age_net_definitions_deploy.prototxt",
    "caffe/prototxt/BVLC_examples_mnist_lenet_train_test.prototxt",
    "caffe/prototxt/BVLC_models_bvlc_alexnet_deploy.prototxt",
]


@pytest.mark.parametrize("name", TEXTS)
def test_damaged_texts(name: str, tmp_path: Path) -> None:
    raw = shared(name).read_bytes()
    rng = random.Random(name)
    refused = 0
    for _ in range(300):
        path = tmp_path / "net.prototxt"
        path.write_bytes(damaged(raw, rng))
        claims(path, path.read_bytes(), path.stat().st_size)
        try:
            use(path, tmp_path)
        except SubcutError:
            refused += 1
    assert 0 < refused < 300


def small_weights() -> list[bytes]:
    """Every storage in every generation, small enough that damage hits structure."""
    stored = [blob(SMALL, (2, 3)), legacy_blob(SMALL, (1, 1, 2, 3)), single(SMALL), single(SMALL, 8)]
    return [caffemodel(*(make(f"l{i}", b) for i, b in enumerate(stored))) for make in (layer, v1_layer, v0_layer)]


@pytest.mark.parametrize("generation", [2, 1, 0])
def test_damaged_weights(generation: int, tmp_path: Path) -> None:
    raw = dict(zip((2, 1, 0), small_weights(), strict=True))[generation]
    path = tmp_path / "net.prototxt"
    layers = "".join(f'layer {{ name: "l{i}" type: "Any" bottom: "x" top: "t{i}" }}\n' for i in range(4))
    path.write_text('input: "x" input_shape { dim: 2 }\n' + layers)
    weights = path.with_suffix(".caffemodel")
    rng = random.Random(generation)
    blamed: list[Path] = []
    for i in range(600):
        weights.write_bytes(raw[:i] if 0 < i < len(raw) else damaged(raw, rng))
        claims(weights, weights.read_bytes(), weights.stat().st_size)
        try:
            use(path, tmp_path)
        except ModelError as error:
            blamed.append(error.path)
    assert set(blamed) == {weights}
    assert 30 < len(blamed) < 570


def test_a_length_beyond_the_file_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text('input: "x" layer { name: "a" bottom: "x" top: "y" type: "ReLU" }')
    good = caffemodel(layer("a", blob(SMALL, (2, 3))))
    path.with_suffix(".caffemodel").write_bytes(good[:-1])
    with pytest.raises(ModelError, match="1 more than there are") as caught:
        CAFFE.read(path, ReadOptions())
    assert caught.value.offset == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"\0" * 64, "field"), (b"\xff" * 64, "field")],
    ids=["empty", "zeros", "ones"],
)
def test_files_of_nothing(content: bytes, message: str, tmp_path: Path) -> None:
    for ending in (".prototxt", ".caffemodel"):
        path = tmp_path / f"net{ending}"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=message):
            CAFFE.read(path, ReadOptions())


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        CAFFE.read(tmp_path / "net.prototxt", ReadOptions())
    (tmp_path / "net.prototxt").write_text('input: "x" layer { name: "a" bottom: "x" top: "y" type: "ReLU" }')
    with pytest.raises(ModelError, match="no such file"):
        CAFFE.read(tmp_path / "net.prototxt", ReadOptions(weights=tmp_path / "none.caffemodel"))
