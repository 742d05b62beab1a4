"""Mistakes and bad files: a message and an exit code, never a traceback, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support import bombs
from support.commands import contents, names, subcut
from support.models import digits
from support.sabotage import SMALL_FILES, WITHOUT_PRIVILEGES, sabotage, without

from subcut.compiler.storage.wire import bytes_field, int_field, tag, varint

BLOCK = "from pool1 to res2a_relu"
FORMATS = ["prototxt", "pb", "onnx"]


def fails(code: int, *arguments: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    """What a command that must fail says; it says nothing else, and leaves its folder as it was."""
    before = contents(cwd), names(cwd)
    done = subcut(*arguments, cwd=cwd, env=env, code=code)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error[")
    assert (contents(cwd), names(cwd)) == before
    return done.stderr


def cut_to(content: bytes, size: int) -> bytes:
    assert 0 < size < len(content)
    return content[:size]


NOISE = bytes(range(255, 0, -1)) * 16
DAMAGED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "empty prototxt": ("m.prototxt", bytes, "the file is empty"),
    "empty pb": ("m.pb", bytes, "the file is empty"),
    "empty onnx": ("m.onnx", bytes, "the file is empty"),
    "truncated prototxt": ("m.prototxt", lambda: cut_to(digits("prototxt").read_bytes(), 1000), "the end of the file"),
    "truncated pb": ("m.pb", lambda: cut_to(digits("pb").read_bytes(), 30_000), "more than there are"),
    "truncated pb, first record": ("m.pb", lambda: cut_to(digits("pb").read_bytes(), 30), "more than there are"),
    "truncated onnx": ("m.onnx", lambda: cut_to(digits("onnx").read_bytes(), 30_000), "more than there are"),
    "one byte": ("m.onnx", lambda: b"\x08", "past the end"),
    "noise as prototxt": ("m.prototxt", lambda: NOISE, "where a field should begin"),
    "noise as pb": ("m.pb", lambda: NOISE, "a varint of more than 10 bytes"),
    "noise as onnx": ("m.onnx", lambda: NOISE, "a varint of more than 10 bytes"),
    "noise without an ending": ("model", lambda: NOISE, "is in no format that subcut reads"),
    "a picture": ("m.png", lambda: b"\x89PNG\r\n\x1a\n" + NOISE, "is in no format that subcut reads"),
    "length beyond the onnx file": ("m.onnx", lambda: int_field(1, 8) + tag(7, 2) + varint(1 << 40), "more than there"),
    "length beyond the pb file": ("m.pb", lambda: tag(1, 2) + varint(1 << 40) + b"\x0a\x01n", "more than there are"),
    "varint without end": ("m.onnx", lambda: int_field(1, 8) + tag(7, 2) + b"\xff" * 40, "varint"),
    "bodies without end": ("m.onnx", lambda: bombs.onnx_bodies(4000), "bodies nest more than"),
    "types without end": ("m.onnx", lambda: bombs.onnx_types(4000), "cannot be decoded"),
    "text attributes without end": ("m.pbtxt", lambda: bombs.pbtxt_attributes(4000), "nested too deep"),
    "messages without end": ("m.prototxt", lambda: bombs.prototxt_messages(90_000), "nested more than"),
    "lists without end": ("m.prototxt", lambda: bombs.prototxt_lists(90_000), "where a value should stand"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files(case: str, tmp_path: Path) -> None:
    name, content, message = DAMAGED[case]
    (tmp_path / name).write_bytes(content())
    told = fails(2, name, "all", "-o", "out", cwd=tmp_path)
    assert told.startswith("error[bad-model]: ")
    assert message in told.splitlines()[0]
    assert told.splitlines()[1].startswith(f" --> {name}")


@pytest.mark.parametrize("content", [bombs.onnx_calls(3), bombs.onnx_calls(3000), bombs.onnx_bodies(50)], ids=len)
def test_what_inference_refuses_is_asked_for_or_not_needed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    done = subcut("m.onnx", "all", "-o", "out", cwd=tmp_path, code=None)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "error[untyped-edge]" in done.stderr


def test_deep_attributes_that_nobody_asks_for_are_no_matter(tmp_path: Path) -> None:
    model = tmp_path / "m.pb"
    model.write_bytes(bombs.graphdef_attributes(4000))
    subcut(model, "all", "-o", tmp_path / "out")
    assert (tmp_path / "out/dump.pb").read_bytes() == model.read_bytes()
    assert "error[bad-model]: attributes nested too deep" in subcut("show", model, code=2).stderr


def test_damaged_weights(tmp_path: Path) -> None:
    for ending in ("prototxt", "caffemodel"):
        shutil.copy(digits(ending), tmp_path)
    weights = tmp_path / "digits.caffemodel"
    whole = weights.read_bytes()
    for content in (b"", cut_to(whole, 20_000), NOISE, tag(100, 2) + varint(1 << 40)):
        weights.write_bytes(content)
        told = fails(2, "digits.prototxt", BLOCK, "-o", "out", cwd=tmp_path)
        assert " --> digits.caffemodel" in told
    told = fails(2, "digits.prototxt", BLOCK, "-w", "nowhere.caffemodel", "-o", "out", cwd=tmp_path)
    assert "no such file\n --> nowhere.caffemodel" in told
    told = fails(1, digits("onnx"), BLOCK, "-w", "digits.caffemodel", "-o", "out", cwd=tmp_path)
    assert "is no Caffe net" in told


def test_weights_without_a_layer_that_needs_them(tmp_path: Path) -> None:
    net = digits("prototxt").read_text().replace('name: "res2a_branch1"', 'name: "renamed"')
    (tmp_path / "m.prototxt").write_text(net)
    told = fails(1, "m.prototxt", BLOCK, "-w", digits("caffemodel"), "-o", "out", cwd=tmp_path)
    assert told.startswith("error[missing-weights]")
    assert "`renamed`" in told


@pytest.mark.parametrize("command", ["cut", "list", "show", "explain"])
def test_files_that_are_none(command: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "dangling.onnx").symlink_to("nowhere")
    (tmp_path / "loop.onnx").symlink_to("loop.onnx")
    selection = [] if command == "list" else ["all"]
    for name, message in [
        ("pipe.onnx", "is not a file"),
        ("folder.onnx", "is a folder and no model"),
        ("dangling.onnx", "no such file"),
        ("missing.onnx", "no such file"),
        ("loop.onnx", "cannot be read"),
        ("n" * 5000, "cannot be read"),
    ]:
        done = subcut(command, name, *selection, cwd=tmp_path, code=2)
        assert done.stderr.startswith(f"error[bad-model]: {message}")
        assert f" --> {name}" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="gives up root's privileges as Linux does")
@pytest.mark.parametrize("ending", FORMATS)
def test_no_permission(ending: str, tmp_path: Path) -> None:
    env = sabotage(tmp_path / "site", WITHOUT_PRIVILEGES)
    secret = tmp_path / f"secret.{ending}"
    shutil.copy(digits(ending), secret)
    secret.chmod(0)
    done = subcut(secret, "all", "-o", tmp_path / "out", env=env, code=2)
    assert done.stderr == f"error[bad-model]: cannot be read: Permission denied\n --> {secret}\n"
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    done = subcut(digits(ending), "all", "-o", closed / "out", env=env, code=1)
    assert done.stderr.startswith(f"error[cannot-write]: `{closed}/out` cannot be written: no permission")
    done = subcut(digits(ending), "all", cwd=closed, env=env, code=1)
    assert "error[cannot-write]" in done.stderr
    assert names(closed) == []
    assert not (tmp_path / "out").exists()


def test_external_data_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.bin").symlink_to("../secret.bin")
    for location in ("../secret.bin", str(tmp_path / "secret.bin"), "sub/../../secret.bin", "link.bin"):
        (inside / "m.onnx").write_bytes(external(location))
        told = fails(2, "m.onnx", "all", "-o", "out", cwd=inside)
        assert "error[bad-model]" in told
        assert "folder" in told
    (inside / "m.onnx").write_bytes(external("data.bin"))
    assert "no such file\n --> data.bin" in fails(2, "m.onnx", "all", "-o", "out", cwd=inside)
    (inside / "data.bin").write_bytes(bytes(15))
    assert " --> data.bin" in fails(2, "m.onnx", "all", "-o", "out", cwd=inside)
    (inside / "data.bin").write_bytes(bytes(16))
    subcut("m.onnx", "all", "-o", "out", cwd=inside)


def external(location: str) -> bytes:
    """`y = Add(x, w)`, with the 16 bytes of `w` in another file; numbers of fields are those of onnx.proto."""
    kind = bytes_field(1, int_field(1, 1) + bytes_field(2, bytes_field(1, int_field(1, 4))))
    entry = bytes_field(13, bytes_field(1, "location") + bytes_field(2, location))
    tensor = int_field(1, 4) + int_field(2, 1) + bytes_field(8, "w") + entry + int_field(14, 1)
    node = (
        bytes_field(1, "x") + bytes_field(1, "w") + bytes_field(2, "y") + bytes_field(3, "add") + bytes_field(4, "Add")
    )
    graph = bytes_field(1, node) + bytes_field(2, "g") + bytes_field(5, tensor)
    graph += bytes_field(11, bytes_field(1, "x") + bytes_field(2, kind))
    graph += bytes_field(12, bytes_field(1, "y") + bytes_field(2, kind))
    return int_field(1, 8) + bytes_field(7, graph) + bytes_field(8, int_field(2, 17))


MISTAKES = {
    "": ("empty-selection", "say what to keep"),
    "  ": ("empty-selection", "say what to keep"),
    "from bn2a_branch1a to res2a": ("unknown-operator", "did you mean `bn2a_branch1`, `"),
    "from %conv_1 to res2a": ("unknown-tensor", "did you mean `%conv1`"),
    "from res2a_relu to pool1": ("reversed-selection", "did you mean `from pool1 to res2a_relu`?"),
    "from res2a_branch1 to res2a_branch2b": ("disconnected-selection", ""),
    "all minus all": ("empty-selection", ""),
    "op Gemmm": ("unknown-type", "did you mean `Gemm`?"),
    "nothing*": ("unknown-operator", "matches `nothing*`"),
    "from 'pool1' to res2a": ("bad-character", 'names are quoted with `"`'),
    "from pool1 to": ("syntax", ""),
    "(" * 20_000 + "all" + ")" * 20_000: ("too-deep", ""),
    "all; input %data : 1x3xf33": ("bad-type", ""),
    'all; freeze %data = "nowhere.npy"': ("bad-npy", "No such file"),
    'all; as "../up"': ("bad-name", ""),
}


@pytest.mark.parametrize("selection", MISTAKES, ids=lambda text: text[:30] or "nothing")
def test_selections(selection: str, tmp_path: Path) -> None:
    code, message = MISTAKES[selection]
    told = fails(1, digits("onnx"), selection, "-o", "out", cwd=tmp_path)
    assert told.startswith(f"error[{code}]: "), told
    assert message in told


def test_three_nearest_names_are_shown(tmp_path: Path) -> None:
    told = fails(1, digits("prototxt"), "from res2a_branch3b to res2a", "-o", "out", cwd=tmp_path)
    assert "  |      ^^^^^^^^^^^^^^\n" in told
    assert "did you mean `res2a_branch2b`, `res2a_branch1` or `res2a_branch2a`?" in told


ARGUMENTS = {
    "an unknown option": (["MODEL", "all", "--outptu", "x"], "bad-arguments", "did you mean `--output`"),
    "an option cut short": (["MODEL", "all", "--verif"], "bad-arguments", "did you mean `--verify`"),
    "no selection": (["MODEL"], "no-selection", "say what to keep"),
    "no model": (["cut"], "bad-arguments", "MODEL"),
    "one argument more": (["MODEL", "all", "again"], "bad-arguments", "again"),
    "selected twice": (["MODEL", "all", "--passes", "select{text=all},cut"], "bad-arguments", "twice"),
    "an unknown pass": (["MODEL", "--passes", "select{text=all},cot"], "unknown-pass", "did you mean `cut`?"),
    "an unknown option of a pass": (["MODEL", "--passes", "cut{inferr=no}"], "unknown-option", "`infer`"),
    "no cut": (["MODEL", "--passes", "fold"], "no-cut", "before `fold`"),
    "a pass that does not run": (["MODEL", "all", "--print-ir-after=cot"], "unknown-pass", "`add-inputs`"),
    "an unknown phase": (["MODEL", "all", "--phase", "NIGHT"], "bad-arguments", "NIGHT"),
    "a seed that is none": (["MODEL", "all", "--seed", "x"], "bad-arguments", "seed"),
    "missing numbers": (["MODEL", "all", "--verify", "--inputs", "no.npz"], "bad-npz", "No such file"),
    "numbers that are none": (["MODEL", "all", "--verify", "--inputs", "MODEL"], "bad-npz", "is no `.npz` file"),
    "a damaged archive": (["MODEL", "all", "--verify", "--inputs", "bad.npz"], "bad-npz", "cannot be read"),
    "a folder in place of numbers": (["MODEL", "all", "--verify", "--inputs", "."], "bad-npz", "Is a directory"),
    "numbers for another model": (["MODEL", "all", "--verify", "--inputs", "other.npz"], "unknown-input", "`data`"),
    "a file that does not exist": (["apply", "no.subcut"], "bad-file", "no.subcut"),
    "a file of another kind": (["check", "MODEL"], "bad-file", "no UTF-8"),
    "a folder that is a file": (["MODEL", "all", "-o", "bad.npz"], "folder-exists", "is no folder"),
    "a folder in a file": (["MODEL", "all", "-o", "bad.npz/out"], "cannot-write", "a part of the path is a file"),
    "a name too long": (["MODEL", "all", "-o", "n" * 300], "cannot-write", "name is too long"),
    "the folder it stands in": (["MODEL", "all", "-o", "."], "folder-exists", "is not empty"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments(case: str, tmp_path: Path) -> None:
    arguments, code, message = ARGUMENTS[case]
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and no more")
    np.savez(tmp_path / "other.npz", picture=np.zeros(1))
    filled = [str(digits("onnx")) if argument == "MODEL" else argument for argument in arguments]
    told = fails(1, *filled, cwd=tmp_path)
    assert told.startswith(f"error[{code}]: "), told
    assert message in told


def test_a_result_folder_that_is_none(tmp_path: Path) -> None:
    assert "a result folder that subcut wrote" in fails(2, "verify", digits("onnx"), "nowhere", cwd=tmp_path)
    for content in ("", "[]", "{}", "{"):
        (tmp_path / "manifest.json").write_text(content)
        assert "manifest" in fails(2, "verify", digits("onnx"), ".", cwd=tmp_path)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_limit_on_the_size_of_files(ending: str, tmp_path: Path) -> None:
    env = sabotage(tmp_path / "site", SMALL_FILES)
    out = tmp_path / "new/out"
    told = fails(1, digits(ending), "all", "-o", out, cwd=tmp_path, env=env)
    reason = "the file would be larger than the system allows"
    assert told == f"error[cannot-write]: `{out}` cannot be written: {reason}\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("needs the command `mount`")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", place], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"needs the right to mount a small file system: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_full_disk(small_disk: Path) -> None:
    for target in ("out", "deep/er/out"):
        told = fails(1, digits("onnx"), "all", "-o", target, cwd=small_disk)
        assert told.endswith("cannot be written: the disk is full\n")
    subcut(digits("onnx"), "conv1", "--no-infer", "-o", "out", cwd=small_disk)
    before = contents(small_disk)
    fails(1, digits("onnx"), "all", "-o", "out", "--force", cwd=small_disk)
    assert contents(small_disk) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["show"]], ids=" ".join)
def test_full_standard_output(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "subcut", *arguments, str(digits("onnx"))], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert done.stderr == b"error[cannot-write]: standard output cannot be written: No space left on device\n"


NEEDS = {
    "prototxt --verify": ("onnxruntime", "pip install 'subcut[onnx]'"),
    "onnx --verify": ("onnxruntime", "pip install 'subcut[onnx]'"),
    "pb --verify": ("tensorflow", "pip install 'subcut[tensorflow]'"),
    "pb": ("tensorflow", "pip install 'subcut[tensorflow]'"),
    "onnx": ("onnx", "pip install 'subcut[onnx]'"),
}


@pytest.mark.parametrize("case", NEEDS)
def test_a_framework_that_is_not_installed(case: str, tmp_path: Path) -> None:
    package, remedy = NEEDS[case]
    ending, *options = case.split()
    env = sabotage(tmp_path / "site", without(package))
    told = fails(1, digits(ending), BLOCK, *options, "-o", tmp_path / "out", cwd=tmp_path, env=env)
    assert told.startswith(f"error[missing-extra]: `{package}` is needed to ")
    assert remedy in told
    assert len(told.splitlines()) == 2


def test_a_cut_that_needs_no_framework_does_without(tmp_path: Path) -> None:
    env = sabotage(tmp_path / "site", without("onnx", "onnxruntime", "tensorflow", "cv2"))
    subcut(digits("prototxt"), BLOCK, "-o", tmp_path / "caffe", env=env)
    subcut(digits("pb"), BLOCK, "-o", tmp_path / "tensorflow", "--no-infer", env=env)
    stated = f"{BLOCK}; input %conv1_relu : 1x16x8x8xf32"
    subcut(digits("onnx"), stated, "--no-infer", "-o", tmp_path / "onnx", env=env)


def test_a_bug_is_told_with_a_traceback(tmp_path: Path) -> None:
    code = """
    import subcut.compiler.export as export
    def load(path, options):
        raise KeyError("of ours")
    export.load = load
    """
    done = subcut(digits("onnx"), "all", "-o", "out", cwd=tmp_path, env=sabotage(tmp_path / "site", code), code=3)
    assert "Traceback" in done.stderr
    assert "KeyError: 'of ours'" in done.stderr
    assert done.stderr.endswith("this is a bug in subcut, not in your model: please report it with the text above\n")
    assert names(tmp_path) == ["site"]
