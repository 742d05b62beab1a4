"""NodeProto records in bulk: runs of small ones through protobuf's C decoder, big ones along the wire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from subcut.compiler.formats.onnx import schema
from subcut.compiler.formats.onnx.bulk import BIG, runs
from subcut.compiler.formats.onnx.records import Range, body
from subcut.compiler.formats.onnx.schema import Node
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import LEN, VARINT, Buffer, fields, read_varint

Special = tuple[list[tuple[str, int, int]], bool]
"""A node's bodies (attribute, payload start and end), and whether it holds a tensor with external data."""

ATTRIBUTE = 5
_TEXTS = {1: "input", 2: "output", 3: "name", 4: "op_type", 7: "domain", 8: "overload"}


@dataclass(slots=True)
class _BigNode:
    """A NodeProto that was scanned by hand."""

    input: list[str] = field(default_factory=list[str])
    output: list[str] = field(default_factory=list[str])
    name: str = ""
    op_type: str = ""
    domain: str = ""
    overload: str = ""


def decode_nodes(
    file: SourceFile, nodes: Sequence[Range], is_function: bool
) -> Iterator[tuple[Range, Node, Special | None]]:
    """Each node with its record and, for one that has bodies or external data, where these are.

    Raises WireError, DecodeError or UnicodeDecodeError.
    """
    data = file.data
    message, probe = ("FunctionNodes", "FunctionProbe") if is_function else ("Nodes", "Probe")
    for first, last in runs(nodes):
        if last - first == 1 and nodes[first][1] - nodes[first][0] > BIG:
            start = body(data, *nodes[first])
            yield nodes[first], _big_node(data, start, nodes[first][1]), _special(data, nodes[first])
            continue
        content = data[nodes[first][0] : nodes[last - 1][1]]
        looked = schema.parse(probe, content).node.attribute
        plain = not _is_special(looked)
        decoded = schema.parse_nodes(message, content)
        for place, node in zip(nodes[first:last], decoded, strict=True):
            yield place, node, None if plain else _special(data, place)


def _is_special(attribute: schema.AttributeProbe) -> bool:
    """Whether merged attributes have a body, or a tensor whose data lies elsewhere."""
    if attribute.HasField("g") or attribute.HasField("graphs"):
        return True
    if not any(attribute.HasField(one) for one in ("t", "tensors", "sparse_tensor", "sparse_tensors")):
        return False
    sparse = (attribute.sparse_tensor, attribute.sparse_tensors)
    tensors = [attribute.t, attribute.tensors, *(one.values for one in sparse), *(one.indices for one in sparse)]
    return any(one.HasField("data_location") for one in tensors)


def _special(data: Buffer, node: Range) -> Special | None:
    """The bodies of a node, and whether it holds external data, found on the wire."""
    bodies: list[tuple[str, int, int]] = []
    external = False
    for number, kind, _, start, stop in fields(data, body(data, *node), node[1]):
        if number != ATTRIBUTE or kind != LEN:
            continue
        name, graphs, outside = _attribute(data, start, stop)
        single = len(graphs) == 1 and graphs[0][0] == G
        external |= outside
        for i, (_, graph_start, graph_stop) in enumerate(graphs):
            bodies.append((name if single else f"{name}[{i}]", graph_start, graph_stop))
    return (bodies, external) if bodies or external else None


G, GRAPHS, T, TENSORS, SPARSE, SPARSES = 6, 11, 5, 10, 22, 23


def _attribute(data: Buffer, start: int, stop: int) -> tuple[str, list[tuple[int, int, int]], bool]:
    """Name, bodies (field number, start, end) and whether a tensor's data lies elsewhere, of an AttributeProto."""
    name, graphs, outside = "", list[tuple[int, int, int]](), False
    for number, kind, _, at, end in fields(data, start, stop):
        if kind != LEN:
            continue
        if number == 1:
            name = bytes(data[at:end]).decode()
        elif number in (G, GRAPHS):
            graphs.append((number, at, end))
        elif number in (T, TENSORS):
            outside |= _outside(data, at, end)
        elif number in (SPARSE, SPARSES):
            parts = [(a, b) for n, k, _, a, b in fields(data, at, end) if n in (1, 2) and k == LEN]
            outside |= any(_outside(data, a, b) for a, b in parts)
    return name, graphs, outside


def _outside(data: Buffer, start: int, stop: int) -> bool:
    """Whether the TensorProto has its data in another file."""
    places = [
        read_varint(data, at, end)[0] for n, kind, _, at, end in fields(data, start, stop) if n == 14 and kind == VARINT
    ]
    return places[-1:] == [1]


def _big_node(data: Buffer, start: int, stop: int) -> Node:
    node = _BigNode()
    for number, kind, _, at, end in fields(data, start, stop):
        if kind != LEN or number not in _TEXTS:
            continue
        text = bytes(data[at:end]).decode()
        if number == 1:
            node.input.append(text)
        elif number == 2:
            node.output.append(text)
        else:
            setattr(node, _TEXTS[number], text)
    return node
