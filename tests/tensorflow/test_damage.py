"""Damaged files: a model, or an error that says where; never anything else, and never a wrong cut."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import DIGITS, shared
from support.tensorflow_graphs import built, calls, tf, written

from subcut.compiler.errors import ModelError, SubcutError
from subcut.compiler.export import load
from subcut.compiler.formats.tensorflow.writer import graph_def
from subcut.compiler.pipeline import standard


def use_everything(path: Path) -> None:
    """Read, decode every attribute, cut and write."""
    model = load(path)
    for graph in model.graphs():
        for op in graph.ops:
            assert op.attributes is not None
            assert model.dialect.is_pure(op) in (True, False)
    ops = [op for op in model.main.ops if op.type != "Const" and op.results and op.name]
    if not ops:
        return
    model = standard(f'"{ops[-1].name}"', infer=False).run(load(path))
    assert graph_def(model).bytes()


def told(path: Path) -> SubcutError | None:
    """What is said of a damaged file; None when it still is a model."""
    try:
        use_everything(path)
    except SubcutError as error:
        return error
    return None


def sources() -> list[Path]:
    return [shared("tensorflow/LSTM_S.pb"), DIGITS / "digits.pb", shared("ascend/hh/hh.pb")]


def small(path: Path) -> bytes:
    """A model without its weights, so that what is damaged is structure."""
    graph = tf().compat.v1.GraphDef.FromString(path.read_bytes())
    for node in graph.node:
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            tensor.tensor_content = tensor.tensor_content[:8]
    return graph.SerializeToString(deterministic=True)  # type: ignore[no-any-return]


@cache
def contents() -> list[bytes]:
    """Not a fixture: what is given to a test is written out when it fails."""
    with TemporaryDirectory() as folder:
        calling = built(calls, Path(folder) / "calls.pb", control_flow_v2=True)
        found = [small(path) for path in [*sources(), calling]]
    assert len(found) == 4
    assert max(map(len, found)) < 1 << 20
    return found


WHICH = st.integers(0, 3)
"""One of the contents."""
WHERE = st.integers(0, (1 << 20) - 1)
"""A place in it, wrapped around."""


@settings(max_examples=300, deadline=None)
@given(which=WHICH, flips=st.lists(st.tuples(WHERE, st.integers(0, 255)), min_size=1, max_size=6))
def test_flipped_bytes_never_surprise(
    which: int, flips: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(contents()[which])
    for place, byte in flips:
        content[place % len(content)] = byte
    path = tmp_path_factory.mktemp("flip") / "m.pb"
    path.write_bytes(content)
    error = told(path)
    assert error is None or "error[" in str(error)


@settings(max_examples=100, deadline=None)
@given(which=WHICH, where=WHERE)
def test_truncated_files_are_told_with_the_offset(
    which: int, where: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = contents()[which]
    stop = 1 + where % (len(content) - 1)
    path = tmp_path_factory.mktemp("short") / "m.pb"
    path.write_bytes(content[:stop])
    error = told(path)
    assert error is None or "error[" in str(error)
    assert not isinstance(error, ModelError) or error.offset is None or error.offset <= stop


def test_nested_functions_in_attributes_do_not_overflow(tmp_path: Path) -> None:
    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), bytearray()
        while size >= 0x80:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes([number << 3 | 2]) + bytes([*length, size]) + content

    value = b"\x18\x01"
    for _ in range(3000):
        value = field(10, field(1, b"f") + field(2, field(1, b"k") + field(2, value)))
    node = field(1, b"n") + field(2, b"Relu") + field(5, field(1, b"bomb") + field(2, value))
    path = tmp_path / "m.pb"
    path.write_bytes(field(1, node))
    model = load(path)
    with pytest.raises(ModelError, match="nested too deep"):
        assert model.main.ops[0].attributes


def test_a_count_beyond_reason_is_damage(tmp_path: Path) -> None:
    graph = tf().compat.v1.GraphDef()
    node = graph.node.add(name="n", op="Split")
    node.attr["num_split"].i = 1 << 40
    with pytest.raises(ModelError, match="num_split"):
        load(written(graph, tmp_path / "m.pb"))


def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.pb"
    path.write_bytes((DIGITS / "digits.pb").read_bytes().replace(b"conv1", b"con\xff1"))
    with pytest.raises(ModelError):
        load(path)


def test_stored_tensors_that_do_not_fit_their_shape_are_told() -> None:
    from subcut.compiler.formats.tensorflow.tensors import decode, encode

    raw = encode(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert decode(raw).tolist() == [[0, 1, 2], [3, 4, 5]]
    head, numbers = raw[:-26], raw[-24:]
    with pytest.raises(ValueError, match="reshape"):
        decode(head + b"\x22\x14" + numbers[:20])


def test_a_record_that_only_inference_looks_into(tmp_path: Path) -> None:
    whole, path = (DIGITS / "digits.pb").read_bytes(), tmp_path / "damaged.pb"
    before, name, after = whole.rpartition(b"exponential_avg_factor")
    path.write_bytes(before + name.replace(b"x", b"\xd2") + after)
    model = load(path)
    with pytest.raises(ModelError, match=r"cannot be decoded: .*UTF-8\n --> .*damaged\.pb"):
        standard("all minus op Relu").run(model)


def test_damaged_colocation_is_told_by_who_looks_at_it(tmp_path: Path) -> None:
    graph = tf().compat.v1.GraphDef()
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    for name, source in (("a", "x"), ("b", "a")):
        node = graph.node.add(name=name, op="Relu", input=[source])
        node.attr["T"].type = 1
        node.attr["_class"].list.s.append(b"loc:@x")
    path = written(graph, tmp_path / "m.pb")
    path.write_bytes(path.read_bytes().replace(b"\x12\x06loc:@x", b"\x12\x7floc:@x"))
    for selection in ("b", "to a"):
        with pytest.raises(ModelError, match="node `a`"):
            graph_def(standard(selection).run(load(path))).bytes()
