"""The ONNX graph that a Caffe net is lowered to, as plain data, and its conversion to a ModelProto."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from subcut.compiler.errors import MissingExtra
from subcut.compiler.formats.caffe.layer import Dims, Layer, Unknown

Array = NDArray[Any]
Operand = Union[str, Array, None]
"""A value by name, a constant, or a missing optional input."""
Attribute = Union[int, float, str, list[int], list[float], "Program"]

OPSET = 18
IR_VERSION = 9
EXTERNAL_FROM = 1024
"""Constants of at least so many bytes can be kept out of the ModelProto, which protobuf limits to 2 GiB."""


def f32(values: object) -> Array:
    """Numbers as float32."""
    return np.asarray(values, np.float32)


def i64(values: object) -> Array:
    """Numbers as int64."""
    return np.asarray(values, np.int64)


def shaped(array: Array, shape: Sequence[int]) -> Array:
    """The same numbers in another shape."""
    reshaped: Array = np.reshape(array, shape)
    return reshaped


@dataclass(frozen=True)
class Node:
    """One ONNX operator."""

    type: str
    inputs: list[str]
    outputs: list[str]
    attributes: Mapping[str, Attribute]


@dataclass
class Program:
    """A graph under construction; a body shares the names of the graph around it."""

    taken: set[str]
    """Every name that is used, so that an invented one clashes with none."""
    nodes: list[Node] = field(default_factory=list[Node])
    constants: dict[str, Array] = field(default_factory=dict[str, Array])
    inputs: dict[str, Union[Dims, None]] = field(default_factory=dict[str, Union[Dims, None]])
    outputs: dict[str, Union[Dims, None]] = field(default_factory=dict[str, Union[Dims, None]])

    def fresh(self, hint: str) -> str:
        """A name that nothing has."""
        name, number = hint, 0
        while name in self.taken:
            number += 1
            name = f"{hint}_{number}"
        self.taken.add(name)
        return name

    def body(self) -> Program:
        """An empty graph for the body of an operator of this one."""
        return Program(self.taken)


class Lowered:
    """A layer that is being lowered: its view, the names of its bottoms and tops, its stored blobs."""

    def __init__(
        self,
        program: Program,
        layer: Layer,
        name: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        tops: Sequence[Dims | None],
        blobs: Sequence[Array],
    ) -> None:
        self.program, self.layer, self.name = program, layer, name
        self.inputs, self.outputs, self.blobs = list(inputs), list(outputs), blobs
        self.tops = tops
        """The shapes of the tops, as the shape rule has them."""

    def constant(self, array: Array, hint: str = "constant") -> str:
        """The name of a new constant."""
        name = self.program.fresh(f"{self.name}/{hint}")
        self.program.constants[name] = np.asarray(array, order="C")
        return name

    def blob(self, index: int, shape: Sequence[int], transposed: bool = False) -> str:
        """The name of a stored blob as a constant of this shape, or of its transpose."""
        array = shaped(self.blobs[index], shape)
        return self.constant(np.transpose(array) if transposed else array, f"blob{index % len(self.blobs)}")

    def emit(self, type: str, *operands: Operand, out: str | None = None, **attributes: Attribute) -> str:
        """Append an operator of one result, called `out` or something new; returns its name."""
        return self.emit_many(type, operands, [out], **attributes)[0]

    def emit_many(
        self, type: str, operands: Iterable[Operand], outs: Iterable[str | None], **attributes: Attribute
    ) -> list[str]:
        """Append an operator; returns the names of its results, new ones where `outs` has None."""
        inputs = [self._name(operand) for operand in operands]
        outputs = [out or self.program.fresh(f"{self.name}/{type}") for out in outs]
        self.program.nodes.append(Node(type, inputs, outputs, attributes))
        return outputs

    def _name(self, operand: Operand) -> str:
        if operand is None:
            return ""
        return operand if isinstance(operand, str) else self.constant(operand)

    def reshape(self, value: Operand, shape: Sequence[int | str | None], out: str | None = None) -> str:
        """Another shape; one dimension may be unknown."""
        sizes = [d if isinstance(d, int) else -1 for d in shape]
        if sizes.count(-1) > 1:
            raise ValueError("more than one size of it is known only when it runs")
        return self.emit("Reshape", value, i64(sizes), out=out)

    def cast(self, value: Operand, dtype: type[np.generic], out: str | None = None) -> str:
        """Another element type."""
        codes: dict[type[np.generic], int] = {np.float32: 1, np.int32: 6, np.int64: 7, np.bool_: 9}
        return self.emit("Cast", value, out=out, to=codes[dtype])

    def rounded(self, value: str) -> str:
        """To the nearest whole number, halves away from zero (C's `round`; ONNX's `Round` takes halves to even)."""
        magnitude = self.emit("Abs", value)
        whole = self.emit("Floor", magnitude)
        up = self.emit("GreaterOrEqual", self.emit("Sub", magnitude, whole), f32(0.5))
        away = self.emit("Add", whole, self.cast(up, np.float32))
        return self.emit("Mul", self.emit("Sign", value), away)

    def top(self, index: int = 0) -> Dims:
        """The shape of a top; a dimension may be unknown, the number of axes may not."""
        shape = self.tops[index]
        if shape is None:
            raise Unknown
        return shape

    def inside(self, program: Program) -> Lowered:
        """The same layer, its operators going into a body."""
        return Lowered(program, self.layer, self.name, self.inputs, self.outputs, self.tops, self.blobs)


def to_proto(program: Program, name: str, external: bool = False) -> Any:
    """The `onnx.ModelProto`; with `external`, big constants are only declared, to be handed over beside it.

    Raises MissingExtra where onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtra("onnx", "onnx", "run a Caffe net") from None
    model: Any = onnx.ModelProto(ir_version=IR_VERSION, producer_name="subcut")
    model.opset_import.add(domain="", version=OPSET)
    model.graph.CopyFrom(_graph(program, name, external))
    return model


def is_external(array: Array) -> bool:
    """Whether `to_proto(external=True)` keeps this constant out of the ModelProto."""
    return bool(array.nbytes >= EXTERNAL_FROM)


def _graph(program: Program, name: str, external: bool) -> Any:
    import onnx
    from onnx import helper

    graph: Any = onnx.GraphProto(name=name or "caffe")
    for node in program.nodes:
        attributes = {key: _attribute(value) for key, value in sorted(node.attributes.items())}
        graph.node.append(helper.make_node(node.type, node.inputs, node.outputs, **attributes))
    for key, array in program.constants.items():
        graph.initializer.append(_tensor(key, array, external and is_external(array)))
    for key, dims in program.inputs.items():
        graph.input.append(helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, dims))
    for key, dims in program.outputs.items():
        graph.output.append(helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, dims))
    return graph


def _attribute(value: Attribute) -> Any:
    return _graph(value, "body", False) if isinstance(value, Program) else value


def _tensor(name: str, array: Array, external: bool) -> Any:
    import onnx
    from onnx import numpy_helper

    if not external:
        return numpy_helper.from_array(array, name)
    tensor: Any = onnx.TensorProto(name=name, dims=array.shape)
    tensor.data_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="handed-over")
    return tensor
