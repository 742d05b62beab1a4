"""What is written is read again, in every form; the one real file is read field by field."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.dumps import NANO_TYPES, contents, dumps
from support.models import shared

from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.record import Origin
from subcut.compiler.device.dumps.schema import INPUT, NAME, OUTPUT, VERSION
from subcut.compiler.device.dumps.writer import FORMS, NewDump, NewTensor, write_dump
from subcut.compiler.device.enums import BITS
from subcut.compiler.storage.wire import bytes_field, int_field

ONCE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def again(folder: Path, dump: NewDump, form: str) -> Path:
    path = folder / "again"
    path.unlink(missing_ok=True)
    write_dump(path, dump, form)
    return path


@ONCE
@given(dump=dumps(sorted(BITS)), form=st.sampled_from(["big", "protobuf"]))
def test_protobuf_forms_come_back(tmp_path: Path, dump: NewDump, form: str) -> None:
    if form == "protobuf" and not (dump.inputs or dump.outputs or dump.op_name):
        return
    read = read_dump(again(tmp_path, dump, form))
    assert (read.form, read.version, read.time, read.op_name) == (form, "2.0", dump.time, dump.op_name)
    assert contents(read) == contents(dump)
    assert read.attributes == dump.attributes
    assert read.message == dump.message
    assert [(kind, data.bytes()) for kind, data in read.buffers] == list(dump.buffers)
    assert read.problems == []


@ONCE
@given(dumps(NANO_TYPES))
def test_the_nano_form_comes_back(tmp_path: Path, dump: NewDump) -> None:
    read = read_dump(again(tmp_path, dump, "nano"))
    assert read.form == "nano"
    assert contents(read) == contents(dump)
    assert read.problems == []


@ONCE
@given(dumps(NANO_TYPES))
def test_a_form_is_turned_into_the_others(tmp_path: Path, dump: NewDump) -> None:
    wanted = contents(dump)
    path = again(tmp_path, dump, "big")
    for form in ("nano", "protobuf", "big"):
        path = path.rename(tmp_path / "before")
        path = again(tmp_path, NewDump.like(read_dump(path)), form)
        assert contents(read_dump(path)) == wanted


def test_the_real_nano_file() -> None:
    read = read_dump(shared("ascend/nano_concatV2D.dump"))
    assert (read.form, read.version, read.op_name, read.problems) == ("nano", "0", "", [])
    first, second = read.inputs
    (output,) = read.outputs
    for tensor, width, address in ((first, 14652, 0), (second, 30, 8), (output, 14682, 16)):
        assert (tensor.type_name, tensor.layout, tensor.group) == ("FLOAT16", "NHWC", 0)
        assert tensor.shape == tensor.original_shape == (1, width)
        assert (tensor.size, len(tensor.data), tensor.address) == (2 * width, 2 * width, address)
    assert output.origin == Origin("concatv2", 0, "f16", "NHWC")
    # The operator joins its inputs, and so the file proves that inputs come first and in order.
    assert output.data.bytes() == first.data.bytes() + second.data.bytes()
    assert np.isfinite(np.frombuffer(output.data.bytes(), "<f2")).all()


def test_the_real_nano_file_is_written_byte_by_byte(tmp_path: Path) -> None:
    path = shared("ascend/nano_concatV2D.dump")
    assert again(tmp_path, NewDump.like(read_dump(path)), "nano").read_bytes() == path.read_bytes()


def test_data_of_inputs_comes_before_that_of_outputs(tmp_path: Path) -> None:
    """Although the outputs' field has the smaller number."""
    one = NewTensor(b"in", "INT8", "ND", (2,))
    path = again(tmp_path, NewDump("x", [one], [NewTensor(b"out", "INT8", "ND", (3,))]), "big")
    raw = path.read_bytes()
    assert raw.endswith(b"inout")
    (length,) = struct.unpack_from("<Q", raw)
    assert len(raw) == 8 + length + 5


