"""Selection files as the commands use them: opened, resolved, pinned."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.graphs import OneModel, names, read_graph

from subcut.compiler.errors import UserError
from subcut.dsl.file import check, open_file, pin, read_text, resolve_file

GRAPH = """
input %x
conv1 = onnx.Conv(%x)
relu1 = onnx.Relu(%conv1)
fc = onnx.Gemm(%relu1)
output %fc
"""
TEXT = """# ours
subcut 1
model   "net.onnx" weights 'w'   # the real one
cut from conv1 to relu1 as "a" { freeze %x = "data/x.npy" }
cut fc as "b"
""".replace("'w'", '"w.bin"')
DOCUMENT = (Path(__file__).parents[2] / "docs/diagnostics.md").read_text(encoding="utf-8")


def _loader() -> OneModel:
    return OneModel(read_graph(GRAPH))


def test_cuts_come_out_in_order_with_paths_beside_the_file() -> None:
    file = read_text(TEXT, Path("some/where/it.subcut"))
    model, cuts = resolve_file(file, _loader())
    assert [(options.name, names(selection.ops)) for selection, options in cuts] == [
        ("a", ["conv1", "relu1"]),
        ("b", ["fc"]),
    ]
    assert list(cuts[0][1].freeze.values()) == [str(Path("some/where/data/x.npy"))]
    assert file.model == Path("some/where/net.onnx")
    assert file.weights == Path("some/where/w.bin")
    assert file.offline is None
    assert model.main.ops


def test_offline_models_are_beside_the_file() -> None:
    file = read_text('subcut 1\nmodel "m"\noffline "a/b.om" dumps "d"', Path("x/it.subcut"))
    assert file.offline == (Path("x/a/b.om"), Path("x/d"))


def test_a_let_is_expanded_in_the_canonical_selection() -> None:
    text = 'subcut 1\nmodel "m"\nlet a = conv1 plus relu1\ncut all minus a'
    _, cuts = resolve_file(read_text(text, Path("it.subcut")), _loader())
    assert cuts[0][0].text == "all minus (conv1 plus relu1)"


def test_pinning_touches_only_the_digest() -> None:
    once = pin(TEXT, "b" * 64)
    assert once == TEXT.replace('"w.bin"', f'"w.bin" sha256 "{"b" * 64}"')
    assert pin(once, "a" * 64) == once.replace("b" * 64, "a" * 64)


def test_a_pinned_file_holds_for_its_model_alone() -> None:
    assert check(read_text(pin(TEXT, "a" * 64), Path("it.subcut")), _loader()) == []
    found = check(read_text(pin(TEXT, "b" * 64), Path("it.subcut")), _loader())
    assert [diagnostic.code for diagnostic in found] == ["model-changed"]


def test_a_digest_that_is_none_can_be_pinned_anew() -> None:
    assert pin('subcut 1\nmodel "m" sha256 "9f2c"', "a" * 64) == f'subcut 1\nmodel "m" sha256 "{"a" * 64}"'


def test_pinning_needs_a_model() -> None:
    with pytest.raises(UserError) as caught:
        pin("subcut 1\ncut all", "a" * 64)
    assert caught.value.code == "missing-model"


def test_a_file_without_cuts_is_fine_to_check_and_not_to_apply() -> None:
    file = read_text('subcut 1\nmodel "m"\nlet a = conv1', Path("cuts.subcut"))
    assert check(file, _loader()) == []
    with pytest.raises(UserError) as caught:
        resolve_file(file, _loader())
    assert str(caught.value) in DOCUMENT


def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        open_file(Path("cuts.subcut"))
    assert str(caught.value) in DOCUMENT


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "it.subcut").write_bytes(b"subcut 1\n\xff")
    with pytest.raises(UserError, match="byte 9 is wrong") as caught:
        open_file(tmp_path / "it.subcut")
    assert caught.value.code == "bad-file"


@pytest.mark.parametrize(("content", "place"), [(bytes(64), 0), ("subcut 1\n# ä\n\0".encode(), 14)])
def test_a_file_of_zeros(content: bytes, place: int, tmp_path: Path) -> None:
    (tmp_path / "it.subcut").write_bytes(content)
    with pytest.raises(UserError, match=f"is no text: byte {place} is zero") as caught:
        open_file(tmp_path / "it.subcut")
    assert caught.value.code == "bad-file"


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "it.subcut"
    path.write_bytes(b'\xef\xbb\xbfsubcut 1\r\nmodel "m"\r\ncut conv1 {\r\n tap conv1\r\n}\r\n')
    _, cuts = resolve_file(open_file(path), _loader())
    assert names(cuts[0][0].ops) == ["conv1"]
