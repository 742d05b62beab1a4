"""Write the IR as a GraphDef: kept records byte for byte, and only those fields anew that must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from subcut.compiler.formats import WriteOptions
from subcut.compiler.formats.tensorflow import records
from subcut.compiler.formats.tensorflow.inputs import placeholder
from subcut.compiler.formats.tensorflow.origin import ModelOrigin
from subcut.compiler.formats.tensorflow.reader import LIBRARY, NODE
from subcut.compiler.formats.tensorflow.records import reference
from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.rope import Rope
from subcut.compiler.storage.wire import LEN, tag, varint

PROTOBUF_LIMIT = 1 << 31
"""TensorFlow itself loads no GraphDef of this many bytes or more."""
_CLASS = b"\n\x06_class\x12"


def write(model: Model, folder: Path, options: WriteOptions) -> list[Path]:
    """Write `model` as `dump.pb` (or another stem) into `folder`."""
    rope = graph_def(model)
    if rope.size >= PROTOBUF_LIMIT:
        limit = {"what": f"the model is {rope.size} bytes, and TensorFlow loads fewer than {PROTOBUF_LIMIT}"}
        model.notes.setdefault("limits", []).append(limit)
    path = folder / f"{options.stem}.pb"
    rope.write(path, options.progress)
    return [path]


def graph_def(model: Model) -> Rope:
    """The bytes of a model, for the most part spans of the file it was read from."""
    origin: ModelOrigin = model.origin
    rope = Rope()
    _add_fields(rope, model, origin.before)
    _Nodes(model.main, rope).add()
    _add_fields(rope, model, origin.after)
    return rope


def _add_fields(rope: Rope, model: Model, others: list[tuple[int, int, int]]) -> None:
    """The fields that are no nodes; the library with the functions that are left."""
    origin: ModelOrigin = model.origin
    whole = all(item.function in model.functions for item in origin.library.items if item.function)
    written = False
    for number, start, stop in others:
        if number != LIBRARY or whole:
            rope.add_range(origin.file, start, stop)
        elif not written:
            content = origin.library.written(origin.file, model.functions)
            written = True
            if content.size:
                rope.add_field(LIBRARY, content)


class _Nodes:
    """Writes the operators of a graph; those whose record may stay are copied in runs."""

    def __init__(self, graph: Graph, rope: Rope) -> None:
        self.graph, self.rope = graph, rope
        self.file: SourceFile = graph.origin.file
        self.kept = {op.name for op in graph.ops} | {reference(value) for value in graph.inputs}
        self.dropped = not self.kept >= graph.origin.names
        self.start = self.stop = 0

    def add(self) -> None:
        """Append every node to the rope."""
        rewrite = self.graph.origin.function
        rope = self.rope
        for value in self.graph.inputs:
            rope.add_field(NODE, placeholder(reference(value), value.type))
        for op in self.graph.ops:
            if isinstance(op.origin, bytes):
                self._flush()
                rope.add_field(NODE, op.origin)
                continue
            try:
                self._add_read(op, rewrite)
            except ValueError as error:
                raise records.damaged(op, error) from None
        self._flush()

    def _add_read(self, op: Op, rewrite: bool) -> None:
        """Append the record of an operator that was read."""
        inputs = _new_inputs(op) if rewrite or op.changed else None
        restated = op in self.graph.origin.restated
        if inputs is None and not restated and not (self.dropped and self._has_class(*op.origin)):
            self._copy(*op.origin)
            return
        self._flush()
        record = records.record_of(op)
        self.rope.add_field(NODE, records.edit(record, inputs, self._holds, keep_shapes=not restated))

    def _has_class(self, _tag_at: int, start: int, stop: int) -> bool:
        """Whether the record may say with what it is colocated; big records are looked at field by field."""
        data = self.file.data
        if stop - start <= records.BIG:
            return data.find(_CLASS, start, stop) >= 0
        record = records.Record(data, start, stop, self.file)
        return any(name == "_class" for name, _, _ in records.attribute_spans(record))

    def _holds(self, place: str) -> bool:
        """Whether an entry of `_class` still means something: `loc:@name` of an operator that is kept, or no place."""
        return not place.startswith("loc:@") or place[5:] in self.kept

    def _copy(self, tag_at: int, start: int, stop: int) -> None:
        if tag_at == start:  # the record of a node in a function's body, which has another tag
            self._flush()
            self.rope.add(tag(NODE, LEN) + varint(stop - start))
        elif tag_at != self.stop:
            self._flush()
        if self.start == self.stop:
            self.start = tag_at
        self.stop = stop

    def _flush(self) -> None:
        self.rope.add_range(self.file, self.start, self.stop)
        self.start = self.stop


def _new_inputs(op: Op) -> list[str] | None:
    """The input strings that an operator's record must have; None when it has them."""
    record = records.record_of(op)
    old = records.inputs_of(record)
    data = [text for text in old if not text.startswith("^")]
    wanted = [reference(value) for value in op.operands if value is not None]
    assert op.graph is not None
    if len(data) == len(wanted) and not op.graph.origin.function:
        wanted = [was if was in (now, f"{now}:0") else now for was, now in zip(data, wanted, strict=True)]
    wanted += [f"^{other.name}" for other in op.controls]
    return None if wanted == old else wanted


def skeleton_node(op: Op, names: Mapping[Value, str], keep: Callable[[Op], bool]) -> bytes:
    """The NodeDef of an operator that reads its operands by these names and waits only for operators in `keep`."""
    inputs = [names.get(value) or reference(value) for value in op.operands if value is not None]
    inputs += [f"^{other.name}" for other in op.controls if keep(other)]
    try:
        return records.edit(records.record_of(op), inputs, lambda _: False).bytes()
    except ValueError as error:
        raise records.damaged(op, error) from None
