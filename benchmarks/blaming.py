"""One fault of every kind at every position: does `subcut locate` with a dump find it, and in how many tests?

    python benchmarks/blaming.py                    # all of it: some minutes
    python benchmarks/blaming.py --net lstm --every 3

The device is the emulator. Prints Markdown.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from subcut.analysis.golden import golden
from subcut.analysis.locate import Source
from subcut.analysis.locate.dump import Found, locate_in_dump
from subcut.compiler.alignment.twin import TwinOptions
from subcut.compiler.errors import UserError
from subcut.compiler.formats import ReadOptions
from subcut.emulator import Emulated, emulate

KINDS = {
    "wrong operator": ("scale", "weights", "layout", "zero", "nan"),
    "overflow": ("overflow",),
    "low precision": ("int8",),
}
"""What can be wrong with one operator, as the emulator's faults."""
PAIRS = "two together"
TOGETHER, DRIFT = "drift", 1.5 * 2**-10
"""The fault of two that are wrong only together, and how far off each is: less than half precision may cost."""


class Net:
    """A network that is being built: a layer's name is its output's too."""

    def __init__(self, *shape: int, seed: int = 7) -> None:
        self.nodes: list[Any] = []
        self.stored: list[Any] = []
        self.shape = shape
        self.random = np.random.default_rng(seed)

    def layer(self, kind: str, name: str, *reads: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(reads), list(outputs) or [name], name=name, **attributes))
        return name

    def store(self, name: str, array: Any) -> str:
        self.stored.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weights(self, name: str, *shape: int) -> str:
        scale = math.sqrt(2 / math.prod(shape[1:] if len(shape) == 4 else shape[:1]))
        return self.store(name, (self.random.standard_normal(shape) * scale).astype(np.float32))

    def conv(self, name: str, below: str, channels: int, out: int, size: int = 1, stride: int = 1) -> str:
        kernel, bias = self.weights(f"{name}_w", out, channels, size, size), self.vector(f"{name}_b", out, 0.05)
        pads = [size // 2] * 4
        return self.layer("Conv", name, below, kernel, bias, kernel_shape=[size] * 2, pads=pads, strides=[stride] * 2)

    def vector(self, name: str, size: int, scale: float, middle: float = 0.0) -> str:
        return self.store(name, (self.random.standard_normal(size) * scale + middle).astype(np.float32))

    def product(self, name: str, below: str, rows: int, columns: int) -> str:
        made = self.layer("MatMul", f"{name}_product", below, self.weights(f"{name}_w", rows, columns))
        return self.layer("Add", name, made, self.vector(f"{name}_b", columns, 0.05))

    def save(self, path: Path, *outputs: str) -> Path:
        info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(self.shape))]
        last = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "net", info, last, self.stored)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(made, path)
        return path


def resnet(path: Path) -> Path:
    """A stem and six blocks of two convolutions, a batch norm behind each, with a way around."""
    net, width = Net(1, 3, 32, 32), 8
    top = net.layer("MaxPool", "pool1", _normed(net, "conv1", "x", 3, width, 5, 2), kernel_shape=[2, 2], strides=[2, 2])
    for i in range(6):
        out = width * (2 if i == 3 else 1)
        around = _normed(net, f"b{i}_branch1", top, width, out, relu=False) if out != width else top
        inner = _normed(net, f"b{i}_branch2a", top, width, out, 3)
        inner = _normed(net, f"b{i}_branch2b", inner, out, out, 3, relu=False)
        top, width = net.layer("Relu", f"b{i}_relu", net.layer("Add", f"b{i}_add", around, inner)), out
    return net.save(path, _classes(net, top, width))


def _normed(
    net: Net, name: str, below: str, channels: int, out: int, size: int = 1, stride: int = 1, relu: bool = True
) -> str:
    top = net.conv(name, below, channels, out, size, stride)
    numbers = [net.vector(f"{name}_{part}", out, 0.1, middle) for part, middle in (("g", 1), ("o", 0), ("m", 0))]
    spread = net.store(f"{name}_v", net.random.uniform(0.5, 1.5, out).astype(np.float32))
    top = net.layer("BatchNormalization", f"{name}_bn", top, *numbers, spread)
    return net.layer("Relu", f"{name}_relu", top) if relu else top


