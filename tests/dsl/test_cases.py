"""The case files: prose, a graph, a selection or a selection file, and what comes of it.

A case ends at a line of `=`; its graph stays that of the cases after it. `SUBCUT_UPDATE=1` writes what comes out into
the files, for a human to read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.graphs import OneModel, names, read_graph

from subcut.compiler.diagnostics import SourceText
from subcut.compiler.errors import UserError
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.selection import CutOptions, Selection
from subcut.dsl.file import check, read_text
from subcut.dsl.format import format_cut, format_text
from subcut.dsl.names import Names
from subcut.dsl.parser import parse
from subcut.dsl.resolve import resolve

CASES = Path(__file__).parent / "cases"
UPDATE = bool(os.environ.get("SUBCUT_UPDATE"))


def cases() -> Iterator[tuple[str, int]]:
    for path in sorted(CASES.glob("*.case")):
        for number in range(len(_split(path))):
            yield path.stem, number


def _split(path: Path) -> list[str]:
    return re.split(r"(?m)^=+\n", path.read_text(encoding="utf-8"))


def _sections(case: str) -> list[tuple[str, str]]:
    """The prose, under an empty name, then name and text of each section."""
    prose, *parts = re.split(r"(?m)^--- (\w+)\n", case)
    return [("", prose), *zip(parts[::2], parts[1::2], strict=True)]


def _graph_of(path: Path, number: int) -> str:
    for case in reversed(_split(path)[: number + 1]):
        for name, text in _sections(case):
            if name == "graph":
                return text
    return ""


@pytest.mark.parametrize(("stem", "number"), list(cases()), ids=lambda v: str(v))
def test_case(stem: str, number: int) -> None:
    path = CASES / f"{stem}.case"
    case = _split(path)[number]
    sections = _sections(case)
    given = [(name, text) for name, text in sections if name in ("", "graph", "select", "file")]
    assert sections[0][1].strip(), "a case begins with what it shows"
    kind, text = next((name, text) for name, text in given if name in ("select", "file"))
    model = read_graph(_graph_of(path, number))
    outcome = select(text, model) if kind == "select" else whole_file(text, model)
    expected = [pair for pair in sections if pair not in given]
    if UPDATE and expected != [outcome]:
        _rewrite(path, number, [*given, outcome])
    else:
        assert [outcome] == expected


def _rewrite(path: Path, number: int, sections: list[tuple[str, str]]) -> None:
    split = _split(path)
    split[number] = "".join((f"--- {name}\n" if name else "") + text for name, text in sections)
    path.write_text(("=" * 40 + "\n").join(split), encoding="utf-8")


def select(text: str, model: Model) -> tuple[str, str]:
    """The section that belongs behind a selection. Its canonical form is checked to mean the same."""
    text = text.removesuffix("\n")
    try:
        shown = _meaning(text, model)
    except UserError as error:
        return "error", f"{error}\n"
    canonical = format_cut(parse(text))
    assert format_cut(parse(canonical)) == canonical
    assert _meaning(canonical, model) == shown
    return "selection", shown


def _meaning(text: str, model: Model) -> str:
    selection, options = resolve(parse(text), model, SourceText("<selection>", text))
    return "".join(f"{line}\n" for line in _lines(model, selection, options))


def _lines(model: Model, selection: Selection, options: CutOptions) -> Iterator[str]:
    yield selection.text
    yield "operators: " + " ".join(names(selection.ops))
    if selection.graph is not model.main:
        yield "in: @" + Names(model).scope_of(selection.graph).address
    if selection.entries:
        yield "entries: " + _names(selection.entries)
    if selection.ends is not None:
        yield "ends: " + _names(selection.ends) + (" and what leaves" if selection.leaving else "")
    for value, type in options.types.items():
        yield f"input: %{value.name} : {type}"
    for value, type in options.outputs.items():
        yield f"output: %{value.name} : {type}"
    for value, path in options.freeze.items():
        yield f"freeze: %{value.name} = {path}"
    if options.taps or options.tap_leaving:
        yield "taps: " + _names(options.taps) + ("what leaves" if options.tap_leaving else "")
    if options.snap:
        yield f"snap: {options.snap}"
    if options.name:
        yield f"name: {options.name}"


def _names(values: dict[Value, None]) -> str:
    return " ".join(f"%{value.name}" for value in values)


def whole_file(text: str, model: Model) -> tuple[str, str]:
    """The section that belongs behind a file: what is wrong with it, or its canonical form."""
    try:
        found = check(read_text(text, Path("it.subcut")), OneModel(model))
        if found:
            raise UserError(found)
    except UserError as error:
        return "error", f"{error}\n"
    formatted = format_text(text)
    assert format_text(formatted) == formatted
    return "formatted", formatted
