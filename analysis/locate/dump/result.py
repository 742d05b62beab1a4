"""The result folder: every tensor's errors, and the smallest faulty piece with the device's numbers and a proof."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import subcut
from subcut.analysis.locate.candidate import Cutter
from subcut.analysis.locate.dump.locating import Found
from subcut.analysis.locate.dump.report import as_record, csv_text, facts
from subcut.analysis.locate.reference import Source
from subcut.analysis.locate.steps import Steps
from subcut.analysis.locate.tensors import file_name, write_npy
from subcut.compiler import manifest
from subcut.compiler.alignment.twin import TwinOptions
from subcut.compiler.export import save
from subcut.compiler.formats import WriteOptions
from subcut.compiler.ir.graph import Value
from subcut.compiler.storage.folder import MANIFEST, ResultFolder

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ERRORS, REPORT = "errors.csv", "report.json"


def write_result(
    found: Found, source: Source, device: TwinOptions, folder: Path, *, force: bool = False, link: bool = False
) -> dict[str, Any]:
    """Write the result folder; returns its manifest.

    With an answer it is a cut like any other, aligned, with `inputs/` and `outputs/` as the device had them, and
    besides `expected/`, what the reference makes of these inputs, and `repro.sh`. Raises UserError where the folder
    cannot be written.
    """
    if found.answer is None or found.evidence is None:
        return _write_report(found, source, device, folder, force)
    evidence = found.evidence
    steps = Steps(evidence.model)
    numbers = {value.name: array for value, array in {**evidence.fed, **evidence.stored}.items()}
    piece = tuple(sorted(steps.places[op] for op in found.answer.ops))
    cut = Cutter(source.path, source.options, steps).cut(piece, numbers, device=device)

    def complete(temp: Path, content: dict[str, Any]) -> None:
        _write_tables(found, temp)
        records = {(record["npy"].partition("/")[0], record["tensor"]): record for record in content["numbers"]}
        names = {tensor: name for name, tensor in (*cut.inputs.items(), *cut.outputs.items())}
        for folder, arrays in (("inputs", evidence.fed), ("outputs", evidence.stored)):
            for value, array in arrays.items():
                if value.name in names and (folder, value.name) not in records:
                    content["numbers"].append(_write_numbers(temp, folder, value, names[value.name], array))
        (temp / "expected").mkdir()
        for record in content["numbers"]:
            right = next((a for v, a in evidence.right.items() if v.name == record["tensor"]), None)
            if right is not None and record["npy"].startswith("outputs/"):
                record["expected"] = f"expected/{Path(record['npy']).name}"
                write_npy(temp / record["expected"], right)
        content["locate"] = facts(found)
        _write_script(temp, content)
        (temp / MANIFEST).write_text(manifest.text(content) + "\n", encoding="utf-8")

    return save(cut.model, folder, options=WriteOptions(link=link), force=force, check=complete)


def _write_tables(found: Found, folder: Path) -> None:
    (folder / ERRORS).write_text(csv_text(found.rows), encoding="utf-8", newline="")
    text = json.dumps(as_record(found), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")


def _write_report(found: Found, source: Source, device: TwinOptions, folder: Path, force: bool) -> dict[str, Any]:
    about = {"subcut": subcut.__version__, "located_in": source.path.name}
    content: dict[str, Any] = {**about, "locate": facts(found), "files": [ERRORS, REPORT]}
    with ResultFolder(folder, force=force, sources=[source.path, *device.files()]) as temp:
        _write_tables(found, temp)
        (temp / MANIFEST).write_text(manifest.text(content) + "\n", encoding="utf-8")
    return content


def _write_numbers(folder: Path, kind: str, value: Value, name: str, array: Array) -> dict[str, Any]:
    """Numbers that the dumps do not have, such as an input that was fed and not dumped."""
    path = f"{kind}/{file_name(name)}"
    (folder / kind).mkdir(exist_ok=True)
    write_npy(folder / path, array)
    return {"name": name, "tensor": value.name, "npy": path, "npy_type": str(array.dtype), "shape": list(array.shape)}


def _write_script(folder: Path, content: Mapping[str, Any]) -> None:
    """The proof: what the reference makes of the device's inputs, beside what the device made of them."""
    inputs = [record for record in content["numbers"] if record["npy"].startswith("inputs/")]
    names = [(shlex.quote(record["name"] + "="), shlex.quote(record["npy"])) for record in inputs]
    given = " ".join(f'--inputs {name}"$here"/{file}' for name, file in names)
    python, model = shlex.quote(sys.executable), shlex.quote(content["files"][0])
    lines = [
        "#!/bin/sh",
        "# Runs this piece of the model in its own framework on what the device was fed, and compares what the device",
        "# made of it: exit code 1 while it is wrong. With a folder as argument: what is there in place of `outputs`,",
        "# under the same names, .npy or .bin.",
        'here=$(cd "$(dirname "$0")" && pwd) || exit 2',
        "work=$(mktemp -d) || exit 2",
        "trap 'rm -rf \"$work\"' EXIT",
        f'{python} -m subcut run "$here"/{model} {given} -o "$work"/again -q || exit 2',
        f'{python} -m subcut.analysis.locate.dump.check "$here" "$work"/again "${{1:-$here/outputs}}"',
    ]
    script = folder / "repro.sh"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    script.chmod(0o755)
