"""Damaged files: a model, or an error that says where; never anything else, and never for long."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.onnx_graphs import AWKWARD, save

from subcut.compiler.errors import ModelError
from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions, WriteOptions, package
from subcut.compiler.formats.onnx import claims
from subcut.compiler.ir.graph import Constant
from subcut.compiler.storage.wire import bytes_field, int_field

ONNX = package("onnx")
INTACT = {name: save(name, Path(tempfile.mkdtemp())).read_bytes() for name in AWKWARD}

Change = tuple[str, float, int]
"""What to do, where (as a part of the file's length), and with what."""
CHANGES = st.tuples(
    st.sampled_from(["set", "cut", "drop", "double"]), st.floats(0, 1, exclude_max=True), st.integers(0, 255)
)


def damaged(data: bytes, changes: list[Change]) -> bytes:
    for kind, where, what in changes:
        at = int(where * len(data))
        if kind == "set":
            data = data[:at] + bytes([what]) + data[at + 1 :]
        elif kind == "cut":
            data = data[: at + 1]
        elif kind == "drop":
            data = data[:at] + data[at + what % 9 :]
        else:
            data = data[:at] + data[at : at + what] * 2 + data[at + what :]
    return data


@settings(max_examples=1500, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(sorted(AWKWARD)), changes=st.lists(CHANGES, min_size=1, max_size=4))
def test_damage_is_told_or_harmless(name: str, changes: list[Change]) -> None:
    data = damaged(INTACT[name], changes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        path.write_bytes(data)
        try:
            model = ONNX.read(path, ReadOptions())
            model.dialect.annotate(model)
            for graph in model.graphs():
                for op in graph.ops:
                    for value in op.attributes.values():
                        if isinstance(value, Constant):
                            value.numpy()
            (Path(folder) / "out").mkdir()
            written = ONNX.write(model, Path(folder) / "out", WriteOptions())
        except ModelError:
            return
        assert written[0].read_bytes() == data, "what can be read is written as it was"


@pytest.mark.parametrize("depth", [10, 40, 100, 5000])
def test_bodies_that_nest_too_deep(depth: int, tmp_path: Path) -> None:
    graph = bytes_field(2, "g")
    for _ in range(depth):
        attribute = bytes_field(1, "body") + bytes_field(6, graph) + int_field(20, 5)
        graph = bytes_field(1, bytes_field(4, "Bomb") + bytes_field(5, attribute)) + bytes_field(2, "g")
    path = tmp_path / "bomb.onnx"
    path.write_bytes(int_field(1, 8) + bytes_field(7, graph) + bytes_field(8, int_field(2, 17)))
    if depth <= 40:
        assert sum(1 for _ in load(path).graphs()) == depth + 1
        return
    with pytest.raises(ModelError, match="nest more than 60 deep"):
        load(path)


def test_types_that_nest_too_deep(tmp_path: Path) -> None:
    kind = b""
    for _ in range(2000):
        kind = bytes_field(4, bytes_field(1, kind))
    graph = bytes_field(2, "g") + bytes_field(11, bytes_field(1, "x") + bytes_field(2, kind))
    path = tmp_path / "bomb.onnx"
    path.write_bytes(int_field(1, 8) + bytes_field(7, graph) + bytes_field(8, int_field(2, 17)))
    with pytest.raises(ModelError, match="cannot be decoded"):
        load(path)


def model_of(*graph: bytes) -> bytes:
    return int_field(1, 8) + bytes_field(7, b"".join(graph))


def node(*fields: bytes) -> bytes:
    return bytes_field(1, b"".join(fields))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (int_field(1, 8), "no graph"),
        (int_field(1, 8) + bytes_field(7, b"") + bytes_field(7, b""), "2 graphs"),
        (int_field(1, 8) + b"\x3a\xff\x01", "more than there are"),
        (model_of(node(bytes_field(1, "nowhere"), bytes_field(4, "Abs"))), "nothing makes"),
        (model_of(node(bytes_field(2, "x"), bytes_field(4, "A")) * 2), "two things"),
        (model_of(node(bytes_field(4, b"\xff\xfe"))), "cannot be decoded"),
        (model_of(bytes_field(5, int_field(1, -3))), "negative dimension"),
    ],
)
def test_what_is_wrong_is_said(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        ONNX.read(path, ReadOptions())


def test_content_tells_onnx_from_the_rest(tmp_path: Path) -> None:
    for name, data in INTACT.items():
        assert claims(tmp_path / name, data[: 1 << 16], len(data)), name
    node = bytes_field(1, bytes_field(1, "x") + bytes_field(2, "Placeholder"))
    assert not claims(tmp_path / "a.pb", node, len(node)), "a GraphDef"
    net = bytes_field(1, "net") + bytes_field(100, bytes_field(1, "conv1"))
    assert not claims(tmp_path / "a.caffemodel", net, len(net)), "a caffemodel"
    text = b'name: "net"\nlayer { name: "conv1" type: "Convolution" }\n'
    assert not claims(tmp_path / "a.prototxt", text, len(text)), "a prototxt"
