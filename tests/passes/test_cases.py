"""What the cutting passes do, as cases a person can read.

A case is prose, a graph (the notation of `support.graphs`), a selection, and what the cut is: its inputs with the
reason, its operators, its outputs with the reason. `SUBCUT_UPDATE=1` writes what came out; read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.graphs import TextDialect, read_graph

from subcut.compiler.errors import UserError
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.pipeline import standard

FILES = sorted(Path(__file__).parent.glob("cases/*.case"))
RULE = "=" * 40 + "\n"


def sections(case: str) -> dict[str, str]:
    """The parts of a case; the prose is called the empty text."""
    parts, name = {"": ""}, ""
    for line in case.splitlines(keepends=True):
        if line.startswith("--- "):
            name = line[4:].strip()
            parts[name] = ""
        else:
            parts[name] += line
    return parts


def describe(model: Model) -> str:
    """The cut, a line an edge or operator."""
    report = model.report
    assert report is not None
    lines = []
    for edge in report.inputs:
        readers = ", ".join(op.label for op in edge.consumers)
        maker = f"made by {edge.producer.label}, " if edge.producer else ""
        lines.append(f"input %{edge.new.name if edge.new else '?'}: {edge.reason}; {maker}read by {readers}")
    lines += [_operator(op) for op in model.main.ops]
    lines += [f"output %{edge.value.name}: {edge.reason}" for edge in report.outputs]
    lines += [f"no longer: {op.label} waits for {other.label}" for op, other in report.controls]
    return "\n".join(lines) + "\n"


def _operator(op: Op) -> str:
    operands = [f"%{value.name}" if value else "_" for value in op.operands] + [f"^{c.name}" for c in op.controls]
    results = ", ".join(value.name for value in op.results)
    return f"{results} = {op.type}({', '.join(operands)})"


def outcome(case: dict[str, str]) -> str:
    model = read_graph(case["graph"])
    pipeline = standard(case["select"].strip())
    pipeline.verify_each = True
    try:
        return describe(pipeline.run(model))
    except UserError as error:
        return str(error) + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cases(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The types of made-up graphs are not what these cases are about.
    monkeypatch.setattr(TextDialect, "needs_type", lambda self, value: (False, False))
    cases = [sections(case) for case in path.read_text("utf-8").split(RULE)]
    found = [outcome(case) for case in cases]
    if os.environ.get("SUBCUT_UPDATE"):
        texts = [
            f"{case['']}--- graph\n{case['graph']}--- select\n{case['select']}--- cut\n{result}"
            for case, result in zip(cases, found, strict=True)
        ]
        path.write_text(RULE.join(texts), "utf-8")
    else:
        assert found == [case["cut"] for case in cases]
