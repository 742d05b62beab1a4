"""The digits as a device with one wrong operator computes them, and what `compare` and `locate` say of that."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from subcut.compiler.alignment.twin import TwinOptions
from support.in_process import subcut
from support.models import digits

WRONG = "res2a_branch2b"
"""What it multiplies by 1.5; fused with all up to `LAST`, the only tensor of these that is stored."""
LAST = "res2a_relu"
SHAPES = {"prototxt": (1, 1, 8, 8), "pb": (1, 8, 8, 1), "onnx": (1, 1, 8, 8)}


@dataclass(frozen=True)
class Broken:
    """What lies in a folder that `broken` filled."""

    folder: Path

    @property
    def om(self) -> Path:
        return self.folder / "device" / "digits.om"

    @property
    def dumps(self) -> Path:
        return self.folder / "device" / "dumps"

    @property
    def options(self) -> TwinOptions:
        """As the command line gives them to the viewer."""
        return TwinOptions(self.om, self.dumps)

    def report(self, kind: str) -> Path:
        """The folder of `compare` or of `locate`."""
        return self.folder / kind


def broken(ending: str, root: Path) -> Broken:
    """Made once in `root`, whoever asks first: several processes may share that folder."""
    with (root / f"broken-{ending}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = Broken(root / f"broken-{ending}")
        if not (made.folder / "complete").exists():
            made.folder.mkdir(exist_ok=True)
            _make(ending, made)
            (made.folder / "complete").touch()
        return made


def _make(ending: str, made: Broken) -> None:
    """Device and reference are fed the same picture: all that differs comes of the wrong operator."""
    fed, force = made.folder / "data.npy", "--force"  # an attempt that failed may have left something
    numbers: Any = np.random.default_rng(0).random(SHAPES[ending], np.float32)
    np.save(fed, numbers)
    original = digits(ending)
    wrong = ["--input", f"data={fed}", "--fault", f"{WRONG}:scale"]
    subcut("emulate", original, *wrong, "-o", made.folder / "device", force)
    subcut("run", original, "--inputs", f"data={fed}", "-o", made.folder / "golden", force)
    beside, found = ["--om", made.om], "-o"
    compared, located = made.report("compare"), made.report("locate")
    subcut("compare", made.dumps, made.folder / "golden", *beside, found, compared, force, code=1)
    subcut("locate", original, *beside, "--dump", made.dumps, found, located, force)
