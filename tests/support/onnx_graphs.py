"""Small ONNX models that each have something awkward in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Info = helper.make_tensor_value_info
Node = helper.make_node
F, L, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def weights(name: str, *shape: int) -> Any:
    """Normal numbers that depend on the name alone."""
    seed = sum(map(ord, name)) + len(shape)
    return numpy_helper.from_array(np.random.default_rng(seed).standard_normal(shape).astype(np.float32), name)


def stored(name: str, value: Any, dtype: Any = np.int64) -> Any:
    """An initialiser."""
    return numpy_helper.from_array(np.array(value, dtype), name)


def model(
    graph: Any, *, ir: int = 8, opset: int = 17, domains: Sequence[str] = (), functions: Sequence[Any] = ()
) -> Any:
    """A model around `graph`."""
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, functions=list(functions), opset_imports=opsets, ir_version=ir)


def captured() -> Any:
    """Both branches of an `If` read tensors and weights of the graph around them."""
    then = helper.make_graph(
        [Node("Mul", ["a", "w"], ["t"]), Node("Add", ["t", "wb"], ["t2"])],
        "then",
        [],
        [Info("t2", F, [4])],
        [weights("wb", 4)],
    )
    other = helper.make_graph([Node("Add", ["b", "w2"], ["e"])], "else", [], [Info("e", F, [4])])
    nodes = [
        Node("Relu", ["x"], ["a"], name="relu"),
        Node("Neg", ["x"], ["b"], name="neg"),
        Node("Identity", ["w"], ["w2"], name="copy"),
        Node("ReduceSum", ["x"], ["s"], name="sum", keepdims=0),
        Node("Greater", ["s", "zero"], ["c"], name="greater"),
        Node("If", ["c"], ["i"], name="branch", then_branch=then, else_branch=other),
        Node("Abs", ["i"], ["y"], name="abs"),
    ]
    stores = [weights("w", 4), stored("zero", 0, np.float32)]
    return model(helper.make_graph(nodes, "captured", [Info("x", F, [4])], [Info("y", F, [4])], stores))


def loops() -> Any:
    """A loop in a loop; the inner one reads from both graphs around it, and no inference knows the outer's shape."""
    inner = helper.make_graph(
        [
            Node("Add", ["acc_i", "a"], ["t_i"]),
            Node("Mul", ["t_i", "wl"], ["acc_o"]),
            Node("Identity", ["ci"], ["co"]),
            Node("Identity", ["acc_o"], ["scan_o"]),
        ],
        "inner",
        [Info("ii", L, []), Info("ci", B, []), Info("acc_i", F, [4])],
        [Info("co", B, []), Info("acc_o", F, [4]), Info("scan_o", F, [4])],
    )
    outer = helper.make_graph(
        [
            Node("Loop", ["three", "", "acc0"], ["acc1", "scans"], name="inner_loop", body=inner),
            Node("ReduceMean", ["scans"], ["m"], axes=[0], keepdims=0),
            Node("Identity", ["c0"], ["c1"]),
        ],
        "outer",
        [Info("i0", L, []), Info("c0", B, []), Info("acc0", F, [4])],
        [Info("c1", B, []), Info("m", F, [4])],
        [weights("wl", 4)],
    )
    nodes = [
        Node("Relu", ["x"], ["a"], name="relu"),
        Node("Loop", ["two", "true", "a"], ["r"], name="outer_loop", body=outer),
        Node("Abs", ["r"], ["rr"], name="abs"),
        Node("Sqrt", ["rr"], ["y"], name="sqrt"),
    ]
    stores = [stored("two", 2), stored("three", 3), stored("true", True, bool)]
    return model(helper.make_graph(nodes, "loops", [Info("x", F, [4])], [Info("y", F, [4])], stores))