def test_arrays_and_spans_are_written(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    path = again(tmp_path, NewDump("x", [], [NewTensor(array, "FLOAT", "ND", (4, 3))]), "big")
    (read,) = read_dump(path).outputs
    assert np.array_equal(np.frombuffer(read.data.bytes(), "<f4").reshape(4, 3), array)


def by_hand(tmp_path: Path, *fields: bytes, data: bytes = b"") -> Path:
    head = b"".join(fields)
    path = tmp_path / "hand"
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    return path


def floats(number: int, size_field: int, count: int, *more: bytes) -> bytes:
    shape = bytes_field(3, bytes_field(1, bytes([count])))
    return bytes_field(
        number, int_field(1, 1) + int_field(2, 2) + shape + int_field(size_field, 4 * count) + b"".join(more)
    )


def test_a_null_address_wrote_no_bytes(tmp_path: Path) -> None:
    """The runtime skips a tensor without address, and its size stays in the header."""
    there = int_field(8, 4096)
    path = by_hand(
        tmp_path,
        floats(INPUT, 5, 2),
        floats(INPUT, 5, 1, there),
        floats(OUTPUT, 6, 1, int_field(9, 5)),
        data=b"aaaabbbb",
    )
    read = read_dump(path)
    assert [t.data.bytes() for t in read.inputs] == [b"", b"aaaa"]
    assert read.outputs[0].data.bytes() == b"bbbb"
    assert len(read.problems) == 1
    assert "input 0" in read.problems[0]
    assert "had no address" in read.problems[0]


def test_without_any_address_the_data_is_there(tmp_path: Path) -> None:
    read = read_dump(by_hand(tmp_path, floats(INPUT, 5, 1), floats(OUTPUT, 6, 1), data=b"aaaabbbb"))
    assert [t.data.bytes() for t in (*read.inputs, *read.outputs)] == [b"aaaa", b"bbbb"]
    assert read.problems == []


def test_short_data_is_said_and_the_rest_is_readable(tmp_path: Path) -> None:
    read = read_dump(by_hand(tmp_path, floats(INPUT, 5, 1), floats(OUTPUT, 6, 2), data=b"aaaabb"))
    assert read.inputs[0].data.bytes() == b"aaaa"
    assert read.outputs[0].data.bytes() == b"bb"
    assert read.problems == [f"output 0 at byte {read.outputs[0].data.start} promises 8 bytes and the file has 2"]


def test_bytes_behind_the_last_tensor_are_said(tmp_path: Path) -> None:
    read = read_dump(by_hand(tmp_path, floats(INPUT, 5, 1), data=b"aaaa???"))
    assert "3 bytes at byte" in read.problems[0]


def test_unknown_fields_types_and_layouts(tmp_path: Path) -> None:
    tensor = int_field(1, 99) + int_field(2, 77) + int_field(6, 3) + int_field(12, 5) + int_field(60, 1)
    tensor += bytes_field(10, int_field(1, 0) + int_field(2, 8))
    path = by_hand(tmp_path, bytes_field(OUTPUT, tensor), bytes_field(9, "why"), int_field(77, 1), data=b"abc")
    read = read_dump(path)
    (output,) = read.outputs
    assert (output.type_name, output.layout, output.shape) == ("UNDEFINED", "FORMAT_77", ())
    assert (output.argument, read.message) == (5, "why")
    assert "element type 99" in read.problems[0]
    again(tmp_path, NewDump.like(read), "big")


def test_exception_dumps_tell_the_kernels_argument(tmp_path: Path) -> None:
    """Their proto is the same with `arg_index` besides, also of workspaces, and a newer element type."""
    scale = bytes_field(OUTPUT, int_field(1, 42) + int_field(6, 2) + int_field(9, 1) + int_field(12, 3))
    inputs = floats(INPUT, 5, 1, int_field(8, 1), int_field(10, 2), int_field(11, 1))
    path = by_hand(tmp_path, scale, inputs, bytes_field(8, int_field(3, 3) + int_field(4, 7)), data=b"aaaabbccc")
    read = read_dump(path.rename(tmp_path / "exception_info.3.5.20261123153932123"))
    assert [(t.argument, t.data.bytes()) for t in (*read.inputs, *read.outputs)] == [(2, b"aaaa"), (3, b"bb")]
    assert read.outputs[0].type_name == "HIFLOAT4_SCALE"
    assert [(kind, data.bytes()) for kind, data in read.buffers] == [("space", b"ccc")]
    assert read.problems == []


def test_the_original_operator_is_numbered_as_the_graph_engine_does(tmp_path: Path) -> None:
    """0 is FLOAT there, not UNDEFINED; and 3 is INT32, not INT8."""
    for number, element in ((None, "f32"), (1, "f16"), (3, "i32"), (5, None), (27, "bf16"), (99, None)):
        told = bytes_field(1, "conv") + (int_field(3, number) if number else b"") + int_field(4, 1)
        path = by_hand(tmp_path, bytes_field(OUTPUT, int_field(1, 2) + bytes_field(4, told)))
        assert read_dump(path).outputs[0].origin == Origin("conv", 0, element, "NHWC")


@pytest.mark.parametrize(
    ("dims", "size", "shape", "said"),
    [
        ((2, 3), 24, (2, 3), ""),
        ((2, 3), 64, (2, 3), ""),
        ((2, 3), 20, (2, 3), "24 bytes, and only 20"),
        ((2, 3), 96, (2, 3), "the rest is left out"),
        ((), 4, (), ""),
        ((), 400, (100,), "has no shape"),
        ((0, 3), 0, (0, 3), ""),
        ((1 << 64) - 1, 24, (6,), "unknown shape [-1]"),
        ((1 << 62, 1 << 62), 4, (1 << 62, 1 << 62), "and only 4"),
    ],
)
def test_shapes_that_do_not_fit(
    tmp_path: Path, dims: tuple[int, ...] | int, size: int, shape: tuple[int, ...], said: str
) -> None:
    numbers = dims if isinstance(dims, tuple) else (dims,)
    told = bytes_field(3, b"".join(int_field(1, dim) for dim in numbers))
    path = by_hand(tmp_path, bytes_field(OUTPUT, int_field(1, 1) + told + int_field(6, size)), data=b"\0" * size)
    read = read_dump(path)
    assert read.outputs[0].shape == shape
    assert (said in read.problems[0]) if said else not read.problems


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    read = read_dump(by_hand(tmp_path, bytes_field(VERSION, "2.0"), bytes_field(NAME, b"a\xff")))
    assert read.op_name == "a\ufffd"


def test_what_has_no_number_is_not_written(tmp_path: Path) -> None:
    for tensor in (NewTensor(b"", "FLOAT3", "ND", ()), NewTensor(b"", "FLOAT", "NOWHERE", ())):
        for form in FORMS:
            with pytest.raises(ValueError, match=r"no (element type|layout)"):
                write_dump(tmp_path / "no", NewDump("x", [tensor]), form)
    assert not (tmp_path / "no").exists()
