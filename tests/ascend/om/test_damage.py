"""Damaged files: a model, or an error that says where; never anything else, and never for long."""

from __future__ import annotations

import contextlib
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import shared
from support.offline_models import SAMPLES, compress, small_model, write_small

from subcut.compiler.errors import ModelError
from subcut.compiler.export import load
from subcut.compiler.formats import WriteOptions, package
from subcut.compiler.formats.ascend import header as h
from subcut.compiler.formats.ascend import inout, schema
from subcut.compiler.formats.ascend.json_form import dumps
from subcut.compiler.formats.ascend.load import load as load_ascend
from subcut.compiler.formats.ascend.offline import read_offline
from subcut.compiler.formats.ascend.partitions import find, read_container
from subcut.compiler.ir.graph import Constant
from subcut.compiler.storage.files import SourceFile

FOLDER = Path(tempfile.mkdtemp())


def use_all(path: Path) -> None:
    """Read all that can be read of a file."""
    model = load_ascend(path)
    for graph in model.graphs():
        for op in graph.ops:
            for value in op.attributes.values():
                if isinstance(value, Constant):
                    value.numpy()
    read_offline(path)
    if path.suffix == ".om":
        for partitions in read_container(SourceFile(path)).models:
            description = find(partitions, h.MODEL_INOUT_INFO)
            if description is not None:
                inout.decode(description)
    out = path.parent / "out"
    out.mkdir(exist_ok=True)
    for old in out.iterdir():
        old.unlink()
    (written,) = package("ascend").write(model, out, WriteOptions())
    assert written.read_bytes() == path.read_bytes(), "what can be read is written as it was"


def attempt(raw: bytes, ending: str) -> ModelError | None:
    path = FOLDER / f"damaged.{ending}"
    path.write_bytes(raw)
    try:
        use_all(path)
    except ModelError as error:
        found = error
    else:
        return None
    assert str(path) in str(found)
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_every_end_is_told(name: str) -> None:
    """At every boundary of a header, a table, a partition, a byte before and behind it."""
    path = shared(name)
    raw = path.read_bytes()
    places = {0, 1, 4, 8, 12, 76, 80, 84, 152, 156, 160, 180, 184, 192, 256, 260, 264, 268, 272, len(raw) - 1}
    for partitions in read_container(SourceFile(path)).models:
        for one in partitions:
            places |= {one.span.start, one.span.stop}
    for place in sorted({min(max(at + by, 1), len(raw) - 1) for at in places for by in (-1, 0, 1)}):
        error = attempt(raw[:place], "om")
        assert error is not None, f"cut at {place}"
        assert error.offset is not None
        assert error.expected


@pytest.mark.parametrize("name", SAMPLES)
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_flipped_bits(name: str, data: st.DataObject) -> None:
    raw = bytearray(shared(name).read_bytes())
    head = data.draw(st.booleans())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(raw), 2000 if head else len(raw)) - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    attempt(bytes(raw), "om")


CHANGES = st.tuples(
    st.sampled_from(["set", "cut", "drop", "double"]), st.floats(0, 1, exclude_max=True), st.integers(0, 255)
)


def intact() -> dict[str, bytes]:
    compressed = small_model()
    compress(compressed)
    return {
        "om": write_small(FOLDER / "small.om", compressed).read_bytes(),
        "air": compressed.SerializeToString(),
        "json": dumps(small_model()).encode(),
    }


INTACT = intact()


@settings(max_examples=1200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ending=st.sampled_from(sorted(INTACT)), changes=st.lists(CHANGES, min_size=1, max_size=3))
def test_damage_is_told_or_harmless(ending: str, changes: list[tuple[str, float, int]]) -> None:
    raw = INTACT[ending]
    for kind, where, what in changes:
        at = int(where * len(raw))
        if kind == "set":
            raw = raw[:at] + bytes([what]) + raw[at + 1 :]
        elif kind == "cut":
            raw = raw[: at + 1]
        elif kind == "drop":
            raw = raw[:at] + raw[at + what % 9 :]
        else:
            raw = raw[:at] + raw[at : at + what] * 2 + raw[at + what :]
    if raw and ending == "om" and len(raw) >= h.SIZE:  # else every change of length is caught by the header
        raw = raw[:184] + struct.pack("<Q", len(raw) - h.SIZE) + raw[192:]
    if raw:
        attempt(raw, ending)


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=120))
def test_any_description(raw: bytes) -> None:
    path = FOLDER / "description.om"
    path.unlink(missing_ok=True)
    write_small(path, description=raw)
    span = find(read_container(SourceFile(path)).models[0], h.MODEL_INOUT_INFO)
    if span is None:
        return
    with contextlib.suppress(ModelError):
        assert inout.encode(inout.decode(span))


def test_texts_out_of_proportion(tmp_path: Path) -> None:
    """A number of a text costs two bytes and the text a megabyte: it is held once, and never written out."""
    model = small_model()
    compress(model)
    table = schema.attribute(model.attr, "attr_value_enum").list.s
    table[0] = b"x" * (1 << 20)
    lists = [one.value.list for op in model.graph[0].op for one in op.attr if one.value.WhichOneof("value") == "list"]
    names = next(one for one in lists if one.i and one.val_type == 2)
    names.i[:] = [0] * 100_000
    path = write_small(tmp_path / "bomb.om", model)
    use_all(path)
    assert any(op.original_names and len(op.original_names) == 100_000 for op in read_offline(path).ops)
    with pytest.raises(ValueError, match="out of proportion"):
        dumps(model)


def test_many_graphs_of_one_name(tmp_path: Path) -> None:
    model = small_model()
    for number in range(3000):
        model.graph.add(name="then").op.add(name=f"op{number}", type="Data")
    assert len(load(write_small(tmp_path / "net.om", model)).functions) == 3001


def test_graphs_that_nest_too_deep(tmp_path: Path) -> None:
    model = small_model()
    inner = model.graph[0].op[0].attr.add(key="bomb").value
    for _ in range(400):
        inner = inner.g.attr.add(key="bomb").value
    inner.i = 1
    path = tmp_path / "bomb.air"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="cannot be decoded"):
        dict(load(path).main.ops[0].attributes)


def test_an_offline_model_that_is_cut_off_while_it_is_used(tmp_path: Path) -> None:
    path = write_small(tmp_path / "net.om")
    model = load(path)
    with open(path, "r+b") as file:
        file.truncate(300)
    (tmp_path / "out").mkdir()
    with pytest.raises(ModelError, match="became shorter"):
        package("ascend").write(model, tmp_path / "out", WriteOptions())
