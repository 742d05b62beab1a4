"""What ONNX's operators mean, as far as cutting needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats.onnx.operators import SHAPE_ARITHMETIC, is_pure
from subcut.compiler.formats.onnx.tensors import DataFiles
from subcut.compiler.formats.onnx.types import decode_info, info_text, is_ranked
from subcut.compiler.ir.dialect import Dialect
from subcut.compiler.ir.graph import Attribute, Constant, Graph, Model, Op, Value
from subcut.compiler.ir.stated import Stated
from subcut.compiler.ir.types import Type

if TYPE_CHECKING:
    import numpy as np


class OnnxDialect(Dialect):
    """ONNX."""

    name = "onnx"
    typed_outputs = True
    input_heading = "Add Input Into Graph:"
    forwarding = frozenset("Identity Reshape Flatten Squeeze Unsqueeze Dropout".split())

    def __init__(self, files: DataFiles) -> None:
        self.files = files
        self._kept: tuple[list[Op], set[Op]] | None = None
        """The operators of the graph that edges were last added to: made once, not for each edge."""

    def attributes(self, op: Op) -> Mapping[str, Attribute]:
        """The attributes, bodies left out; an initialiser has its tensor as `value`."""
        from subcut.compiler.formats.onnx import attributes
        from subcut.compiler.formats.onnx.records import model_record_of, reading

        assert op.graph is not None
        record = model_record_of(op.graph.model)
        if op in record.tensors:
            return attributes.stored_attributes(record.tensors[op], self.files)
        if op in record.sparse:
            return attributes.sparse_attributes(record.sparse[op], self.files)
        with reading(record.file.path):
            return attributes.decode_attributes(record.file, op.origin, self.files)

    def record_text(self, op: Op) -> str:
        """The NodeProto, or an initialiser's TensorProto, in protobuf's text format."""
        from subcut.compiler.formats.onnx.record_text import record_text

        return record_text(op)

    def is_stored(self, op: Op) -> bool:
        """Initialisers and `Constant` nodes."""
        return not op.operands and op.type in _STORED

    def is_pure(self, op: Op) -> bool:
        """Whether it is a known operator without randomness, all its bodies included."""
        return is_pure(op)

    def compiled_names(self, graph: Graph) -> Mapping[Op, str]:
        """A node without a name gets its type and a number, counted over such nodes.

        Source: `OnnxModelParser::UpdateNodeNameAndOpType` of the graph engine.
        """
        number = count()
        nodes = (op for op in graph.ops if op.name or op.type not in ("initializer", "sparse_initializer"))
        return {op: op.name or f"{op.type.rpartition('.')[2]}_{next(number)}" for op in nodes}

    def static_value(self, value: Value) -> np.ndarray[Any, Any] | None:
        """The numbers of a value that is computed from static shapes alone."""
        if not _may_be_static(value):
            return None
        from subcut.compiler.formats.onnx import fold

        for root in fold.static_roots(value):
            self._state(root)
        return fold.static_value(value)

    def static_roots(self, value: Value) -> list[Value]:
        """The operands of the `Shape` operators that `value` is computed from."""
        if not _may_be_static(value):
            return []
        from subcut.compiler.formats.onnx import fold

        roots = fold.static_roots(value)
        for root in roots:
            self._state(root)
        return roots

    def constant_op(self, graph: Graph, value: Value, array: np.ndarray[Any, Any]) -> Op:
        """An initialiser; a `Constant` node in files so old that an initialiser must be an input too."""
        from subcut.compiler.formats.onnx import decode, schema
        from subcut.compiler.formats.onnx.graphs import Fresh
        from subcut.compiler.formats.onnx.records import model_record_of
        from subcut.compiler.ir.types import TensorType, element_of

        type = TensorType(element_of(array.dtype), array.shape)
        stored: Attribute = Constant(type, lambda: array)
        old = model_record_of(graph.model).ir_version < 4
        op = Op("Constant" if old else "initializer", attributes={"value": stored})
        name = self._edge_name(graph, value)
        op.add_result(name, type)
        if not old:
            op.origin = Fresh(schema.INITIALIZER, decode.encode(name, array))
        return op

    def infer(self, model: Model, wanted: Sequence[Value], *, framework: bool = True) -> None:
        """Types from the file, else from ONNX's shape inference, which is imported only if need be."""
        for value in wanted:
            self._state(value)
        if framework and not all(is_ranked(value.type) for value in wanted):
            from subcut.compiler.formats.onnx.infer import infer

            infer(model, wanted, self.files)

    def bind(self, model: Model, types: Mapping[Value, Type]) -> dict[Value, Type | None]:
        """Take types that the user stated, where the file does not contradict them."""
        for value in types:
            self._state(value)
        return super().bind(model, types)

    def settle(self, model: Model, stated: Stated, *, framework: bool = True) -> list[str]:
        """By ONNX's strict inference on the cut, and by a table of what that leaves to the run."""
        from subcut.compiler.formats.onnx.stated import settle

        return settle(model, stated, self.files, framework)

    def _state(self, value: Value) -> None:
        """Take the type that the file states into a value that has none."""
        from subcut.compiler.formats.onnx.records import body, info_of, reading

        if value.type is not None:
            return
        with reading(self.files.model.path):
            place = info_of(value)
            if place is not None:
                data = self.files.model.data
                value.type = decode_info(data[body(data, *place) : place[1]])[1]

    def check_region(self, graph: Graph, chosen: Mapping[Op, None]) -> None:
        """Refuse operators of a function that a caller sets attributes of; note the data files that are needed."""
        from subcut.compiler.formats.onnx import external
        from subcut.compiler.formats.onnx.functions import check_bound
        from subcut.compiler.formats.onnx.records import reading

        check_bound(graph, chosen)
        model = graph.model
        with reading(self.files.model.path):
            for tensor in external.tensors(model, chosen):
                file = self.files.span(tensor).file
                if file not in model.sources:
                    model.sources.append(file)
                if tensor.checksum:
                    model.checksums.setdefault(file, {}).setdefault(tensor.checksum.lower(), tensor.where)

    def annotate(self, model: Model) -> None:
        """Take the types that the file states into the values."""
        from subcut.compiler.formats.onnx.bulk import annotate

        annotate(model, self.files.model)

    def add_input(self, graph: Graph, value: Value, start: Op, index: int) -> Value:
        """An input of the same name where that can be had, so that no reader's record changes."""
        from subcut.compiler.formats.onnx.records import info_of

        new = graph.add_input(self._edge_name(graph, value), value.type)
        new.origin = info_of(value)
        return new

    def _edge_name(self, graph: Graph, value: Value) -> str:
        """The name for what stands for `value`: its own or, while the operator that makes it is kept, a new one."""
        if value.producer is None:
            return value.name
        if self._kept is None or self._kept[0] is not graph.ops:
            self._kept = (graph.ops, set(graph.ops))
        if value.producer not in self._kept[1]:
            return value.name
        graphs = list(graph.model.graphs())
        taken = {other.name for one in graphs for other in one.values()}
        taken |= {read.name for one in graphs for op in one.ops for read in op.operands if read is not None}
        name = next(name for n in count() if (name := f"{value.name}_{n}") not in taken)
        for op, slot in value.uses:
            note = {"operator": op.label, "operand": str(slot), "from": value.name, "to": name}
            graph.model.notes.setdefault("rewired", []).append(note)
        return name

    def input_text(self, value: Value) -> str:
        """The input as a ValueInfoProto in text format."""
        return info_text(value.name, value.type)

    def needs_type(self, value: Value) -> tuple[bool, bool]:
        """ONNX's checker asks for the rank of a tensor at an edge."""
        return True, True


def _may_be_static(value: Value) -> bool:
    """Whether a look at the producer, cheap enough to be taken for every edge, does not rule it out."""
    return value.producer is not None and value.producer.type in SHAPE_ARITHMETIC


_STORED = ("initializer", "sparse_initializer", "Constant")
