"""Overflow records of both layouts."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subcut.compiler.device.dumps.overflow import MAGIC, OLD_SIZE, read_overflows
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump
from subcut.compiler.errors import ModelError

IDENTITY = ("model_id", "stream_id", "task_id", "task_type", "pc_start", "para_base")


def written(tmp_path: Path, raw: bytes) -> Path:
    path = tmp_path / "Opdebug.Node_OpDebug.1.2.1600000000000000"
    path.unlink(missing_ok=True)
    write_dump(path, NewDump("Node_OpDebug", [], [NewTensor(raw, "UINT8", "ND", (len(raw),))]))
    return path


def old(dha: int, l2: int, core: int) -> bytes:
    raw = bytearray(OLD_SIZE)
    for number, at in enumerate((0, 128, 256)):
        struct.pack_into("<6Q", raw, at, *(10 * number + k for k in range(1, 7)))
    struct.pack_into("<Q", raw, 512, dha)
    struct.pack_into("<Q", raw, 768, l2)
    struct.pack_into("<3Q", raw, 1024, 0xABC, 7, core)
    return bytes(raw)


def new(accelerator: int, numbers: list[int], version: int = 0, valid: int = 1, length: int | None = None) -> bytes:
    size = 8 * len(numbers) if length is None else length
    return struct.pack(f"<6I{len(numbers)}Q", MAGIC, version, valid, accelerator, 0, size, *numbers)


def test_the_old_layout(tmp_path: Path) -> None:
    (record,) = read_overflows(written(tmp_path, old(0, 0, 32)))
    assert record.version is None
    assert record.block is not None
    assert (record.block.unit, record.block.status, record.block.task) == ("AI Core", (32,), (23, 22))
    assert record.block.context is None
    assert record.as_json() == {
        "DHA Atomic Add": {
            "model_id": 1, "stream_id": 2, "task_id": 3, "task_type": 4, "pc_start": "0x5", "para_base": "0x6",
            "status": 0,
        },
        "L2 Atomic Add": {
            "model_id": 11, "stream_id": 12, "task_id": 13, "task_type": 14, "pc_start": "0xf", "para_base": "0x10",
            "status": 0,
        },
        "AI Core": {
            "model_id": 21, "stream_id": 22, "task_id": 23, "task_type": 24, "pc_start": "0x19", "para_base": "0x1a",
            "kernel_code": "0xabc", "block_idx": 7, "status": 32,
        },
    }  # fmt: skip


def test_the_unit_that_overflowed_first(tmp_path: Path) -> None:
    (record,) = read_overflows(written(tmp_path, old(0, 5, 32)))
    assert record.block is not None
    assert record.block.unit == "L2 Atomic Add"
    (quiet,) = read_overflows(written(tmp_path, old(0, 0, 0)))
    assert quiet.block is None


def test_the_new_layout(tmp_path: Path) -> None:
    (record,) = read_overflows(written(tmp_path, new(0, [1, 2, 3, 4, 65535, 65535, 255, 16, 9, 10, 32]) + bytes(100)))
    assert (record.version, record.problems) == (0, ())
    assert record.block is not None
    assert (record.block.task, record.block.context) == ((3, 2), None)
    assert record.as_json() == {
        "magic": "0x5a5a5a5a",
        "version": 0,
        "acc_list": {
            "valid": 1, "acc_type": "AIC", "rsv": 0, "data_len": 88,
            "data": {
                "model_id": 1, "stream_id": 2, "task_id": 3, "task_type": 4, "context_id": 65535, "thread_id": 65535,
                "pc_start": "0xff", "para_base": "0x10", "core_id": 9, "block_id": 10, "status": 32,
            },
        },
    }  # fmt: skip


def test_four_words_of_status(tmp_path: Path) -> None:
    (record,) = read_overflows(written(tmp_path, new(1, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 0, 64], version=1)))
    assert record.block is not None
    assert (record.block.unit, record.block.status, record.block.context) == ("AIV", (0, 0, 0, 64), (5, 6))
    assert record.problems == ()


@pytest.mark.parametrize(("accelerator", "unit", "count"), [(2, "AICPU", 8), (3, "SDMA", 10)])
def test_other_accelerators(tmp_path: Path, accelerator: int, unit: str, count: int) -> None:
    (record,) = read_overflows(written(tmp_path, new(accelerator, [*range(1, count), 77], version=1)))
    assert (record.blocks[0].unit, record.blocks[0].status, len(record.blocks[0].numbers)) == (unit, (77,), count - 1)


def test_what_a_record_says_of_itself(tmp_path: Path) -> None:
    (record,) = read_overflows(written(tmp_path, new(2, [1] * 8, valid=3, length=5)))
    assert record.problems == (
        "the record says that it is not valid (3)", "the record says that it has 5 bytes and not 64"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (bytes(2047), "an overflow record of 2047 bytes"),
        (new(0, [1] * 10), "an overflow record of 104 bytes"),
        (new(9, [1] * 11), "accelerator 9"),
        (struct.pack("<I", MAGIC), "an overflow record of 4 bytes"),
    ],
)
def test_records_that_are_none(tmp_path: Path, raw: bytes, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_overflows(written(tmp_path, raw))
    assert message in caught.value.message
    assert caught.value.offset is not None
    assert "output 0" in caught.value.where


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.booleans())
def test_random_records(tmp_path: Path, raw: bytes, magic: bool) -> None:
    path = written(tmp_path, struct.pack("<I", MAGIC) + raw if magic else raw)
    try:
        read_overflows(path)
    except ModelError as error:
        assert error.expected  # noqa: PT017
