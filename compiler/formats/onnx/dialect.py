"""What ONNX's operators mean, as far as cutting needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from subcut.compiler.formats.onnx.tensors import DataFiles
from subcut.compiler.formats.onnx.types import decode_info, info_text
from subcut.compiler.ir.dialect import Dialect
from subcut.compiler.ir.graph import Attribute, Graph, Model, Op, Value

if TYPE_CHECKING:
    pass


class OnnxDialect(Dialect):
    """ONNX."""

    name = "onnx"
    typed_outputs = True
    input_heading = "Add Input Into Graph:"

    def __init__(self, files: DataFiles) -> None:
        self.files = files

    def attributes(self, op: Op) -> Mapping[str, Attribute]:
        """The attributes, bodies left out; an initialiser has its tensor as `value`."""
        from subcut.compiler.formats.onnx import attributes
        from subcut.compiler.formats.onnx.records import model_record_of

        assert op.graph is not None
        record = model_record_of(op.graph.model)
        if op in record.tensors:
            return attributes.stored_attributes(record.tensors[op], self.files)
        if op in record.sparse:
            return attributes.sparse_attributes(record.sparse[op], self.files)
        return attributes.decode_attributes(record.file, op.origin, self.files)

    def is_stored(self, op: Op) -> bool:
        """Initialisers and `Constant` nodes."""
        return not op.operands and op.type in _STORED

    def is_pure(self, op: Op) -> bool:
        """Whether it is a known operator without randomness, all its bodies included."""
        from subcut.compiler.formats.onnx.operators import is_pure

        return is_pure(op)

    def annotate(self, model: Model) -> None:
        """Take the types that the file states into the values."""
        from subcut.compiler.formats.onnx.records import GraphRecord, body

        for graph in model.graphs():
            record = graph.origin
            if not isinstance(record, GraphRecord):
                continue
            data = record.file.data
            for value in graph.values():
                if value.type is None and value.name and (place := record.info(value.name)) is not None:
                    value.type = decode_info(data[body(data, *place) : place[1]])[1]

    def add_input(self, graph: Graph, value: Value, start: Op, index: int) -> Value:
        """An input of the same name, so that no reader's record changes."""
        from subcut.compiler.formats.onnx.records import info_of

        new = graph.add_input(value.name, value.type)
        new.origin = info_of(value)
        return new

    def input_text(self, value: Value) -> str:
        """The input as a ValueInfoProto in text format."""
        return info_text(value.name, value.type)

    def needs_type(self, value: Value) -> tuple[bool, bool]:
        """ONNX's checker asks for the rank of a tensor at an edge."""
        return True, True


_STORED = ("initializer", "sparse_initializer", "Constant")
