"""Names and contents of what `convert` makes, against the vendor's own `msaccucmp convert` on the same dumps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.dumps_to_convert import header, numbers, tensor, write
from support.models import shared
from support.oracle import convert_dumps, oracle

from subcut.compiler.conversion import Request, convert, sources

STREAM = "7.1600000000000000"


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    """Operators whose tensors the tool can convert to NCHW, each in another layout or type."""
    folder = tmp_path / "20240101000000" / "0" / "net" / "1" / "0"
    picture, odd, weight = numbers((2, 3, 5, 7)), numbers((1, 33, 4, 4), 2), numbers((20, 17, 3, 3), 3)
    write(folder, f"Conv2D.block_conv1.3.{STREAM}", [tensor(picture, "NC1HWC0"), tensor(weight, "FRACTAL_Z")],
          [tensor(odd, "NC1HWC0")])  # fmt: skip
    write(folder, f"Quant.q.4.{STREAM}", [tensor(odd, "NC1HWC0")], [tensor(odd, "NC1HWC0", element="INT8")])
    nhwc = tensor(numbers((2, 5, 7, 3)), "NHWC", origin="NHWC", element="FLOAT", original=())
    hwcn = tensor(numbers((3, 3, 17, 20)), "HWCN", origin="HWCN", original=())
    write(folder, f"TransData.t.5.{STREAM}", [nhwc, hwcn], [tensor(odd, "NC1HWC0", original=())], op_name="t")
    matrix = tensor(numbers((40, 33)), "FRACTAL_NZ", origin="ND")
    write(folder, f"MatMul.m.6.{STREAM}", [matrix], [tensor(odd, "NC1HWC0", element="FLOAT", c0=8)], op_name="")
    write(folder, f"Relu.r.7.{STREAM}", [], [tensor(odd, "NCHW"), tensor(odd, "NC1HWC0", element="BF16")])
    write(folder, f"Old.{'x' * 40}.8.1600000000000001", [tensor(odd, "NC1HWC0")], [])
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def both(dumps: Path, tmp_path: Path, request: Request, *arguments: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    oracle()
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    codes = convert_dumps({str(path): header(path) for path in sorted(dumps.iterdir())}, theirs, *arguments)
    assert all(code == 0 for code, _ in codes.values()), codes
    outcomes = list(convert(sources([dumps], {}).files, ours, request))
    assert not [outcome.failures for outcome in outcomes if outcome.failures]
    return files(theirs), files(ours)


@pytest.mark.parametrize("kind", ["npy", "msnpy"])
@pytest.mark.parametrize("layout", ["NCHW", None])
def test_npy(dumps: Path, tmp_path: Path, kind: str, layout: str | None) -> None:
    arguments = ["-t", kind, *(["-f", layout] if layout else [])]
    theirs, ours = both(dumps, tmp_path, Request(layout, kind), *arguments)
    assert sorted(ours) == sorted(theirs)
    assert len(ours) == 13
    for name, content in theirs.items():
        assert ours[name] == content or same_numbers(tmp_path, name), name


def same_numbers(tmp_path: Path, name: str) -> bool:
    """Equal although the order of elements in the file is another: the tool saves views in Fortran's order."""
    mine, other = np.load(tmp_path / "ours" / name), np.load(tmp_path / "theirs" / name)
    return mine.dtype == other.dtype and mine.shape == other.shape and mine.tobytes() == other.tobytes()


@pytest.mark.parametrize("layout", ["NCHW", None])
def test_bin(dumps: Path, tmp_path: Path, layout: str | None) -> None:
    theirs, ours = both(dumps, tmp_path, Request(layout, "bin"), "-t", "bin", *(["-f", layout] if layout else []))
    assert sorted(ours) == sorted(theirs)
    for name, content in theirs.items():
        if "bfloat16" in name:  # what the tool writes under that name is float32
            assert len(content) == 2 * len(ours[name])
            assert b"".join(b"\0\0" + ours[name][i : i + 2] for i in range(0, len(ours[name]), 2)) == content
        else:
            assert ours[name] == content, name


