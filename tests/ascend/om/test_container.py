"""Containers: what others wrote is taken apart and put together to the same bytes, and every kind of ours is read."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from support.models import shared
from support.offline_models import SAMPLES, compress, small_model, write_small

from subcut.compiler.errors import ModelError
from subcut.compiler.export import load
from subcut.compiler.formats.ascend import header as h
from subcut.compiler.formats.ascend import inout
from subcut.compiler.formats.ascend.container import Part, container, write_om
from subcut.compiler.formats.ascend.header import Header
from subcut.compiler.formats.ascend.offline import read_offline
from subcut.compiler.formats.ascend.partitions import find, read_container
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import bytes_field

OLD = Header(version=h.OLD, platform_version="3.51.z.0", platform_type=0)
NEW = Header()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_put_together_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    path = shared(name)
    found = read_container(SourceFile(path))
    parts = [[Part(one.type, one.span) for one in model] for model in found.models]
    container(parts, found.header, wide=found.header.wide).write(tmp_path / "again.om")
    assert (tmp_path / "again.om").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_header_keeps_its_bytes(name: str) -> None:
    raw = shared(name).read_bytes()[: h.SIZE]
    assert h.unpack(raw).pack() == raw


def test_partitions_of_the_real_model() -> None:
    (model,) = read_container(SourceFile(shared("ascend/hh/hh_om.om"))).models
    assert [(one.name, len(one.span)) for one in model] == [
        ("MODEL_DEF", 154630),
        ("WEIGHTS_DATA", 386560),
        ("TBE_KERNELS", 64667),
        ("TASK_INFO", 12828),
    ]
    kernels = find(model, h.TBE_KERNELS)
    assert kernels is not None
    assert kernels.bytes()[:4] == struct.pack("<I", 0x5D776EFD), "the store of kernels, which is not looked into"


def test_inputs_and_outputs_of_a_sample() -> None:
    file = SourceFile(shared("ascend/om/ge_root_model.om"))
    span = find(read_container(file).models[0], h.MODEL_INOUT_INFO)
    assert span is not None
    found = inout.decode(span)
    assert [(one.name, one.type_name, one.layout, one.shape) for one in found.inputs] == [
        ("_arg_0", "INT32", "ND", (16,))
    ]
    assert [(one.name, one.type_name, one.shape) for one in found.outputs] == [("output_0_out_0", "INT32", (-1,))]
    assert inout.encode(found) == span.bytes()


def test_inputs_and_outputs_of_ours(tmp_path: Path) -> None:
    ranges = ((1, 8), (3, 3), (-1, -1))
    one = inout.Described("x", 24, "FLOAT16", "NCHW", (-1, 3, -1), (1, 3, 8), ranges)
    given = inout.Description(
        (one, one), (inout.Described("y:0:out", 4, "FLOAT", "ND", ()),), (("dynamic batch", b"1"),)
    )
    path = write_small(tmp_path / "net.om", description=inout.encode(given))
    span = find(read_container(SourceFile(path)).models[0], h.MODEL_INOUT_INFO)
    assert span is not None
    assert inout.decode(span) == given


@pytest.mark.parametrize("header", [OLD, NEW], ids=["old", "new"])
@pytest.mark.parametrize("wide", [False, True])
def test_generations_and_tables(header: Header, wide: bool, tmp_path: Path) -> None:
    parts = [Part(h.WEIGHTS_DATA, bytes(5632)), Part(h.MODEL_DEF, small_model().SerializeToString())]
    container([parts], replace(header, name="net"), wide=wide).write(tmp_path / "net.om")
    found = read_container(SourceFile(tmp_path / "net.om"))
    assert found.header.wide == (wide and header is NEW)
    assert found.header.platform_version == header.platform_version
    assert [op.name for op in load(tmp_path / "net.om").main.ops][-1] == "Node_Output"


def test_a_long_name_is_cut() -> None:
    assert h.unpack(Header(name="é" * 40).pack()).name == "é" * 15


def test_padded_partitions(tmp_path: Path) -> None:
    """The graph engine's saver can pad: its table then says where the partitions begin."""
    definition = small_model().SerializeToString()
    table = struct.pack("<II", 2, 0)
    size = 8 + 24 * 2
    first = -size % 32
    second = first + len(definition) + -len(definition) % 32
    table += struct.pack("<IIQQ", h.MODEL_DEF, 0, first, len(definition))
    table += struct.pack("<IIQQ", h.WEIGHTS_DATA, 0, second, 10)
    body = (table + bytes(first) + definition).ljust(size + second, b"\0") + b"0123456789".ljust(32, b"\0")
    path = tmp_path / "padded.om"
    path.write_bytes(replace(NEW, model_length=len(body)).pack() + body)
    (model,) = read_container(SourceFile(path)).models
    assert [one.span.bytes() for one in model] == [definition, b"0123456789"]


