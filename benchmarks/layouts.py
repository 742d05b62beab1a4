"""Measure how fast dumps are read and their layouts changed, against `numpy.copyto` of the same bytes, in one run.

    python benchmarks/layouts.py            # two minutes, 400 MB in build/bench/
    python benchmarks/layouts.py --runs 20

Contenders take turns; every figure is the median. *Copy* is `numpy.copyto` of the stored bytes into an array that is
there, *new* into one that has to be made, as every conversion makes one. *Change* is the conversion of an array in
memory; *read* is all of it: a dump file in the page cache is opened, its header parsed, its tensor decoded and its
layout changed. *Tool* is the conversion of the vendor's accuracy tool, where models/oracle is.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from measure import machine
from models import FOLDER

from subcut.compiler.conversion.tensors import stored
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump
from subcut.compiler.device.layouts import from_origin, to_origin

TOOL = Path(__file__).resolve().parents[1] / "models" / "oracle"
TYPES = {"float16": "FLOAT16", "float32": "FLOAT", "int8": "INT8"}


@dataclass(frozen=True)
class Case:
    """A tensor of the original's `shape` and layout, stored in a device's layout."""

    layout: str
    origin: str
    shape: tuple[int, ...]
    dtype: str = "float16"

    @property
    def label(self) -> str:
        return f"{self.layout} to {self.origin} {'x'.join(map(str, self.shape))} {self.dtype}"


CASES = (
    Case("NC1HWC0", "NCHW", (1, 64, 112, 112)),
    Case("NC1HWC0", "NCHW", (8, 256, 56, 56)),
    Case("NC1HWC0", "NCHW", (8, 250, 56, 56)),
    Case("NC1HWC0", "NCHW", (32, 512, 14, 14)),
    Case("NC1HWC0", "NCHW", (8, 3, 224, 224)),
    Case("NC1HWC0", "NCHW", (4, 64, 512, 512)),
    Case("NC1HWC0", "NCHW", (1, 32, 2048, 2048)),
    Case("NC1HWC0", "NHWC", (8, 56, 56, 256)),
    Case("NC1HWC0", "NCHW", (8, 256, 56, 56), "float32"),
    Case("NC1HWC0", "NCHW", (8, 256, 56, 56), "int8"),
    Case("FRACTAL_Z", "NCHW", (512, 512, 3, 3)),
    Case("FRACTAL_Z", "HWCN", (3, 3, 512, 512)),
    Case("FRACTAL_NZ", "ND", (4096, 4096)),
    Case("FRACTAL_NZ", "ND", (16, 12, 512, 512)),
    Case("NDC1HWC0", "NCDHW", (2, 64, 16, 56, 56)),
)


def contenders(case: Case, path: Path) -> dict[str, Callable[[], object]]:
    array = np.random.default_rng(1).integers(0, 100, case.shape).astype(case.dtype)
    device = from_origin(array, case.origin, case.layout)
    target = np.zeros_like(device)
    path.unlink(missing_ok=True)
    write_dump(path, NewDump("op", [], [NewTensor(device, TYPES[case.dtype], case.layout, device.shape, case.shape)]))

    def read() -> np.ndarray:
        tensor = read_dump(path).outputs[0]
        return np.ascontiguousarray(to_origin(stored(tensor), tensor.layout, case.origin, tensor.original_shape))

    assert np.array_equal(read(), array)
    made: dict[str, Callable[[], object]] = {
        "copy": lambda: np.copyto(target, device),
        "new": lambda: np.copyto(np.empty_like(device), device),
        "change": lambda: np.ascontiguousarray(to_origin(device, case.layout, case.origin, case.shape)),
        "read": read,
    }
    tool = tool_convert(case)
    if tool is not None:
        made["tool"] = lambda: np.ascontiguousarray(tool(device.shape, case.shape, device.reshape(-1)))
    return made


def tool_convert(case: Case) -> Callable[..., np.ndarray] | None:
    """The accuracy tool's function for this pair."""
    if not TOOL.is_dir():
        return None
    if str(TOOL) not in sys.path:
        sys.path.append(str(TOOL))
    name = f"format_manager.builtin_format_convert.convert_{case.layout}_to_{case.origin}"
    try:
        convert: Callable[..., np.ndarray] = importlib.import_module(name).convert
    except ModuleNotFoundError:
        return None
    return convert


def measure(made: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """The median time of each, in seconds; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in made}
    for run in range(runs + 1):
        for name, call in made.items():
            start = time.perf_counter()
            call()
            if run:
                times[name].append(time.perf_counter() - start)
    return {name: median(all_) for name, all_ in times.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="of each contender (default: %(default)s)")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "Conv2D.layout.0.0.1600000000000000"
    print(f"Machine: {machine()}. Medians of {options.runs} runs in turn; rates in GB/s of stored bytes.\n")
    print("| tensor | MB | copy | new | change | read | tool | change : copy | read : new |")
    print("|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        made = contenders(case, path)
        size = path.stat().st_size
        times = measure(made, options.runs)
        rates = [f"{size / times[name] / 1e9:.2f}" if name in times else "" for name in (
            "copy", "new", "change", "read", "tool")]  # fmt: skip
        shares = f"{times['copy'] / times['change']:.0%} | {times['new'] / times['read']:.0%}"
        print(f"| {case.label} | {size / 1e6:.1f} | {' | '.join(rates)} | {shares} |", flush=True)
    path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
