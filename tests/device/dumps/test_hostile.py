"""Damaged and hostile files: an error with path and offset or a dump with problems, and nothing else."""

from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.dumps import NANO_TYPES, dump, dumps
from support.models import shared

from subcut.compiler.device.dumps import header
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.record import DumpFile
from subcut.compiler.device.dumps.writer import FORMS, NewDump, write_dump
from subcut.compiler.errors import ModelError
from subcut.compiler.storage.wire import bytes_field, int_field, varint

MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(path: Path) -> DumpFile | ModelError:
    try:
        return read_dump(path)
    except ModelError as error:
        return error


def attempt(path: Path, raw: bytes) -> DumpFile | ModelError:
    """Read bytes as a dump: what came of it. Any other exception escapes and fails the test."""
    path.write_bytes(raw)
    read = outcome(path)
    if isinstance(read, ModelError):
        assert read.path == path
        assert read.offset is None or 0 <= read.offset <= len(raw)
        return read
    for tensor in (*read.inputs, *read.outputs):
        assert 0 <= tensor.data.start <= tensor.data.stop <= len(raw)
        assert len(tensor.data) <= tensor.size or read.form == "protobuf"
    return read


def small(folder: Path, form: str) -> bytes:
    path = folder / "small"
    path.unlink(missing_ok=True)
    write_dump(path, dump(), form)
    return path.read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_cut_off_at_every_byte(tmp_path: Path, form: str) -> None:
    raw = small(tmp_path, form)
    whole = attempt(tmp_path / "cut", raw)
    assert isinstance(whole, DumpFile)
    assert not whole.problems
    for size in range(len(raw)):
        read = attempt(tmp_path / "cut", raw[:size])
        if isinstance(read, DumpFile):
            short = read.problems or (read.form == "protobuf" and read.op_name == "")
            assert short or len(read.inputs) + len(read.outputs) < 2