def test_several_models(tmp_path: Path) -> None:
    root, sub = small_model("root"), small_model("sub")
    del sub.graph[1:]
    for model in (sub, root):
        compress(model)
    parts = [[Part(h.MODEL_DEF, one.SerializeToString()), Part(h.WEIGHTS_DATA, b"w")] for one in (root, sub)]
    header = replace(NEW, name="root", is_unknown_shape=True)
    container(parts, header).write(tmp_path / "several.om")
    found = read_container(SourceFile(tmp_path / "several.om"))
    assert (found.header.model_num, len(found.models)) == (2, 2)
    model = load(tmp_path / "several.om")
    assert list(model.functions) == ["then", "sub_0"]
    assert model.functions["sub_0"].ops[3].attributes["_datadump_original_op_names"] == ["conv1", "relu1"]


def test_names_of_a_sub_model_are_numbers_into_its_own_table_and_then_the_root_s(tmp_path: Path) -> None:
    root = small_model("root")
    compress(root)
    sub = schema_copy(root, "sub")
    compress(sub)
    parts = [[Part(h.MODEL_DEF, one.SerializeToString())] for one in (root, sub)]
    container(parts, replace(NEW, is_unknown_shape=True)).write(tmp_path / "several.om")
    plain = write_small(tmp_path / "plain.om")
    views = {op.name: replace(op, graph="") for op in read_offline(plain).ops}
    for op in read_offline(tmp_path / "several.om").ops:
        assert replace(op, graph="") == views[op.name]


def schema_copy(model: object, name: str) -> object:
    """A model without its tables: what the graph engine compresses a second time."""
    again = type(model)()
    again.CopyFrom(model)  # type: ignore[attr-defined]
    again.name = name  # type: ignore[attr-defined]
    again.graph[0].name = f"{name}_0"  # type: ignore[attr-defined]
    kept = [entry for entry in again.attr if "enum" not in entry.key and "om_comp" not in entry.key]  # type: ignore[attr-defined]
    kept = [entry for entry in kept if "use_string" not in entry.key]
    del again.attr[:]  # type: ignore[attr-defined]
    again.attr.extend(kept)  # type: ignore[attr-defined]
    return again


def test_a_bundle(tmp_path: Path) -> None:
    inner = [write_small(tmp_path / f"{name}.om", small_model(name)).read_bytes() for name in ("a", "b")]
    parts = [Part(h.BUNDLE_MODEL_VAR_INFO, bytes(8)), *(Part(h.BUNDLE_MODEL_INFO, raw) for raw in inner)]
    container([parts], replace(NEW, modeltype=h.BUNDLE, model_num=2)).write(tmp_path / "bundle.om")
    found = read_container(SourceFile(tmp_path / "bundle.om"))
    assert found.header.model_length == (tmp_path / "bundle.om").stat().st_size
    assert [name for name, _ in found.nested] == ["a", "b"]
    model = load(tmp_path / "bundle.om")
    assert (model.name, list(model.functions)) == ("a", ["then", "b_0"])


def test_a_flow_model(tmp_path: Path) -> None:
    inner = write_small(tmp_path / "inner.om", small_model("inner")).read_bytes()
    record = bytes_field(1, "stage") + bytes_field(2, "NPU") + bytes_field(3, inner)
    root = small_model("root").SerializeToString()
    parts = [Part(h.MODEL_DEF, root), Part(h.FLOW_MODEL, b""), Part(h.FLOW_SUBMODEL, record)]
    container([parts], replace(NEW, modeltype=h.FLOW)).write(tmp_path / "flow.om")
    assert [name for name, _ in read_container(SourceFile(tmp_path / "flow.om")).nested] == ["stage"]
    assert list(load(tmp_path / "flow.om").functions) == ["then", "inner_0"]


