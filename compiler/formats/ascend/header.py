"""The first 256 bytes of an offline model, and its partition tables: unpacked, checked, and packed.

Source: the graph engine's `framework_types_internal.h` (ModelFileHeader, ModelPartitionTable) and the readers and
writers of it, `om_file_helper.cc` and `file_saver.cc`. Everything is little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = 0x444F4D49
"""The bytes `IMOD`."""
SIZE = 256
OLD, NEW = 0x10000000, 0x20000000
"""Generations: what `Header.version` may be."""
_COMMON = struct.Struct("<III64sIBBBB32sI32sI")
_OLD = struct.Struct("<20sB79s")
_NEW = struct.Struct("<I20sB3sQBB62s")

MODEL_DEF, WEIGHTS_DATA, TASK_INFO, TBE_KERNELS, CUST_AICPU_KERNELS, SO_BINS = 0, 1, 2, 3, 4, 5
FLOW_MODEL, FLOW_SUBMODEL, MODEL_INOUT_INFO = 6, 7, 8
BUNDLE_MODEL_INFO, BUNDLE_MODEL_VAR_INFO = 24, 25
PARTITIONS = {
    0: "MODEL_DEF", 1: "WEIGHTS_DATA", 2: "TASK_INFO", 3: "TBE_KERNELS", 4: "CUST_AICPU_KERNELS", 5: "SO_BINS",
    6: "FLOW_MODEL", 7: "FLOW_SUBMODEL", 8: "MODEL_INOUT_INFO", 9: "STATIC_TASK_DESC", 10: "DYNAMIC_TASK_DESC",
    11: "TASK_PARAM", 12: "TILING_DATA", 20: "PRE_MODEL_DESC", 21: "PRE_MODEL_SQE", 22: "PRE_KERNEL_ARGS",
    23: "PRE_MODEL_DESC_EXTEND", 24: "BUNDLE_MODEL_INFO", 25: "BUNDLE_MODEL_VAR_INFO", 26: "CUSTOM_OPS",
}  # fmt: skip
"""Names of the partition types (`enum ModelPartitionType`)."""

STANDARD, FLOW, LITE, BUNDLE = 1, 3, 4, 5
"""What `Header.modeltype` may be, among others."""


@dataclass(frozen=True)
class Header:
    """The header of an offline model; the fields of the new generation have their defaults in an old file."""

    version: int = NEW
    name: str = ""
    """At most 31 bytes; a longer one is cut when it is written."""
    length: int = 0
    """Bytes behind the header, in the files with 32-bit tables."""
    model_length: int = 0
    """The same, in the files with 64-bit tables."""
    modeltype: int = 0
    genmode: int = 0
    is_encrypt: int = 0
    is_checksum: int = 0
    ops: int = 0
    om_ir_version: int = 2
    model_num: int = 1
    platform_version: str = "1.11.z.0"
    platform_type: int = 1
    is_unknown_shape: bool = False

    @property
    def body(self) -> int:
        """How many bytes follow the header."""
        return self.model_length or self.length

    @property
    def wide(self) -> bool:
        """Whether the partition tables have 64-bit offsets."""
        return self.version >= NEW and (self.modeltype in (FLOW, BUNDLE) or self.model_length != 0)

    def pack(self) -> bytes:
        """The 256 bytes."""
        name = _short(self.name, 31)
        common = _COMMON.pack(
            MAGIC, SIZE, self.version, b"", self.length, self.is_encrypt, self.is_checksum, self.modeltype,
            self.genmode, name, self.ops, b"", self.om_ir_version,
        )  # fmt: skip
        platform = _short(self.platform_version, 19)
        if self.version < NEW:
            return common + _OLD.pack(platform, self.platform_type, b"")
        unknown = int(self.is_unknown_shape)
        return common + _NEW.pack(
            self.model_num, platform, self.platform_type, b"", self.model_length, 0, unknown, b""
        )  # fmt: skip


def _short(text: str, size: int) -> bytes:
    """At most `size` bytes of UTF-8 that do not end inside a character."""
    return text.encode()[:size].decode(errors="ignore").encode()


def unpack(raw: bytes) -> Header:
    """The header in 256 bytes; nothing of it is checked. Raises struct.error where there are fewer."""
    (_, _, version, _, length, encrypt, checksum, modeltype, genmode, name, ops, _, ir) = _COMMON.unpack_from(raw)
    found = Header(
        version, _text(name), length, 0, modeltype, genmode, encrypt, checksum, ops, ir, platform_type=0
    )  # fmt: skip
    if version < NEW:
        platform, kind, _ = _OLD.unpack_from(raw, _COMMON.size)
        return _with(found, platform_version=_text(platform), platform_type=kind)
    number, platform, kind, _, model_length, _, unknown, _ = _NEW.unpack_from(raw, _COMMON.size)
    return _with(
        found, model_num=number, platform_version=_text(platform), platform_type=kind, model_length=model_length,
        is_unknown_shape=bool(unknown),
    )  # fmt: skip


def _with(header: Header, **changes: object) -> Header:
    from dataclasses import replace

    return replace(header, **changes)  # type: ignore[arg-type]


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode(errors="replace")
