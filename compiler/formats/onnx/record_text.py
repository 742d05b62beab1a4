"""The record of an operator as people read it: protobuf's text format. Bodies are left out: they are graphs."""

from __future__ import annotations

from google.protobuf import text_format

from subcut.compiler.formats.onnx import schema
from subcut.compiler.formats.onnx.records import Range, body, model_record_of, reading
from subcut.compiler.ir.dialect import LONGEST_RECORD
from subcut.compiler.ir.graph import Op


def record_text(op: Op) -> str:
    """The text of a NodeProto, or of an initialiser's TensorProto; of a long one its length. Raises ModelError."""
    assert op.graph is not None
    record = model_record_of(op.graph.model)
    if op in record.sparse:
        return ""
    file = record.file
    place: Range = op.origin
    with reading(file.path):
        start, stop = body(file.data, *place), place[1]
        if stop - start > LONGEST_RECORD:
            return f"# {stop - start} bytes"
        kind = "TensorText" if op in record.tensors else "NodeText"
        return str(text_format.MessageToString(schema.parse(kind, file.data[start:stop])))