def old() -> Any:
    """IR 3: every initialiser is an input too."""
    nodes = [
        Node("Mul", ["x", "w"], ["a"], name="mul"),
        Node("Add", ["a", "b"], ["c"], name="add"),
        Node("Reshape", ["c", "shape"], ["d"], name="reshape"),
        Node("Relu", ["d"], ["y"], name="relu"),
    ]
    inputs = [Info("x", F, [2, 4]), Info("w", F, [4]), Info("b", F, [4]), Info("shape", L, [2])]
    stores = [weights("w", 4), weights("b", 4), stored("shape", [4, 2])]
    return model(helper.make_graph(nodes, "old", inputs, [Info("y", F, [4, 2])], stores), ir=3, opset=8)


def sparse() -> Any:
    """A sparse initialiser."""
    values = helper.make_tensor("sp", F, [3], [1.0, 2.0, 3.0])
    tensor = helper.make_sparse_tensor(values, helper.make_tensor("idx", L, [3], [1, 4, 7]), [3, 4])
    nodes = [Node("MatMul", ["x", "sp"], ["a"], name="mm"), Node("Relu", ["a"], ["y"], name="relu")]
    graph = helper.make_graph(
        nodes, "sparse", [Info("x", F, [2, 3])], [Info("y", F, [2, 4])], sparse_initializer=[tensor]
    )
    return model(graph)


def functions() -> Any:
    """Functions that call functions, some only from inside a branch, one with an attribute, one never called."""
    opset = helper.make_opsetid("", 17)
    mine = helper.make_opsetid("my.lib", 1)
    inner_nodes = [Node("Relu", ["p"], ["r"]), Node("LeakyRelu", ["r"], ["q"])]
    inner = helper.make_function("my.lib", "Inner", ["p"], ["q"], inner_nodes, [opset])
    outer_nodes = [
        Node("Add", ["u", "v"], ["s"], name="fadd"),
        Node("Inner", ["s"], ["t"], name="fcall", domain="my.lib"),
        Node("Neg", ["t"], ["o"], name="fneg"),
    ]
    outer = helper.make_function("my.lib", "Outer", ["u", "v"], ["o"], outer_nodes, [opset, mine])
    leak = Node("LeakyRelu", ["p"], ["q"], name="fleaky")
    leak.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    leaky_nodes = [leak, Node("Abs", ["q"], ["z"], name="fabs")]
    leaky = helper.make_function("other.lib", "Leaky", ["p"], ["z"], leaky_nodes, [opset], ["slope"])
    unused = helper.make_function("unused.lib", "Unused", ["p"], ["q"], [Node("Relu", ["p"], ["q"])], [opset])
    then = helper.make_graph([Node("Outer", ["a", "w"], ["t"], domain="my.lib")], "then", [], [Info("t", F, [4])])
    other_nodes = [Node("Leaky", ["a"], ["e"], domain="other.lib", slope=0.5)]
    other = helper.make_graph(other_nodes, "else", [], [Info("e", F, [4])])
    nodes = [
        Node("Abs", ["x"], ["a"], name="abs"),
        Node("ReduceSum", ["x"], ["s"], name="sum", keepdims=0),
        Node("Greater", ["s", "zero"], ["c"], name="greater"),
        Node("If", ["c"], ["i"], name="branch", then_branch=then, else_branch=other),
        Node("Leaky", ["i"], ["j"], name="leaky", domain="other.lib", slope=0.25),
        Node("Sqrt", ["j"], ["y"], name="sqrt"),
    ]
    stores = [weights("w", 4), stored("zero", 0, np.float32)]
    graph = helper.make_graph(nodes, "functions", [Info("x", F, [4])], [Info("y", F, [4])], stores)
    domains = ["my.lib", "other.lib", "unused.lib"]
    return model(graph, domains=domains, functions=[inner, outer, leaky, unused])


