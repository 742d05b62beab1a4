"""An offline model on the command line: listed, shown, selected in and explained, written whole, never cut."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from ascend.om.test_json import definition
from google.protobuf import text_format
from ir.test_text import mlir_opt
from support.commands import names, subcut
from support.models import shared
from support.offline_models import SAMPLES, small_model, write_small

from subcut.compiler.errors import ModelError, UserError
from subcut.compiler.export import load, save
from subcut.compiler.formats import package, recognise
from subcut.compiler.formats.ascend.json_form import dumps
from subcut.compiler.pipeline import cut

HH = "ascend/hh/hh_om.om"
PART = "from recognition/d_h1/Conv2D to recognition/d_h2/Conv2D"


def forms(folder: Path) -> dict[str, Path]:
    """The small model in every form."""
    write_small(folder / "net.om")
    (folder / "net.json").write_text(dumps(small_model()))
    (folder / "net.air").write_bytes(small_model().SerializeToString())
    (folder / "net.txt").write_text(text_format.MessageToString(small_model()))
    return {ending: folder / f"net.{ending}" for ending in ("om", "json", "air", "txt")}


@pytest.mark.parametrize("ending", ["om", "json", "air", "txt"])
def test_all_of_a_model_is_the_file(ending: str, tmp_path: Path) -> None:
    path = forms(tmp_path)[ending]
    save(cut(load(path), "all"), tmp_path / "out")
    assert names(tmp_path / "out") == [f"dump.{ending}", "manifest.json"]
    assert (tmp_path / "out" / f"dump.{ending}").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", SAMPLES)
def test_all_of_a_sample_is_the_file(name: str, tmp_path: Path) -> None:
    save(cut(load(shared(name)), "all"), tmp_path / "out")
    assert (tmp_path / "out" / "dump.om").read_bytes() == shared(name).read_bytes()


@pytest.mark.parametrize("ending", ["om", "json", "air", "txt"])
def test_a_form_is_told_by_its_content(ending: str, tmp_path: Path) -> None:
    path = forms(tmp_path)[ending]
    for other in ("bin", "om", "json", "air", "txt", "tmp"):
        shutil.copy(path, tmp_path / f"copy.{other}")
        assert recognise(tmp_path / f"copy.{other}") == "ascend"


OTHERS = "ascend/hh/hh.pb ascend/hh/fusion_result.json caffe/mtcnn/det1.prototxt tensorflow/DS_CNN_S.pb".split()


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_other_formats_are_not_claimed(name: str) -> None:
    path = shared(name)
    raw = path.read_bytes()
    assert not package("ascend").claims(path, raw[: 1 << 16], len(raw))


@pytest.mark.parametrize(
    "head",
    [
        b'{"graph": 7}',
        b'{"attr": []}',
        b'{"a": [{"key": 1}]}',
        b"\x08\x07\x12\x04onnx:\x10\x0a\x04node",
        b"\x0a\x04\x0a\x02ab\x22\x00",
        b"\x0a\x05model\x3a\x02\x08\x01",
        b"\x0a\x05model\x3a\x03\x0a\x01\xff",
        b"graph {\n  node {\n    op_type: 'Conv'\n",
        b"node { name: 'a' op: 'Const' }",
    ],
)
def test_other_content_is_not_claimed(head: bytes) -> None:
    assert not package("ascend").claims(Path("x"), head, len(head))


@pytest.mark.parametrize("ending", ["om", "air", "json"])
def test_a_damaged_file_is_told_by_its_ending(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{ending}"
    path.write_bytes(b"\xff\xff\xff")
    with pytest.raises(ModelError, match=r"no offline model|field number|wire type|JSON|varint|decode"):
        load(path)


def test_listing(tmp_path: Path) -> None:
    done = subcut("list", shared(HH), "recognition/d_h*", "--ops")
    assert "recognition/d_h1/Conv2D" in done.stdout
    assert "Conv2D" in done.stdout
    assert "100x1x14x14x16xf16" in done.stdout


@pytest.mark.parametrize("name", [HH, "ascend/om/ge_dynamic_and_static_graph_without_unfold.om"])
def test_showing(name: str) -> None:
    assert '"subcut.model"' in mlir_opt(subcut("show", shared(name)).stdout)


def test_a_selection_is_shown_and_explained() -> None:
    text = mlir_opt(subcut("show", shared(HH), PART).stdout)
    assert text.count('"ge.Conv2D"') == 2
    done = subcut("explain", shared(HH), PART)
    assert "3 operators of graph `main` kept" in done.stdout
    assert "`%trans_TransData_1:0` : 100x1x28x28x16xf16 enters" in " ".join(done.stdout.split())


@pytest.mark.parametrize("selection", [PART, "to recognition/d_h2/Conv2D", "from recognition/d_h2/Conv2D"])
def test_a_part_is_refused(selection: str, tmp_path: Path) -> None:
    done = subcut(shared(HH), selection, "-o", "out", cwd=tmp_path, code=1)
    assert "error[cut-of-offline-model]" in done.stderr
    assert "--om" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ending", ["om", "json", "air", "txt"])
def test_a_part_of_any_form_is_refused(ending: str, tmp_path: Path) -> None:
    path = forms(tmp_path)[ending]
    for selection in ("to conv1relu1", "from conv1relu1", "from trans_TransData_0 to conv1relu1"):
        with pytest.raises(UserError) as caught:
            save(cut(load(path), selection), tmp_path / "out")
        assert caught.value.code == "cut-of-offline-model"


def test_nothing_runs_it_here(tmp_path: Path) -> None:
    subcut(shared(HH), "all", "-o", "out", cwd=tmp_path)
    assert "error[cannot-run]" in subcut("verify", shared(HH), "out", cwd=tmp_path, code=1).stderr


def test_a_tensor_cannot_be_frozen(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((100, 784), np.float32))
    done = subcut(shared(HH), 'all; freeze %input:0 = "x.npy"', "-o", "out", cwd=tmp_path, code=1)
    assert "error[cut-of-offline-model]" in done.stderr


def test_a_dump_that_ends_too_early_is_listed(tmp_path: Path) -> None:
    text = text_format.MessageToString(definition(HH))
    (tmp_path / "ge_proto_00000001.txt").write_text(text[: len(text) // 2])
    assert "recognition/d_h1/Conv2D" in subcut("list", "ge_proto_00000001.txt", cwd=tmp_path).stdout
