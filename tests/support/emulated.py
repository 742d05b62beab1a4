"""Small ONNX nets for the emulator, and what it left behind, read by the readers of the product."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.device.layouts import decode, to_origin
from subcut.compiler.formats.ascend.offline import OfflineModel, OfflineOp, read_offline
from subcut.emulator import Emulated

Node = helper.make_node


def net(
    path: Path,
    nodes: Sequence[Any],
    shape: Sequence[int],
    outputs: Sequence[str],
    stored: dict[str, Any] | None = None,
    inputs: dict[str, Sequence[int]] | None = None,
) -> Path:
    """A model with the input `x` of this shape, and further ones."""
    info = helper.make_tensor_value_info
    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in (stored or {}).items()]
    given = [info(name, TensorProto.FLOAT, dims) for name, dims in {"x": shape, **(inputs or {})}.items()]
    wanted = [info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(list(nodes), "net", given, wanted, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def normal(seed: int, *shape: int, scale: float = 0.3) -> Any:
    """Normal numbers."""
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def norm(seed: int, channels: int) -> list[Any]:
    """Scale, shift, mean and variance of a batch norm."""
    random = np.random.default_rng(seed)
    return [
        random.uniform(0.5, 1.5, channels).astype(np.float32),
        random.standard_normal(channels).astype(np.float32),
        random.standard_normal(channels).astype(np.float32),
        random.uniform(0.5, 2, channels).astype(np.float32),
    ]


def offline(made: Emulated) -> OfflineModel:
    """The offline model."""
    return read_offline(made.om)


def running(model: OfflineModel) -> list[OfflineOp]:
    """The operators that are neither stored, nor inserted, nor an end of the model."""
    return [op for op in model.ops if op.type not in ("Data", "Const", "NetOutput") and op.original_names != ()]


def tensors(made: Emulated) -> dict[tuple[str, str, int], Any]:
    """Every dumped tensor in its original layout, by operator, direction and place."""
    ops = {op.name: op for op in offline(made).ops}
    found: dict[tuple[str, str, int], Any] = {}
    for file in DumpTree.open(made.dumps).files():
        dump = read_dump(file.path)
        assert dump.problems == []
        if dump.op_name == "Node_OpDebug":
            continue
        edges = [edge.rpartition(":") for edge in ops[dump.op_name].inputs if edge]
        for tensor in [*dump.inputs, *dump.outputs]:
            array = decode(tensor.data.bytes(), tensor.type_name, tensor.shape)
            layout = ops[dump.op_name].outputs[tensor.index].origin_layout if tensor.direction == "output" else ""
            if tensor.direction == "input":
                layout = ops[dump.op_name].input_tensors[tensor.index].origin_layout
                assert len(edges) == len(dump.inputs)
            array = to_origin(array, tensor.layout, layout or "ND", tensor.original_shape, group=max(tensor.group, 1))
            found[dump.op_name, tensor.direction, tensor.index] = np.array(array)
    return found


def cosine(left: Any, right: Any) -> float:
    """How much two tensors point the same way."""
    a, b = np.ravel(left).astype(np.float64), np.ravel(right).astype(np.float64)
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norms if norms else float(np.array_equal(a, b))