def _classes(net: Net, top: str, width: int) -> str:
    pooled = net.layer("Flatten", "flat", net.layer("GlobalAveragePool", "pool5", top))
    return net.layer("Softmax", "prob", net.product("fc", pooled, width, 10), axis=1)


def inception(path: Path) -> Path:
    """GoogLeNet's module (Szegedy et al. 2014, arXiv:1409.4842, figure 2b), three times."""
    net, width = Net(1, 3, 24, 24), 16
    top = net.layer("Relu", "stem_relu", net.conv("stem", "x", 3, width, 3, 2))
    for i in range(3):
        one = net.layer("Relu", f"m{i}_1_relu", net.conv(f"m{i}_1", top, width, 8))
        two = net.layer("Relu", f"m{i}_3r_relu", net.conv(f"m{i}_3r", top, width, 6))
        two = net.layer("Relu", f"m{i}_3_relu", net.conv(f"m{i}_3", two, 6, 8, 3))
        three = net.layer("Relu", f"m{i}_5r_relu", net.conv(f"m{i}_5r", top, width, 4))
        three = net.layer("Relu", f"m{i}_5_relu", net.conv(f"m{i}_5", three, 4, 4, 5))
        four = net.layer("MaxPool", f"m{i}_pool", top, kernel_shape=[3, 3], pads=[1] * 4)
        four = net.layer("Relu", f"m{i}_proj_relu", net.conv(f"m{i}_proj", four, width, 4))
        top, width = net.layer("Concat", f"m{i}_join", one, two, three, four, axis=1), 24
    return net.save(path, _classes(net, top, width))


