"""The documents know every code, every command and every option."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from support.commands import subcut
from support.models import ROOT

from subcut.compiler.cli.main import COMMANDS

CODES = (ROOT / "docs/diagnostics.md").read_text("utf-8")
SOURCES = sorted(file for folder in ("compiler", "dsl", "passes") for file in (ROOT / folder).rglob("*.py"))


def codes(file: Path) -> set[str]:
    """The codes that a file raises: the first argument wherever a diagnostic is made."""
    calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call) and node.args]
    makers = {"user_error", "Diagnostic"}
    firsts = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in makers]
    return {first.value for first in firsts if isinstance(first, ast.Constant)}


def test_codes_are_found() -> None:
    assert {"bad-arguments", "folder-exists", "unknown-type"} <= set().union(*map(codes, SOURCES))


@pytest.mark.parametrize("file", [f for f in SOURCES if codes(f)], ids=lambda file: str(file.relative_to(ROOT)))
def test_every_code_is_documented(file: Path) -> None:
    assert not {code for code in codes(file) if f"`{code}`" not in CODES}


def test_the_readme_shows_every_command() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert not [name for name in COMMANDS if name != "cut" and f"`subcut {name}" not in readme]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_does(command: str) -> None:
    told = subcut(command, "--help").stdout
    assert re.search(r"(?m)^  -h, --help +\S", told)
    for entry in re.split(r"\n(?=  -)", told)[1:]:
        assert re.match(r"  -.*?(?:  |\n {10,})\S", entry, re.DOTALL), entry
