"""Runs pieces of an ONNX model in onnxruntime, one after another, fed with whatever tensors they start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import user_error
from subcut.compiler.formats.onnx.decode import encode
from subcut.compiler.formats.onnx.records import body, model_record_of, reading
from subcut.compiler.formats.onnx.run import session_of
from subcut.compiler.formats.onnx.types import encode_info
from subcut.compiler.ir.graph import Constant, Model, Op, Value, topological
from subcut.compiler.ir.types import TensorType, element_of
from subcut.compiler.storage.rope import Rope
from subcut.compiler.storage.wire import bytes_field, int_field

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

IR_VERSION, GRAPH, OPSET, FUNCTION = 1, 7, 8, 25
NODE, NAME, INITIALIZER, INPUT, OUTPUT = 1, 2, 5, 11, 12
SMALL = 1 << 16
"""Fed tensors of at most this many bytes are handed over as initialisers: some kernels want to know them early."""


class Pieces:
    """See `subcut.compiler.formats.Pieces`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.record = model_record_of(model)

    def run(
        self, feeds: Mapping[Value, Array], fetch: Sequence[Value], weights: Mapping[Op, Sequence[Array]]
    ) -> list[Array]:
        """Run what lies between."""
        ops = self._between(feeds, fetch)
        read = dict.fromkeys(v for op in ops for v in op.reads() if v in feeds)
        session, failures = session_of(self._content(ops, {v: feeds[v] for v in read}, fetch))
        given = {one.name for one in session.get_inputs()}
        try:
            found: list[Array] = session.run(
                [v.name for v in fetch], {v.name: feeds[v] for v in read if v.name in given}
            )
        except failures as error:
            raise user_error("cannot-run", f"onnxruntime fails at `{ops[-1].label}`: {error}") from None
        return found

    def close(self) -> None:
        """Nothing is held open."""

    def _between(self, feeds: Mapping[Value, Array], fetch: Sequence[Value]) -> list[Op]:
        found: dict[Op, None] = {}
        todo = [v for v in fetch if v not in feeds]
        while todo:
            value = todo.pop()
            if value.producer is None:
                raise user_error("cannot-run", f"the input `{value.name}` is not given")
            if value.producer not in found:
                found[value.producer] = None
                todo += [v for v in value.producer.reads() if v not in feeds]
        return topological(op for op in found)

    def _content(self, ops: Sequence[Op], feeds: Mapping[Value, Array], fetch: Sequence[Value]) -> bytes:
        record, file, rope, graph = self.record, self.record.file, Rope(), Rope()
        stored = [value for value, array in feeds.items() if array.nbytes <= SMALL]
        with reading(file.path):
            for op in ops:
                if op in record.tensors:
                    constant = op.attributes["value"]
                    assert isinstance(constant, Constant)
                    graph.add_field(INITIALIZER, encode(op.results[0].name, constant.numpy()))
                else:
                    start, stop = op.origin
                    graph.add_field(NODE, file.data[body(file.data, start, stop) : stop])
            graph.add(bytes_field(NAME, "piece"))
            for value in stored:
                graph.add_field(INITIALIZER, encode(value.name, feeds[value]))
            for value, array in feeds.items():
                if value not in stored:
                    info = encode_info(value.name, TensorType(element_of(array.dtype), array.shape))
                    graph.add_field(INPUT, info)
            for value in fetch:
                graph.add_field(OUTPUT, bytes_field(1, value.name))
            # From version 4 on an initialiser need not be an input.
            rope.add(int_field(IR_VERSION, max(record.ir_version, 4)))
            for number, at, stop in record.fields:
                if number in (OPSET, FUNCTION):
                    rope.add_range(file, at, stop)
        rope.add_field(GRAPH, graph)
        return rope.bytes()