def test_buffers_and_workspaces(tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    write(folder, f"Add.a.1.{STREAM}", [], [tensor(numbers((2, 2)), "ND")],
          buffers=(("l1buffer", b"one"), ("space", b"two"), ("space", b"three")))  # fmt: skip
    theirs, ours = both(folder, tmp_path, Request())
    assert ours == theirs
    assert ours[f"Add.a.1.{STREAM}.space.1.bin"] == b"three"


def test_too_long_names(tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    write(folder, f"Conv2D.{'n' * 225}.1.{STREAM}", [], [tensor(numbers((1, 3, 4, 4)), "NC1HWC0")])
    theirs, ours = both(folder, tmp_path, Request("NCHW"), "-f", "NCHW")
    assert ours == theirs
    assert sorted(len(name) for name in ours) == [11, 36]


def test_slices_of_an_operator(tmp_path: Path) -> None:
    """Each thread wrote a file with the shape of the whole in its header."""
    whole = numbers((1, 3, 5, 4))
    rows = [(0, 3), (3, 5)]
    said = {"threadMode": 1, "slice_instance_num": 2, "input_tensor_slice": [[], []], "output_tensor_slice": [
        [[{"lower": a, "higher": b} for a, b in ((0, 1), (0, 1), cut, (0, 4), (0, 16))]] for cut in rows]}  # fmt: skip
    for thread, (low, high) in enumerate(rows):
        piece = tensor(whole[:, :, low:high], "NC1HWC0")
        stated = replace(piece, shape=(1, 1, 5, 4, 16), original_shape=(1, 3, 5, 4))
        name = f"Conv2D.a.1.{STREAM}.4.5.{thread}.0"
        write(tmp_path / "dumps", name, [], [stated], attributes={"_sgt_json_info": json.dumps(said)})
    theirs, ours = both(tmp_path / "dumps", tmp_path, Request())
    assert ours == theirs
    outcomes = list(convert(sources([tmp_path / "dumps"], {}).files, tmp_path / "nchw", Request("NCHW")))
    assert not [outcome.failures for outcome in outcomes if outcome.failures]
    pieces = [np.load(tmp_path / "nchw" / outcome.written[0]) for outcome in outcomes]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=2)[:, :3], whole)


@pytest.mark.parametrize("layout", ["NCHW", None])
def test_a_real_dump_of_the_nano_form(tmp_path: Path, layout: str | None) -> None:
    """The tool reads this form by itself, no stand-in has a part in it. It converts no tensor without four axes."""
    (tmp_path / "dumps").mkdir()
    copy = tmp_path / "dumps" / "ConcatV2D.concatv2.0.0.550288648"
    copy.write_bytes(shared("ascend/nano_concatV2D.dump").read_bytes())
    oracle()
    (tmp_path / "theirs").mkdir()
    convert_dumps({str(copy): None}, tmp_path / "theirs", *(["-f", layout] if layout else []))
    outcomes = list(convert(sources([tmp_path / "dumps"], {}).files, tmp_path / "ours", Request(layout)))
    assert not outcomes[0].failures
    theirs, ours = files(tmp_path / "theirs"), files(tmp_path / "ours")
    assert len(ours) == 3
    assert theirs == ({} if layout else ours)


@pytest.mark.parametrize(("option", "direction", "index"), [("-i", "input", 1), ("-o", "output", 0)])
def test_one_tensor(dumps: Path, tmp_path: Path, option: str, direction: str, index: int) -> None:
    for path in dumps.iterdir():
        if "Conv2D" not in path.name:
            path.unlink()
    request = Request("NCHW", direction=direction, index=index)
    theirs, ours = both(dumps, tmp_path, request, "-f", "NCHW", option, str(index))
    assert ours == theirs
    assert len(ours) == 1


def test_a_shape_of_the_users(tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    write(folder, f"M.m.1.{STREAM}", [], [tensor(numbers((40, 33)), "FRACTAL_NZ", origin="ND", original=())])
    theirs, ours = both(folder, tmp_path, Request("ND", shape=(40, 33)), "-f", "ND", "-s", "40,33")
    assert ours == theirs
    assert sorted(ours) == [f"M.m.1.{STREAM}.output.0.40x33.npy"]


def test_where_the_tool_cuts_off_the_wrong_axis(tmp_path: Path) -> None:
    """The original shape is NCHW and NHWC is asked for: the tool takes it for NHWC, here it is where it fits."""
    picture = numbers((1, 3, 8, 8))
    write(tmp_path / "dumps", f"Data.d.1.{STREAM}", [], [tensor(picture, "NC1HWC0")])
    theirs, ours = both(tmp_path / "dumps", tmp_path, Request("NHWC"), "-f", "NHWC")
    assert sorted(theirs) == [f"Data.d.1.{STREAM}.output.0.1x3x8x8.npy"]
    assert sorted(ours) == [f"Data.d.1.{STREAM}.output.0.1x8x8x3.npy"]
    made = np.load(tmp_path / "ours" / sorted(ours)[0])
    np.testing.assert_array_equal(made, picture.transpose(0, 2, 3, 1).astype("float16"))
