"""What ONNX's operators mean, as far as cutting needs it."""

from __future__ import annotations

from collections.abc import Mapping
from subcut.compiler.formats.onnx.tensors import DataFiles
from subcut.compiler.ir.dialect import Dialect
from subcut.compiler.ir.graph import Attribute, Graph, Op, Value


class OnnxDialect(Dialect):
    """ONNX."""

    name = "onnx"

    def __init__(self, files: DataFiles) -> None:
        self.files = files

    def attributes(self, op: Op) -> Mapping[str, Attribute]:
        return {}

    def is_stored(self, op: Op) -> bool:
        return op.type in ("initializer", "sparse_initializer", "Constant")

    def is_pure(self, op: Op) -> bool:
        return False

    def add_input(self, graph: Graph, value: Value, start: Op, index: int) -> Value:
        return graph.add_input(value.name, value.type)