@pytest.mark.parametrize("form", FORMS)
def test_every_bit_turned(tmp_path: Path, form: str) -> None:
    raw = small(tmp_path, form)
    for bit in range(8 * len(raw)):
        turned = bytearray(raw)
        turned[bit // 8] ^= 1 << bit % 8
        attempt(tmp_path / "turned", bytes(turned))


def test_the_real_file_cut_off_and_turned(tmp_path: Path) -> None:
    raw = shared("ascend/nano_concatV2D.dump").read_bytes()
    for size in range(12, 360):
        read = attempt(tmp_path / "cut", raw[:size])
        assert isinstance(read, ModelError) or read.problems
    for bit in range(0, 8 * 332, 3):
        turned = bytearray(raw[:400])
        turned[bit // 8] ^= 1 << bit % 8
        attempt(tmp_path / "turned", bytes(turned))


@MANY
@given(dump=dumps(NANO_TYPES), form=st.sampled_from(FORMS), data=st.data())
def test_random_damage(tmp_path: Path, dump: NewDump, form: str, data: st.DataObject) -> None:
    path = tmp_path / "whole"
    path.unlink(missing_ok=True)
    write_dump(path, dump, form)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    if raw:
        attempt(tmp_path / "damaged", bytes(raw))


@MANY
@given(st.binary(min_size=1, max_size=80))
def test_random_bytes(tmp_path: Path, raw: bytes) -> None:
    attempt(tmp_path / "random", raw)


def with_header(head: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(head)) + head + data


@pytest.mark.parametrize(
    ("raw", "offset", "message"),
    [
        (b"\1\2\3", 0, "a dump of 3 bytes"),
        (struct.pack("<Q", 100) + b"abc", 0, "the header is 100 bytes long, longer than the file"),
        (struct.pack("<Q", 1 << 63) + b"abc", 0, "longer than the file"),
        (with_header(b"\x1a\x7f"), 8, "field 3 is 127 bytes long"),
        (with_header(int_field(3, 1)), 8, "field 3 has wire type 0"),
        (with_header(bytes_field(3, b"\x08")), 11, "a varint that runs past the end"),
        (with_header(bytes_field(3, bytes_field(3, b"\xff\xff"))), 10, "`OpOutput` that cannot be decoded"),
        (with_header(bytes_field(3, bytes_field(3, bytes_field(1, b"\1" * 65)))), 10, "a shape of 65 dimensions"),
        (with_header(bytes_field(7, int_field(1, 1))), 10, "field 1 of an attribute has wire type 0"),
        (with_header(struct.pack("<2I", 0x5A5A5A5A, 0) + b"\4\0"), 16, "a record's tag and length takes 8 bytes"),
        (with_header(struct.pack("<4I", 0x5A5A5A5A, 0, 4, 1 << 31)), 24, "inputs takes 2147483648 bytes"),
        (with_header(struct.pack("<5I", 0x5A5A5A5A, 0, 5, 4, 1 << 31)), 28, "2147483648 tensors"),
    ],
)
def test_errors_say_where(tmp_path: Path, raw: bytes, offset: int, message: str) -> None:
    error = attempt(tmp_path / "bad", raw)
    assert isinstance(error, ModelError)
    assert message in error.message
    assert error.offset == offset
    assert error.expected


def test_a_cut_off_protobuf_file_is_told_as_such(tmp_path: Path) -> None:
    raw = small(tmp_path, "protobuf")
    error = attempt(tmp_path / "bad", raw[:-3])
    assert isinstance(error, ModelError)
    assert "DumpData" in error.expected


BOMBS = {
    "tensors without content": bytes_field(3, b"") * 500_000,
    "empty names": bytes_field(6, b"") * 1_000_000,
    "a million dimensions": bytes_field(3, bytes_field(3, bytes_field(1, b"\1" * 1_000_000))),
    "fields in a tensor": bytes_field(4, int_field(9, 1) * 1_000_000),
    "data again and again": bytes_field(3, bytes_field(5, b"") * 1_000_000),
    "long attributes": bytes_field(7, bytes_field(1, b"x" * 4_000_000)) * 2,
    "a description of slices": bytes_field(
        7, bytes_field(2, b'{"threadMode":true,"output_tensor_slice":[' + b"[]," * 300_000 + b"[]]}")
    )
    + bytes_field(3, int_field(1, 1) + bytes_field(3, int_field(1, 9))) * 200,
    "unknown fields": int_field(100, 1) * 700_000,
}


@pytest.mark.parametrize("form", ["header", "whole"])
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_no_more_than_their_size(tmp_path: Path, name: str, form: str) -> None:
    raw = bytes_field(1, "2.0") + BOMBS[name]
    tracemalloc.start()
    begin = time.perf_counter()
    attempt(tmp_path / "bomb", with_header(raw) if form == "header" else raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - begin < 20
    assert peak < 16 * len(raw) + 32_000_000


def test_nano_bombs(tmp_path: Path) -> None:
    head = struct.pack("<2I", 0x5A5A5A5A, 0)
    records = struct.pack("<2I", 77, 0) * 100_000
    assert isinstance(attempt(tmp_path / "bomb", with_header(head + records)), DumpFile)
    long = attempt(tmp_path / "bomb", with_header(head + records * 10))
    assert isinstance(long, ModelError)
    assert "a nano header of" in long.message


def test_a_promise_of_more_than_all_memory(tmp_path: Path) -> None:
    shape = bytes_field(3, bytes_field(1, varint((1 << 63) - 1) * 8))
    raw = with_header(bytes_field(3, int_field(1, 1) + shape + int_field(6, (1 << 64) - 1)), b"abc")
    read = attempt(tmp_path / "promise", raw)
    assert isinstance(read, DumpFile)
    assert read.outputs[0].data.bytes() == b"abc"
    assert len(read.problems) == 2


def test_the_limits_are_above_what_operators_have(tmp_path: Path) -> None:
    """A thousand inputs with attributes are no bomb."""
    one = dump().inputs[0]
    path = tmp_path / "wide"
    write_dump(path, NewDump("x", [one] * 2000, [one] * 2000, attributes={"json": "x" * 1_000_000}))
    read = read_dump(path)
    assert (len(read.inputs), len(read.outputs), read.problems) == (2000, 2000, [])
    assert header.PARTS > 4000
