"""What a real Caffe made of small nets: `caffe/oracle/*_cases.py` with what was recorded of them."""

from __future__ import annotations

import base64
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ORACLE = Path(__file__).parents[1] / "caffe" / "oracle"


def cases(name: str) -> ModuleType:
    """The cases of `name`.py, which may import others beside it."""
    sys.path.insert(0, str(ORACLE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ORACLE))


def recorded(name: str) -> dict[str, Any]:
    """By case: `tops`, each with `shape` and `data`, and the shapes of the stored `blobs`."""
    found: dict[str, Any] = json.loads((ORACLE / name).read_text())
    return found


def array(top: dict[str, Any]) -> np.ndarray:
    """The numbers of a recorded top."""
    return np.frombuffer(base64.b64decode(top["data"]), "<f4").reshape(top["shape"])