def transformer(path: Path) -> Path:
    """Two encoder layers (Vaswani et al. 2017, arXiv:1706.03762, section 3), normalised before each part."""
    length, width, heads = 12, 32, 4
    net, top = Net(1, length, width), "x"
    split, joined = net.store("split", [0, 0, heads, width // heads]), net.store("joined", [0, 0, width])
    scale = net.store("scale", np.float32(math.sqrt(width / heads)))
    for i in range(2):
        below = _layer_norm(net, f"l{i}_ln1", top, width)
        q, k, v = (
            net.layer(
                "Transpose",
                f"l{i}_{part}t",
                net.layer("Reshape", f"l{i}_{part}s", net.product(f"l{i}_{part}", below, width, width), split),
                perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3],
            )
            for part in "qkv"
        )
        scores = net.layer(
            "Softmax",
            f"l{i}_probs",
            net.layer("Div", f"l{i}_scaled", net.layer("MatMul", f"l{i}_scores", q, k), scale),
            axis=-1,
        )
        mixed = net.layer("Transpose", f"l{i}_mixedt", net.layer("MatMul", f"l{i}_mixed", scores, v), perm=[0, 2, 1, 3])
        out = net.product(f"l{i}_out", net.layer("Reshape", f"l{i}_joined", mixed, joined), width, width)
        top = net.layer("Add", f"l{i}_sum1", top, out)
        inner = net.product(f"l{i}_up", _layer_norm(net, f"l{i}_ln2", top, width), width, 2 * width)
        gated = net.layer("Mul", f"l{i}_gelu", inner, net.layer("Sigmoid", f"l{i}_gate", inner))
        top = net.layer("Add", f"l{i}_sum2", top, net.product(f"l{i}_down", gated, 2 * width, width))
    return net.save(path, net.product("head", top, width, 8))


def _layer_norm(net: Net, name: str, below: str, width: int) -> str:
    """Written out, as exporters did before ONNX had an operator for it."""
    middle = net.layer("ReduceMean", f"{name}_mean", below, axes=[-1])
    off = net.layer("Sub", f"{name}_off", below, middle)
    square = net.layer("Mul", f"{name}_square", off, off)
    spread = net.layer("ReduceMean", f"{name}_var", square, axes=[-1])
    size = net.layer(
        "Sqrt", f"{name}_std", net.layer("Add", f"{name}_eps", spread, net.store(f"{name}_e", np.float32(1e-5)))
    )
    even = net.layer("Div", f"{name}_even", off, size)
    scaled = net.layer("Mul", f"{name}_scaled", even, net.vector(f"{name}_g", width, 0.1, 1))
    return net.layer("Add", name, scaled, net.vector(f"{name}_b", width, 0.05))


def lstm(path: Path) -> Path:
    """An LSTM (Hochreiter and Schmidhuber 1997, with a forget gate) written out over four steps."""
    size, steps = 12, 4
    net = Net(steps, size)
    cell = hidden = net.store("zero", np.zeros((1, size), np.float32))
    net.layer("Split", "steps", "x", outputs=[f"x{t}" for t in range(steps)], axis=0)
    weights, back = net.weights("W", size, 4 * size), net.weights("R", size, 4 * size)
    for t in range(steps):
        taken = net.layer("MatMul", f"t{t}_taken", f"x{t}", weights)
        gates = (
            taken if t == 0 else net.layer("Add", f"t{t}_gates", taken, net.layer("MatMul", f"t{t}_kept", hidden, back))
        )
        parts = [f"t{t}_{part}" for part in "ifgo"]
        net.layer("Split", f"t{t}_split", gates, outputs=parts, axis=1)
        i, f, o = (net.layer("Sigmoid", f"{parts[k]}_s", parts[k]) for k in (0, 1, 3))
        g = net.layer("Tanh", f"{parts[2]}_t", parts[2])
        new = net.layer("Mul", f"t{t}_new", i, g)
        cell = new if t == 0 else net.layer("Add", f"t{t}_cell", new, net.layer("Mul", f"t{t}_old", f, cell))
        hidden = net.layer("Mul", f"t{t}_hidden", o, net.layer("Tanh", f"t{t}_ct", cell))
    return net.save(path, hidden)


NETS: dict[str, Callable[[Path], Path]] = {one.__name__: one for one in (resnet, inception, transformer, lstm)}


@dataclass
class Count:
    """What came of the faults of one kind in one net."""

    tried: int = 0
    found: int = 0
    both: int = 0
    """Answers with both operators of two that are wrong together; others have one, and what makes its fault grow."""
    wrong: list[str] = field(default_factory=list[str])
    tests: list[int] = field(default_factory=list[int])
    """Pieces that were run to find the window."""
    bounds: list[int] = field(default_factory=list[int])
    sizes: list[int] = field(default_factory=list[int])
    """Fused operators in the answer."""


class Proof:
    """A net, its ground truth, and what the emulated device makes of it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.model = NETS[name](folder / f"{name}.onnx")
        self.inputs = {"x": np.random.default_rng(1).standard_normal(_shape(self.model)).astype(np.float32)}
        self.golden = golden(self.model, self.inputs, folder / "golden").folder
        self.healthy = emulate(self.model, self.inputs, folder / "healthy")

    def units(self) -> list[tuple[str, str]]:
        """The device's operators in the order in which they run, and an original operator of each."""
        return [(name, originals[-1]) for name, originals in self.healthy.groups.items() if originals]

    def locate(self, *faults: str) -> tuple[Emulated, Found]:
        made = emulate(self.model, self.inputs, self.folder / "device", faults=faults, force=True)
        device = TwinOptions(made.om, made.dumps, golden=self.golden)
        return made, locate_in_dump(Source(self.model, ReadOptions()), device)


def _shape(model: Path) -> list[int]:
    info = onnx.load(str(model)).graph.input[0].type.tensor_type.shape
    return [dim.dim_value for dim in info.dim]


def alone(proof: Proof, faults: Sequence[str], every: int) -> Count:
    """Each operator with each of these faults: it must be the answer, and nothing before it a culprit."""
    count = Count()
    for _, original in proof.units()[::every]:
        for fault in faults:
            try:
                _, found = proof.locate(f"{original}:{fault}")
            except UserError as error:
                if error.code != "cannot-fail":
                    raise
                continue  # such as `weights` of an operator that has none
            if not _shows(found, original):
                continue
            count.tried += 1
            right = found.answer is not None and original in found.answer.labels
            count.tests.append(found.tests)
            count.bounds.append(found.bound)
            count.found += right
            count.sizes.append(1)
            if not right:
                count.wrong.append(f"{original}:{fault} → {found.answer and found.answer.name}")
    return count


def _shows(found: Found, original: str) -> bool:
    """Whether the fault changes a number: eight bits, or another layout, may be enough for some tensors."""
    rows = [row for row in found.rows if original in row.unit.labels]
    return any(row.own is not None and row.own.euclidean > 1e-3 for row in rows)


def together(proof: Proof, every: int) -> Count:
    """Each operator and the next one on its way, both a little off: neither may be blamed alone."""
    count = Count()
    for first, second in list(_pairs(proof))[::every]:
        _, found = proof.locate(f"{first}:{TOGETHER}", f"{second}:{TOGETHER}")
        apart = next(row.total.euclidean for row in found.rows if second in row.unit.labels and row.total is not None)
        if found.culprits or apart < 1.8 * DRIFT:
            continue  # one is seen alone; or they do not add up, and nothing is wrong
        count.tried += 1
        members = {first, second} & set(found.answer.labels if found.answer else ())
        right = bool(members)
        count.found += right
        count.both += len(members) == 2
        if not right:
            count.wrong.append(f"{first} + {second} → {found.answer and found.answer.name}")
            continue
        count.tests.append(found.tests)
        count.bounds.append(found.bound)
        count.sizes.append(found.answer.name.count("…") + 1 if found.answer else 0)
    return count


def _pairs(proof: Proof) -> Iterator[tuple[str, str]]:
    """Original operators of two of the device's that follow each other."""
    readers: dict[str, list[str]] = {}
    owner = {original: last for _, last in proof.units() for original in proof.healthy.groups[_name(proof, last)]}
    graph = onnx.load(str(proof.model)).graph
    makers = {output: node.name for node in graph.node for output in node.output}
    for node in graph.node:
        for read in node.input:
            maker = owner.get(makers.get(read, ""))
            reader = owner.get(node.name)
            if maker and reader and maker != reader and reader not in readers.setdefault(maker, []):
                readers[maker].append(reader)
    for maker, found in readers.items():
        yield maker, found[0]


def _name(proof: Proof, last: str) -> str:
    return next(name for name, originals in proof.healthy.groups.items() if originals and originals[-1] == last)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETS, action="append")
    parser.add_argument("--every", type=int, default=1, help="only every so many positions")
    parser.add_argument("--kind", choices=[*KINDS, PAIRS], action="append")
    args = parser.parse_args(arguments)
    print("| net | device operators | fault | tried | found | tests: most, of at most | ⌈log2 N⌉+1 |")
    print("|---|---|---|---|---|---|---|")
    failed = False
    for name in args.net or NETS:
        with tempfile.TemporaryDirectory() as folder:
            proof = Proof(name, Path(folder))
            failed |= _rows(name, proof, args.every, args.kind or ())
    return int(failed)


def _rows(name: str, proof: Proof, every: int, only: Sequence[str]) -> bool:
    failed = False
    for what in only or (*KINDS, PAIRS):
        started = time.perf_counter()
        count = together(proof, every) if what == PAIRS else alone(proof, KINDS[what], every)
        bits = math.ceil(math.log2(len(proof.units()))) + 1
        tests = f"{max(count.tests)}, {max(count.bounds)}" if count.tests else "0, 0"
        right = f"{count.found}, both in {count.both}" if what == PAIRS else f"{count.found}"
        print(f"| {name} | {len(proof.units())} | {what} | {count.tried} | {right} | {tests} | {bits} |", flush=True)
        print(f"{name}, {what}: {time.perf_counter() - started:.0f} s", *count.wrong, sep="\n  ", file=sys.stderr)
        failed |= count.found < count.tried
    return failed


if __name__ == "__main__":
    sys.exit(main())
