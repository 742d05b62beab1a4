"""The network as ONNX, by the onnx library."""

from __future__ import annotations

from pathlib import Path

import onnx
from network import CLASSES, EPSILON, LAYERS, SIZE, Layer, Weights, scale_of
from onnx import helper, numpy_helper

OPSET, IR = 17, 8


def _nodes(layer: Layer, x: list[str]) -> list[onnx.NodeProto]:
    """The node or two that do what the layer does; every node's output is called as the node."""
    own = [f"{layer.name}.{i}" for i in range(2)]
    window = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.kernel] * 2}

    def node(type: str, inputs: list[str], name: str = layer.name, **attributes: object) -> onnx.NodeProto:
        return helper.make_node(type, inputs, [name], name=name, **attributes)

    if layer.type == "Convolution":
        return [node("Conv", [*x, own[0]], kernel_shape=[layer.kernel] * 2, pads=[layer.kernel // 2] * 4)]
    if layer.type == "BatchNorm":
        scale = [f"{scale_of(layer)}.{i}" for i in range(2)]
        return [node("BatchNormalization", [*x, *scale, *own], epsilon=EPSILON)]
    if layer.type == "MaxPool":
        return [node("MaxPool", x, **window)]
    if layer.type == "AvgPool":
        return [node("AveragePool", x, **window)]
    if layer.type == "InnerProduct":
        flat = node("Flatten", x, f"{layer.name}/flat")
        return [flat, node("Gemm", [flat.name, *own], transB=1)]
    return [node({"ReLU": "Relu", "Eltwise": "Add", "Softmax": "Softmax"}[layer.type], x)]


def write(weights: Weights, path: Path) -> None:
    """A checked model from `data` to `prob`, for any number of pictures."""
    blobs = {"data": "data"}
    nodes: list[onnx.NodeProto] = []
    for layer in LAYERS:
        if layer.type == "Scale":
            continue
        nodes += _nodes(layer, [blobs[bottom] for bottom in layer.bottoms])
        blobs[layer.top] = nodes[-1].output[0]
    stored = [
        numpy_helper.from_array(array, f"{name}.{i}")
        for name, arrays in weights.items()
        for i, array in enumerate(arrays)
    ]
    data = helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, ["N", 1, SIZE, SIZE])
    prob = helper.make_tensor_value_info("prob", onnx.TensorProto.FLOAT, ["N", CLASSES])
    graph = helper.make_graph(nodes, "digits", [data], [prob], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
