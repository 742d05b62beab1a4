"""How many runs it takes to find a wrong operator, and how much is left: subcut and `polygraphy debug reduce`.

The judge is the same for both: a shell command that fails where the operator is in the model. A part of what `run.py`
reports; `run.py --locating` counts it alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import onnx
from onnx import TensorProto, helper

from subcut.analysis.locate import Command, Settings, Source, State, locate
from subcut.compiler.formats import ReadOptions

Info = helper.make_tensor_value_info
Find = Callable[[Path, str, Path], tuple[int, int]]
"""From a model, the name of its wrong operator and an empty folder to how many runs it took, and operators are left."""
SHAPE = [1, 4]


class Net:
    """Element-wise operators between tensors of one shape; the operator that makes `t` is called `op:t:`."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []

    def add(self, kind: str, *reads: str) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(reads), [name], name=f"op:{name}:"))
        return name

    def run(self, length: int, top: str) -> str:
        for _ in range(length):
            top = self.add("Tanh", top)
        return top

    def save(self, path: Path, *outputs: str) -> None:
        known = [Info(node.output[0], TensorProto.FLOAT, SHAPE) for node in self.nodes]
        ends = [info for info in known if info.name in outputs]
        inner = [info for info in known if info.name not in outputs]
        graph = helper.make_graph(self.nodes, "net", [Info("x", TensorProto.FLOAT, SHAPE)], ends, value_info=inner)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path.write_bytes(model.SerializeToString())


def chain(net: Net) -> str:
    """32 in a row."""
    return net.run(32, "x")


def residual(net: Net) -> str:
    """8 blocks of three and a sum."""
    top = "x"
    for _ in range(8):
        top = net.add("Add", net.run(3, top), top)
    return top


def inception(net: Net) -> str:
    """3 modules of four branches of three, summed."""
    top = "x"
    for _ in range(3):
        branches = [net.run(3, top) for _ in range(4)]
        top = net.add("Sum", *branches)
    return top


def towers(net: Net) -> str:
    """Two rows of 16 that meet at the end."""
    return net.add("Add", net.run(16, "x"), net.run(16, "x"))


NETS: dict[str, Callable[[Net], str]] = {one.__name__: one for one in (chain, residual, inception, towers)}


@dataclass
class Tally:
    """What one tool needed for one net, a number a position."""

    runs: list[int] = field(default_factory=list[int])
    left: list[int] = field(default_factory=list[int])

    def cells(self) -> str:
        exact = sum(size == 1 for size in self.left)
        return f"{mean(self.runs):.1f}, {max(self.runs)} | {mean(self.left):.1f}, {max(self.left)} | {exact}"


def judge(name: str, model: str, log: Path) -> str:
    return f"echo run >> '{log}'; ! grep -q '{name}' {model}"


def with_subcut(path: Path, name: str, folder: Path) -> tuple[int, int]:
    log = folder / "log"
    backend = Command(judge(name, "{model}", log))
    found = locate(Source(path, ReadOptions()), backend, State(folder / "state"), Settings(repeats=1))
    return log.read_text().count("run"), len(found.operators)


def with_polygraphy(tool: str, path: Path, name: str, folder: Path) -> tuple[int, int]:
    log, out = folder / "log", folder / "reduced.onnx"
    command = [tool, "debug", "reduce", str(path), "-o", str(out), "--mode", "bisect"]
    check = ["--check", "sh", "-c", judge(name, "polygraphy_debug.onnx", log)]
    done = subprocess.run([*command, *check], cwd=folder, capture_output=True, text=True)
    if done.returncode or not out.exists():
        raise SystemExit(f"polygraphy failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    left = onnx.load(str(out)).graph.node
    assert any(node.name == name for node in left)
    return log.read_text().count("run"), len([node for node in left if node.op_type != "Constant"])


def measure(path: Path, names: Sequence[str], find: Find) -> Tally:
    tally = Tally()
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            runs, left = find(path, name, Path(folder))
        tally.runs.append(runs)
        tally.left.append(left)
    return tally


def table(polygraphy: Path | None, every: int) -> str:
    """A row a net and tool; every `every`-th position of each net is tried."""
    lines = [
        "| net | tool | tried | runs: mean, most | operators left: mean, most | exact |",
        "|---|---|---|---|---|---|",
    ]
    tools: dict[str, Find] = {"subcut": with_subcut}
    if polygraphy is not None:
        tools["polygraphy"] = lambda path, name, folder: with_polygraphy(str(polygraphy), path, name, folder)
    for title, build in NETS.items():
        with tempfile.TemporaryDirectory() as folder:
            net, path = Net(), Path(folder) / "net.onnx"
            net.save(path, build(net))
            names = [node.name for node in net.nodes][::every]
            for label, find in tools.items():
                tally = measure(path, names, find)
                lines.append(f"| {title} ({len(net.nodes)}) | {label} | {len(names)} | {tally.cells()} |")
                print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join([*lines, ""])
