"""Records that lie side by side, decoded together by protobuf's C decoder: what is done once for each of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.message import DecodeError

from subcut.compiler.formats.onnx import schema
from subcut.compiler.formats.onnx.records import GraphRecord, Range, body, reading
from subcut.compiler.formats.onnx.tensors import Tensor, scan_tensor
from subcut.compiler.formats.onnx.types import decode_type
from subcut.compiler.ir.graph import Model
from subcut.compiler.ir.types import Type
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import WireError

BIG = 1 << 16
"""A record of more bytes is not decoded as a whole: it holds a tensor or a body."""
RUN = 1 << 20
"""How many bytes are decoded at once."""


def runs(places: Sequence[Range]) -> Iterator[tuple[int, int]]:
    """Index ranges of records that lie side by side and are decoded together; a big one is alone."""
    first = 0
    begin = before = -1
    for i, (start, stop) in enumerate(places):
        if start != before or stop - begin > RUN or stop - start > BIG:
            if i > first:
                yield first, i
            first, begin = i, start
            if stop - start > BIG:
                yield i, i + 1
                first, before = i + 1, -1
                continue
        before = stop
    if first < len(places):
        yield first, len(places)


def scan_tensors(file: SourceFile, places: Sequence[Range]) -> Iterator[Tensor]:
    """Find out what the initialisers at `places` are, without touching the numbers of big ones. Raises WireError."""
    data = file.data
    for first, last in runs(places):
        begin, end = places[first][0], places[last - 1][1]
        big = last - first == 1 and end - begin > BIG
        found = None if big else _decoded(data[begin:end])
        if found is None:
            yield from (scan_tensor(file, body(data, at, stop), stop) for at, stop in places[first:last])
            continue
        for (at, stop), head in zip(places[first:last], found, strict=True):
            dims = tuple(head.dims)
            if dims and min(dims) < 0:
                raise WireError(at, f"a tensor with the negative dimension {min(dims)}")
            outside = {pair.key: pair.value for pair in head.external_data} if head.data_location == 1 else None
            yield Tensor(file, body(data, at, stop), stop, head.name, dims, head.data_type & 0xFFFFFFFF, outside)


def _decoded(content: bytes) -> Sequence[schema.TensorHead] | None:
    """The tensors of a run; None where one is damaged, and a scan has to find out where."""
    try:
        return schema.parse_tensors(content)
    except DecodeError:
        return None


def annotate(model: Model, file: SourceFile) -> None:
    """Set the type of every value that has none by the record that states it. Types that are alike are decoded once.

    Raises ModelError.
    """
    known: dict[bytes, Type | None] = {}
    with reading(file.path):
        for graph in model.graphs():
            record = graph.origin
            if not isinstance(record, GraphRecord):
                continue
            stated: dict[str, bytes] = {}
            for number in reversed(record.stating):
                stated.update(_stated(record, number))
            stated.pop("", None)
            for value in graph.values():
                content = stated.get(value.name) if value.type is None else None
                if content is None:
                    continue
                if content not in known:
                    known[content] = decode_type(content)
                value.type = known[content]


def _stated(record: GraphRecord, number: int) -> Iterator[tuple[str, bytes]]:
    """The names and, undecoded, the types of the ValueInfos of field `number`."""
    places = [(at, stop) for kind, at, stop in record.others if kind == number]
    data = record.file.data
    for first, last in runs(places):
        for info in schema.parse_infos(data[places[first][0] : places[last - 1][1]]):
            yield info.name, b"".join(info.type)
