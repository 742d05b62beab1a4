"""Which tensors of a piece of a model have their numbers in other files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from subcut.compiler.formats.onnx.nodes import ATTRIBUTE, SPARSE, SPARSES, TENSORS, T
from subcut.compiler.formats.onnx.records import ModelRecord, Range, body, model_record_of
from subcut.compiler.formats.onnx.tensors import Sparse, Tensor, scan_sparse, scan_tensor
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.storage.wire import LEN, fields


def tensors(model: Model, ops: Iterable[Op]) -> Iterator[Tensor]:
    """The tensors with external data that `ops`, what is in their bodies, and the model's functions hold."""
    record = model_record_of(model)
    sparse = [part for one in record.sparse.values() for part in _parts(one)]
    if not record.holders and all(one.external is None for one in [*record.tensors.values(), *sparse]):
        return
    for top in [*ops, *(op for graph in model.functions.values() for op in graph.ops)]:
        for op in top.walk() if top.regions else (top,):
            yield from (one for one in _of(op, record) if one.external is not None)


def _of(op: Op, record: ModelRecord) -> Iterator[Tensor]:
    if op in record.tensors:
        yield record.tensors[op]
    elif op in record.sparse:
        yield from _parts(record.sparse[op])
    elif op in record.holders:
        yield from _in_attributes(record, op.origin)


def _parts(sparse: Sparse) -> list[Tensor]:
    return [sparse.values, sparse.indices]


def _in_attributes(record: ModelRecord, place: Range) -> Iterator[Tensor]:
    data = record.file.data
    for number, kind, _, start, stop in fields(data, body(data, *place), place[1]):
        if number != ATTRIBUTE or kind != LEN:
            continue
        for inner, inner_kind, _, at, end in fields(data, start, stop):
            if inner in (T, TENSORS) and inner_kind == LEN:
                yield scan_tensor(record.file, at, end)
            elif inner in (SPARSE, SPARSES) and inner_kind == LEN:
                yield from _parts(scan_sparse(record.file, at, end))
