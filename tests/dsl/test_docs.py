"""What the documents say about the language is tried: every example is resolved, every code is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.graphs import OneModel, read_graph

from subcut.compiler.diagnostics import SourceText
from subcut.dsl.file import check, read_text
from subcut.dsl.parser import parse
from subcut.dsl.resolve import resolve

ROOT = Path(__file__).parents[2]
LANGUAGE = (ROOT / "docs/selection-language.md").read_text(encoding="utf-8")
DIAGNOSTICS = (ROOT / "docs/diagnostics.md").read_text(encoding="utf-8")
CODE = re.compile(r'"([a-z]+(?:-[a-z]+)+|syntax)"')


def _fenced(kind: str, text: str) -> list[str]:
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```", text)


def _rows() -> list[str]:
    """The code in the first column of every table row."""
    cells = re.findall(r"(?m)^\| (`.*?`) \| ", LANGUAGE)
    return [text for cell in cells for text in re.findall(r"`([^`]*)`", cell)]


SELECTIONS = [*_rows(), *_fenced("selection", LANGUAGE)]


def test_examples_are_found() -> None:
    assert len(SELECTIONS) > 50


@pytest.mark.parametrize("text", SELECTIONS)
def test_each_example_of_the_language_means_something(text: str) -> None:
    model = read_graph(_fenced("graph", LANGUAGE)[0])
    selection, _ = resolve(parse(text), model, SourceText("<selection>", text))
    assert selection.ops


def test_the_example_file_holds() -> None:
    model = read_graph(_fenced("graph", LANGUAGE)[0])
    (text,) = _fenced("file", LANGUAGE)
    assert check(read_text(text, Path("example.subcut")), OneModel(model)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "dsl").glob("*.py")), ids=lambda path: path.stem)
def test_every_code_is_documented(path: Path) -> None:
    documented = set(re.findall(r"(?m)^### `([\w-]+)`$", DIAGNOSTICS))
    assert set(CODE.findall(path.read_text(encoding="utf-8"))) <= documented


def test_shown_messages_are_real() -> None:
    """Each message under a code of the language stands in a case file, but for the two that need no selection."""
    cases = "\n".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "tests/dsl/cases").glob("*.case")))
    used = {code for p in (ROOT / "dsl").glob("*.py") for code in CODE.findall(p.read_text(encoding="utf-8"))}
    shown = [block.rstrip("\n") for block in _fenced("text", DIAGNOSTICS)]
    codes = {re.match(r"error\[([\w-]+)\]", block)[1]: block for block in shown}  # type: ignore[index]
    assert used <= codes.keys()
    for code in used - {"bad-file", "no-cut"}:
        assert codes[code] in cases, code
