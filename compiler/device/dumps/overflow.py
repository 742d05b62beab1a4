"""Overflow files `Opdebug.Node_OpDebug…`: which task a device's arithmetic ran over in, and with what status.

The first output of such a dump holds one record, of one of two layouts, little-endian throughout.

Old, 2048 bytes, all of it 64-bit numbers: three blocks (atomic adds of the DHA, 128 bytes; of the L2 buffer, 128; the
AI core, 256) that begin with model, stream, task, task type, program counter and parameter base; then the status of the
three (256, 256, 1024), that of the AI core behind a kernel code and a block index.

New: 32-bit words magic 0x5A5A5A5A, version, valid, accelerator, reserved, length of the data; then 64-bit numbers whose
names depend on the accelerator. In version 1 an AI core has four words of status.

Source: the accuracy tool's `dump_data_parser.py` and `const_manager.py`, whose JSON `as_json` follows key by key.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.record import DumpFile, DumpTensor
from subcut.compiler.errors import ModelError

MAGIC = 0x5A5A5A5A
OLD_SIZE = 2048
NO_ID = 65535
"""A context or thread that is none."""

_BLOCKS = (("DHA Atomic Add", 0, 512), ("L2 Atomic Add", 128, 768), ("AI Core", 256, 1024))
"""Name, offset of the identity, offset of the status."""
_IDENTITY: tuple[str, ...] = ("model_id", "stream_id", "task_id", "task_type", "pc_start", "para_base")
_ADDRESSES = ("pc_start", "para_base", "src_addr", "dst_addr", "kernel_code")
"""Shown as hexadecimal numbers."""
_CORE = (
    "model_id", "stream_id", "task_id", "task_type", "context_id", "thread_id", "pc_start", "para_base", "core_id",
    "block_id", "status",
)  # fmt: skip
_ACCELERATORS = {
    0: ("AIC", _CORE),
    1: ("AIV", _CORE),
    2: (
        "AICPU",
        ("model_id", "stream_id", "task_id", "task_type", "context_id", "cpu_id", "thread_id", "status"),
    ),
    3: (
        "SDMA",
        (
            "model_id", "stream_id", "task_id", "task_type", "context_id", "thread_id", "src_addr", "dst_addr",
            "channel_id", "status",
        ),
    ),
}  # fmt: skip
_STATUS_WORDS = 4
"""Words of status of an AI core in version 1."""


@dataclass(frozen=True, slots=True)
class Block:
    """What one unit of the device says: numbers by name, in the order of the file."""

    unit: str
    """`AI Core`, `L2 Atomic Add`, `DHA Atomic Add`; in the new layout `AIC`, `AIV`, `AICPU`, `SDMA`."""
    numbers: dict[str, int]
    status: tuple[int, ...]
    """All zero: this unit had no overflow."""

    @property
    def overflowed(self) -> bool:
        """Whether this unit says that something ran over."""
        return any(self.status)

    @property
    def task(self) -> tuple[int, int]:
        """Task and stream, which the names of dump files have too."""
        return self.numbers["task_id"], self.numbers["stream_id"]

    @property
    def context(self) -> tuple[int, int] | None:
        """Context and thread of a slice; None where the operator was not sliced."""
        context, thread = self.numbers.get("context_id", NO_ID), self.numbers.get("thread_id", NO_ID)
        return None if context == NO_ID else (context, thread)


@dataclass(frozen=True, slots=True)
class Overflow:
    """One record. `version` is None for the old layout."""

    version: int | None
    blocks: tuple[Block, ...]
    valid: int = 1
    reserved: int = 0
    data_length: int = 0
    problems: tuple[str, ...] = field(default=())

    @property
    def block(self) -> Block | None:
        """The first unit that says that something ran over; None if none does."""
        return next((block for block in self.blocks if block.overflowed), None)

    def as_json(self) -> dict[str, Any]:
        """The record as the accuracy tool writes it into `<file>.output.<i>.json`."""
        if self.version is None:
            return {block.unit: _shown(block) for block in self.blocks}
        (block,) = self.blocks
        listed = {
            "valid": self.valid,
            "acc_type": block.unit,
            "rsv": self.reserved,
            "data_len": self.data_length,
            "data": _shown(block),
        }
        return {"magic": hex(MAGIC), "version": self.version, "acc_list": listed}


def _shown(block: Block) -> dict[str, Any]:
    numbers = {name: hex(value) if name in _ADDRESSES else value for name, value in block.numbers.items()}
    return {**numbers, "status": block.status[0] if len(block.status) == 1 else list(block.status)}


def read_overflows(path: str | Path) -> list[Overflow]:
    """The records of an overflow file, one an output.

    Raises ModelError with offset and field where one is neither layout.
    """
    return overflows(read_dump(path))


def overflows(dump: DumpFile) -> list[Overflow]:
    """The same of a dump that was read already."""
    return [parse_overflow(tensor) for tensor in dump.outputs]


def parse_overflow(tensor: DumpTensor) -> Overflow:
    """The record in a tensor's bytes."""
    size = len(tensor.data)
    file, start = tensor.data.file, tensor.data.start
    if size >= 4 and struct.unpack_from("<I", file.data, start)[0] == MAGIC:
        return _new(tensor)
    if size != OLD_SIZE:
        raise ModelError(
            file.path,
            f"an overflow record of {size} bytes",
            offset=start,
            expected=f"{OLD_SIZE} bytes, or the magic number 0x{MAGIC:08X}",
            where=f"output {tensor.index}",
        )
    return _old(file.data[start : start + size])


