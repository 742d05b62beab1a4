"""The commands do what they say, as processes, on one network in all three formats."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from support.commands import contents, names, subcut, untimed
from support.models import DIGITS, digits, fetched, shared

import subcut as public

FORMATS = ["prototxt", "pb", "onnx"]
BLOCK = "from pool1 to res2a_relu"
FILES = {
    "prototxt": ["dump.caffemodel", "dump.prototxt", "manifest.json"],
    "pb": ["dump.pb", "manifest.json"],
    "onnx": ["dump.onnx", "manifest.json"],
}
ADDED = {
    "prototxt": 'Add Layer Into Prototxt:\nname: "pool1_input_0" type: "Input" top: "conv1" '
    "input_param { shape { dim: 10 dim: 16 dim: 8 dim: 8 } }",
    "pb": 'Add Node Into GraphDef:\nnode { name: "conv1_relu" op: "Placeholder" attr { key: "dtype" '
    'value { type: DT_FLOAT } } attr { key: "shape" value { shape { dim { size: -1 } dim { size: 8 } '
    "dim { size: 8 } dim { size: 16 } } } } }",
    "onnx": 'Add Input Into Graph:\nname: "conv1_relu" type { tensor_type { elem_type: 1 shape { '
    'dim { dim_param: "N" } dim { dim_value: 16 } dim { dim_value: 8 } dim { dim_value: 8 } } } }',
}
KEPT = [
    "pool1",
    *["res2a_branch1", "bn2a_branch1", "scale2a_branch1"],
    *["res2a_branch2a", "bn2a_branch2a", "scale2a_branch2a", "res2a_branch2a_relu"],
    *["res2a_branch2b", "bn2a_branch2b", "scale2a_branch2b"],
    *["res2a", "res2a_relu"],
]
"""The layers of the block, in topological order; only Caffe has a Scale of its own."""
SAMPLES = {"prototxt": "samples.npz", "pb": "samples_nhwc.npz", "onnx": "samples.npz"}


def kept(ending: str) -> list[str]:
    return KEPT if ending == "prototxt" else [name for name in KEPT if "scale" not in name]


def manifest(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return result


@pytest.mark.parametrize("ending", FORMATS)
def test_the_log_says_what_was_added_and_kept(ending: str, tmp_path: Path) -> None:
    done = subcut(digits(ending), BLOCK, "-o", "out", cwd=tmp_path)
    lines = untimed(done.stdout).splitlines()
    added = f"<time> {ADDED[ending]}".splitlines()
    assert lines == [*added, f"<time> Export Layer:{','.join(kept(ending))}", "<time> Output Path:out"]
    assert done.stderr == ""
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == FILES[ending]


def test_the_outcome_of_a_verification_is_logged_with_its_time(tmp_path: Path) -> None:
    done = subcut(digits("prototxt"), BLOCK, "-o", "out", "--verify", cwd=tmp_path)
    assert untimed(done.stdout).splitlines()[0] == "<time> Verified:1 of 1 outputs equal bit by bit"


@pytest.mark.parametrize("ending", FORMATS)
def test_the_manifest_says_all(ending: str, tmp_path: Path) -> None:
    subcut(digits(ending), 'from  pool1 to "res2a_relu"', "-o", tmp_path / "out")
    told = manifest(tmp_path / "out")
    assert told["subcut"] == public.__version__
    assert told["selection"] == BLOCK
    assert told["graph"] == "main"
    assert sorted([*told["files"], "manifest.json"]) == FILES[ending]
    sources = [digits(end) for end in (["prototxt", "caffemodel"] if ending == "prototxt" else [ending])]
    assert told["model"] == [
        {"file": s.name, "bytes": s.stat().st_size, "sha256": hashlib.sha256(s.read_bytes()).hexdigest()}
        for s in sources
    ]
    assert [op["name"] for op in told["operators"]] == kept(ending)
    assert all(op["type"] for op in told["operators"])
    assert told["passes"] == ['select{text="from  pool1 to \\"res2a_relu\\""}', *PASSES[1:]]
    (entering,), (leaving,) = told["inputs"], told["outputs"]
    names_, shapes = EDGES[ending]
    assert entering == {
        "name": names_[0],
        "tensor": names_[0],
        "producer": "conv1_relu",
        "consumers": ["pool1"],
        "element": "f32",
        "shape": shapes[0],
        "layout": entering["layout"],
        "reason": "made outside the selection",
    }
    assert leaving == {
        "name": names_[1],
        "tensor": names_[1],
        "producer": "res2a_relu",
        "consumers": leaving["consumers"],
        "element": "f32",
        "shape": shapes[1],
        "layout": leaving["layout"],
        "reason": "named as the end",
    }
    assert leaving["consumers"] == ["pool5"]


PASSES = ["select", "cut", "fold", "add-inputs", "prune"]
EDGES = {
    "prototxt": (["conv1", "res2a"], [[10, 16, 8, 8], [10, 32, 4, 4]]),
    "pb": (["conv1_relu:0", "res2a_relu:0"], [[None, 8, 8, 16], [None, 4, 4, 32]]),
    "onnx": (["conv1_relu", "res2a_relu"], [["N", 16, 8, 8], ["N", 32, 4, 4]]),
}


def test_json_is_the_manifest_and_quiet_is_silent(tmp_path: Path) -> None:
    told = subcut(digits("prototxt"), BLOCK, "-o", tmp_path / "a", "--json")
    assert told.stdout == (tmp_path / "a/manifest.json").read_text("utf-8")
    silent = subcut(digits("prototxt"), BLOCK, "-o", tmp_path / "b", "-q")
    assert silent.stdout == silent.stderr == ""
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    both = subcut(digits("prototxt"), BLOCK, "-o", tmp_path / "c", "--quiet", "--json", code=1)
    assert "not allowed with" in both.stderr


def test_cut_is_the_command_without_a_name(tmp_path: Path) -> None:
    subcut(digits("prototxt"), BLOCK, "-o", tmp_path / "a")
    subcut("cut", digits("prototxt"), BLOCK, "-o", tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_folder_is_made_where_none_is_named(tmp_path: Path) -> None:
    told = subcut(digits("prototxt"), BLOCK, cwd=tmp_path).stdout
    subcut(digits("prototxt"), BLOCK, cwd=tmp_path)
    first, second = names(tmp_path)
    assert re.fullmatch(r"dump_result_\d{4}(_\d\d){5}", first)
    assert re.fullmatch(r"dump_result_\d{4}(_\d\d){5}", second)
    assert told.endswith(f"/{first}\n")
    assert contents(tmp_path / first) == contents(tmp_path / second)


def test_a_named_cut_has_its_name_as_folder(tmp_path: Path) -> None:
    named = f'{BLOCK}; as "stage2"'
    subcut(digits("onnx"), named, cwd=tmp_path)
    subcut(digits("onnx"), named, "-o", "other", cwd=tmp_path)
    assert names(tmp_path) == ["other", "stage2"]
    assert "error[folder-exists]" in subcut(digits("onnx"), named, cwd=tmp_path, code=1).stderr
    subcut(digits("onnx"), named, "--force", cwd=tmp_path)
    assert contents(tmp_path / "stage2") == contents(tmp_path / "other")


def test_folders_of_one_second_do_not_meet(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "subcut", str(digits("prototxt")), BLOCK, "--quiet"]
    together = [subprocess.Popen(command, cwd=tmp_path) for _ in range(4)]
    assert [process.wait(timeout=60) for process in together] == [0] * 4
    assert len(names(tmp_path)) == 4


def test_force_replaces_a_result_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    subcut(digits("prototxt"), BLOCK, "-o", out)
    before = contents(tmp_path)
    assert "error[folder-exists]" in subcut(digits("onnx"), BLOCK, "-o", out, code=1).stderr
    assert contents(tmp_path) == before
    subcut(digits("onnx"), BLOCK, "-o", out, "--force")
    assert names(out) == FILES["onnx"]
    (out / "manifest.json").write_text('{"name": "of something else"}')
    assert "error[not-a-result-folder]" in subcut(digits("onnx"), BLOCK, "-o", out, "--force", code=1).stderr
    assert names(out) == FILES["onnx"]
    assert names(tmp_path) == ["out"]


def test_a_cut_of_a_result_cannot_replace_what_it_is_made_of(tmp_path: Path) -> None:
    subcut(digits("onnx"), BLOCK, "-o", tmp_path / "out")
    before = contents(tmp_path)
    told = subcut(tmp_path / "out/dump.onnx", "to res2a", "-o", tmp_path / "out", "--force", code=1)
    assert "error[model-in-folder]" in told.stderr
    assert contents(tmp_path) == before


def test_link_leaves_the_weights_where_they_are(tmp_path: Path) -> None:
    local = Path(shutil.copy(fetched("rapidocr/ch_ppocr_mobile_v2.0_cls_infer.onnx"), tmp_path / "model.onnx"))
    subcut(local, "all", "-o", tmp_path / "linked", "--link", "-q")
    assert (tmp_path / "linked/dump.onnx").stat().st_size < local.stat().st_size / 2
    rows = subcut("verify", local, tmp_path / "linked", "--bitwise").stdout
    assert "1 of 1 outputs equal bit by bit" in rows
    refused = subcut(digits("pb"), BLOCK, "-o", tmp_path / "pb", "--link", code=1)
    assert "error[cannot-link]" in refused.stderr
    assert not (tmp_path / "pb").exists()


def test_no_fold_keeps_an_input_and_no_infer_keeps_its_type_unknown(tmp_path: Path) -> None:
    model, selection = fetched("minilm_int8/model.onnx"), "after node_Slice_345 to node_Concat_349"
    folded = json.loads(subcut(model, selection, "-o", tmp_path / "folded", "--json").stdout)
    assert folded["folded"] == [
        {"tensor": "val_362", "element": "i64", "shape": [1], "layout": None, "from": "static shapes"}
    ]
    asked = json.loads(subcut(model, selection, "-o", tmp_path / "asked", "--no-fold", "--json").stdout)
    assert asked["folded"] == []
    assert [e["tensor"] for e in asked["inputs"] if e not in folded["inputs"]] == ["val_362"]
    told = subcut(digits("pb"), BLOCK, "-o", tmp_path / "bare", "--no-infer", "--json").stdout
    (entering,) = json.loads(told)["inputs"]
    assert (entering["element"], entering["shape"]) == ("f32", None)
    assert json.loads(told)["passes"][1:] == ["cut{infer=false}", "fold", "add-inputs", "prune"]


@pytest.mark.parametrize("ending", ["prototxt", "onnx"])
def test_passes_spelled_out_are_the_command(ending: str, tmp_path: Path) -> None:
    subcut(digits(ending), BLOCK, "-o", tmp_path / "a")
    spelled = ",".join(manifest(tmp_path / "a")["passes"])
    subcut(digits(ending), "--passes", spelled, "-o", tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    short = "select{from=pool1 to=res2a_relu},cut,fold,add-inputs,prune"
    subcut(digits(ending), "--passes", short, "-o", tmp_path / "c")
    assert (tmp_path / "c" / manifest(tmp_path / "a")["files"][-1]).read_bytes() == (
        tmp_path / "a" / manifest(tmp_path / "a")["files"][-1]
    ).read_bytes()


def test_the_ir_is_printed_after_a_pass_or_each(tmp_path: Path) -> None:
    model = digits("prototxt")
    one = subcut(model, BLOCK, "-o", tmp_path / "a", "--print-ir-after=cut", "--quiet")
    assert re.findall("(?m)^// after ([a-z-]+)", one.stderr) == ["cut"]
    assert '"caffe.Pooling"' in one.stderr
    assert '"caffe.Softmax"' not in one.stderr
    assert one.stdout == ""
    each = subcut(model, BLOCK, "-o", tmp_path / "b", "--print-ir-after", "--quiet")
    assert re.findall("(?m)^// after ([a-z-]+)", each.stderr) == PASSES
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_timing_and_verify_each_change_nothing(tmp_path: Path) -> None:
    plain = subcut(digits("onnx"), BLOCK, "-o", tmp_path / "a")
    timed = subcut(digits("onnx"), BLOCK, "-o", tmp_path / "b", "--timing", "--verify-each")
    rows = re.findall(r"(?m)^ *[\d.]+ ms  ([a-z-]+)", timed.stderr)
    assert rows == ["read", *PASSES, "write", "total"]
    assert untimed(plain.stdout).replace("/a\n", "/b\n") == untimed(timed.stdout)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("ending", FORMATS)
def test_verification_on_real_digits(ending: str, tmp_path: Path) -> None:
    inputs = ("--inputs", DIGITS / SAMPLES[ending])
    subcut(digits(ending), BLOCK, "-o", tmp_path / "out", "--verify", *inputs)
    told = subcut("verify", digits(ending), tmp_path / "out", "--bitwise", *inputs).stdout
    assert told.endswith("1 of 1 outputs equal bit by bit\n")
    rows = json.loads(subcut("verify", digits(ending), tmp_path / "out", "--json", *inputs).stdout)
    assert [(row["tensor"], row["verdict"]) for row in rows] == [(EDGES[ending][0][1], "equal")]


@pytest.mark.parametrize("ending", ["prototxt", "onnx"])
def test_a_cut_with_other_weights_is_found_out(ending: str, tmp_path: Path) -> None:
    subcut(digits(ending), BLOCK, "-o", tmp_path / "out")
    weights = tmp_path / "out" / manifest(tmp_path / "out")["files"][-1]
    content = bytearray(weights.read_bytes())
    place = len(content) // 2 & ~3
    at = next(i for i in range(place, len(content)) if content[i] in (0x3D, 0x3C, 0xBC, 0xBD))
    content[at] ^= 0x80  # the sign of a weight
    weights.write_bytes(content)
    told = subcut("verify", digits(ending), tmp_path / "out", code=1)
    assert "1 FAILED" in told.stdout
    assert told.stdout.startswith("different")
    assert told.stderr == ""


def test_apply_makes_every_cut_of_a_file(tmp_path: Path) -> None:
    file = selection_file(tmp_path)
    told = subcut("apply", file, "-o", tmp_path / "out", "--verify").stdout
    assert names(tmp_path / "out") == ["block", "rest"]
    assert told.count("Export Layer:") == 2
    subcut(digits("prototxt"), "after pool1 to res2a_relu", "-o", tmp_path / "direct")
    assert (tmp_path / "direct/dump.prototxt").read_bytes() == (tmp_path / "out/block/dump.prototxt").read_bytes()
    assert manifest(tmp_path / "out/block")["name"] == "block"
    again = json.loads(subcut("apply", file, "-o", tmp_path / "again", "--json").stdout)
    assert again == [manifest(tmp_path / "out" / name) for name in ("block", "rest")]
    assert contents(tmp_path / "out") == contents(tmp_path / "again")
    silent = subcut("apply", file, "-o", tmp_path / "out", "--force", "--quiet")
    assert silent.stdout == silent.stderr == ""


def test_pinning(tmp_path: Path) -> None:
    file = selection_file(tmp_path)
    pinned = subcut("check", "--pin", file)
    assert pinned.stderr == f"{file}: pinned\n"
    assert len(re.findall('sha256 "[0-9a-f]{64}"', file.read_text())) == 1
    assert subcut("check", file).stderr == ""
    assert subcut("check", "--pin", file).stderr == ""
    with open(tmp_path / "digits.prototxt", "a") as net:
        net.write("# another net now\n")
    told = subcut("check", file, code=1).stderr
    assert "error[model-changed]" in told
    assert "--pin" in told
    assert "error[model-changed]" in subcut("apply", file, "-o", tmp_path / "out", code=1).stderr
    assert not (tmp_path / "out").exists()
    subcut("check", "--pin", file)
    subcut("apply", file, "-o", tmp_path / "out")


def test_check_tells_every_mistake_at_once(tmp_path: Path) -> None:
    file = selection_file(tmp_path)
    file.write_text(file.read_text().replace("pool1", "pool_1").replace("res2a_relu", "res2a_rely"))
    told = subcut("check", file, code=1).stderr
    assert told.count("error[unknown-operator]") >= 2
    assert "`pool1`" in told
    assert "`res2a_relu`" in told


def test_fmt(tmp_path: Path) -> None:
    file = selection_file(tmp_path)
    file.write_text(file.read_text().replace("let block =", "let   block="))
    untidy = file.read_bytes()
    assert subcut("fmt", "--check", file, code=1).stderr == f"{file}: would change\n"
    assert file.read_bytes() == untidy
    assert subcut("fmt", file).stderr == f"{file}: formatted\n"
    assert subcut("fmt", "--check", file).stderr == ""
    assert subcut("fmt", file).stderr == ""
    assert names(tmp_path) == ["digits.caffemodel", "digits.prototxt", "it.subcut"]


def selection_file(folder: Path) -> Path:
    """A selection file with two cuts of the Caffe form, which is copied beside it."""
    for ending in ("prototxt", "caffemodel"):
        shutil.copy(digits(ending), folder)
    file = folder / "it.subcut"
    file.write_text(
        "subcut 1\n"
        'model "digits.prototxt"\n\n'
        "let block = after pool1 to res2a_relu\n\n"
        'cut block as "block"\n'
        'cut all minus block as "rest"\n'
    )
    return file


def test_show_and_list_and_explain_write_nothing(tmp_path: Path) -> None:
    for arguments in (["show", digits("onnx"), BLOCK], ["list", digits("onnx")], ["explain", digits("onnx"), BLOCK]):
        assert subcut(*arguments, cwd=tmp_path).stdout
    assert names(tmp_path) == []


def test_version_and_help() -> None:
    assert subcut("--version").stdout == f"subcut {public.__version__}\n"
    told = subcut("--help").stdout
    assert subcut(code=1).stdout == told
    for name in re.findall(r"(?m)^  (\w+)  +\S.*$", told[told.index("commands:") :]):
        assert f"usage: subcut {name}" in subcut(name, "--help").stdout


def test_weights_are_found_or_named(tmp_path: Path) -> None:
    net = shutil.copy(shared("caffe/mtcnn/det1.prototxt"), tmp_path / "net.prototxt")
    weights = shutil.copy(shared("caffe/mtcnn/det1.caffemodel"), tmp_path / "elsewhere.caffemodel")
    subcut(net, "from conv1 to pool1", "-w", weights, "-o", tmp_path / "named")
    assert names(tmp_path / "named") == FILES["prototxt"]
    subcut(net, "from conv1 to pool1", "-o", tmp_path / "alone")
    assert names(tmp_path / "alone") == ["dump.prototxt", "manifest.json"]
    shutil.copy(weights, tmp_path / "net.caffemodel")
    subcut(net, "from conv1 to pool1", "-o", tmp_path / "beside")
    assert (tmp_path / "beside/dump.caffemodel").read_bytes() == (tmp_path / "named/dump.caffemodel").read_bytes()


def test_apply_makes_no_half_of_the_cuts(tmp_path: Path) -> None:
    shutil.copy(digits("onnx"), tmp_path)
    file = tmp_path / "it.subcut"
    file.write_text('subcut 1\nmodel "digits.onnx"\ncut to pool1 as "head"\ncut from pool5 as "tail"\n')
    (tmp_path / "out" / "tail").mkdir(parents=True)
    (tmp_path / "out" / "tail" / "mine").touch()
    refused = subcut("apply", file, "-o", tmp_path / "out", code=1)
    assert "folder-exists" in refused.stderr
    assert list(contents(tmp_path / "out")) == ["tail/mine"]


def test_what_cannot_be_compared_is_not_verified(tmp_path: Path) -> None:
    subcut(digits("onnx"), BLOCK, "-o", tmp_path / "cut")
    assert "other-model" in subcut("verify", digits("pb"), tmp_path / "cut", code=1).stderr
    numpy.save(tmp_path / "frozen.npy", numpy.zeros((1, 16, 8, 8), numpy.float32))
    frozen = f'{BLOCK}; freeze %conv1_relu = "{tmp_path / "frozen.npy"}"'
    subcut(digits("onnx"), frozen, "-o", tmp_path / "frozen")
    assert "not-verifiable" in subcut("verify", digits("onnx"), tmp_path / "frozen", code=1).stderr


def test_a_cut_without_a_device_imports_nothing_of_it(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "subcut", digits("onnx"), BLOCK, "-o", tmp_path / "out", "-q"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "subcut.passes.align" in imported
    assert not {name for name in imported if name.startswith(("subcut.compiler.alignment", "subcut.compiler.device"))}
