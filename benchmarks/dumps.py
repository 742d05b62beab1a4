"""Dump trees and dump files, against what the system and numpy need for the same names and the same bytes.

    python benchmarks/dumps.py                                  # a million names: 2 minutes, most of it making them
    python benchmarks/dumps.py --files 100000 --folder /tmp     # fewer, elsewhere

The names lie in a folder in memory, so that the disk is not measured; the files lie on a disk and in its cache, whose
pages are larger. Every figure is the median of five runs, its
limit measured in turn with it; memory is the peak of one more run, a process of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from measure import machine, memory

from subcut.compiler.device.dumps.names import Ffts, make_name
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.slices import combined
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump

RUNS = 5
TIME = 1_600_000_000_000_000
MEGABYTE = 1 << 20
OPEN = "import sys; from subcut.compiler.device.dumps.tree import DumpTree; DumpTree.open(sys.argv[1])"


def plant(root: Path, count: int) -> Path:
    """A tree of one execution with so many empty files, called as those of a deep network."""
    leaf = root / "20260101120000" / "0" / "net" / "1" / "0"
    leaf.mkdir(parents=True)
    for number in range(count):
        name = f"resnet_v1_152/block{number % 4}/unit_{number}/bottleneck_v1/conv2/Conv2D"
        path = leaf / make_name("Conv2D", name, number, TIME + number, stream=number % 5)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    return leaf


def in_turn(ours: Callable[[], object], limit: Callable[[], object]) -> tuple[float, float]:
    """Seconds of both, medians."""
    times: dict[Callable[[], object], list[float]] = {ours: [], limit: []}
    for _ in range(RUNS):
        for work, taken in times.items():
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return median(times[ours]), median(times[limit])


def row(about: str, ours: float, limit: float, what: str) -> None:
    print(f"| {about} | {ours * 1e3:.1f} ms | {limit * 1e3:.1f} ms ({what}) | {ours / limit:.2f} × |")


def measure_tree(root: Path, count: int) -> None:
    leaf = plant(root, count)
    ours, limit = in_turn(lambda: DumpTree.open(root), lambda: [entry.name for entry in os.scandir(leaf)])
    row(f"index {count:,} names", ours, limit, "`os.scandir`")
    tree = DumpTree.open(root)
    names = [
        f"resnet_v1_152/block{n % 4}/unit_{n}/bottleneck_v1/conv2/Conv2D" for n in range(0, count, -(-count // 1000))
    ]
    start = time.perf_counter()
    assert all(tree.find(name) for name in names)
    print(f"| find an operator among {count:,} | {(time.perf_counter() - start) / len(names) * 1e6:.0f} µs | | |")
    empty = memory([sys.executable, "-c", "import subcut.compiler.device.dumps.tree"], os.environ)
    peak = memory([sys.executable, "-c", OPEN, str(root)], os.environ)
    per_name = (peak.anonymous - empty.anonymous) / count
    print(
        f"| anonymous memory, {count:,} names | {peak.anonymous / MEGABYTE:.0f} MB, {per_name:.0f} bytes a name | | |"
    )


def measure_files(folder: Path) -> None:
    array = np.random.default_rng(0).random((64, 64, 56, 56), np.float32)
    big = folder / make_name("Conv2D", "big", 1, TIME)
    write_dump(big, NewDump("big", [], [NewTensor(array, "FLOAT", "NCHW", array.shape)]))
    target = np.empty_like(array).reshape(-1)
    raw = array.reshape(-1).copy()

    def read() -> None:
        (tensor,) = read_dump(big).outputs
        np.copyto(target, np.frombuffer(tensor.data.file.data, np.float32, target.size, tensor.data.start))

    row(f"read {array.nbytes >> 20} MB from a dump", *in_turn(read, lambda: np.copyto(target, raw)), "`numpy.copyto`")
    small = NewTensor(b"\0" * 64, "FLOAT", "ND", (16,), (16,))
    paths = [folder / make_name("Add", f"op{n}", n, TIME) for n in range(500)]
    for path in paths:
        write_dump(path, NewDump(path.name, [small] * 2, [small]))
    ours, limit = in_turn(lambda: [read_dump(path) for path in paths], lambda: [path.read_bytes() for path in paths])
    row(f"read {len(paths)} small dumps", ours, limit, "`read_bytes`")
    measure_slices(folder, array)


def measure_slices(folder: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    """Four threads that each had a quarter of the channels."""
    said = ",".join(
        f'[[{{"lower":0,"higher":64}},{{"lower":{16 * k},"higher":{16 * k + 16}}},'
        f'{{"lower":0,"higher":56}},{{"lower":0,"higher":56}}]]'
        for k in range(4)
    )
    attributes = {"j": f'{{"threadMode":true,"slice_instance_num":4,"output_tensor_slice":[{said}]}}'}
    tree = folder / "slices"
    tree.mkdir()
    for thread in range(4):
        part = NewTensor(array[:, 16 * thread : 16 * thread + 16], "FLOAT", "NCHW", array.shape, address=1)
        name = make_name("Conv2D", "x", 1, TIME, ffts=Ffts(4, 1, thread, 0))
        write_dump(tree / name, NewDump("x", [], [part], attributes=attributes))
    (run,) = DumpTree.open(tree).find("x")
    names, target, raw = [file.name for file in run.files], np.empty(array.nbytes, np.uint8), array.view(np.uint8)

    def join() -> None:
        (whole,) = combined(names, [read_dump(file.path) for file in run.files]).outputs
        assert whole.buffer().size == target.size

    limit = lambda: np.copyto(target, raw.reshape(-1))  # noqa: E731
    row(f"join four slices of {array.nbytes >> 20} MB", *in_turn(join, limit), "`numpy.copyto`")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=1_000_000)
    memory_folder = Path("/dev/shm")
    parser.add_argument("--folder", type=Path, default=memory_folder if memory_folder.is_dir() else None)
    said = parser.parse_args()
    print(f"{machine()}\n\n| work | subcut | limit | over it |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:
        measure_tree(Path(folder) / "tree", said.files)
    with tempfile.TemporaryDirectory() as folder:
        measure_files(Path(folder))


if __name__ == "__main__":
    main()
