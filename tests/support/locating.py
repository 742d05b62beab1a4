"""Networks to search, and backends that get one operator of them wrong, or two only together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from subcut.analysis.locate import InProcess, Located, Settings, Source, State, locate
from subcut.compiler.export import FORMAT_OF
from subcut.compiler.export import load as load_model
from subcut.compiler.formats import ReadOptions, runner

Node = helper.make_node
Function = Callable[[Path, Mapping[str, Any]], Mapping[str, Any]]


class Net:
    """A network that is being built: a layer's name is its output's too."""

    def __init__(self, *shape: int, seed: int = 7) -> None:
        self.nodes: list[Any] = []
        self.stored: list[Any] = []
        self.shape = shape
        self.random = np.random.default_rng(seed)

    def layer(self, kind: str, name: str, *inputs: str, outputs: Collection[str] = (), **attributes: Any) -> str:
        self.nodes.append(Node(kind, list(inputs), list(outputs) or [name], name=name, **attributes))
        return name

    def weights(self, name: str, *shape: int, scale: float = 0.5) -> str:
        array = (self.random.standard_normal(shape) * scale).astype(np.float32)
        self.stored.append(numpy_helper.from_array(array, name))
        return name

    def conv(self, name: str, below: str, channels: int, out: int, size: int = 1) -> str:
        weights = self.weights(f"{name}_w", out, channels, size, size)
        return self.layer("Conv", name, below, weights, kernel_shape=[size, size], pads=[size // 2] * 4)

    def save(self, path: Path, *outputs: str) -> Path:
        info = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(self.shape))]
        last = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "net", info, last, self.stored)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path.write_bytes(made.SerializeToString())
        return path


def chain(path: Path) -> Path:
    """One after the other, an odd number."""
    net, top = Net(2, 6), "x"
    for i in range(6):
        top = net.layer("MatMul", f"mm{i}", top, net.weights(f"w{i}", 6, 6))
        top = net.layer("Tanh", f"tanh{i}", top)
    return net.save(path, net.layer("Neg", "last", top))


def inception(path: Path) -> Path:
    """Modules of four branches of unlike length, joined."""
    net = Net(1, 4, 5, 5)
    top = net.conv("stem", "x", 4, 4)
    for i in range(3):
        one = net.conv(f"m{i}_a1", top, 4, 1)
        two = net.conv(f"m{i}_b2", net.layer("Tanh", f"m{i}_b1t", net.conv(f"m{i}_b1", top, 4, 2)), 2, 1, 3)
        three = net.conv(f"m{i}_c2", net.conv(f"m{i}_c1", top, 4, 2), 2, 1, 3)
        pool = net.layer("AveragePool", f"m{i}_d1", top, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)
        four = net.conv(f"m{i}_d2", pool, 4, 1)
        top = net.layer("Concat", f"m{i}_join", one, two, three, four, axis=1)
    return net.save(path, net.layer("GlobalAveragePool", "pool", top))


def residual(path: Path) -> Path:
    """Blocks with a way around them."""
    net = Net(1, 3, 4, 4)
    top = net.conv("stem", "x", 3, 3)
    for i in range(4):
        inner = net.layer("LeakyRelu", f"r{i}_act", net.conv(f"r{i}_a", top, 3, 3, 3), alpha=0.3)
        top = net.layer("Add", f"r{i}_add", net.conv(f"r{i}_b", inner, 3, 3), top)
    return net.save(path, net.layer("Sigmoid", "prob", top))


def recurrent(path: Path) -> Path:
    """An LSTM written out: gates that are split from one product, and two states that go on from step to step."""
    net, size = Net(1, 3), 3
    cell = hidden = "x"
    weights, back = net.weights("W", 3, 4 * size), net.weights("R", size, 4 * size)
    for t in range(3):
        taken = net.layer("MatMul", f"t{t}_x", "x", weights)
        kept = net.layer("MatMul", f"t{t}_h", hidden, back)
        gates = net.layer("Add", f"t{t}_gates", taken, kept)
        names = [f"t{t}_{part}" for part in "ifgo"]
        net.layer("Split", f"t{t}_split", gates, outputs=names, axis=1)
        i, f, o = (net.layer("Sigmoid", f"{name}_s", name) for name in (names[0], names[1], names[3]))
        g = net.layer("Tanh", f"{names[2]}_s", names[2])
        new = net.layer("Mul", f"t{t}_ig", i, g)
        old = net.layer("Mul", f"t{t}_fc", f, cell)
        cell = net.layer("Add", f"t{t}_cell", new, old)
        hidden = net.layer("Mul", f"t{t}_hidden", o, net.layer("Tanh", f"t{t}_ct", cell))
    return net.save(path, hidden)


NETS: dict[str, Callable[[Path], Path]] = {one.__name__: one for one in (chain, inception, residual, recurrent)}


def session(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def spoiled(model: Any, bad: Collection[str], factor: float = 1.5) -> Any:
    """`model` with the results of the last of `bad` multiplied, provided that all of them are there."""
    nodes = {node.name: node for node in model.graph.node}
    if not bad or not set(bad) <= nodes.keys():
        return model
    node = nodes[list(bad)[-1]]
    place = list(model.graph.node).index(node)
    for i, old in enumerate(list(node.output)):
        node.output[i] = f"{old} as it was"
        model.graph.node.insert(place + 1, Node("Mul", [node.output[i], " factor"], [old]))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(factor), " factor"))
    return model


def wrong_onnx(*bad: str, factor: float = 1.5) -> Function:
    """onnxruntime, which gets the last of `bad` wrong when all of them are in the model."""

    def run(path: Path, feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        model = spoiled(onnx.load(str(path)), bad, factor)
        names = [one.name for one in model.graph.output]
        return dict(zip(names, session(model.SerializeToString()).run(names, dict(feeds)), strict=True))

    return run


def wrong_anywhere(bad: str) -> Function:
    """The framework of any format, which gets the operator `bad` wrong: its results are spoiled and fed back."""

    def run(path: Path, feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        model = load_model(path, ReadOptions())
        model.dialect.annotate(model)
        framework = runner(FORMAT_OF[model.dialect.name])
        makers = {op.name: op for op in model.main.ops}
        ends = [value for op in model.main.ops for value in op.results if not value.uses] + model.main.outputs
        named = {name: value for value, name in model.dialect.written_names(model).items()}
        given = {named[name].name if name in named else name: array for name, array in feeds.items()}
        given = {name: np.asarray(array) for name, array in given.items()}
        if bad in makers:
            made = [value.name for value in makers[bad].results if value.uses or value in ends]
            given |= {name: array * 1.5 for name, array in framework.run(model, given, made).items()}
        written = model.dialect.written_names(model)
        values = [value for op in model.main.ops for value in op.results]
        wanted = {written.get(value, value.name): value.name for value in values}
        got = framework.run(model, given, list(wanted.values()))
        return {name: got[tensor] for name, tensor in wanted.items() if tensor in got}

    return run


def search(model: Path, function: Function, state: Path, name: str = "", **settings: Any) -> Located:
    """Search `model` with a function as the backend."""
    backend = InProcess(function, name or "test")
    return locate(Source(model, ReadOptions()), backend, State(state), Settings(**settings))


def steps(model: Path) -> list[str]:
    """The operators of a net, in order."""
    return [node.name for node in onnx.load(str(model)).graph.node]
