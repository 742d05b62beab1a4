"""Where the models are that the tests run on; a test that needs one which is not there skips and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
FETCHED = ROOT / "models"
DIGITS = ROOT / "examples" / "digits"


def shared(name: str) -> Path:
    """A file or folder of the data that others made, such as `caffe/mtcnn/det1.prototxt`."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs ../shared/data/{name}, which is not part of the project")
    return path


def fetched(name: str) -> Path:
    """A file or folder that the fetch script brings, such as `open_nsfw/deploy.prototxt`."""
    path = FETCHED / name
    if not path.exists():
        pytest.skip(f"needs models/{name}: run `python examples/fetch_models.py`")
    return path


def digits(ending: str) -> Path:
    """The network that the project carries: `prototxt`, `caffemodel`, `pb` or `onnx`."""
    return DIGITS / f"digits.{ending}"
