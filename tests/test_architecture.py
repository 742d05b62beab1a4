"""The structure that docs/architecture.md promises: direction of imports, completeness of lists, size of files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
FOLDERS = ("subcut", "compiler", "passes", "dsl", "emulator", "analysis", "viewer")
LAYERS = [
    ("subcut.compiler.errors", "subcut.compiler.diagnostics"),
    ("subcut.compiler.storage",),
    ("subcut.compiler.ir", "subcut.compiler.numbers", "subcut.compiler.number_files"),
    ("subcut.compiler.device",),
    ("subcut.compiler.formats", "subcut.dsl"),
    ("subcut.compiler.alignment",),
    ("subcut.passes",),
    ("subcut.compiler.pipeline", "subcut.compiler.manifest"),
    ("subcut.compiler.device_data", "subcut.compiler.commands", "subcut.compiler.open_shapes"),
    ("subcut.compiler.export", "subcut.compiler.conversion", "subcut.compiler.log"),
    ("subcut.compiler.cutting", "subcut.compiler.loading"),
    ("subcut.compiler.verification", "subcut.compiler.verification_sizes"),
    ("subcut.emulator",),
    ("subcut.analysis",),
    ("subcut.viewer",),
    ("subcut.compiler.cli",),
]
"""From left to right; a module imports nothing of a layer to the right of its own."""


def sources() -> list[Path]:
    return [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def module(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts if parts[0] == "subcut" else ("subcut", *parts))
    return name.removesuffix(".__init__")


def layer(name: str) -> int | None:
    for place, prefixes in enumerate(LAYERS):
        if any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes):
            return place
    return None


def imports(file: Path, *, type_checking: bool = False) -> list[str]:
    """What a file imports; imports that only a type checker sees are left out unless asked for."""
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        if not type_checking and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text("utf-8")))
    return found


@pytest.mark.parametrize("file", sources(), ids=module)
def test_imports_go_one_way(file: Path) -> None:
    mine = layer(module(file))
    if mine is None:
        assert module(file) in ("subcut", "subcut.__main__", "subcut.compiler"), "the module has a layer"
        return
    for name in imports(file):
        theirs = layer(name)
        assert theirs is None or theirs <= mine, f"{module(file)} imports {name}"


def test_dsl_and_formats_do_not_know_each_other() -> None:
    for file in sources():
        name = module(file)
        if name.startswith("subcut.dsl"):
            assert not [i for i in imports(file) if i.startswith("subcut.compiler.formats")]
        if name.startswith("subcut.compiler.formats"):
            assert not [i for i in imports(file) if i.startswith("subcut.dsl")]


def test_the_package_list_is_complete() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted({module(file) for file in sources() if file.name == "__init__.py"})


def test_files_and_functions_are_small() -> None:
    for file in sources():
        text = file.read_text("utf-8")
        assert text.count("\n") <= 400, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{file}: {node.name}"


def test_public_names_are_complete() -> None:
    import subcut

    assert sorted(subcut.__all__) == sorted([*subcut._HOME, "__version__"])
    for name in subcut.__all__:
        assert getattr(subcut, name).__doc__ or name in ("__version__", "PASSES")
    with pytest.raises(AttributeError, match="nonsense"):
        _ = subcut.nonsense


def test_importing_subcut_imports_nothing_heavy() -> None:
    code = "import subcut, sys; subcut.load, subcut.cut; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"onnx", "onnxruntime", "tensorflow", "numpy", "lark", "rich", "google.protobuf"}
    assert not heavy & set(loaded)
