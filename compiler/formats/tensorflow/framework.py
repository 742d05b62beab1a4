"""TensorFlow itself, imported only where something must be inferred, frozen or run."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import Any

from subcut.compiler.errors import MissingExtra

SETTINGS = {
    "TF_ENABLE_ONEDNN_OPTS": "0",  # oneDNN's kernels give other bits than TensorFlow's own
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}


def internal(name: str) -> Any:
    """A module of TensorFlow's own, such as `python.grappler.tf_optimizer`, once `tensorflow` has been imported."""
    return importlib.import_module(f"tensorflow.{name}")


def tensorflow(purpose: str) -> Any:
    """The module, imported with settings under which results are the same on every run.

    Raises MissingExtra, saying that it is needed to `purpose`. The settings have no effect where somebody imported
    it before.
    """
    if "tensorflow" not in sys.modules:
        os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("tensorflow")
    except ImportError:
        raise MissingExtra("tensorflow", "tensorflow", purpose) from None