def test_stores_of_kernels_and_libraries_are_not_read(tmp_path: Path) -> None:
    """What is in them can be anything."""
    parts = [Part(kind, b"\xff" * 999) for kind in (h.TBE_KERNELS, h.CUST_AICPU_KERNELS, h.SO_BINS, 26, 77)]
    parts.append(Part(h.MODEL_DEF, small_model().SerializeToString()))
    container([parts], NEW).write(tmp_path / "net.om")
    assert load(tmp_path / "net.om").name == "net"


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = write_small(tmp_path / "net.om")
    with pytest.raises(FileExistsError):
        write_om(path, name="net", definition=b"")


@pytest.mark.parametrize(
    ("at", "raw", "message", "offset"),
    [
        (0, b"PICO", "HiSilicon", 0),
        (0, b"PK\3\4", "OM2", 0),
        (4, b"\0\0", "a header of 0 bytes", 4),
        (8, b"\1", "generation 0x20000001", 8),
        (80, b"\1", "encrypted", 80),
        (184, b"\1\0", "the header promises 1 bytes behind it", 184),
        (256, b"\0", "a table of 0 partitions", 256),
        (256, b"\xff\xff\xff\xff", "a table of 4294967295 partitions", 256),
        (280, b"\xff" * 8, "a partition of 18446744073709551615 bytes", 264),
    ],
)
def test_refused_with_the_place(at: int, raw: bytes, message: str, offset: int, tmp_path: Path) -> None:
    path = write_small(tmp_path / "net.om")
    data = bytearray(path.read_bytes())
    data[at : at + len(raw)] = raw
    path.write_bytes(data)
    with pytest.raises(ModelError, match=message) as caught:
        read_offline(path)
    assert caught.value.offset == offset
    assert caught.value.expected


def with_more(path: Path) -> bytearray:
    data = bytearray(path.read_bytes() + b"more")
    data[184:192] = struct.pack("<Q", len(data) - h.SIZE)
    return data


def test_bytes_behind_the_last_partition(tmp_path: Path) -> None:
    """Let be where offsets vouch for the sizes: the graph engine's loader does not look at them either."""
    path = write_small(tmp_path / "net.om")
    data = with_more(path)
    path.write_bytes(data)
    assert load(path).name == "net"
    data[272:280] = struct.pack("<Q", 7)  # the offset of the first partition, which is 0
    path.write_bytes(data)
    with pytest.raises(ModelError, match="4 bytes behind the last partition"):
        load(path)


def test_bytes_behind_several_models(tmp_path: Path) -> None:
    path = write_small(tmp_path / "net.om", header=replace(NEW, is_unknown_shape=True))
    path.write_bytes(with_more(path))
    with pytest.raises(ModelError, match="4 bytes behind the last partition"):
        load(path)


def test_offsets_that_disagree_are_not_believed(tmp_path: Path) -> None:
    path = write_small(tmp_path / "net.om")
    data = bytearray(path.read_bytes())
    data[272:280] = struct.pack("<Q", 77)
    path.write_bytes(data)
    assert load(path).name == "net"


def test_containers_that_nest_too_deep(tmp_path: Path) -> None:
    raw = write_small(tmp_path / "inner.om").read_bytes()
    for depth in range(9):
        container([[Part(h.BUNDLE_MODEL_INFO, raw)]], replace(NEW, modeltype=h.BUNDLE)).write(tmp_path / f"{depth}.om")
        raw = (tmp_path / f"{depth}.om").read_bytes()
    with pytest.raises(ModelError, match="nested too deep"):
        load(tmp_path / "8.om")


def test_no_model_inside(tmp_path: Path) -> None:
    container([[Part(h.WEIGHTS_DATA, b"123")]], NEW).write(tmp_path / "net.om")
    with pytest.raises(ModelError, match="no model definition"):
        load(tmp_path / "net.om")


def test_the_schema_of_old_products_is_recognised(tmp_path: Path) -> None:
    legacy = bytes_field(1, "old") + bytes_field(20, bytes_field(1, "conv"))
    container([[Part(h.MODEL_DEF, legacy)]], OLD).write(tmp_path / "old.om")
    with pytest.raises(ModelError, match="products before 2020"):
        load(tmp_path / "old.om")