def _old(raw: bytes) -> Overflow:
    blocks: list[Block] = []
    for unit, at, status_at in _BLOCKS:
        numbers: dict[str, int] = dict(zip(_IDENTITY, struct.unpack_from("<6Q", raw, at), strict=True))
        if unit == "AI Core":
            kernel, block, status = struct.unpack_from("<3Q", raw, status_at)
            numbers.update(kernel_code=kernel, block_idx=block)
        else:
            (status,) = struct.unpack_from("<Q", raw, status_at)
        blocks.append(Block(unit, numbers, (status,)))
    return Overflow(None, tuple(blocks))


def _new(tensor: DumpTensor) -> Overflow:
    file, start, stop = tensor.data.file, tensor.data.start, tensor.data.stop
    head = struct.Struct("<6I")
    if stop - start < head.size:
        raise _short(tensor, head.size)
    _, version, valid, accelerator, reserved, length = head.unpack_from(file.data, start)
    if accelerator not in _ACCELERATORS:
        raise ModelError(
            file.path,
            f"accelerator {accelerator}",
            offset=start + 12,
            expected="0 to 3",
            where=f"output {tensor.index}, the accelerator's type",
        )
    unit, names = _ACCELERATORS[accelerator]
    words = _STATUS_WORDS if version == 1 and unit in ("AIC", "AIV") else 1
    count = len(names) - 1 + words
    if stop - start < head.size + 8 * count:
        raise _short(tensor, head.size + 8 * count)
    numbers = struct.unpack_from(f"<{count}Q", file.data, start + head.size)
    block = Block(unit, dict(zip(names[:-1], numbers, strict=False)), numbers[-words:])
    problems = [] if valid == 1 else [f"the record says that it is not valid ({valid})"]
    if length != 8 * count:
        problems.append(f"the record says that it has {length} bytes and not {8 * count}")
    return Overflow(version, (block,), valid, reserved, length, tuple(problems))


def _short(tensor: DumpTensor, need: int) -> ModelError:
    return ModelError(
        tensor.data.file.path,
        f"an overflow record of {len(tensor.data)} bytes",
        offset=tensor.data.start,
        expected=f"at least {need}",
        where=f"output {tensor.index}",
    )
