"""Conversion of dumps: types that `.npy` lacks, what fails and what then still happens, folders, files that exist."""

from __future__ import annotations

import errno
import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from support.dumps_to_convert import numbers, tensor, write

from subcut.compiler.conversion import FAILED, Outcome, Request, convert, sources, work
from subcut.compiler.device.dumps.record import Origin
from subcut.compiler.device.dumps.writer import NewTensor
from subcut.compiler.errors import UserError

TAIL = "1.7.1600000000000000"
PICTURE = numbers((1, 3, 4, 5))


def run(folder: Path, out: Path, request: Request | None = None, jobs: int = 1) -> list[Outcome]:
    return list(convert(sources([folder], {}).files, out, request or Request("NCHW"), jobs=jobs))


def names(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir())


def one(tmp_path: Path, made: NewTensor, request: Request | None = None) -> np.ndarray:
    """The result of a dump with one tensor."""
    write(tmp_path / "in", f"Op.op.{TAIL}", [], [made])
    (outcome,) = run(tmp_path / "in", tmp_path / "out", request)
    assert not outcome.failures, outcome.failures
    (name,) = names(tmp_path / "out")
    if name.endswith(".npy"):
        return np.load(tmp_path / "out" / name)
    return np.frombuffer((tmp_path / "out" / name).read_bytes(), "uint8")


@pytest.mark.parametrize(
    ("element", "dtype"), [("BF16", "float32"), ("FLOAT8_E5M2", "float32"), ("INT4", "int8"), ("BOOL", "bool")]
)
def test_types_that_npy_has_no_name_for(tmp_path: Path, element: str, dtype: str) -> None:
    small = np.clip(PICTURE // 20, -4, 4)
    made = tensor(small, "NC1HWC0", element=element, c0=64 if element == "INT4" else 16)
    array = one(tmp_path, made)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, small.astype(dtype))


def test_packed_elements_stay_packed_in_bin(tmp_path: Path) -> None:
    values = np.arange(-6, 6).reshape(1, 3, 2, 2)
    assert one(tmp_path, tensor(values, "NC1HWC0", element="INT4", c0=64), Request("NCHW", "bin")).tobytes() == bytes(
        (int(a) & 15) | (int(b) & 15) << 4 for a, b in values.reshape(-1, 2)
    )
    assert names(tmp_path / "out") == [f"Op.op.{TAIL}.output.0.1_3_2_2.int4.NCHW.bin"]


def test_an_element_type_of_the_users(tmp_path: Path) -> None:
    made = one(tmp_path, tensor(PICTURE, "NC1HWC0", element="FLOAT"), Request("NHWC", "bin", element="float16"))
    assert made.tobytes() == PICTURE.transpose(0, 2, 3, 1).astype("float16").tobytes()
    assert names(tmp_path / "out") == [f"Op.op.{TAIL}.output.0.1_4_5_3.float16.NHWC.bin"]


@pytest.mark.parametrize(
    ("original", "shape"), [((3,), (1, 3, 1, 1)), ((2, 3), (2, 3, 1, 1)), ((3, 4), (1, 3, 4, 1)), ((3, 4, 5), None)]
)
def test_original_shapes_with_fewer_dimensions(
    tmp_path: Path, original: tuple[int, ...], shape: tuple[int, ...] | None
) -> None:
    whole = shape or (1, *original)
    array = one(tmp_path, tensor(numbers(whole), "NC1HWC0", original=original))
    np.testing.assert_array_equal(array, numbers(whole))


def test_the_layout_of_the_original_tensor_says_how_its_shape_is_written(tmp_path: Path) -> None:
    """(2,6,3,4) fits as HWCN and as NCHW."""
    weight = numbers((2, 6, 3, 4))
    made = tensor(weight, "FRACTAL_Z", origin="HWCN")
    origin = Origin("w", 0, "f32", "HWCN")
    said = NewTensor(made.data, made.type_name, made.layout, made.shape, made.original_shape, origin=origin)
    np.testing.assert_array_equal(one(tmp_path, said), weight.transpose(3, 2, 0, 1))
    run(tmp_path / "in", tmp_path / "out", Request("NCHW", shape=(2, 6, 3, 4)))
    assert names(tmp_path / "out") == [f"Op.op.{TAIL}.output.0.{shape}.npy" for shape in ("2x6x3x4", "4x3x2x6")]


