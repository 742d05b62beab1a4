"""Elements: every type of numbers is read in place or unpacked, and stored again with the same bytes."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from subcut.compiler.device.layouts import LayoutError, decode, dtype_of, encode

IN_PLACE = {
    "FLOAT": "float32", "FLOAT16": "float16", "DOUBLE": "float64", "INT8": "int8", "INT16": "int16", "INT32": "int32",
    "INT64": "int64", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "BOOL": "bool",
    "QINT8": "int8", "QUINT8": "uint8", "QINT32": "int32", "COMPLEX64": "complex64", "COMPLEX128": "complex128",
    "UNDEFINED": "int8", "BF16": ml_dtypes.bfloat16, "FLOAT8_E5M2": ml_dtypes.float8_e5m2,
    "FLOAT8_E4M3FN": ml_dtypes.float8_e4m3fn, "FLOAT8_E8M0": ml_dtypes.float8_e8m0fnu,
}  # fmt: skip


@pytest.mark.parametrize("name", IN_PLACE)
def test_whole_bytes_are_a_view(name: str) -> None:
    dtype = np.dtype(IN_PLACE[name])
    stored = np.random.default_rng(3).integers(0, 2, 6 * dtype.itemsize, dtype="uint8").tobytes()
    array = decode(stored + b"and more", name, (2, 3))
    assert array.dtype == dtype == dtype_of(name)
    assert array.shape == (2, 3)
    assert not array.flags.owndata
    assert array.base is not None
    assert encode(array, name).tobytes() == stored


@pytest.mark.parametrize(
    ("name", "stored", "values"),
    [
        ("INT4", b"\x21\x8f\x07", [1, 2, -1, -8, 7]),
        ("INT2", b"\xe4", [0, 1, -2, -1]),
        ("UINT2", b"\xe4\x01", [0, 1, 2, 3, 1]),
        ("FLOAT4_E2M1", b"\x72\x09", [1.0, 6.0, -0.5]),
        ("UINT1", b"\xa0\x80", [1, 0, 1, 0, 0, 0, 0, 0, 1]),
    ],
)
def test_packed_elements(name: str, stored: bytes, values: list[float]) -> None:
    array = decode(stored, name, (len(values),))
    assert array.dtype == dtype_of(name)
    assert array.astype("float32").tolist() == values
    assert encode(array, name).tobytes() == stored


def test_hifloat8() -> None:
    """Values from the paper's tables: the ends of each width of the exponent, and what is special."""
    values = {
        0x00: 0, 0x01: 2**-22, 0x07: 2**-16, 0x81: -(2**-22), 0x08: 1, 0x0F: 1.875, 0x10: 2, 0x17: 3.75, 0x18: 0.5,
        0x20: 4, 0x28: 8, 0x2F: 15, 0x30: 0.25, 0x38: 0.125, 0x40: 16, 0x4C: 128, 0x50: 2**-4, 0x5C: 2**-7,
        0x60: 2**8, 0x6D: 1.5 * 2**14, 0x6E: 2**15, 0x6F: np.inf, 0xEF: -np.inf, 0x70: 2**-8, 0x7E: 2**-15, 0x88: -1,
    }  # fmt: skip
    array = decode(bytes(values), "HIFLOAT8", (len(values),))
    assert array.dtype == "float32"
    assert array.tolist() == list(values.values())
    every = decode(bytes(range(256)), "HIFLOAT8", (16, 16)).reshape(-1)
    assert np.isnan(every[0x80])
    assert len(np.unique(every[~np.isnan(every)])) == 255
    exponents = [int(np.floor(np.log2(value))) for value in every[1:0x6F].tolist() + every[0x70:0x80].tolist()]
    assert (min(exponents), max(exponents)) == (-22, 15)
    with pytest.raises(LayoutError, match="HIFLOAT8"):
        encode(array, "HIFLOAT8")


def test_scalars_and_empty_tensors() -> None:
    assert decode(b"\x00\x3c", "FLOAT16", ()) == 1
    assert decode(b"", "FLOAT", (0, 3)).shape == (0, 3)
    assert decode(b"", "INT4", (0, 3)).shape == (0, 3)


@pytest.mark.parametrize("name", ["STRING", "RESOURCE", "VARIANT", "FLOAT6_E3M2", "HIFLOAT4", "NONSENSE"])
def test_what_has_no_numbers_is_refused(name: str) -> None:
    with pytest.raises(LayoutError, match=f"type {name} cannot be read as numbers"):
        decode(b"\0" * 8, name, (1,))


def test_short_buffers_are_refused() -> None:
    with pytest.raises(LayoutError, match=r"FLOAT16 \(2,3\) takes 12 bytes, and there are 11"):
        decode(b"\0" * 11, "FLOAT16", (2, 3))
    with pytest.raises(LayoutError, match=r"\(2,-1\) is not known in full"):
        decode(b"\0" * 11, "FLOAT16", (2, -1))
    with pytest.raises(LayoutError, match="no array can have the shape"):
        decode(b"\0" * 11, "FLOAT16", (1 << 40, 1 << 40))
