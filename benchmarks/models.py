"""Make the models that are measured: random weights that cannot be compressed, no holes in the files.

python benchmarks/models.py --list
python benchmarks/models.py resnet-400mb chain-100k     # into build/bench/
python benchmarks/models.py                             # all of them: 27 GB
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import caffe_file
import graphdef_file
import networks
import onnx_file
import transformer

FOLDER = Path(__file__).resolve().parents[1] / "build" / "bench"
SEED = 1
SIZES = {"400mb": 400, "1.8gb": 1_800, "6gb": 6_000}
COUNTS = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
WRITERS = {
    "onnx": (onnx_file.write, ".onnx"),
    "tf": (graphdef_file.write, ".pb"),
    "caffe": (caffe_file.write, ".prototxt"),
}


@dataclass(frozen=True)
class Case:
    """A model, and the slice that is cut out of it: what is computed from tensor `start` up to tensor `end`."""

    name: str
    about: str
    file: str
    start: str
    end: str
    make: Callable[[Path], None]

    @property
    def path(self) -> Path:
        """The model file."""
        return FOLDER / self.file

    @property
    def weights(self) -> Path | None:
        """The file of a Caffe model's weights."""
        return self.path.with_suffix(".caffemodel") if self.file.endswith(".prototxt") else None

    def build(self) -> None:
        """Make the model unless it is there."""
        if not self.path.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            self.make(self.path)


def _resnet(format: str, label: str) -> Case:
    """Three blocks out of the middle of the third stage: a twentieth of the weights."""
    write, ending = WRITERS[format]
    size = SIZES[label] * 10**6

    def make(path: Path) -> None:
        write(list(networks.resnet(networks.resnet_width(size))), path, SEED)

    name = f"{format}-resnet-{label}"
    return Case(name, f"ResNet-152-like, {label.upper()}, 5 % kept", name + ending, "s3b15", "s3b18", make)


def _chain(format: str, label: str) -> Case:
    """The middle half."""
    write, ending = WRITERS[format]
    count = COUNTS[label]

    def make(path: Path) -> None:
        write(list(networks.chain(count)), path, SEED)

    name = f"{format}-chain-{label}"
    start, end = f"op{count // 4 - 1}", f"op{3 * count // 4 - 1}"
    return Case(name, f"{count:,} small operators, half kept", name + ending, start, end, make)


def _transformer() -> Case:
    """One layer of 17; 17 of width 2,688 are 5.9 GB, one is 347 MB."""

    def make(path: Path) -> None:
        transformer.write(17, 2_688, path, SEED)

    about = "transformer, 5.9 GB external, 347 MB kept"
    return Case("onnx-transformer-6gb", about, "onnx-transformer-6gb.onnx", "layer7", "layer8", make)


def cases() -> list[Case]:
    """Everything that is measured. A single ONNX file cannot be 6 GB."""
    resnets = [_resnet(f, size) for f in WRITERS for size in SIZES if (f, size) != ("onnx", "6gb")]
    chains = [_chain(f, count) for f in WRITERS for count in COUNTS]
    return [*resnets, _transformer(), *chains]


def select(names: list[str]) -> list[Case]:
    """The cases whose names contain one of `names`, or all."""
    found = [case for case in cases() if not names or any(name in case.name for name in names)]
    if not found:
        sys.exit(f"there is none of {names}; there is {', '.join(case.name for case in cases())}")
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Make the models that are measured, in build/bench/.")
    parser.add_argument("names", nargs="*", help="parts of names, such as onnx or chain-10k (default: all)")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    options = parser.parse_args()
    for case in select(options.names):
        if not options.list:
            case.build()
        print(f"{case.name:22} {case.about}", flush=True)


if __name__ == "__main__":
    main()