@pytest.mark.parametrize("layout", ["ND", "NCHW"])
def test_tensors_without_axes_stay_as_they_are(tmp_path: Path, layout: str) -> None:
    made = NewTensor(b"\1\0\0\0\2\0\0\0", "INT32", layout, (2,), (2,))
    assert one(tmp_path, made, Request("NHWC")).tolist() == [1, 2]


def test_groups(tmp_path: Path) -> None:
    weight = numbers((96, 1, 3, 3))
    np.testing.assert_array_equal(one(tmp_path, tensor(weight, "FRACTAL_Z", group=96)), weight)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """One operator in order; one with a tensor that cannot be converted; one that is cut off; one that is no dump."""
    folder = tmp_path / "in"
    good = tensor(PICTURE, "NC1HWC0")
    write(folder, f"A.good.{TAIL}", [good], [good])
    wrong = NewTensor(good.data, "FLOAT16", "NC1HWC0", good.shape, (1, 40, 4, 5))
    text = NewTensor(b"\0" * 8, "STRING", "ND", (1,), (1,))
    odd = NewTensor(good.data, "FLOAT16", "FRACTAL_ZN_LSTM", good.shape, (1, 40, 4, 5))
    write(folder, f"B.partly.{TAIL}", [wrong, good], [text, odd, good])
    short = write(folder, f"C.short.{TAIL}", [good], [good])
    short.write_bytes(short.read_bytes()[:-10])
    (folder / f"D.damaged.{TAIL}").write_bytes(struct.pack("<Q", 20) + b"\xff" * 40)
    (folder / f"E.stats.{TAIL}.csv").write_text("Input/Output,Index\n")
    (folder / "notes.txt").write_text("by hand")
    return folder


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_fails_is_listed_and_the_rest_is_there(mixed: Path, tmp_path: Path, jobs: int) -> None:
    out = tmp_path / "out"
    outcomes = run(mixed, out, jobs=jobs)
    assert [outcome.path.name[0] for outcome in outcomes] == list("ABCD")
    failed = [(failure.path.name[0], failure.tensor) for outcome in outcomes for failure in outcome.failures]
    assert failed == [("B", "input:0"), ("B", "output:0"), ("B", "output:1"), ("C", "output:0"), ("D", "")]
    reasons = [failure.reason for outcome in outcomes for failure in outcome.failures]
    assert "NC1HWC0 (1,1,4,5,16) does not hold NCHW (1,40,4,5)" in reasons[0]
    assert "STRING cannot be read as numbers" in reasons[1]
    assert "FRACTAL_ZN_LSTM is stored is not known" in reasons[2]
    assert "takes 640 bytes, and there are 630" in reasons[3]
    assert (out / FAILED).read_text().splitlines() == [
        f"{mixed}/B.partly.{TAIL},input:0,output:0,output:1",
        f"{mixed}/C.short.{TAIL},output:0",
        f"{mixed}/D.damaged.{TAIL}",
    ]
    assert names(out) == sorted(
        [FAILED, *(f"{stem}.{TAIL}.{which}.1x3x4x5.npy" for stem, which in [
            ("A.good", "input.0"), ("A.good", "output.0"), ("B.partly", "input.1"), ("B.partly", "output.2"),
            ("C.short", "input.0"),
        ])]
    )  # fmt: skip
    assert any("630" in problem for problem in outcomes[2].problems)
    found = sources([mixed], {})
    assert dict(found.skipped) == {"statistics": 1, "ignored": 1}


def test_the_list_of_failures_goes_when_nothing_fails(mixed: Path, tmp_path: Path) -> None:
    run(mixed, tmp_path / "out")
    for path in list(mixed.iterdir()):
        if path.name[0] != "A":
            path.unlink()
    run(mixed, tmp_path / "out", Request("NCHW", force=True))
    assert FAILED not in names(tmp_path / "out")


def test_results_that_exist_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "in", f"Op.op.{TAIL}", [], [tensor(PICTURE, "NC1HWC0")])
    run(tmp_path / "in", tmp_path / "out")
    (result,) = (tmp_path / "out").iterdir()
    result.write_bytes(b"mine")
    (outcome,) = run(tmp_path / "in", tmp_path / "out")
    assert "exists: say `--force`" in outcome.failures[0].reason
    assert result.read_bytes() == b"mine"
    (outcome,) = run(tmp_path / "in", tmp_path / "out", Request("NCHW", force=True))
    assert not outcome.failures
    np.testing.assert_array_equal(np.load(result), PICTURE)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file, array, allow_pickle):
        file.write(b"\x93NUMPY")
        raise OSError(errno.ENOSPC, "No space left on device")

    write(tmp_path / "in", f"Op.op.{TAIL}", [], [tensor(PICTURE, "NC1HWC0")])
    monkeypatch.setattr(np, "save", full)
    with pytest.raises(UserError, match="cannot be written: No space left on device") as error:
        run(tmp_path / "in", tmp_path / "out")
    assert error.value.code == "cannot-write"
    assert names(tmp_path / "out") == []