def sequences() -> Any:
    """Sequences, optionals and a symbolic dimension."""
    nodes = [
        Node("Relu", ["x"], ["x2"], name="relu"),
        Node("SequenceConstruct", ["x", "x2"], ["s"], name="make"),
        Node("SequenceInsert", ["s", "x2"], ["s2"], name="insert"),
        Node("SequenceAt", ["s2", "one"], ["e"], name="at"),
        Node("SequenceLength", ["s2"], ["n"], name="length"),
        Node("Optional", ["e"], ["o"], name="optional"),
        Node("OptionalHasElement", ["o"], ["h"], name="has"),
        Node("OptionalGetElement", ["o"], ["y"], name="get"),
        Node("ConcatFromSequence", ["s2"], ["z"], name="concat", axis=0),
    ]
    outputs = [Info("y", F, ["N", 4]), Info("n", L, []), Info("z", F, [None, 4]), Info("h", B, [])]
    return model(helper.make_graph(nodes, "sequences", [Info("x", F, ["N", 4])], outputs, [stored("one", 1)]))


def shapes() -> Any:
    """A `Reshape` whose target is computed from static dimensions of a tensor with a symbolic one."""
    nodes = [
        Node("Relu", ["x"], ["a"], name="relu"),
        Node("Shape", ["a"], ["sh"], name="shape"),
        Node("Gather", ["sh", "i1"], ["c"], name="c"),
        Node("Gather", ["sh", "i2"], ["hh"], name="hh"),
        Node("Mul", ["c", "hh"], ["ch"], name="ch"),
        Node("Unsqueeze", ["ch", "axis"], ["chu"], name="chu"),
        Node("Concat", ["minus", "chu"], ["target"], name="target", axis=0),
        Node("Conv", ["a", "k"], ["b"], name="conv", kernel_shape=[1, 1]),
        Node("Reshape", ["b", "target"], ["r"], name="reshape"),
        Node("Abs", ["r"], ["y"], name="abs"),
    ]
    stores = [weights("k", 3, 3, 1, 1), stored("i1", 1), stored("i2", 2), stored("axis", [0]), stored("minus", [-1])]
    return model(helper.make_graph(nodes, "shapes", [Info("x", F, ["N", 3, 5, 7])], [Info("y", F, ["M", 15])], stores))


def plain() -> Any:
    """Two big matrices, a small vector and a big `Constant`."""
    nodes = [
        Node("MatMul", ["x", "w1"], ["a"], name="mm1"),
        Node("MatMul", ["a", "w2"], ["b"], name="mm2"),
        Node("Add", ["b", "w3"], ["c"], name="add"),
        Node("Constant", [], ["k"], name="k", value=weights("", 1024)),
        Node("ReduceMean", ["k"], ["km"], name="mean"),
        Node("Mul", ["c", "km"], ["y"], name="mul"),
    ]
    stores = [weights("w1", 64, 64), weights("w2", 64, 64), weights("w3", 64)]
    return model(helper.make_graph(nodes, "plain", [Info("x", F, [2, 64])], [Info("y", F, [2, 64])], stores))


def rich() -> bytes:
    """`plain` with everything that hangs on a model and is not computed, unknown fields included."""
    made = plain()
    for name in ("a", "b", "c"):
        made.graph.value_info.append(Info(name, F, [2, 64], f"about {name}"))
    for name in ("a", "c"):
        annotation = made.graph.quantization_annotation.add(tensor_name=name)
        annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w3")
    made.metadata_props.add(key="author", value="us")
    made.graph.metadata_props.add(key="stage", value="two")
    made.graph.node[0].metadata_props.add(key="layer", value="first")
    made.graph.doc_string, made.doc_string = "a graph", "a model"
    made.training_info.add().algorithm.name = "step"
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    unknown: bytes = made.SerializeToString() + b"\xfa\x3f\x03abc"
    return unknown


AWKWARD: dict[str, Callable[[], Any]] = {
    one.__name__: one for one in (captured, loops, old, sparse, functions, sequences, shapes, plain, rich)
}


def save(name: str, folder: Path) -> Path:
    """Write one of the models into `folder`."""
    made = AWKWARD[name]()
    path = folder / f"{name}.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path
