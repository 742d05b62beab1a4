"""The log of an export (rows D6 to D10): what was added, where the device's dumps went, every operator kept."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from subcut.compiler.ir.alignment import DUMP_DATA
from subcut.compiler.ir.graph import Model


def log(model: Model, folder: Path, manifest: dict[str, Any]) -> str:
    """The log, a timestamp in front of every entry."""
    return "\n".join(stamped(entry) for entry in entries(model, folder, manifest))


def stamped(entry: str) -> str:
    """An entry with the time it is logged at (row D10)."""
    return f"{datetime.datetime.now():%Y-%m-%d %H:%M:%S} {entry}"


def entries(model: Model, folder: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """The entries of the log; that of an added input has lines below it."""
    report = model.report
    assert report is not None
    for edge in report.inputs:
        if edge.new is not None and edge.new is not edge.value:
            yield f"{model.dialect.input_heading}\n{model.dialect.input_text(edge.new).rstrip()}"
    for value, type, source in report.folded:
        yield f"Fold Constant:{value.name} {type} from {source}"
    dropped = [note["operator"] for note in model.notes.get("dropped", [])]
    if dropped:
        yield f"Drop Layer:{','.join(dropped)}"
    for note in model.notes.get("rewired", []):
        verb = "writes" if note["operand"].startswith("top") else "reads"
        yield f"Rewire:{note['operator']} {verb} {note['to']} instead of {note['from']}"
    for note in model.notes.get("limits", []):
        yield f"Limit:{note['what']}"
    if model.alignment is not None:
        yield from device_entries(folder, manifest)
    yield "Export Layer:" + ",".join(op.label for op in report.operators)
    yield f"Output Path:{folder}"


def device_entries(folder: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """What the device had of the cut: rows D7 and D8, and what comes next (rows A1 and A2)."""
    if manifest["dump_data"]:
        yield f"Output Dump Path:{folder / DUMP_DATA}"
    for group in manifest["fused"]:
        yield f"Dump Layer:[{', '.join(group['layers'])}]"
        if group["outside"]:
            yield f"Fused With:[{', '.join(group['outside'])}] outside the cut, in `{group['operator']}`"
        for name in group["output_files"]:
            yield f"Output File:{name}"
        if group["input_file"]:
            yield f"Input File:{group['input_file']}"
    for record in manifest["numbers"]:
        shape = ",".join(map(str, record["shape"]))
        yield f"Export Tensor:{record['npy']} {record['npy_type']}, {record['bin']} {record['bin_type']}, shape {shape}"
    yield f"Alignment:{manifest['coverage']}"
    yield from (f"Warning:{warning}" for warning in manifest["warnings"])
    yield from (f"Next:{command}" for command in manifest["commands"])