def test_overflow_files_become_json(tmp_path: Path) -> None:
    words = struct.pack("<6I", 0x5A5A5A5A, 1, 1, 0, 0, 8 * 14) + struct.pack("<14Q", *range(1, 15))
    record = NewTensor(words, "UINT8", "ND", (len(words),), None)
    write(tmp_path / "in", f"Opdebug.Node_OpDebug.{TAIL}", [], [record])
    run(tmp_path / "in", tmp_path / "out")
    (name,) = names(tmp_path / "out")
    assert name == f"Opdebug.Node_OpDebug.{TAIL}.output.0.json"
    assert json.loads((tmp_path / "out" / name).read_text())["acc_list"]["data"]["stream_id"] == 2


def tree(root: Path) -> None:
    for time, index in (("20240101000000", 0), ("20240101000000", 1), ("20250101000000", 0)):
        folder = root / time / "0" / "net" / "1" / str(index)
        write(folder, f"Op.op.{TAIL}", [], [tensor(PICTURE + index, "NC1HWC0")])


def test_the_newest_execution_of_a_tree(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    (file,) = sources([tmp_path / "in"], {}).files
    assert "20250101000000" in str(file.path)
    (file,) = sources([tmp_path / "in"], {"time": "20240101000000", "index": "0"}).files
    assert str(file.path.parent).endswith("20240101000000/0/net/1/0")


def test_every_execution_of_a_tree(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    found = sources([tmp_path / "in"], {}, every=True).files
    list(convert(found, tmp_path / "out", Request("NCHW")))
    made = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.npy"))
    name = f"Op.op.{TAIL}.output.0.1x3x4x5.npy"
    assert made == [
        f"20240101000000/0/net/1/0/{name}", f"20240101000000/0/net/1/1/{name}", f"20250101000000/0/net/1/0/{name}",
    ]  # fmt: skip
    with pytest.raises(UserError, match="no dump file"):
        sources([tmp_path / "out" / "20250101000000" / "0" / "net" / "1"], {}, every=True)


def test_processes_and_threads_make_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(12):
        write(tmp_path / "in", f"Op.{'long' * 56 if i == 5 else f'op{i}'}.{TAIL}", [], [tensor(PICTURE, "NC1HWC0")])
    run(tmp_path / "in", tmp_path / "one")
    run(tmp_path / "in", tmp_path / "threads", jobs=3)
    monkeypatch.setattr(work, "_FEW", 1)
    run(tmp_path / "in", tmp_path / "processes", jobs=2)
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert len(wanted) == 13
    for kind in ("threads", "processes"):
        assert {path.name: path.read_bytes() for path in (tmp_path / kind).iterdir()} == wanted


def test_a_user_error_in_a_process_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(3):
        write(tmp_path / "in", f"Op.op{i}.{TAIL}", [], [tensor(PICTURE, "NC1HWC0")])
        (tmp_path / "out" / f"Op.op{i}.{TAIL}.output.0.1x3x4x5.npy" / "a folder").mkdir(parents=True)
    monkeypatch.setattr(work, "_FEW", 1)
    with pytest.raises(UserError, match="cannot be written"):
        run(tmp_path / "in", tmp_path / "out", Request("NCHW", force=True), jobs=2)


def test_memory_holds_one_tensor(tmp_path: Path) -> None:
    big = tensor(numbers((1, 32, 256, 256)), "NC1HWC0")
    write(tmp_path / "in", f"Op.op.{TAIL}", [big] * 4, [big] * 4)
    tracemalloc.start()
    run(tmp_path / "in", tmp_path / "out")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 32 * 256 * 256 * 1.5


def test_a_tensor_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path / "in", f"Op.op.{TAIL}", [], [tensor(PICTURE, "NC1HWC0")])
    (outcome,) = run(tmp_path / "in", tmp_path / "out", Request("NCHW", direction="input", index=2))
    assert outcome.failures[0].reason == "there is no input 2: it has 0"
